"""The minute profile: what recurs at the same minute of the day and no smooth curve holds.

Empirical Bayes: how a minute lies to its neighbours' mean is kept as far as it stands out of its
noise, so the spike on the hour survives and chance does not. A series too sparse to tell its own takes
that of all series of its region together. Source: anchors/forecast.md §4.3.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from gameday.forecast.rows import in_event
from gameday.forecast.task import RegionCalendar
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Residues", "minute_profile"]

_DAYS = 56
"""Days of minutes it is learned from: eight weeks, so 16 weekend days a slot."""
_AROUND_MIN = 31
"""The neighbours' mean is that of so many minutes: twice an ordinary row, which holds what is wider."""
_STANDS_OUT = 3.5
"""Deviations by which a minute's mean must differ before any is kept: of 2880 slots chance passes one or two."""
_CLIP = 3.0
_SPARSE = 2.0
"""Counts a minute below which a series' minutes tell nothing: in logs they are zeros and ones. Ours."""
_SLOTS = 2 * 1440


class Residues:
    """How each of the last minutes lies to its neighbours' mean, in logs; by weekend and local minute."""

    def __init__(self, counts: Array, grid: TimeGrid, calendar: RegionCalendar, days: int) -> None:
        """Keep the last `days` of counts, shape (series, slots)."""
        first = max(0, grid.slots - days * 1440)
        self.minute = grid.epoch_min + np.arange(first, grid.slots, dtype=float)
        day, weekend = calendar.slot_of_day(self.minute)
        self.slot = weekend * 1440 + day
        late = counts[:, first:]
        known = (~np.isnan(late)).sum(axis=1)
        level = np.nansum(late, axis=1, dtype=float) / np.maximum(known, 1)
        self.sparse = level < _SPARSE
        rows = late
        if self.sparse.any():
            rows = np.concatenate([late, _together(late)[None]])
        self.log = np.stack([_to_neighbours(row) for row in rows])
        self.log[:, in_event(self.minute, calendar)] = np.nan

    def profile(self, origin: float) -> Array:
        """Return the profile known at `origin`, shape (2 = weekday/weekend, 1440, series)."""
        use = (self.minute < origin) & (self.minute >= origin - _DAYS * 1440)
        slot, out = self.slot[use], np.zeros((_SLOTS, len(self.sparse)))
        for series in np.flatnonzero(~self.sparse):
            out[:, series] = _kept(self.log[series, use], slot)
        if self.sparse.any():
            out[:, self.sparse] = _kept(self.log[-1, use], slot)[:, None]
        return out.reshape(2, 1440, -1)


def minute_profile(counts: Array, grid: TimeGrid, calendar: RegionCalendar) -> Array:
    """Return the profile of counts, shape (series, slots), known at the grid's end."""
    return Residues(counts, grid, calendar, _DAYS).profile(float(grid.epoch_min + grid.slots))


def _together(counts: Array) -> Array:
    """Return the sum of all series, NaN where none is known, shape (slots,)."""
    total = np.nansum(counts, axis=0)
    total[np.isnan(counts).all(axis=0)] = np.nan
    return np.asarray(total)


def _to_neighbours(row: Array) -> Array:
    """Return log of a minute against the mean of those around it; NaN where too few are known."""
    known = ~np.isnan(row)
    around = np.ones(_AROUND_MIN)
    total = np.convolve(np.where(known, row, 0.0), around, "same")
    count = np.convolve(known, around, "same")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count >= _AROUND_MIN // 2, total / count, np.nan)
    return np.asarray(np.log1p(row) - np.log1p(mean), np.float32)


def _kept(residual: Array, slot: Array) -> Array:
    """Return each slot's mean residual, shrunk by its own noise, shape (2880,)."""
    known = ~np.isnan(residual)
    residual, slot = residual[known].astype(float), slot[known]
    if not len(residual):
        return np.zeros(_SLOTS)
    residual -= np.median(residual)
    bound = _CLIP * 1.4826 * np.median(np.abs(residual))
    count = np.bincount(slot, minlength=_SLOTS)
    have = count > 2
    for _ in range(2):  # a slot's own outliers are clipped about its own mean
        mean = np.bincount(slot, residual, minlength=_SLOTS) / np.maximum(count, 1)
        residual = mean[slot] + np.clip(residual - mean[slot], -bound, bound)
    # What a whole hour shares is the noise's doing, not a minute's: the log of a few counts lies below the mean's.
    raw = mean.reshape(2, 1440)
    mean = mean - median_filter(raw, size=(1, _AROUND_MIN), mode="wrap").ravel()
    # A quiet hour is noisier, in logs, than a busy one: each is measured by its own minutes.
    square = np.bincount(slot // 60, (residual - raw.ravel()[slot]) ** 2, minlength=_SLOTS // 60)
    hourly = square / np.maximum(np.bincount(slot // 60, minlength=_SLOTS // 60), 1)
    noise = np.repeat(hourly, 60) / np.maximum(count, 1)
    signal = np.maximum(mean**2 - _STANDS_OUT**2 * noise, 0)
    share = np.divide(signal, signal + noise, out=np.zeros(_SLOTS), where=have & (noise > 0))
    return _level(mean * share)


def _level(log: Array) -> Array:
    """Return log factors that leave the sum of any minute's neighbours as it is, shape (2880,)."""
    part, half = np.exp(log).reshape(2, 1440), _AROUND_MIN // 2
    around = np.concatenate([part[:, -half:], part, part[:, :half]], axis=1)
    mean = np.stack(
        [np.convolve(row, np.ones(_AROUND_MIN) / _AROUND_MIN, "valid") for row in around]
    )
    return np.asarray(log - np.log(mean).ravel())
