"""What a region's forecast is made from: its counts without what is masked, its rows, its calendar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gameday.forecast.design import Columns, Design, calendar_columns
from gameday.forecast.profile import Residues
from gameday.forecast.rows import Rows, make_rows
from gameday.forecast.task import RegionCalendar
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Past"]


@dataclass(frozen=True)
class Past:
    """One region's past."""

    calendar: RegionCalendar
    grid: TimeGrid
    counts: Array
    """Shape (series, slots), NaN where not known or masked."""

    @property
    def first_min(self) -> float:
        """Where it starts, minutes since 1970 UTC."""
        return float(self.grid.epoch_min)

    @property
    def end_min(self) -> float:
        """Where it ends, minutes since 1970 UTC."""
        return float(self.grid.epoch_min + self.grid.slots)

    @cached_property
    def rows(self) -> Rows:
        """Its rows."""
        return make_rows(self.counts, self.grid, self.calendar)

    def design(self, shape: Shape, *, origin: float | None = None) -> Design:
        """Return the design of a shape, as of `origin` or the end."""
        return Design(
            self.calendar, self.first_min, self.end_min if origin is None else origin, shape
        )

    def columns(self, minute: Array) -> Columns:
        """Return the calendar's columns at `minute`."""
        return calendar_columns(self.calendar, minute)

    def residues(self, days: int) -> Residues:
        """Return how the minutes of the last `days` lie to their neighbours."""
        return Residues(self.counts, self.grid, self.calendar, days)

    def actual(self, minute: Array) -> Array:
        """Return counts at minutes of the past, shape (n, series)."""
        return np.asarray(self.counts[:, (minute - self.first_min).astype(int)].T)
