"""The minute profile: what recurs at the same minute of the day and no smooth curve holds.

Empirical Bayes: a minute's mean residual is kept as far as it stands out of its noise, so the
spike on the hour survives and chance does not. Source: anchors/forecast.md §4.3.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.forecast.solve import Fit, local_slot
from gameday.history import History
from gameday.vocabulary import Array

__all__ = ["with_profile"]

_DAYS = 56
"""Days of minutes it is learned from: eight weeks, so 16 weekend days a slot."""


def with_profile(fit: Fit, history: History) -> Fit:
    """Return `fit` with the profile learned from the last weeks before its origin."""
    region = history.regions.index(fit.design.region)
    end = int(fit.design.origin_min) - history.grid.epoch_min
    first = max(0, end - _DAYS * 1440)
    minute = history.grid.epoch_min + np.arange(first, end, dtype=float)
    counts = history.counts[region, :, first:end].T
    residual = np.log1p(counts) - fit.log_mean(minute)
    quiet = np.abs(fit.log_event(minute)).max(axis=1) < 0.01
    residual[~quiet] = np.nan
    scale = np.maximum(fit.scale, 1e-3)
    residual = np.clip(residual, -3 * scale, 3 * scale)
    day, weekend = local_slot(fit.design, minute)
    return replace(fit, profile=_shrunk(residual, weekend * 1440 + day).reshape(2, 1440, -1))


def _shrunk(residual: Array, slot: Array) -> Array:
    """Return each slot's mean residual, shrunk by its own noise, shape (2880, steps)."""
    out = np.zeros((2880, residual.shape[1]))
    for step in range(residual.shape[1]):
        known = ~np.isnan(residual[:, step])
        count = np.bincount(slot[known], minlength=2880)
        total = np.bincount(slot[known], residual[known, step], minlength=2880)
        square = np.bincount(slot[known], residual[known, step] ** 2, minlength=2880)
        have = count > 2
        if not have.any():
            continue
        mean = np.divide(total, count, out=np.zeros(2880), where=have)
        noise = np.divide(square, count, out=np.zeros(2880), where=have) - mean**2
        noise = np.divide(np.median(noise[have]), count, out=np.zeros(2880), where=have)
        signal = np.maximum(mean**2 - 4 * noise, 0)  # only what stands out by two deviations
        out[:, step] = mean * np.divide(signal, signal + noise, out=np.zeros(2880), where=have)
    return out
