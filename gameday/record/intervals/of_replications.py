"""Intervals from replications: the only honest way to print a simulated number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from gameday.vocabulary import Array, Band

__all__ = ["level_interval", "p_above", "prediction_interval", "t_bands", "t_interval"]


def t_bands(values: Array, level: float = 0.95) -> tuple[Array, Array, Array]:
    """Return mean, low and high over the first axis, replications, as `t_interval` of each place."""
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=0) / n
        squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
        half = scipy.stats.t.ppf(0.5 + level / 2, n - 1) * np.sqrt(squares / (n - 1) / n)
        half = np.where(n == 1, np.inf, half)
        return mean, mean - half, mean + half


def t_interval(values: Sequence[float], level: float = 0.95) -> Band:
    """Return the mean of independent replications with its Student-t interval.

    NaN values (not observed) are left out; fewer than two leave an unbounded interval.
    """
    mean, low, high = t_bands(np.array(values, float), level)
    return Band(float(mean), float(low), float(high), level)


def level_interval(values: Sequence[float], unit: str) -> Band:
    """Return `t_interval` of numbers that are not negative, and of a `share` not above 1: nor is the interval."""
    band = t_interval(values)
    if math.isinf(band.high):
        return band  # of one number: no interval at all
    return band.within(0.0, 1.0 if unit == "share" else math.inf)


def prediction_interval(values: Sequence[float], unit: str, level: float = 0.95) -> Band:
    """Return the interval of one more run beside independent replications, within what the number can be.

    That of the mean holds one run as often as chance has it; this one does so at its level (Student's t).
    """
    known = np.array([value for value in values if not math.isnan(value)])
    n = len(known)
    if n < 2:
        return t_interval(values, level)
    half = scipy.stats.t.ppf(0.5 + level / 2, n - 1) * known.std(ddof=1) * math.sqrt(1 + 1 / n)
    mean = float(known.mean())
    band = Band(mean, mean - float(half), mean + float(half), level)
    return band.within(0.0, 1.0 if unit == "share" else math.inf)


def p_above(values: Sequence[float], bound: float) -> float:
    """Return the one-sided p-value of Student's t-test that the mean of replications is above `bound`."""
    spread = max(float(np.std(values, ddof=1)) / np.sqrt(len(values)), 1e-12)
    return float(scipy.stats.t.sf((float(np.mean(values)) - bound) / spread, len(values) - 1))
