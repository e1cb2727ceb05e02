"""Latency histograms: log-linear bins 1 % wide, so that percentiles of runs can be added and read alike."""

from __future__ import annotations

import math

import numpy as np

from gameday.vocabulary import Array

__all__ = ["BINS", "bin_of", "counts_above", "one_bin", "percentile"]

BINS = 1400
"""Latency bins, each 1 % wide, from 0.1 ms to about 110 s."""
_FLOOR_S = 1e-4
_WIDTH = math.log(1.01)


def bin_of(seconds: Array | float) -> Array:
    """Return the latency bin of each duration; below 0.1 ms is the first, above 110 s the last."""
    place = np.log(np.maximum(seconds, _FLOOR_S) / _FLOOR_S) / _WIDTH
    return np.minimum(place.astype(int) if isinstance(place, np.ndarray) else int(place), BINS - 1)


def one_bin(seconds: float) -> int:
    """Return the latency bin of one duration as the engines of the model count it: by `math`."""
    return min(int(math.log(max(seconds, _FLOOR_S) / _FLOOR_S) / _WIDTH), BINS - 1)


def counts_above(histogram: Array, seconds: float) -> Array:
    """Return the counts beyond the bin of `seconds`: a histogram's last axis from there on."""
    return np.asarray(histogram[..., int(bin_of(seconds)) + 1 :])


def percentile(histogram: Array, level: float, most_s: float = math.inf) -> float:
    """Return the `level` quantile in seconds of counts over BINS (the last axis); NaN if empty.

    Within a bin by the share of its counts below, so that runs that differ by less than a bin do; never above
    `most_s`, the longest that can have been counted: a bin reaches up to 1 % beyond what is in it.
    """
    upto = np.cumsum(histogram, axis=-1)
    if upto[-1] <= 0:
        return float("nan")
    rank = level * upto[-1]
    place = min(int(np.searchsorted(upto, rank)), BINS - 1)
    count = float(histogram[place])
    share = (rank - (upto[place] - count)) / count if count else 0.5
    return min(most_s, float(_FLOOR_S * np.exp((place + min(max(share, 0.0), 1.0)) * _WIDTH)))
