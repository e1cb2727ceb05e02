"""REES46's published logs: a row an article looked at, put in a cart or bought."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["REES46"]

REES46 = Export(
    name="rees46",
    time=("event_time",),
    event=("event_type",),
    user=("user_id",),
    session=("user_session",),
    category=("category_code",),
    product=("product_id",),
    price=("price",),
    steps={"view": "product", "cart": "cart", "purchase": "checkout", "remove_from_cart": None},
    signs=("event_time", "event_type", "user_session"),
)
"""Source: "eCommerce behavior data from multi category store", 2019."""
