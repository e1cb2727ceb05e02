"""The median of the last four weeks' same minute."""

from __future__ import annotations

import numpy as np

from gameday.forecast.past import Past
from gameday.forecast.rivals.last_week import weeks_before
from gameday.vocabulary import Array

__all__ = ["MedianWeeks"]

_WEEK_MIN = 7 * 1440


class MedianWeeks:
    """Robust against one odd week; blind to growth."""

    name = "median of weeks"
    package: str | None = None
    daily = True
    minutes = True

    def __call__(self, past: Past, at: Array) -> Array:
        """Return the median of four weeks, shape (n, series)."""
        ahead = np.ceil((at - past.end_min + 1) / _WEEK_MIN)
        found = []
        for week in range(4):
            then = at - _WEEK_MIN * (ahead + week)
            known = then >= past.first_min
            counts = np.full((len(at), len(past.counts)), np.nan)
            if known.any():
                counts[known] = weeks_before(past, then[known], 1)
            found.append(counts)
        known_weeks = np.stack(found)
        empty = np.isnan(known_weeks).all(axis=0)
        return np.where(empty, np.nan, np.nanmedian(np.where(empty, 0.0, known_weeks), axis=0))
