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

    def __call__(self, past: Past, at: Array) -> Array:
        """Return the median of four weeks, shape (n, series)."""
        ahead, found = weeks_to_known(past, at), []
        for week in range(_WEEKS):
            then = past.calendar.days_before(at, 7 * (ahead + week))
            counts = np.full((len(at), len(past.counts)), np.nan)
            known = then >= past.first_min
            counts[known] = past.actual(nearest(past, then[known]))
            found.append(counts)
        weeks = np.stack(found)
        empty = np.isnan(weeks).all(axis=0)
        middle = np.nanmedian(np.where(empty, 0.0, weeks), axis=0)
        return np.where(empty, weeks_before(past, at, 1), middle) if empty.any() else middle
