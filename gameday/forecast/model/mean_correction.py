"""From a median to a mean: by how much counts lie above their median on average, by local hour.

Means add up, over minutes and series; medians do not. The smearing estimate of retransformed logs (Duan 1983).
"""

from __future__ import annotations

import numpy as np

from gameday.forecast.order_statistics import median
from gameday.forecast.uncertainty.bands import LEAST_POOL, Errors
from gameday.vocabulary import Array

__all__ = ["mean_factor_by_hour"]

_DENSE = 5.0
"""Counts a minute below which minutes' logs tell nothing of a mean, and sums are compared instead. Ours."""
_CLIP = 4.0
"""Robust deviations beyond which an error is no customers' doing, and is clipped. Ours."""
_MOST = 2.0
"""The most a mean may lie above its median, as a factor."""


def mean_factor_by_hour(errors: Errors) -> Array:
    """Return mean over median by local hour, shape (24,), each from its errors and those of the hours beside."""
    use = ~np.isnan(errors.log_ratio) & ~errors.in_event
    away, hour, expected = errors.log_ratio[use], errors.hour[use], errors.expected[use]
    factors = np.ones(24)
    if len(away) < LEAST_POOL:
        return factors
    if expected.mean() < _DENSE:
        return np.full(24, _ratio_of_sums(away, expected))
    for number in range(24):
        near = away[(hour - number + 1) % 24 <= 2]
        if len(near) >= LEAST_POOL:
            factors[number] = _smearing(near)
    return factors


def _ratio_of_sums(log_ratio: Array, expected: Array) -> float:
    """Return the summed actual over the summed expected counts, within bounds."""
    counted = (1 + expected) * np.exp(log_ratio) - 1
    share = counted.sum() / max(float(expected.sum()), 1e-9)
    return float(np.clip(share, 1 / _MOST, _MOST))


def _smearing(log_ratios: Array) -> float:
    """Return the mean of errors over their median, outliers clipped."""
    away = log_ratios - median(log_ratios)
    bound = _CLIP * 1.4826 * median(np.abs(away))
    return min(_MOST, float(np.exp(np.clip(away, -bound, bound)).mean()))
