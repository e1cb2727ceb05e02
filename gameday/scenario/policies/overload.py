"""Overload: which of those who wait is served next, and who has waited too long to be served at all."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["CoDel", "QueueOrder", "has_waited_too_long"]

QueueOrder = Literal["fifo", "lifo"]
"""`lifo`: the last to come is served first, whose caller is the likeliest to be waiting still.
Source: B. Maurer, "Fail at Scale", ACM Queue, 2015."""


class CoDel(Block):
    """Controlled delay: a queue that does not empty lets nobody wait long."""

    target: Duration = Field(gt=0)
    """Longest wait once the queue has not been empty for `interval`, s."""
    interval: Duration = Field(gt=0)
    """Longest wait before that, s."""


def has_waited_too_long(
    waited_s: float, standing_s: float, target_s: float, interval_s: float
) -> bool:
    """Return whether one who has waited so long is refused when a server is free.

    `standing_s`: how long the queue has not been empty. Source: controlled delay (Nichols and
    Jacobson, 2012) as a bound on the wait, after "Fail at Scale".
    """
    return waited_s > (target_s if standing_s > interval_s else interval_s)
