"""Pauses: an instance stops at intervals, as for a garbage collection, and so does all its work."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field, model_validator

from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["Pauses", "seconds_with_pauses"]


class Pauses(Policy):
    """Each instance stands still at equal distances; instances take turns."""

    every: Duration = Field(gt=0)
    """From the start of one pause to the start of the next."""
    last: Duration = Field(gt=0)
    """How long each lasts."""

    real_columns: ClassVar = ("pause_every_s", "pause_s")
    changes_work: ClassVar = True

    @model_validator(mode="after")
    def _works_between(self) -> Pauses:
        if self.last >= self.every:
            raise ValueError("`last` must be shorter than `every`: it would never work")
        return self

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"pause_every_s": self.every, "pause_s": self.last}


def seconds_with_pauses(
    begins_s: float, work_s: float, every_s: float, pause_s: float, offset_s: float
) -> float:
    """Return how long work takes, s, that begins at `begins_s`; pauses begin at offset_s + n every_s."""
    since = begins_s - offset_s
    in_cycle_s = since - math.floor(since / every_s) * every_s
    waits_s = max(0.0, pause_s - in_cycle_s)
    left_s = work_s - (every_s - max(in_cycle_s, pause_s))
    if left_s <= 0.0:
        return waits_s + work_s
    return waits_s + work_s + (1.0 + math.floor(left_s / (every_s - pause_s))) * pause_s
