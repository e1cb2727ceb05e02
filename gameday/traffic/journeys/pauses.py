"""Which law pauses have: fitted on some sessions, chosen by its likelihood on others.

Logs tell time in whole seconds or finer; a pause stands for the interval that rounds to it, so that none is
impossible and zeros are no fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from scipy import optimize, special, stats

from gameday.scenario.service_times import ServiceTime
from gameday.vocabulary import Array

__all__ = ["FittedPause", "fit_pause"]

_LEVELS = (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)
"""Percent: quantiles of an empirical law."""
_SHOWN = (10, 25, 50, 75, 90, 99)
"""Percent: quantiles at which a law is shown against the data."""
_LEAST = 30
"""Pauses below which no law is told from another: the exponential of their mean is taken."""
_TAIL = 0.01
"""Chance that an empirical law leaves to what was not seen, when its likelihood is asked."""


@dataclass(frozen=True, slots=True)
class FittedPause:
    """A law of pauses, as a scenario writes it, and how it stands to the data."""

    law: str | dict[str, Any]
    """A mean (`20s`), or a law's block."""
    name: str
    count: int
    """Pauses it was fitted to."""
    held_out: int
    log_likelihood: dict[str, float]
    """Of each law on the pauses held out, a pause; empty where there were too few."""
    distance: float | None
    """Largest gap between the law's and the held-out distribution (Kolmogorov-Smirnov), beyond rounding."""
    quantiles: dict[str, tuple[float, float]]
    """p10 ... p99 -> seconds as the law has it, and as the pauses held out have it; empty where there are few."""


Cdf = Callable[[Array], Array]


def fit_pause(train_s: Array, held_s: Array, resolution_s: float) -> FittedPause:
    """Return the law of pauses, s; `resolution_s` is the unit in which the log tells time."""
    mean = max(float(train_s.mean()) if len(train_s) else 0.0, resolution_s / 100)
    if len(train_s) < _LEAST or len(held_s) < _LEAST:
        return FittedPause(_seconds(mean), "exponential", len(train_s), len(held_s), {}, None, {})
    half = resolution_s / 2
    found: dict[str, tuple[str | dict[str, Any], Cdf]] = {
        "exponential": (_seconds(mean), stats.expon(scale=mean).cdf),
        "lognormal": _lognormal(train_s, half),
        "gamma": _gamma(train_s, half, mean),
        "empirical": _empirical(train_s, half),
    }
    scores = {name: _score(cdf, held_s, half) for name, (_, cdf) in found.items()}
    best = max(scores, key=lambda name: scores[name])
    law, cdf = found[best]
    return FittedPause(
        law,
        best,
        len(train_s),
        len(held_s),
        scores,
        _distance(cdf, held_s, half),
        _quantiles(law, held_s),
    )


def _quantiles(law: str | dict[str, Any], held_s: Array) -> dict[str, tuple[float, float]]:
    """Return what a law and the pauses held out have at each level."""
    block = {"law": "exponential", "mean": law} if isinstance(law, str) else law
    if block.get("mean") == "0s":
        return {}
    told = TypeAdapter(ServiceTime).validate_python(block)
    return {
        f"p{level}": (
            round(told.seconds(level / 100), 3),
            round(float(np.quantile(held_s, level / 100)), 3),
        )
        for level in _SHOWN
    }


def _seconds(value: float) -> str:
    return f"{value:.6g}s" if value >= 1e-3 else "0s"


def _score(cdf: Cdf, held_s: Array, half: float) -> float:
    """Return the mean log of the chance of the interval that each pause stands for."""
    inside = cdf(held_s + half) - cdf(np.maximum(held_s - half, 0.0))
    return float(np.log(np.maximum(inside, 1e-300)).mean())


def _distance(cdf: Cdf, held_s: Array, half: float) -> float:
    """Return the Kolmogorov-Smirnov distance at the borders of the rounding intervals."""
    values, counts = np.unique(held_s, return_counts=True)
    upto = np.cumsum(counts) / counts.sum()
    return float(np.abs(cdf(values + half) - upto).max())


def _lognormal(train_s: Array, half: float) -> tuple[dict[str, Any], Cdf]:
    logs = np.log(np.maximum(train_s, half))
    first = np.array([logs.mean(), np.log(max(float(logs.std()), 0.05))])

    def loss(at: Array) -> float:
        return -_score(stats.lognorm(s=np.exp(at[1]), scale=np.exp(at[0])).cdf, train_s, half)

    at = optimize.minimize(loss, first, method="Nelder-Mead", options={"maxiter": 120}).x
    sigma = float(min(np.exp(at[1]), 2.1))  # a coefficient of variation of 10 at most
    mean, cv = float(np.exp(at[0] + sigma**2 / 2)), float(np.sqrt(np.expm1(sigma**2)))
    law = {"law": "lognormal", "mean": _seconds(mean), "cv": round(min(cv, 10.0), 4)}
    return law, stats.lognorm(s=sigma, scale=np.exp(at[0])).cdf


def _gamma(train_s: Array, half: float, mean: float) -> tuple[dict[str, Any], Cdf]:
    def cdf_of(shape: float) -> Cdf:
        return lambda t: np.asarray(special.gammainc(shape, t * shape / mean))

    def loss(log_shape: float) -> float:
        return -_score(cdf_of(float(np.exp(log_shape))), train_s, half)

    bounds = (np.log(0.01), np.log(2500.0))
    shape = float(np.exp(optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x))
    law = {"law": "gamma", "mean": _seconds(mean), "cv": round(shape**-0.5, 4)}
    return law, cdf_of(shape)


def _empirical(train_s: Array, half: float) -> tuple[dict[str, Any], Cdf]:
    values = np.maximum.accumulate(np.quantile(train_s, np.array(_LEVELS) / 100))
    values[-1] = max(values[-1], half)
    rows = {f"p{level}": _seconds(float(v)) for level, v in zip(_LEVELS, values, strict=True)}
    rising = values + np.arange(len(values)) * 1e-9
    levels = np.array(_LEVELS) / 100

    def cdf(t: Array) -> Array:
        seen = np.interp(t, rising, levels, left=0.0, right=1.0)
        return np.asarray((1 - _TAIL) * seen + _TAIL * -np.expm1(-t / max(rising[-1], half)))

    return {"law": "empirical", "quantiles": rows}, cdf
