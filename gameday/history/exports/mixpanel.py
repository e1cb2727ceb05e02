"""Mixpanel's raw export: JSON lines."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["MIXPANEL"]

MIXPANEL = Export(
    name="mixpanel",
    time=("properties.time",),
    event=("event",),
    user=("properties.distinct_id",),
    order=("properties.order_id", "properties.Order ID", "properties.transaction_id"),
    category=("properties.category", "properties.Category"),
    product=("properties.product_id", "properties.Product ID"),
    price=("properties.price", "properties.Price"),
    signs=("event", "properties.time", "properties.distinct_id"),
)
"""Source: Mixpanel, "Raw event export API"."""
