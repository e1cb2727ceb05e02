"""From a median to a mean: by how much what comes lies above its median on average, by local hour.

Totals, means and what a fleet must serve add up; medians do not. Source: anchors/forecast.md §4.6.
"""

from __future__ import annotations

import numpy as np

from gameday.forecast.uncertainty.bands import LEAST_POOL, Errors
from gameday.vocabulary import Array

__all__ = ["smear_by_hour"]

_DENSE = 5.0
"""Counts a minute below which minutes' logs tell nothing of a mean, and sums are compared. Ours."""
_CLIP = 4.0
"""Robust deviations beyond which an error is no customers' doing, and is clipped. Ours."""
_MOST = 2.0


def smear_by_hour(errors: Errors) -> Array:
    """Return mean over median by local hour, shape (24,), each told by itself and the hours beside it."""
    use = ~np.isnan(errors.log_ratio) & ~errors.in_event
    away, hour, expected = errors.log_ratio[use], errors.hour[use], errors.expected[use]
    if len(away) < LEAST_POOL:
        return np.ones(24)
    if expected.mean() < _DENSE:
        came = (1 + expected) * np.exp(away) - 1
        share = came.sum() / max(float(expected.sum()), 1e-9)
        return np.full(24, np.clip(share, 1 / _MOST, _MOST))
    out = np.ones(24)
    for number in range(24):
        pool = away[(hour - number + 1) % 24 <= 2]
        if len(pool) >= LEAST_POOL:
            pool = pool - np.median(pool)
            bound = _CLIP * 1.4826 * np.median(np.abs(pool))
            out[number] = min(_MOST, float(np.exp(np.clip(pool, -bound, bound)).mean()))
    return out
