"""The law of service time that fits own work: one of the scenario's, its mean as measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from gameday.history.traces.self_times import TimeSums
from gameday.record import percentile
from gameday.scenario.service_times import Exponential, Gamma, LogNormal

__all__ = ["LEVELS", "law_of", "written_duration"]

LEVELS = (0.5, 0.9, 0.99)
"""Quantiles that a law must tell."""
_Law = Exponential | LogNormal | Gamma
_NEAR = 0.05
"""Largest relative distance of a quantile from the measured one for a law to be taken; else its quantiles are."""
_STEADY = 0.02
"""Coefficient of variation below which work always takes the same."""
_WRITTEN = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


def law_of(sums: TimeSums) -> dict[str, Any]:
    """Return a law as a scenario writes it: the nearest of three shapes with the mean and variation measured.

    Where none is near, the measured quantiles, scaled so that their mean is the measured one.
    """
    mean_s, cv = max(sums.mean_s, 1e-6), sums.cv
    if cv < _STEADY:
        return {"law": "deterministic", "mean": written_duration(mean_s)}
    measured = np.array([percentile(sums.counts, level) for level in LEVELS])
    best, distance = None, _NEAR
    for kind, fields in _candidates(mean_s, cv):
        law = kind.model_validate(fields)
        told = np.array([law.seconds(level) for level in LEVELS])
        off = float(np.abs(told / measured - 1).max())
        if off < distance:
            best, distance = fields, off
    return best if best is not None else _empirical(sums)


def _candidates(mean_s: float, cv: float) -> list[tuple[type[_Law], dict[str, Any]]]:
    """Return kinds of laws, each with the fields that give it a mean and a coefficient of variation."""
    mean, both = written_duration(mean_s), round(min(max(cv, _STEADY), 10.0), 3)
    return [
        (Exponential, {"law": "exponential", "mean": mean}),
        (LogNormal, {"law": "lognormal", "mean": mean, "cv": both}),
        (Gamma, {"law": "gamma", "mean": mean, "cv": both}),
    ]


def _empirical(sums: TimeSums) -> dict[str, Any]:
    seconds = [
        sums.shortest_s,
        *(percentile(sums.counts, level) for level in _WRITTEN[1:-1]),
        sums.longest_s,
    ]
    rising = np.maximum.accumulate(np.clip(seconds, sums.shortest_s, sums.longest_s))
    middles = (rising[1:] + rising[:-1]) / 2
    mean_s = float(np.diff(_WRITTEN) @ middles)
    scaled = rising * (sums.mean_s / mean_s) if mean_s else rising
    names = (f"p{100 * level:g}" for level in _WRITTEN)
    return {
        "law": "empirical",
        "quantiles": dict(zip(names, map(written_duration, scaled), strict=True)),
    }


def written_duration(seconds: float) -> str:
    """Return a duration as a scenario writes it, to four digits."""
    ms = max(seconds * 1e3, 1e-3)
    return f"{ms:.4g}ms" if ms < 1e4 else f"{seconds:.4g}s" if seconds < 1e4 else f"{seconds:.0f}s"
