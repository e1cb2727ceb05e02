"""What a region's forecast is made from: its counts without what is masked, its rows, its calendar.

At two grains: minutes, for the shape of days months ahead; and days, for the level of days years ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows, known_sums, make_rows
from gameday.forecast.model.design import Columns, Design, calendar_columns
from gameday.forecast.model.profile import Residues
from gameday.forecast.model.told import Told
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array, TimeGrid

__all__ = ["OutsideMember", "Past", "daily"]

_DAY_MIN = 1440
_KNOWN = 0.9
"""A day is known when this share of its minutes is; what is missing is taken to be like the rest of it."""


class OutsideMember(Protocol):
    """A member of the forecast that is no model of ours."""

    @property
    def name(self) -> str:
        """As the scenario calls it."""

    def forecasts(self, *, daily: bool) -> bool:
        """Return whether it forecasts days, or minutes."""

    def told(self, past: Past, origin: float, end: float) -> Told:
        """Return what it forecasts from `origin` up to `end`, minutes since 1970 UTC, of a past's series."""


@dataclass(frozen=True)
class Past:
    """One region's past."""

    calendar: RegionCalendar
    grid: TimeGrid
    counts: Array
    """Shape (series, slots), NaN where not known or masked; a slot is a minute or a local day."""
    starts: Array | None = None
    """Where each day begins, minutes since 1970 UTC, shape (slots,); None: the slots are the grid's minutes."""

    raw: Array | None = None
    """Counts before robots and outages were left out, (steps, slots): what rivals learn from; None: these."""
    asked: tuple[OutsideMember, ...] = ()
    """Members from outside that the scenario asks for."""

    @property
    def outside(self) -> tuple[OutsideMember, ...]:
        """Those of them that forecast slots like its own."""
        return tuple(each for each in self.asked if each.forecasts(daily=self.is_daily))

    @property
    def is_daily(self) -> bool:
        """Whether its slots are days."""
        return self.starts is not None

    @property
    def middle_min(self) -> float:
        """From a slot's start to where it is taken to lie: a day at its noon."""
        return _DAY_MIN / 2 if self.is_daily else 0.0

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
        if self.starts is None:
            return make_rows(self.counts, self.grid, self.calendar)
        width = np.full(len(self.starts), float(_DAY_MIN))
        return Rows(
            self.starts + self.middle_min,
            width,
            self.counts.T.astype(np.float32),
            np.zeros(len(width), bool),
            self.columns(self.starts),
            are_totals=True,
        )

    def until(self, end: float) -> Past:
        """Return the part known at `end`."""
        slots = int(end - self.first_min)
        if self.starts is None:
            known = slice(0, slots)
            raw = None if self.raw is None else self.raw[:, known]
            return replace(
                self, grid=self.grid.part(0, slots), counts=self.counts[:, known], raw=raw
            )
        whole = self.starts + _DAY_MIN / 2 < end
        return replace(
            self,
            grid=self.grid.part(0, slots),
            counts=self.counts[:, whole],
            starts=self.starts[whole],
            raw=None if self.raw is None else self.raw[:, whole],
        )

    def unmasked(self) -> Past:
        """Return the past with robots and outages in it; of a series more than there are steps, their sum."""
        raw = self.raw
        if raw is None:
            return self
        if len(self.counts) == len(raw) + 1:
            raw = np.concatenate([raw, raw.sum(axis=0, keepdims=True)])
        return replace(self, counts=raw, raw=None)

    def design(self, shape: Shape, *, origin: float | None = None) -> Design:
        """Return the design of a shape, as of `origin` or the end."""
        return Design(
            self.calendar, self.first_min, self.end_min if origin is None else origin, shape
        )

    def slots_between(self, begin: float, end: float, stride: int) -> Array:
        """Return every so many slots' starts from `begin` up to, not including, `end`."""
        if self.starts is None:
            return np.arange(begin, min(end, self.end_min), stride, dtype=float)
        return self.starts[(self.starts >= begin) & (self.starts < end)][::stride]

    def columns(self, minute: Array) -> Columns:
        """Return the calendar's columns of slots that start at `minute`; a day's are its hours' mean."""
        return (
            day_columns(self.calendar, minute)
            if self.is_daily
            else calendar_columns(self.calendar, minute)
        )

    def residues(self, days: int) -> Residues:
        """Return how the minutes of the last `days` lie to their neighbours."""
        return Residues(self.counts, self.grid, self.calendar, days)

    def actual(self, minute: Array) -> Array:
        """Return counts of slots that start at `minute`, shape (n, series)."""
        if self.starts is not None:
            return np.asarray(self.counts[:, np.searchsorted(self.starts, minute)].T)
        return np.asarray(self.counts[:, (minute - self.first_min).astype(int)].T)


def day_columns(calendar: RegionCalendar, starts: Array) -> Columns:
    """Return the calendar's columns of days, each the mean over its hours."""
    hours = starts[:, None] + 60.0 * np.arange(24) + 30
    fine = calendar_columns(calendar, hours.ravel())
    return replace(fine, values=fine.values.reshape(len(starts), 24, -1).mean(axis=1))


def daily(past: Past) -> Past:
    """Return the same past by whole local days."""
    starts = past.calendar.midnights(past.first_min, past.end_min)
    edges = (starts - past.first_min).astype(int)
    raw = None if past.raw is None else _totals_of_days(past.raw, edges)
    return replace(past, counts=_totals_of_days(past.counts, edges), starts=starts[:-1], raw=raw)


def _totals_of_days(counts: Array, edges: Array) -> Array:
    """Return the totals of days between `edges`, shape (series, days)."""
    totals = np.full((len(counts), max(0, len(edges) - 1)), np.nan)
    if len(edges) > 1:
        for series, row in enumerate(counts):
            totals[series] = _daily_totals(row, edges)
    return totals


def _daily_totals(counts: Array, edges: Array) -> Array:
    """Return the totals of days between `edges`, shape (days,); NaN of a day of which too little is known."""
    whole, minutes = counts[: edges[-1]], np.diff(edges)
    known, total = known_sums(whole, edges[:-1])
    return np.where(known >= _KNOWN * minutes, total * minutes / np.maximum(known, 1), np.nan)
