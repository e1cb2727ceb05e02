"""Hours that a shop is closed every day: no smooth curve falls to nothing within minutes and comes back.

Fitted as counts, they bend the curve for hours on both sides. The fit is therefore given the curve as if open,
straight in logs across the closure; the recurring quarter hours (weekly_profile.py) then close it again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.data.runs import runs_of
from gameday.forecast.data.weekly_profile import PER_DAY, QUARTERS_DAYS, by_day, weekday_of
from gameday.vocabulary import Array

__all__ = ["closed_quarters", "without_closures"]

_LOW = 0.05
"""A quarter hour with less than this share of the day's middle may be closed. Ours."""
_ABRUPT = 10.0
"""It is, where half an hour beside it there is so many times as much: a night falls slower. Ours."""
_LEAST_COUNTS = 30.0
"""Counts a quarter hour beside it, so that none within it is no chance. Ours."""
_LEAST_DAYS = 5
_QUARTER_MIN = 15
_PARTLY = 0.9
"""A row below this share of the curve as if open is closed in part. Ours."""


def without_closures(rows: Rows, calendar: RegionCalendar) -> Rows:
    """Return the rows with closed quarter hours as if open, in logs straight from edge to edge."""
    closed = closed_quarters(rows, calendar)
    if not closed.any():
        return rows
    mean, inside = rows.mean.copy(), _within(closed, rows, calendar)
    for series in np.flatnonzero(closed.any(axis=(0, 1))):
        mean[:, series] = _bridged(rows.minute, mean[:, series], inside[:, series])
    return replace(rows, mean=mean)


def _bridged(minute: Array, mean: Array, inside: Array) -> Array:
    """Return one series' rows, those `inside` closures raised to the curve as if open, shape (rows,)."""
    known, bridged = ~np.isnan(mean), mean.copy()
    here, beside = inside & known, ~inside & known
    if beside.any():
        log = np.log1p(mean[beside])
        curve = np.expm1(np.interp(minute[here], minute[beside], log))
        bridged[here] = np.where(mean[here] < _PARTLY * curve, curve, mean[here])
    return bridged


def closed_quarters(rows: Rows, calendar: RegionCalendar) -> Array:
    """Return whether each quarter hour of the local week is closed, or its neighbour is, (7, 96, series)."""
    closed = np.zeros((7, PER_DAY, rows.mean.shape[1]), bool)
    if rows.are_totals or not len(rows.minute):
        return closed
    late = rows.where((rows.minute >= rows.minute[-1] - QUARTERS_DAYS * 1440) & ~rows.in_event)
    candidates = _often_low(late)
    if not len(candidates):
        return closed
    table, date = by_day(late.minute, late.width, late.mean[:, candidates], calendar)
    for days in (slice(0, 5), slice(5, 7)):
        members = table[np.isin(weekday_of(date), np.arange(7)[days])]
        if len(members) >= _LEAST_DAYS:
            for column, series in enumerate(candidates):
                closed[days, :, series] = _closed(members[:, :, column])
    return closed


def _often_low(rows: Rows) -> Array:
    """Return the series that have enough rows far below their mean to be closed every day."""
    low = rows.mean < _LOW * np.nan_to_num(rows.mean).mean(axis=0)
    return np.flatnonzero(low.sum(axis=0) >= _LEAST_DAYS)


def _closed(days: Array) -> Array:
    """Return which quarter hours of a day are closed, or beside one that is, (96,); `days`: means, (days, 96)."""
    closed, middle = np.zeros(PER_DAY, bool), _usual_day(days)
    if not (middle > 0).any():
        return closed
    low = middle < _LOW * np.median(middle[middle > 0])
    if not low.any():
        return closed
    turn = int(np.argmin(low))  # a day that begins where it is open: no run crosses its end
    low, middle = np.roll(low, -turn), np.roll(middle, -turn)
    for first, last in runs_of(low):
        if _is_abrupt(middle, first, last):
            closed[np.arange(first - 1, last + 1) % PER_DAY] = True
    return np.roll(closed, turn)


def _usual_day(days: Array) -> Array:
    """Return the median of each quarter hour over days, (96,); NaN where few days are known."""
    known = (~np.isnan(days)).sum(axis=0) >= _LEAST_DAYS
    middle = np.full(PER_DAY, np.nan)
    middle[known] = np.nanmedian(days[:, known], axis=0)
    return middle


def _is_abrupt(day: Array, first: int, last: int) -> bool:
    """Return whether counts fall into, or rise out of, a run of low quarter hours too fast for a night."""
    beside = day[[first - 2, (last + 1) % PER_DAY]]
    within = day[[first, last - 1]]
    is_edge = (beside * _QUARTER_MIN >= _LEAST_COUNTS) & (beside >= _ABRUPT * within)
    return bool(is_edge.any())


def _within(closed: Array, rows: Rows, calendar: RegionCalendar) -> Array:
    """Return whether each row holds a quarter hour that is closed, shape (rows, series)."""
    inside = np.zeros(rows.mean.shape, bool)
    begin = rows.minute - rows.width / 2
    for offset in range(0, int(rows.width.max(initial=0)), _QUARTER_MIN):
        minute = begin + offset
        slot = calendar.slot_of_day(minute)[0] // _QUARTER_MIN
        inside |= closed[calendar.weekday(minute), slot] & (offset < rows.width)[:, None]
    return inside
