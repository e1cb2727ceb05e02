"""Degraded: some of a service's instances are sick: they work slowly, or refuse what they are asked."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from gameday.scenario.policy import Policy
from gameday.scenario.units import Share

__all__ = ["Degraded"]


class Degraded(Policy):
    """A share of the instances, a zone's for instance, that is worse than the others.

    Where each instance has a queue of its own (`balance`) these are the first of them; else every visit meets
    one of them with this chance.
    """

    share: Share
    """Of the instances, 0-1."""
    slowed: float = Field(default=1.0, gt=0, le=1000)
    """How many times as long own work takes there."""
    refuses: bool = False
    """Whether they refuse everybody."""

    real_columns: ClassVar = ("degraded_share", "degraded_slow", "refusing_share")
    changes_work: ClassVar = True

    @model_validator(mode="after")
    def _does_something(self) -> Degraded:
        if self.slowed == 1.0 and not self.refuses:
            raise ValueError("give `slowed` other than 1, or `refuses: true`, or leave it out")
        return self

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {
            "degraded_share": self.share,
            "degraded_slow": self.slowed,
            "refusing_share": self.share if self.refuses else 0.0,
        }
