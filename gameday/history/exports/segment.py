"""Segment's events, as JSON lines or as a warehouse's table."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["SEGMENT"]

SEGMENT = Export(
    name="segment",
    time=("timestamp", "originalTimestamp", "sentAt", "original_timestamp"),
    event=("event", "event_text"),
    user=("anonymousId", "anonymous_id", "userId", "user_id"),
    order=("properties.order_id", "order_id"),
    category=("properties.category", "properties.products.category", "category"),
    product=("properties.product_id", "properties.products.product_id", "product_id"),
    price=("properties.price", "properties.products.price", "price"),
    steps={
        "Product Viewed": "product",
        "Product List Viewed": "search",
        "Products Searched": "search",
        "Product Added": "cart",
        "Signed In": "sign-in",
        "Order Completed": "checkout",
        **dict.fromkeys(
            (
                "Product Clicked",
                "Product Removed",
                "Cart Viewed",
                "Checkout Started",
                "Checkout Step Viewed",
                "Checkout Step Completed",
                "Payment Info Entered",
                "Order Updated",
                "Order Refunded",
                "Order Cancelled",
                "Promotion Viewed",
                "Promotion Clicked",
            )
        ),
    },
    signs=("anonymousId", "event", "timestamp"),
)
"""Source: Segment, "Ecommerce spec" (version 2)."""
