"""Medians and quantiles of short arrays: numpy's own take longer to check what they are given than to sort it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gameday.vocabulary import Array

__all__ = ["column_medians", "median", "quantiles"]


def median(values: Array) -> float:
    """Return the median of values without NaN, shape (n,), n > 0."""
    ordered, number = np.sort(values), len(values)
    return float(ordered[(number - 1) // 2] + ordered[number // 2]) / 2


def quantiles(values: Array, shares: Sequence[float] | Array) -> Array:
    """Return quantiles of values without NaN, shape (n,), n > 0: between order statistics in a straight line."""
    ordered = np.sort(values)
    place = np.asarray(shares, float) * (len(ordered) - 1)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, len(ordered) - 1)
    return np.asarray(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def column_medians(values: Array) -> Array:
    """Return the medians of columns, shape (n, columns), of what is known of each; NaN of nothing."""
    unknown = np.isnan(values)
    if not unknown.any():
        return np.asarray(np.median(values, axis=0))
    rows = values[~unknown.all(axis=1)]
    if not np.isnan(rows).any() and len(rows):
        return np.asarray(np.median(rows, axis=0))
    return np.asarray(np.nanmedian(values, axis=0))
