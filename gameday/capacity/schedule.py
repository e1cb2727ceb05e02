"""The schedule of a fleet: how many instances are at work in each hour of an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from gameday.experiments.failures import WARM_UP
from gameday.products import IsoMinute
from gameday.vocabulary import Array, TimeGrid

__all__ = ["ScheduledStep", "schedule"]

_HOUR_MIN = 60


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """From when to when a fleet has so many instances at work."""

    start: IsoMinute
    end: IsoMinute
    instances: int
    phase: str
    """Of the event, for which so many are at work: they are so `WARM_UP` before it needs them."""

    @property
    def hours(self) -> float:
        """How long it lasts."""
        return (self.end - self.start) / timedelta(hours=1)

    @staticmethod
    def of(data: dict[str, object]) -> ScheduledStep:
        """Return the step that a request's file holds; KeyError, TypeError or ValueError where it is none."""
        start, end = (
            datetime.fromisoformat(str(data[name]).replace("Z", "+00:00"))
            for name in ("start", "end")
        )
        instances = data["instances"]
        if not isinstance(instances, int) or instances < 1 or end <= start:
            raise ValueError(
                f"schedule: a step needs instances above 0 and an end after its start ({data})"
            )
        return ScheduledStep(start, end, instances, str(data["phase"]))


def schedule(needed: Array, phase: Array, grid: TimeGrid, now: int) -> tuple[ScheduledStep, ...]:
    """Return the steps in which a fleet differs from `now`, whole hours in UTC, the first one first.

    `needed`: instances in each slot, 0 where nothing is asked; `phase`: the names of their phases; (slots,) each.
    """
    hours, most, names = _by_hour(needed, phase, grid)
    ahead, rows = WARM_UP // timedelta(hours=1), []
    for place in range(-ahead, len(hours)):
        coming = slice(max(0, place), place + ahead + 1)
        decides = coming.start + int(most[coming].argmax())
        if most[decides] > 0 and most[decides] != now:
            rows.append((int(hours[0]) + place, int(most[decides]), names[decides]))
    return tuple(_joined(rows))


def _by_hour(needed: Array, phase: Array, grid: TimeGrid) -> tuple[Array, Array, list[str]]:
    """Return the hours since 1970 of a grid, the most that each needs, and the phase for which it does."""
    hours, first = np.unique((grid.minutes() // _HOUR_MIN).astype(np.int64), return_index=True)
    ends = [*first[1:], len(needed)]
    names = [str(phase[a + int(needed[a:b].argmax())]) for a, b in zip(first, ends, strict=True)]
    return hours, np.maximum.reduceat(needed, first), names


def _joined(rows: list[tuple[int, int, str]]) -> list[ScheduledStep]:
    """Return steps of (hour since 1970, instances, phase): hours in a row with as many for one phase are one."""
    steps: list[ScheduledStep] = []
    for hour, instances, phase in rows:
        start = datetime.fromisoformat("1970-01-01T00:00+00:00") + timedelta(hours=hour)
        end = start + timedelta(hours=1)
        last = steps[-1] if steps else None
        if last and (last.end, last.instances, last.phase) == (start, instances, phase):
            steps[-1] = ScheduledStep(last.start, end, instances, phase)
        else:
            steps.append(ScheduledStep(start, end, instances, phase))
    return steps
