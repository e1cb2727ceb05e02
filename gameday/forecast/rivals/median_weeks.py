"""The median of the last four weeks' same local minute."""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.training_data import Past
from gameday.forecast.rivals.last_week import nearest, weeks_before, weeks_to_known
from gameday.vocabulary import Array

__all__ = ["MedianWeeks"]

_WEEKS = 4


class MedianWeeks:
    """Robust against one odd week; blind to growth."""

    name = "median of weeks"
    package: str | None = None
    daily = True
    minutes = True

    def __call__(self, past: Past, minute: Array) -> Array:
        """Return the median of four weeks, shape (n, series)."""
        weeks = _weeks(past, minute)
        empty = np.isnan(weeks).all(axis=0)
        middle = np.nanmedian(np.where(empty, 0.0, weeks), axis=0)
        return np.where(empty, weeks_before(past, minute, 1), middle) if empty.any() else middle


def _weeks(past: Past, minute: Array) -> Array:
    """Return counts at the same local time of the last four known weeks, (4, n, series); NaN before the past."""
    back, weeks = weeks_to_known(past, minute), []
    for week in range(_WEEKS):
        then = past.calendar.days_before(minute, 7 * (back + week))
        counts = np.full((len(minute), len(past.counts)), np.nan)
        known = then >= past.first_min
        counts[known] = past.actual(nearest(past, then[known]))
        weeks.append(counts)
    return np.stack(weeks)
