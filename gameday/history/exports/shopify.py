"""Shopify's export of orders: a row an article."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["SHOPIFY"]

SHOPIFY = Export(
    name="shopify",
    time=("Created at",),
    event=(),
    user=("Email",),
    order=("Name",),
    product=("Lineitem sku", "Lineitem name"),
    price=("Lineitem price",),
    steps={"*": "checkout"},
    signs=("Name", "Created at", "Lineitem name"),
)
"""Source: Shopify, "Exporting orders"."""
