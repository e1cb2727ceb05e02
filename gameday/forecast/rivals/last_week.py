"""Seasonal naive: the same local minute, or day, of the last week known; of days a year ahead, 52 weeks before."""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.vocabulary import Array

__all__ = ["LastWeek", "nearest", "week_before_errors", "weeks_before", "weeks_to_known"]

_WEEK_DAYS, _WEEK_MIN = 7, 7 * 1440


class LastWeek:
    """What came seven days before, or as many weeks before as it takes to be known."""

    name = "last week"
    package: str | None = None
    daily = True
    minutes = True

    def __call__(self, past: Past, at: Array) -> Array:
        """Return last week's counts, shape (n, series)."""
        far = (
            past.is_daily
            and past.end_min - past.first_min >= 364 * 1440
            and at[-1] - past.end_min > 60 * 1440
        )
        return weeks_before(past, at, 52 if far else 1)


def weeks_before(past: Past, at: Array, weeks: int) -> Array:
    """Return counts of the latest known slot whole `weeks` before each, at the same local time, (n, series).

    Where none is known, of the latest day that is; else the series' median. NaN only of series never known.
    """
    days = weeks * _WEEK_DAYS
    out = _latest_known(past, at, np.full((len(at), len(past.counts)), np.nan), days)
    out = _latest_known(past, at, out, 1, most=_WEEK_DAYS)
    for series in np.flatnonzero(np.isnan(out).any(axis=0)):
        known = past.counts[series][~np.isnan(past.counts[series])]
        usual = np.median(known) if len(known) else np.nan
        out[:, series] = np.where(np.isnan(out[:, series]), usual, out[:, series])
    return out


def _latest_known(past: Past, at: Array, found: Array, days: int, most: float = np.inf) -> Array:
    """Return counts `found`, what is missing filled from so many days before, then twice so many, and so on."""
    out, back = found.copy(), weeks_to_known(past, at, days)
    ever = ~np.isnan(past.counts).all(axis=1)
    tries = 0
    while tries < most and (missing := np.isnan(out[:, ever]).any(axis=1)).any():
        rows = np.flatnonzero(missing)
        then = past.calendar.days_before(at[rows], days * back[rows])
        rows, then = rows[then >= past.first_min], then[then >= past.first_min]
        if not len(rows):
            break
        before = past.actual(nearest(past, then))
        out[rows] = np.where(np.isnan(out[rows]), before, out[rows])
        back, tries = back + 1, tries + 1
    return out


def weeks_to_known(past: Past, at: Array, days: int = _WEEK_DAYS) -> Array:
    """Return how many times `days` before each slot the past has been, shape (n,): 0 of its own slots."""
    back = np.maximum(np.ceil((at - past.end_min + 1) / (1440 * days)), 0)
    # An hour that clocks were set by may lie between.
    return np.asarray(back + (past.calendar.days_before(at, days * back) > past.end_min - 1))


def week_before_errors(past: Past) -> Array:
    """Return how far the past's slots lay from the same local time a week before, (series, slots)."""
    at = past.slots_between(past.first_min, past.end_min, 1)
    then = past.calendar.days_before(at, _WEEK_DAYS)
    out = np.full((len(at), len(past.counts)), np.nan)
    seen = then >= past.first_min
    out[seen] = past.actual(at[seen]) - past.actual(nearest(past, then[seen]))
    return np.asarray(out.T)


def nearest(past: Past, at: Array) -> Array:
    """Return the slot starts that hold `at`: a local day may begin an hour off."""
    if past.starts is None:
        return at
    index = np.searchsorted(past.starts, at + 120, "right") - 1
    return np.asarray(past.starts[np.clip(index, 0, len(past.starts) - 1)])
