"""A waiting room: a token bucket admits customers to a sale at a rate; the others are told to come again.

A customer is admitted who asks when there is a token: first come first served is not promised.
"""

from __future__ import annotations

__all__ = ["room_now"]


def room_now(room: float, since_s: float, per_s: float) -> float:
    """Return how many may be admitted now, `since_s` after `room` might; at most a second's worth, or one."""
    return min(max(1.0, per_s), room + since_s * per_s)
