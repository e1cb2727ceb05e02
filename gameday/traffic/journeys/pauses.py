"""Which law pauses have: fitted by maximum likelihood on some sessions, chosen by its likelihood on others.

Logs tell time in whole seconds or finer. So a pause is interval-censored: it stands for the interval that rounds
to it, no pause is impossible, and pauses of 0 s are no fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter
from scipy import optimize, special, stats

from gameday.products import to_json
from gameday.scenario.service_times import ServiceTime
from gameday.vocabulary import Array

__all__ = ["EmpiricalLaw", "FittedPause", "MeanLaw", "PauseLaw", "fit_pause"]

_LEVELS = (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)
"""Percent: quantiles of an empirical law."""
_SHOWN = (10, 25, 50, 75, 90, 99)
"""Percent: quantiles at which a law is shown against the data."""
_LEAST = 30
"""Pauses below which laws cannot be distinguished: the exponential with their mean is taken."""
_TAIL = 0.01
"""Chance that an empirical law leaves to pauses it has not seen, when its likelihood is reckoned."""


@dataclass(frozen=True, slots=True)
class MeanLaw:
    """A lognormal or gamma law, as a scenario writes it."""

    law: str
    mean: str
    """As `20s`."""
    cv: float
    """Coefficient of variation."""


@dataclass(frozen=True, slots=True)
class EmpiricalLaw:
    """A law by its quantiles, as a scenario writes it."""

    law: str
    quantiles: dict[str, str]
    """p0 ... p100 -> as `20s`."""


PauseLaw = str | MeanLaw | EmpiricalLaw
"""A law of pauses, as a scenario writes it; a mean alone (`20s`) is exponential."""


@dataclass(frozen=True, slots=True)
class FittedPause:
    """A law of pauses, and its goodness of fit."""

    law: PauseLaw
    name: str
    count: int
    """Pauses it was fitted to."""
    held_out: int
    log_likelihood: dict[str, float]
    """Of each law on the pauses held out, a pause; empty where there were too few."""
    distance: float | None
    """Largest gap between the law's and the held-out distribution (Kolmogorov-Smirnov), beyond rounding."""
    quantiles: dict[str, tuple[float, float]]
    """p10 ... p99 -> seconds of the law, and of the pauses held out; empty where there are few."""


Cdf = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A law fitted to pauses, and its distribution function."""

    law: PauseLaw
    cdf: Cdf


def fit_pause(train_s: Array, held_s: Array, resolution_s: float) -> FittedPause:
    """Return the law of pauses, s; `resolution_s` is the unit in which the log tells time."""
    mean_s = max(float(train_s.mean()) if len(train_s) else 0.0, resolution_s / 100)
    counts = len(train_s), len(held_s)
    if min(counts) < _LEAST:
        return FittedPause(_seconds(mean_s), "exponential", *counts, {}, None, {})
    half_s = resolution_s / 2
    candidates = _candidates(train_s, mean_s, half_s)
    scores = {name: _score(c.cdf, held_s, half_s) for name, c in candidates.items()}
    best = max(scores, key=lambda name: scores[name])
    law, cdf = candidates[best].law, candidates[best].cdf
    return FittedPause(
        law, best, *counts, scores, _distance(cdf, held_s, half_s), _quantiles(law, held_s)
    )


def _candidates(train_s: Array, mean_s: float, half_s: float) -> dict[str, _Candidate]:
    """Return the laws that pauses may have, fitted; `half_s` is half the unit in which the log tells time."""
    return {
        "exponential": _Candidate(_seconds(mean_s), stats.expon(scale=mean_s).cdf),
        "lognormal": _lognormal(train_s, half_s),
        "gamma": _gamma(train_s, half_s, mean_s),
        "empirical": _empirical(train_s, half_s),
    }


def _quantiles(law: PauseLaw, held_s: Array) -> dict[str, tuple[float, float]]:
    """Return each level's quantile of the law and of the pauses held out, s."""
    block = {"law": "exponential", "mean": law} if isinstance(law, str) else to_json(law)
    if block.get("mean") == "0s":
        return {}
    fitted = TypeAdapter(ServiceTime).validate_python(block)
    return {
        f"p{level}": (
            round(fitted.seconds(level / 100), 3),
            round(float(np.quantile(held_s, level / 100)), 3),
        )
        for level in _SHOWN
    }


def _seconds(value: float) -> str:
    return f"{value:.6g}s" if value >= 1e-3 else "0s"


def _score(cdf: Cdf, held_s: Array, half_s: float) -> float:
    """Return the mean log of the chance of the interval that each pause stands for."""
    inside = cdf(held_s + half_s) - cdf(np.maximum(held_s - half_s, 0.0))
    return float(np.log(np.maximum(inside, 1e-300)).mean())


def _distance(cdf: Cdf, held_s: Array, half_s: float) -> float:
    """Return the Kolmogorov-Smirnov distance at the borders of the rounding intervals."""
    values, counts = np.unique(held_s, return_counts=True)
    upto = np.cumsum(counts) / counts.sum()
    return float(np.abs(cdf(values + half_s) - upto).max())


def _lognormal(train_s: Array, half_s: float) -> _Candidate:
    """Return the lognormal law of greatest likelihood."""
    log_median, log_sigma = _lognormal_parameters(train_s, half_s)
    sigma = float(min(np.exp(log_sigma), 2.1))  # a coefficient of variation of 10 at most
    mean_s, cv = float(np.exp(log_median + sigma**2 / 2)), float(np.sqrt(np.expm1(sigma**2)))
    law = MeanLaw("lognormal", _seconds(mean_s), round(min(cv, 10.0), 4))
    return _Candidate(law, stats.lognorm(s=sigma, scale=np.exp(log_median)).cdf)


def _lognormal_parameters(train_s: Array, half_s: float) -> tuple[float, float]:
    """Return the logarithms of the median, s, and of sigma that make the pauses likeliest."""
    logs = np.log(np.maximum(train_s, half_s))
    first = np.array([logs.mean(), np.log(max(float(logs.std()), 0.05))])

    def loss(logs_of: Array) -> float:
        law = stats.lognorm(s=np.exp(logs_of[1]), scale=np.exp(logs_of[0]))
        return -_score(law.cdf, train_s, half_s)

    found = optimize.minimize(loss, first, method="Nelder-Mead", options={"maxiter": 120}).x
    return found[0], found[1]


def _gamma(train_s: Array, half_s: float, mean_s: float) -> _Candidate:
    """Return the gamma law of this mean and of greatest likelihood."""

    def cdf_of(shape: float) -> Cdf:
        return lambda t_s: np.asarray(special.gammainc(shape, t_s * shape / mean_s))

    def loss(log_shape: float) -> float:
        return -_score(cdf_of(float(np.exp(log_shape))), train_s, half_s)

    bounds = (np.log(0.01), np.log(2500.0))
    shape = float(np.exp(optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x))
    law = MeanLaw("gamma", _seconds(mean_s), round(shape**-0.5, 4))
    return _Candidate(law, cdf_of(shape))


def _empirical(train_s: Array, half_s: float) -> _Candidate:
    """Return the law by the quantiles of the pauses, straight between them, with an exponential tail."""
    levels = np.array(_LEVELS) / 100
    values = np.maximum.accumulate(np.quantile(train_s, levels))
    values[-1] = max(values[-1], half_s)
    rows = {f"p{level}": _seconds(float(v)) for level, v in zip(_LEVELS, values, strict=True)}
    rising = values + np.arange(len(values)) * 1e-9
    tail_s = max(rising[-1], half_s)

    def cdf(t_s: Array) -> Array:
        seen = np.interp(t_s, rising, levels, left=0.0, right=1.0)
        return np.asarray((1 - _TAIL) * seen + _TAIL * -np.expm1(-t_s / tail_s))

    return _Candidate(EmpiricalLaw("empirical", rows), cdf)
