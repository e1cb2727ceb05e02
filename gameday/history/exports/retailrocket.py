"""Retailrocket's published log of events."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["RETAILROCKET"]

RETAILROCKET = Export(
    name="retailrocket",
    time=("timestamp",),
    event=("event",),
    user=("visitorid",),
    order=("transactionid",),
    product=("itemid",),
    steps={"view": "product", "addtocart": "cart", "transaction": "checkout"},
    signs=("timestamp", "visitorid", "event", "itemid"),
)
"""Source: "Retailrocket recommender system dataset", 2016."""
