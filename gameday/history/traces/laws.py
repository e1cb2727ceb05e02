"""The law of service time that fits own work: one of the scenario's, its mean as measured."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import gamma

from gameday.history.traces.self_times import TimeSums
from gameday.history.traces.structure import FittedLaw
from gameday.record import percentile
from gameday.scenario.service_times import (
    exponential,
    lognormal,
    normal_quantile,
)

__all__ = ["LEVELS", "law_of", "written_duration"]

LEVELS = (0.5, 0.9, 0.99)
"""Quantiles that a law must tell."""
_NEAR = 0.05
"""Largest relative distance of a quantile from the measured one for a law to be taken; else its quantiles are."""
_STEADY = 0.02
"""Coefficient of variation below which work always takes the same."""
_LEAST_S, _MOST_CV = 1e-6, 10.0
_WRITTEN = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


def law_of(sums: TimeSums) -> FittedLaw:
    """Return the nearest of three shapes with the mean and the variation measured.

    Where none is near, the measured quantiles, scaled so that their mean is the measured one.
    """
    mean_s, cv = max(sums.mean_s, _LEAST_S), round(min(max(sums.cv, _STEADY), _MOST_CV), 3)
    if sums.cv < _STEADY:
        return FittedLaw("deterministic", mean_s)
    measured = np.array([percentile(sums.counts, level) for level in LEVELS])
    best, distance = None, _NEAR
    for candidate in (
        FittedLaw("exponential", mean_s),
        FittedLaw("lognormal", mean_s, cv),
        FittedLaw("gamma", mean_s, cv),
    ):
        told = np.array([_seconds(candidate, level) for level in LEVELS])
        off = float(np.abs(told / measured - 1).max())
        if off < distance:
            best, distance = candidate, off
    return best if best is not None else _empirical(sums)


def _seconds(law: FittedLaw, level: float) -> float:
    """Return a quantile of a law, s."""
    cv = law.cv or 1.0
    if law.law == "exponential":
        return exponential(level, law.mean_s)
    if law.law == "lognormal":
        return lognormal(normal_quantile(level), law.mean_s, math.sqrt(math.log1p(cv**2)))
    return float(gamma(cv**-2, scale=law.mean_s * cv**2).ppf(level))


def _empirical(sums: TimeSums) -> FittedLaw:
    seconds = [
        sums.shortest_s,
        *(percentile(sums.counts, level) for level in _WRITTEN[1:-1]),
        sums.longest_s,
    ]
    rising = np.maximum.accumulate(np.clip(seconds, sums.shortest_s, sums.longest_s))
    mean_s = float(np.diff(_WRITTEN) @ ((rising[1:] + rising[:-1]) / 2))
    scaled = rising * (sums.mean_s / mean_s) if mean_s else rising + _LEAST_S
    names = (f"p{100 * level:g}" for level in _WRITTEN)
    return FittedLaw(
        "empirical", sums.mean_s, quantiles_s=dict(zip(names, map(float, scaled), strict=True))
    )


def written_duration(seconds: float) -> str:
    """Return a duration as a scenario writes it, to four digits."""
    ms = max(seconds * 1e3, 1e-3)
    return f"{ms:.4g}ms" if ms < 1e4 else f"{seconds:.4g}s" if seconds < 1e4 else f"{seconds:.0f}s"
