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

    def __call__(self, past: Past, minute: Array) -> Array:
        """Return last week's counts, shape (n, series)."""
        far = (
            past.is_daily
            and past.end_min - past.first_min >= 364 * 1440
            and minute[-1] - past.end_min > 60 * 1440
        )
        return weeks_before(past, minute, 52 if far else 1)


def weeks_before(past: Past, minute: Array, weeks: int) -> Array:
    """Return counts of the latest known slot whole `weeks` before each, at the same local time, (n, series).

    Where none is known, of the latest day that is; else the series' median. NaN only of series never known.
    """
    unknown = np.full((len(minute), len(past.counts)), np.nan)
    counts = _filled(past, minute, unknown, weeks * _WEEK_DAYS)
    counts = _filled(past, minute, counts, 1, most=_WEEK_DAYS)
    for series in np.flatnonzero(np.isnan(counts).any(axis=0)):
        usual = _median(past.counts[series])
        counts[:, series] = np.where(np.isnan(counts[:, series]), usual, counts[:, series])
    return counts


def _median(counts: Array) -> float:
    """Return the median of what is known; NaN where nothing is."""
    known = counts[~np.isnan(counts)]
    return float(np.median(known)) if len(known) else float("nan")


def _filled(past: Past, minute: Array, counts: Array, days: int, most: float = np.inf) -> Array:
    """Return the counts, those missing filled from so many days before, then twice so many, and so on."""
    filled, back = counts.copy(), weeks_to_known(past, minute, days)
    ever = ~np.isnan(past.counts).all(axis=1)
    tries = 0
    while tries < most and (missing := np.isnan(filled[:, ever]).any(axis=1)).any():
        rows = np.flatnonzero(missing)
        then = past.calendar.days_before(minute[rows], days * back[rows])
        within = then >= past.first_min
        if not within.any():
            break
        rows, before = rows[within], past.actual(nearest(past, then[within]))
        filled[rows] = np.where(np.isnan(filled[rows]), before, filled[rows])
        back, tries = back + 1, tries + 1
    return filled


def weeks_to_known(past: Past, minute: Array, days: int = _WEEK_DAYS) -> Array:
    """Return how many times `days` before each slot the past has been, shape (n,): 0 of its own slots."""
    back = np.maximum(np.ceil((minute - past.end_min + 1) / (1440 * days)), 0)
    # An hour that clocks were set by may lie between.
    return np.asarray(back + (past.calendar.days_before(minute, days * back) > past.end_min - 1))


def week_before_errors(past: Past) -> Array:
    """Return how far the past's slots lay from the same local time a week before, (series, slots)."""
    minute = past.slots_between(past.first_min, past.end_min, 1)
    then = past.calendar.days_before(minute, _WEEK_DAYS)
    errors = np.full((len(minute), len(past.counts)), np.nan)
    seen = then >= past.first_min
    errors[seen] = past.actual(minute[seen]) - past.actual(nearest(past, then[seen]))
    return np.asarray(errors.T)


def nearest(past: Past, minute: Array) -> Array:
    """Return the starts of the slots that hold `minute`: a local day may begin an hour off."""
    if past.starts is None:
        return minute
    index = np.searchsorted(past.starts, minute + 120, "right") - 1
    return np.asarray(past.starts[np.clip(index, 0, len(past.starts) - 1)])
