"""Rows of the fit: quarter or half hours where days are ordinary, minutes where events bend them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.model.design import Columns, calendar_columns
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import Occurrence
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Rows", "in_event", "known_sums", "late_width", "make_rows", "without_launches"]

_COARSE_MIN = 15
"""Width of an ordinary row, minutes, for a past of up to 400 days."""
_LONG_PAST_DAYS, _LATE_DAYS = 400, 120
_LONG_MIN = (60, 30)
"""Width of one beyond that: until the last 120 days, and in them."""
_MARGIN_MIN = 5
"""Width of a row near an event."""
_EVENT_MARGIN_MIN = 750
"""Minutes around an event that are near it: the widest knot (720) and a little."""
_SHARP_MIN = (60, 120)
"""Minutes before and after an event's start, and its end, kept one by one: the densest knots."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Bins of the past for one region."""

    minute: Array
    """Middle of each row, minutes since 1970 UTC, float, shape (rows,)."""
    width: Array
    """Minutes in each row, shape (rows,)."""
    mean: Array
    """Mean count a minute, float32, shape (rows, series); NaN where no minute was known."""
    in_event: Array
    """Whether the row lies in a declared event or its margin, shape (rows,)."""
    calendar: Columns
    """The design's columns that depend on the minute alone."""
    are_totals: bool = False
    """Whether the counts are totals of a row, as of days, and not means of its minutes."""

    def before(self, origin: float) -> Rows:
        """Return the rows that end at or before `origin`."""
        return self.where(
            slice(0, int(np.searchsorted(self.minute + self.width / 2, origin, "right")))
        )

    def where(self, keep: Array | slice) -> Rows:
        """Return the rows where `keep`, shape (rows,)."""
        if not isinstance(keep, slice) and keep.all():
            return self
        return Rows(
            self.minute[keep],
            self.width[keep],
            self.mean[keep],
            self.in_event[keep],
            self.calendar.rows(keep),
            self.are_totals,
        )

    def followed_by(self, later: Rows) -> Rows:
        """Return these rows of means and then the later ones."""
        values = np.concatenate([self.calendar.values, later.calendar.values])
        return Rows(
            np.concatenate([self.minute, later.minute]),
            np.concatenate([self.width, later.width]),
            np.concatenate([self.mean, later.mean]),
            np.concatenate([self.in_event, later.in_event]),
            replace(self.calendar, values=values),
        )

    @property
    def counted(self) -> Array:
        """Of how many counts each row's is the mean: its minutes, or one total; shape (rows,)."""
        return np.ones_like(self.width) if self.are_totals else self.width


def make_rows(counts: Array, grid: TimeGrid, calendar: RegionCalendar) -> Rows:
    """Return the rows of one region's counts, shape (series, slots)."""
    widths, near = _widths(grid, calendar)
    edges = _edges(grid, widths)
    width = np.diff(edges)
    middle = grid.epoch_min + edges[:-1] + width / 2
    mean, fixed = _means(counts, edges[:-1]), calendar_columns(calendar, middle)
    return Rows(middle, width.astype(float), mean, near[edges[:-1]], fixed)


def _means(counts: Array, begins: Array) -> Array:
    """Return the mean of the known counts from each of `begins` to the next, (rows, series); NaN of none."""
    mean = np.empty((len(begins), len(counts)), np.float32)
    for series, row in enumerate(counts):
        known, total = known_sums(row, begins)
        mean[:, series] = np.where(known > 0, total / np.maximum(known, 1), np.nan)
    return mean


def known_sums(counts: Array, begins: Array) -> tuple[Array, Array]:
    """Return how many counts are known from each of `begins` to the next, and their sums."""
    known = np.add.reduceat(~np.isnan(counts), begins, dtype=np.int64)
    return known, np.add.reduceat(np.nan_to_num(counts), begins, dtype=np.float64)


def without_launches(counts: Array, grid: TimeGrid, calendar: RegionCalendar) -> Array:
    """Return counts with launches' crowds taken out: they add to a day, they do not multiply it."""
    if not calendar.launches:
        return counts
    masked = np.zeros(grid.slots, bool)
    for begin, end in calendar.launches:
        masked[_slots(grid, begin, end)] = True
    return np.where(masked, np.nan, counts)


def in_event(minute: Array, calendar: RegionCalendar) -> Array:
    """Return whether minutes lie in a declared event or its margin, shape (n,)."""
    inside = np.zeros(len(minute), bool)
    for event in calendar.occurrences:
        if KINDS[event.kind].start_knots_min:
            inside |= (minute > event.start_min - _EVENT_MARGIN_MIN) & (
                minute < event.end_min + _EVENT_MARGIN_MIN
            )
    return inside


def late_width(grid: TimeGrid) -> int:
    """Return the width of an ordinary row of the last weeks, minutes."""
    return _LONG_MIN[1] if grid.slots > _LONG_PAST_DAYS * 1440 else _COARSE_MIN


def _widths(grid: TimeGrid, calendar: RegionCalendar) -> tuple[Array, Array]:
    """Return how wide a row each slot belongs in, minutes, and whether it is near an event, (slots,) each."""
    width = np.full(grid.slots, late_width(grid))
    if grid.slots > _LONG_PAST_DAYS * 1440:
        width[: -_LATE_DAYS * 1440] = _LONG_MIN[0]
    near = np.zeros(grid.slots, bool)
    for event in calendar.occurrences:
        if KINDS[event.kind].start_knots_min:
            around = _near(grid, event)
            near[around] = True
            width[around] = np.minimum(width[around], _MARGIN_MIN)
            for edge in (event.start_min, event.end_min):
                width[_slots(grid, edge - _SHARP_MIN[0], edge + _SHARP_MIN[1])] = 1
    return width, near


def _near(grid: TimeGrid, event: Occurrence) -> slice:
    """Return the slots of an event and its margin."""
    return _slots(grid, event.start_min - _EVENT_MARGIN_MIN, event.end_min + _EVENT_MARGIN_MIN)


def _edges(grid: TimeGrid, width: Array) -> Array:
    """Return row boundaries, as slots: where the clock is a multiple of the width, or the width changes."""
    clock = (grid.epoch_min + np.arange(grid.slots)) % width
    start = (clock == 0) | np.concatenate([[True], width[1:] != width[:-1]])
    return np.append(np.flatnonzero(start), grid.slots)


def _slots(grid: TimeGrid, begin: float, end: float) -> slice:
    first, last = int(begin - grid.epoch_min), int(end - grid.epoch_min)
    return slice(max(0, first), max(0, last))
