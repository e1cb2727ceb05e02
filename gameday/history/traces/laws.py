"""The law of service time that fits own work: one of the scenario's, its mean as measured."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import gamma

from gameday.history.traces.self_times import TimeSums
from gameday.history.traces.structure import FittedLaw
from gameday.record import bin_of, percentile
from gameday.scenario.service_times import (
    exponential,
    lognormal,
    normal_quantile,
)

__all__ = ["law_of", "written_duration"]

_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Quantiles by which a law is held against what was measured."""
_CHANCE, _NEAR = 1.36, 0.005
"""Largest distance of the share below a law's quantile from its level for the law to be taken: by chance alone,
over the root of the visits (Kolmogorov and Smirnov, 95 %), and in any case. Ours."""
_STEADY = 0.02
"""Coefficient of variation below which work always takes the same."""
_LEAST_S, _MOST_CV = 1e-6, 10.0
_WRITTEN = (*np.arange(0.0, 0.98, 0.02).round(2).tolist(), 0.98, 0.99, 0.995, 0.999, 1.0)
_SHORT_S = 3e-4
"""Mean below which bins of a histogram are too wide for a law's shape to be told. Ours."""


def law_of(sums: TimeSums) -> FittedLaw:
    """Return the nearest of three shapes with the mean and the variation measured.

    Where none is near, the measured quantiles.
    """
    mean_s, cv = max(sums.mean_s, _LEAST_S), round(min(max(sums.cv, _STEADY), _MOST_CV), 3)
    if sums.cv < _STEADY:
        return FittedLaw("deterministic", mean_s)
    if mean_s < _SHORT_S:
        return FittedLaw("lognormal", mean_s, cv)
    candidates = (
        FittedLaw("exponential", mean_s),
        FittedLaw("lognormal", mean_s, cv),
        FittedLaw("gamma", mean_s, cv),
    )
    off, best = min(((_distance(law, sums), law) for law in candidates), key=lambda row: row[0])
    return best if off <= 1.0 else _empirical(sums)


def _distance(law: FittedLaw, sums: TimeSums) -> float:
    """Return how far a law is from what was measured, in what chance and a little more allow.

    The tail is held to a third of that: its visits are few, and what breaks first depends on them.
    """
    upto = np.cumsum(sums.counts) / sums.weight
    allowed = _CHANCE / math.sqrt(sums.visits) + _NEAR
    off = [abs(float(upto[bin_of(_seconds(law, level))]) - level) for level in _LEVELS]
    return max(*off[:-1], 3 * off[-1]) / allowed


def _seconds(law: FittedLaw, level: float) -> float:
    """Return a quantile of a law, s."""
    cv = law.cv or 1.0
    if law.law == "exponential":
        return exponential(level, law.mean_s)
    if law.law == "lognormal":
        return lognormal(normal_quantile(level), law.mean_s, math.sqrt(math.log1p(cv**2)))
    return float(gamma(cv**-2, scale=law.mean_s * cv**2).ppf(level))


def _empirical(sums: TimeSums) -> FittedLaw:
    """Return the measured quantiles, so many that straight lines between them keep the mean."""
    seconds = [
        sums.shortest_s,
        *(percentile(sums.counts, level) for level in _WRITTEN[1:-1]),
        sums.longest_s,
    ]
    rising = np.maximum.accumulate(np.clip(seconds, sums.shortest_s, sums.longest_s))
    names = (f"p{100 * level:g}" for level in _WRITTEN)
    quantiles = dict(zip(names, map(float, rising), strict=True))
    return FittedLaw("empirical", sums.mean_s, quantiles_s=quantiles)


def written_duration(seconds: float) -> str:
    """Return a duration as a scenario writes it, to four digits."""
    ms = max(seconds * 1e3, 1e-3)
    return f"{ms:.4g}ms" if ms < 1e4 else f"{seconds:.4g}s" if seconds < 1e4 else f"{seconds:.0f}s"
