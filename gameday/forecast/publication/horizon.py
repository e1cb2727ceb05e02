"""What a region's years ahead are told from: its models and the event's own demand."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.forecast.event_demand import EventDemand
from gameday.forecast.model.regional import Model
from gameday.vocabulary import Array

__all__ = ["Horizon"]

_WEEK_MIN = 7 * 1440


@dataclass(frozen=True, slots=True)
class Horizon:
    """One region's models, and what all its numbers of the years ahead are made with."""

    days: Model
    """The daily model, scored over the whole horizon."""
    near: Model
    """The daily model, scored over the next weeks only."""
    minutes: Model | None
    """None where rows are of days or weeks: nothing tells how a day goes."""
    weights: Array
    """By how much each step counts in each sum, shape (sums, steps)."""
    sigma: float
    """Spread of the log of an event's size."""
    event: EventDemand | None

    @property
    def region(self) -> str:
        """The region's name."""
        return self.days.past.calendar.region

    def midnights(self, weeks: int) -> Array:
        """Return the local midnights from the end of the past to two weeks beyond the horizon."""
        end = self.days.past.end_min
        return self.days.past.calendar.midnights(end, end + (weeks + 2) * _WEEK_MIN)
