"""The minute profile: what recurs at the same minute of the day and no smooth curve holds.

Empirical Bayes: a minute's ratio to the mean of its own row (a quarter hour) is kept as far as it stands out of
its noise, so the spike on the hour survives and chance does not; the rows' own level is left to the fit and its
recurring quarters. A series too sparse for a profile of its own takes that of all series of its region together.
"""

from __future__ import annotations

import numpy as np

from gameday.forecast.data.calendars import RegionCalendar
from gameday.forecast.data.fit_rows import in_event, late_width
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Residues", "minute_profile"]

_DAYS = 56
"""Days of minutes it is learned from: eight weeks, so 16 weekend days a slot."""
_STANDS_OUT = 4.0
"""Deviations by which a minute's mean must differ before it is kept: chance passes one slot in five pasts."""
_CLIP = 3.0
_STOOD_STILL = -3.0
"""A minute so far below its own row, in logs, is one of a shop that is closed: a twentieth. Ours."""
_SPARSE = 2.0
"""Counts a minute below which a series' minutes tell nothing: in logs they are zeros and ones. Ours."""
_SLOTS = 2 * 1440


class Residues:
    """How each of the last minutes lies to the mean of its row, in logs; by weekend and local minute."""

    def __init__(self, counts: Array, grid: TimeGrid, calendar: RegionCalendar, days: int) -> None:
        """Keep the last `days` of counts, shape (series, slots)."""
        first = max(0, grid.slots - days * 1440)
        self.minute = grid.epoch_min + np.arange(first, grid.slots, dtype=float)
        day, weekend = calendar.slot_of_day(self.minute)
        self.slot = weekend * 1440 + day
        late = counts[:, first:]
        # Row by row: a copy of all counts would be the largest thing in memory.
        self.sparse = np.array([_mean(row) < _SPARSE for row in late])
        self.block = late_width(grid)
        self.log = self._log_ratios(late)
        self.log[:, in_event(self.minute, calendar)] = np.nan

    def _log_ratios(self, counts: Array) -> Array:
        """Return each series' minutes against their rows; last, where some are sparse, those of the sum of all."""
        rows = np.concatenate([counts, _total(counts)[None]]) if self.sparse.any() else counts
        return np.stack([_to_block(row, self.minute, self.block) for row in rows])

    def profile(self, origin: float) -> Array:
        """Return the profile known at `origin`, shape (2 = weekday/weekend, 1440, series)."""
        use = (self.minute < origin) & (self.minute >= origin - _DAYS * 1440)
        slot, profile = self.slot[use], np.zeros((_SLOTS, len(self.sparse)))
        for series in np.flatnonzero(~self.sparse):
            profile[:, series] = _shrunk(self.log[series, use], slot, self.block)
        if self.sparse.any():
            profile[:, self.sparse] = _shrunk(self.log[-1, use], slot, self.block)[:, None]
        return profile.reshape(2, 1440, -1)


def minute_profile(counts: Array, grid: TimeGrid, calendar: RegionCalendar) -> Array:
    """Return the profile of counts, shape (series, slots), known at the grid's end."""
    return Residues(counts, grid, calendar, _DAYS).profile(float(grid.epoch_min + grid.slots))


def _mean(row: Array) -> float:
    known = ~np.isnan(row)
    return float(row[known].mean(dtype=float)) if known.any() else 0.0


def _total(counts: Array) -> Array:
    """Return the sum of all series, shape (slots,); a series unknown in a slot is taken to move as the others.

    NaN where what is known makes less than half of it.
    """
    total, share = np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
    levels = [_mean(row) for row in counts]
    for row, level in zip(counts, levels, strict=True):
        total += np.nan_to_num(row)
        share += np.where(np.isnan(row), 0.0, level)
    share /= max(sum(levels), 1e-9)
    return np.where(share >= 0.5, total / np.maximum(share, 0.5), np.nan)


def _to_block(row: Array, minute: Array, block: int) -> Array:
    """Return log of a minute against the mean of its row; NaN where too few are known."""
    known = ~np.isnan(row)
    number = (minute // block - minute[0] // block).astype(int) if len(minute) else np.empty(0, int)
    total = np.bincount(number, np.where(known, row, 0.0))
    count = np.bincount(number, known.astype(float))
    mean = np.where(count >= block / 2, total / np.maximum(count, 1), np.nan)[number]
    return np.asarray(np.log1p(row) - np.log1p(mean), np.float32)


def _shrunk(residual: Array, slot: Array, block: int) -> Array:
    """Return each slot's mean residual, shrunk by its own noise, shape (2880,)."""
    known = ~np.isnan(residual)
    residual, slot = residual[known].astype(float), slot[known]
    if not len(residual):
        return np.zeros(_SLOTS)
    count = np.bincount(slot, minlength=_SLOTS)
    residual, raw = _clipped(residual - np.median(residual), slot, count)
    mean, noise = _beside_each_other(raw, block), _noise(residual, raw, slot, count)
    return _level(mean * _signal_share(mean, noise, count), block)


def _signal_share(mean: Array, noise: Array, count: Array) -> Array:
    """Return the share of each slot's mean that is kept; 0 of what does not stand out of its noise."""
    signal = np.maximum(mean**2 - _STANDS_OUT**2 * noise, 0)
    is_known = (count > 2) & (signal + noise > 0)
    share = np.divide(signal, signal + noise, out=np.zeros(_SLOTS), where=is_known)
    return np.asarray(share)


def _clipped(residual: Array, slot: Array, count: Array) -> tuple[Array, Array]:
    """Return residuals, outliers clipped about their own slot's mean, and the slots' means, shape (2880,)."""
    bound = _CLIP * 1.4826 * np.median(np.abs(residual))
    mean = _centre(residual, slot)
    residual = mean[slot] + np.clip(residual - mean[slot], -bound, bound)
    mean = np.bincount(slot, residual, minlength=_SLOTS) / np.maximum(count, 1)
    return mean[slot] + np.clip(residual - mean[slot], -bound, bound), mean


def _noise(residual: Array, mean: Array, slot: Array, count: Array) -> Array:
    """Return the variance of each slot's mean, shape (2880,), from the residuals of its hour.

    A quiet hour is noisier, in logs, than a busy one.
    """
    hour = slot // 60
    square = np.bincount(hour, (residual - mean[slot]) ** 2, minlength=_SLOTS // 60)
    hourly = square / np.maximum(np.bincount(hour, minlength=_SLOTS // 60), 1)
    return np.repeat(hourly, 60) / np.maximum(count, 1)


def _centre(residual: Array, slot: Array) -> Array:
    """Return each slot's mean, shape (2880,); its median where a minute stood still on some days.

    The logs of nothing and of hundreds have no mean between them that any day had.
    """
    count = np.bincount(slot, minlength=_SLOTS)
    centre = np.bincount(slot, residual, minlength=_SLOTS) / np.maximum(count, 1)
    for number in np.unique(slot[residual < _STOOD_STILL]):
        centre[number] = np.median(residual[slot == number])
    return np.asarray(centre)


def _beside_each_other(mean: Array, block: int) -> Array:
    """Return slots' means against the straight line through their row's, shape (2880,).

    The day's slope is the smooth fit's; that the log of a few counts lies below that of their mean is chance's.
    The slope is the median of all pairs' (Theil & Sen), which few spikes do not move.
    """
    rows, (first, second) = mean.reshape(-1, block), np.triu_indices(block, 1)
    slope = np.median((rows[:, second] - rows[:, first]) / (second - first), axis=1)
    line = slope[:, None] * (np.arange(block) - (block - 1) / 2)
    flat = rows - line
    return np.asarray(flat - np.median(flat, axis=1, keepdims=True)).ravel()


def _level(log: Array, block: int) -> Array:
    """Return log factors that leave the sum of a row as it is, shape (2880,)."""
    rows = log.reshape(-1, block)
    return np.asarray(rows - np.log(np.exp(rows).mean(axis=1, keepdims=True))).ravel()
