"""Amplitude's raw export: JSON lines."""

from __future__ import annotations

from gameday.history.exports.export import Export

__all__ = ["AMPLITUDE"]

AMPLITUDE = Export(
    name="amplitude",
    time=("event_time", "client_event_time"),
    event=("event_type",),
    user=("amplitude_id", "user_id", "device_id"),
    session=("session_id",),
    is_session_of_user=True,
    order=("event_properties.order_id", "event_properties.transaction_id"),
    category=("event_properties.category",),
    product=("event_properties.product_id",),
    price=("event_properties.price", "event_properties.$price"),
    signs=("event_time", "event_type", "amplitude_id", "session_id"),
)
"""Source: Amplitude, "Export API": session ids are when a session began."""
