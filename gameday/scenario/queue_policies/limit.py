"""Limit: a service admits no more than it has lately answered in time (adaptive concurrency)."""

from __future__ import annotations

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["Limit", "is_over_limit", "next_limit"]

_BACK_OFF = 0.9


class Limit(Block):
    """Admits up to a limit, waiting or in service, that grows with quick visits and shrinks with slow."""

    target: Duration = Field(gt=0)
    """A visit slower than this, queue to reply, lowers the limit, s."""


def next_limit(limit: float, seconds: float, target_s: float, most: float) -> float:
    """Return the limit after a visit of so many seconds: one more a round of quick ones, a tenth less.

    Source: additive increase, multiplicative decrease (Chiu & Jain, 1989), as for TCP and in
    Netflix's concurrency-limits.
    """
    if seconds > target_s:
        return max(1.0, limit * _BACK_OFF)
    return min(most, limit + 1.0 / limit)


def is_over_limit(inside: int, limit: float) -> bool:
    """Return whether an arrival is refused with so many waiting or in service; nobody, where nobody is."""
    return inside >= max(1, int(limit))
