"""Hours that a shop is closed every day: no smooth curve falls to nothing within minutes and comes back.

Fitted as counts, they bend the curve for hours on both sides. The fit is therefore given the curve as if open,
straight in logs across the closure; that it is closed, the recurring quarter hours tell (recurring.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import Rows
from gameday.forecast.data.weekly_profile import PER_DAY, QUARTERS_DAYS, by_day
from gameday.vocabulary import Array

__all__ = ["closed_quarters", "opened"]

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


def opened(rows: Rows, calendar: RegionCalendar) -> Rows:
    """Return the rows with closed quarter hours as if open, in logs straight from edge to edge."""
    closed = closed_quarters(rows, calendar)
    if not closed.any():
        return rows
    mean, inside = rows.mean.copy(), _within(closed, rows, calendar)
    for series in np.flatnonzero(closed.any(axis=(0, 1))):
        here = inside[:, series] & ~np.isnan(mean[:, series])
        beside = ~inside[:, series] & ~np.isnan(mean[:, series])
        if not beside.any():
            continue
        log = np.log1p(mean[beside, series])
        curve = np.expm1(np.interp(rows.minute[here], rows.minute[beside], log))
        counted = mean[here, series]
        mean[here, series] = np.where(counted < _PARTLY * curve, curve, counted)
    return replace(rows, mean=mean)


def closed_quarters(rows: Rows, calendar: RegionCalendar) -> Array:
    """Return whether each quarter hour of the local week is closed, or its neighbour is, (7, 96, series)."""
    out = np.zeros((7, PER_DAY, rows.mean.shape[1]), bool)
    if rows.are_totals or not len(rows.minute):
        return out
    late = rows.where((rows.minute >= rows.minute[-1] - QUARTERS_DAYS * 1440) & ~rows.in_event)
    low = late.mean < _LOW * np.nan_to_num(late.mean).mean(axis=0)
    candidates = np.flatnonzero(low.sum(axis=0) >= _LEAST_DAYS)
    if not len(candidates):
        return out
    table, weekday = by_day(late.minute, late.width, late.mean[:, candidates], calendar)
    for days in (slice(0, 5), slice(5, 7)):
        members = table[np.isin(weekday, np.arange(7)[days])]
        if len(members) >= _LEAST_DAYS:
            for column, series in enumerate(candidates):
                out[days, :, series] = _closed(members[:, :, column])
    return out


def _closed(days: Array) -> Array:
    """Return which quarter hours of a day are closed, or beside one that is, (96,); `days`: means, (days, 96)."""
    known = (~np.isnan(days)).sum(axis=0) >= _LEAST_DAYS
    out, middle = np.zeros(PER_DAY, bool), np.full(PER_DAY, np.nan)
    middle[known] = np.nanmedian(days[:, known], axis=0)
    if not (middle > 0).any():
        return out
    low = middle < _LOW * np.median(middle[middle > 0])
    if not low.any():
        return out
    turn = int(np.argmin(low))  # a day that begins where it is open: no run crosses its end
    low, middle = np.roll(low, -turn), np.roll(middle, -turn)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], low.astype(np.int8), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        beside = middle[[first - 2, (last + 1) % PER_DAY]]
        within = middle[[first, last - 1]]
        if ((beside * _QUARTER_MIN >= _LEAST_COUNTS) & (beside >= _ABRUPT * within)).any():
            out[np.arange(first - 1, last + 1) % PER_DAY] = True
    return np.roll(out, turn)


def _within(closed: Array, rows: Rows, calendar: RegionCalendar) -> Array:
    """Return whether each row holds a quarter hour that is closed, shape (rows, series)."""
    out = np.zeros(rows.mean.shape, bool)
    begin = rows.minute - rows.width / 2
    for offset in range(0, int(rows.width.max(initial=0)), _QUARTER_MIN):
        at = begin + offset
        slot = calendar.slot_of_day(at)[0] // _QUARTER_MIN
        out |= closed[calendar.weekday(at), slot] & (offset < rows.width)[:, None]
    return out
