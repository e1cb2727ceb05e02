"""Limit: an adaptive concurrency limit; a service admits as many as it has lately answered in time."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["Limit", "is_over_limit", "next_limit"]

_BACK_OFF = 0.9
"""Factor on the limit after a slow visit. Default: that of Netflix's concurrency-limits (AIMD)."""


class Limit(Policy):
    """Admits up to a limit, waiting or in service, that grows with quick visits and shrinks with slow."""

    target: Duration = Field(gt=0)
    """A visit slower than this, queue to reply, lowers the limit, s."""

    real_columns: ClassVar = ("limit_target_s",)

    @property
    def acts_after_s(self) -> float:
        """Return the slowest visit that it allows."""
        return self.target

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"limit_target_s": self.target}


def next_limit(limit: float, seconds: float, target_s: float, most: float) -> float:
    """Return the limit after a visit of `seconds`: up by 1/limit after a quick one, down a tenth after a slow one.

    Source: additive increase, multiplicative decrease (Chiu & Jain, 1989), as for TCP and in
    Netflix's concurrency-limits.
    """
    if seconds > target_s:
        return max(1.0, limit * _BACK_OFF)
    return min(most, limit + 1.0 / limit)


def is_over_limit(inside: int, limit: float) -> bool:
    """Return whether an arrival is refused with `inside` waiting or in service; an empty service refuses none."""
    return inside >= max(1, int(limit))
