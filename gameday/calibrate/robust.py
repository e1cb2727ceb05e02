"""A mean in which what lies far out counts less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from gameday.vocabulary import Array

__all__ = ["Estimate", "huber_mean"]

_HUBER = 4.0
"""Residuals beyond so many standard deviations count less (Huber, 1964). Ours: times of visits are skewed, and a
nearer bound would leave out what belongs to them."""
_ROUNDS = 20
_LEAST_NOISE = 0.005
"""Standard error, a share, below which nothing is claimed to be known: clocks and scrapes are not
that good. Ours."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its standard error, the latter for the normal law's 95 %."""

    mid: float
    error: float


def huber_mean(values: Array, weights: Array) -> Estimate:
    """Return the weighted mean of values, those far out counting less, with its standard error.

    Shapes (n,), n >= 3. Source: Huber's M-estimator by iterated reweighting.
    """
    mid, robust = float(np.average(values, weights=weights)), np.ones(len(values))
    for _ in range(_ROUNDS):
        away = (values - mid) * np.sqrt(weights / weights.mean())
        robust = _huber_weights(away)
        mid = float(np.average(values, weights=weights * robust))
    error = _standard_error(values - mid, weights * robust)
    return Estimate(mid, max(_LEAST_NOISE * abs(mid), error))


def _standard_error(away: Array, weights: Array) -> float:
    """Return the standard error of a weighted mean from which values are so far away; few count for less."""
    n, share = len(away), weights / weights.sum()
    few = float(scipy.stats.t.ppf(0.975, n - 1) / scipy.stats.norm.ppf(0.975))
    return few * float(np.sqrt((share**2 * away**2).sum() * n / (n - 1)))


def _spread(away: Array) -> float:
    """Return the standard deviation of a normal law with this median distance from 0."""
    return 1.4826 * float(np.median(np.abs(away))) + 1e-12


def _huber_weights(away: Array) -> Array:
    return np.asarray(np.minimum(1.0, _HUBER * _spread(away) / np.maximum(np.abs(away), 1e-300)))
