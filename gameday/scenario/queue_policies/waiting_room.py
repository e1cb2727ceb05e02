"""A waiting room: so many a second are let on to what everybody wants; the others are told to come again.

Who is let on is who asks when there is room: a draw, not a line.
"""

from __future__ import annotations

__all__ = ["room_now"]


def room_now(room: float, since_s: float, per_s: float) -> float:
    """Return how many may be let on now, `since_s` after `room` could: a second's worth at most, one at least."""
    return min(max(1.0, per_s), room + since_s * per_s)
