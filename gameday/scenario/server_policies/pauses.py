"""Pauses: an instance stands still now and then, as for a garbage collection, with all it works on."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from gameday.scenario.units import Block, Duration

__all__ = ["Pauses", "seconds_with_pauses"]


class Pauses(Block):
    """Each instance stands still at equal distances; instances take turns."""

    every: Duration = Field(gt=0)
    """From one pause's begin to the next one's."""
    last: Duration = Field(gt=0)
    """How long each lasts."""

    @model_validator(mode="after")
    def _works_between(self) -> Pauses:
        if self.last >= self.every:
            raise ValueError("`last` must be shorter than `every`: it would never work")
        return self


def seconds_with_pauses(
    begins_s: float, work_s: float, every_s: float, pause_s: float, offset_s: float
) -> float:
    """Return how long work takes that begins then, in an instance that pauses at offset + n every."""
    since = begins_s - offset_s
    place = since - math.floor(since / every_s) * every_s
    waits = max(0.0, pause_s - place)
    left = work_s - (every_s - max(place, pause_s))
    if left <= 0.0:
        return waits + work_s
    return waits + work_s + (1.0 + math.floor(left / (every_s - pause_s))) * pause_s
