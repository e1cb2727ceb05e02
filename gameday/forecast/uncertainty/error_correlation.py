"""How series err together: within the hour, over steps and regions, and from one hour to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import LEAST_POOL
from gameday.vocabulary import Array

__all__ = ["ErrorCorrelation", "correlate_errors"]

_LEAST_SCORES = 4
"""Errors that one hour's mean rests on: where fewer are scored, the hours beside it are averaged in."""


@dataclass(frozen=True, slots=True)
class ErrorCorrelation:
    """Hourly means of earlier origins' errors, as normal scores of each series' own errors, by UTC hour.

    Resampling whole days of them keeps how series err together, and over hours.
    """

    hours: tuple[Array, ...]
    """Per origin, shape (days, 24, regions, steps); NaN where nothing was known. Their variance is `share`."""
    share: Array
    """Share of a minute's variance that its hour accounts for, 0 to 1, shape (regions, steps)."""

    @staticmethod
    def none(steps: int, regions: int = 1) -> ErrorCorrelation:
        """Return that of regions from which no paths are drawn."""
        return ErrorCorrelation((), np.zeros((regions, steps)))


@dataclass(frozen=True, slots=True)
class _Hours:
    """The hours that all folds scored, numbered through."""

    of_minute: Array
    """Number of each scored minute's hour."""
    days: list[int]
    """Each fold's days."""

    @property
    def number(self) -> int:
        return 24 * sum(self.days)

    def by_origin(self, values: Array) -> tuple[Array, ...]:
        """Return values of hours, (hours, regions, steps), as each origin's, (days, 24, regions, steps)."""
        ends = np.cumsum([24 * days for days in self.days])[:-1]
        parts = np.split(values, ends)
        return tuple(part.reshape(-1, 24, *values.shape[1:]) for part in parts if len(part))


def correlate_errors(models: Sequence[Model]) -> ErrorCorrelation:
    """Return how the models' series erred together on earlier origins; all models have the same origins."""
    folds = models[0].folds
    hours = _hours_of(folds)
    shape = (len(models), len(models[0].past.counts))
    means, share = np.full((hours.number, *shape), np.nan), np.zeros(shape)
    for region, model in enumerate(models):
        for step in range(shape[1]):
            errors = model.errors(step).log_ratio if folds else np.empty(0)
            means[:, region, step], share[region, step] = _hourly_means(errors, hours)
    return ErrorCorrelation(hours.by_origin(means), share)


def _hours_of(folds: list[Fold]) -> _Hours:
    """Return the hours that all folds scored, whole days of each fold."""
    numbers, days = [np.empty(0, int)], list[int]()
    for fold in folds:
        day = (fold.minute // 1440 - fold.minute[0] // 1440).astype(int)
        numbers.append(24 * (sum(days) + day) + (fold.minute % 1440 // 60).astype(int))
        days.append(int(day[-1]) + 1)
    return _Hours(np.concatenate(numbers), days)


def _hourly_means(errors: Array, hours: _Hours) -> tuple[Array, float]:
    """Return one series' hourly mean scores, shape (hours,), scaled to their share of the variance, and that."""
    known = ~np.isnan(errors)
    if known.sum() < LEAST_POOL:
        return np.full(hours.number, np.nan), 0.0
    score, hour = _normal_scores(errors[known]), hours.of_minute[known]
    share = _shared_variance(score, hour)
    number = np.bincount(hour, minlength=hours.number)
    mean = _smoothed_mean(np.bincount(hour, score, minlength=hours.number), number.astype(float))
    variance = max(float(np.mean(mean[number > 0] ** 2)), 1e-12)
    return np.where(number > 0, mean * np.sqrt(share / variance), np.nan), share


def _smoothed_mean(total: Array, number: Array) -> Array:
    """Return hourly means, over as many hours beside each as it takes for a few scores each, shape (hours,)."""
    width = np.ones(2 * int(_LEAST_SCORES / number[number > 0].mean() / 2) + 1)
    summed = np.convolve(total, width, "same")
    return np.asarray(summed / np.maximum(np.convolve(number, width, "same"), 1))


def _shared_variance(score: Array, hour: Array) -> float:
    """Return the correlation of neighbouring scores, 0 to 1: of minutes, or of hours where few are scored."""
    near = np.diff(hour) <= 2
    return float(np.clip(np.mean((score[1:] * score[:-1])[near]), 0.0, 1.0)) if near.any() else 0.0


def _normal_scores(values: Array) -> Array:
    """Return each value's normal score: the standard normal quantile of its rank, ties alike."""
    order = np.sort(values)
    rank = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2
    return np.asarray(ndtri(rank / len(values)))
