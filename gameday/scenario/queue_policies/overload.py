"""Overload: the order of service, and controlled delay: who has waited too long to be served at all."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["ORDERS", "CoDel", "QueueOrder", "has_waited_too_long", "takes_last"]

QueueOrder = Literal["fifo", "lifo", "adaptive"]
"""`lifo`: the last to come is served first, whose caller is the likeliest to be waiting still; `adaptive`: so
only under overload, while the queue has not been empty for a tenth of the time-out. Source: B. Maurer, "Fail at
Scale", ACM Queue, 2015; the tenth is ours."""
ORDERS = ("fifo", "lifo", "adaptive")


class CoDel(Policy):
    """Controlled delay: a queue that does not empty lets nobody wait long."""

    target: Duration = Field(gt=0)
    """Longest wait once the queue has not been empty for `interval`, s."""
    interval: Duration = Field(gt=0)
    """Longest wait before that, s."""

    real_columns: ClassVar = ("codel_target_s", "codel_interval_s")

    @model_validator(mode="after")
    def _target_is_sooner(self) -> CoDel:
        if self.target > self.interval:
            raise ValueError("`target` must not be longer than `interval`")
        return self

    @property
    def acts_after_s(self) -> float:
        """Return the wait that it allows a queue that does not empty."""
        return self.target

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"codel_target_s": self.target, "codel_interval_s": self.interval}


def has_waited_too_long(
    waited_s: float, standing_s: float, target_s: float, interval_s: float
) -> bool:
    """Return whether a request that has waited `waited_s` is refused when a server becomes free.

    `standing_s`: how long the queue has not been empty. Source: controlled delay (Nichols and
    Jacobson, 2012) as a bound on the wait, after "Fail at Scale".
    """
    return waited_s > (target_s if standing_s > interval_s else interval_s)


def takes_last(order: int, standing_s: float, timeout_s: float) -> bool:
    """Return whether the last to come is served first; `order`: its index in ORDERS.

    `standing_s`: how long the queue has not been empty.
    """
    return order == 1 or (order == 2 and standing_s > 0.1 * timeout_s)
