"""Seasonal naive: the same minute, or day, of the last week known; of days a year ahead, 52 weeks before."""

from __future__ import annotations

import numpy as np

from gameday.forecast.past import Past
from gameday.vocabulary import Array

__all__ = ["LastWeek", "weeks_before"]

_WEEK_MIN = 7 * 1440


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
    """Return counts of the latest known slot a whole number of `weeks` before each, (n, series); NaN if none."""
    step = weeks * _WEEK_MIN
    back = step * np.maximum(np.ceil((at - past.end_min + 1) / step), 0)
    out = np.full((len(at), len(past.counts)), np.nan)
    for _ in range(5):  # a gap: one more back
        missing = np.isnan(out).any(axis=1)
        then = at - back
        usable = missing & (then >= past.first_min)
        if not usable.any():
            break
        out[usable] = np.where(
            np.isnan(out[usable]), past.actual(_nearest(past, then[usable])), out[usable]
        )
        back = back + step
    return out


def _nearest(past: Past, at: Array) -> Array:
    """Return the slot starts that hold `at`: a local day may begin an hour off."""
    if past.starts is None:
        return at
    index = np.searchsorted(past.starts, at + 120, "right") - 1
    return np.asarray(past.starts[np.clip(index, 0, len(past.starts) - 1)])
