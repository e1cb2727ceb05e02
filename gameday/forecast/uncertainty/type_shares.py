"""Shares of product types: each type's orders are forecast, and a share is its part of their sum.

So shares move with hours, weeks, events and what came of late, as orders do, and sum to one in every minute and in
every sample path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gameday.forecast.demand import Demand
from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.rivals.last_week import weeks_before
from gameday.forecast.uncertainty.paths import sample_paths
from gameday.vocabulary import Array, Seed

__all__ = ["ShareErrors", "mean_shares", "share_errors", "share_paths"]

_LEAST = 1e-6
"""Orders a minute that every type is given: where none are expected all have the same share."""
_DAY_MIN = 1440
_HALF_HOUR = 30
"""Minutes that a share is smoothed over to both sides: what recurs at single minutes is all types' alike."""


def mean_shares(demand: Demand) -> Array:
    """Return each type's share of the orders expected a minute, shape (regions, types, slots)."""
    return _shares(_smoothed(demand.mean))


def share_paths(demand: Demand, number: int, seed: Seed) -> Array:
    """Return so many days of shares that could happen, shape (number, regions, types, slots); they sum to one.

    Each type's orders are on average those expected, so that shares lie around `mean_shares`.
    """
    paths = sample_paths(demand, number, seed)
    drawn = paths.mean(axis=0, dtype=float).sum(axis=2)
    factor = demand.mean.sum(axis=2) / np.maximum(drawn, _LEAST)
    return np.stack([_shares(_smoothed(path * factor[:, :, None])) for path in paths])


def _shares(orders: Array) -> Array:
    counts = np.asarray(orders, float) + _LEAST
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _smoothed(orders: Array) -> Array:
    """Return running means over an hour, shape (regions, types, slots)."""
    longer = np.pad(orders, ((0, 0), (0, 0), (_HALF_HOUR, _HALF_HOUR)), "edge")
    upto = np.concatenate(
        [np.zeros((*orders.shape[:2], 1)), np.cumsum(longer, axis=2, dtype=float)], axis=2
    )
    width = 2 * _HALF_HOUR + 1
    return np.asarray((upto[:, :, width:] - upto[:, :, :-width]) / width)


@dataclass(frozen=True, slots=True)
class ShareErrors:
    """Mean absolute errors of a type's share of a day, over days of earlier origins, regions and types."""

    own: float
    last_week: float
    """Of the share a week before."""
    last_year: float
    """Of the share of the last 52 weeks; of all that is known where that is less."""
    days: int


def share_errors(models: Sequence[Model]) -> ShareErrors:
    """Return how shares of days were foretold from earlier origins; NaN of no days."""
    errors = [row for model in models for fold in model.folds for row in _errors_of(model, fold)]
    if not errors:
        return ShareErrors(np.nan, np.nan, np.nan, 0)
    own, week, year = np.mean(errors, axis=0)
    return ShareErrors(float(own), float(week), float(year), len(errors))


def _errors_of(model: Model, fold: Fold) -> list[tuple[float, float, float]]:
    """Return each day's mean absolute errors of shares: the forecast's, last week's and last year's."""
    past = model.past.until(fold.origin)
    said, week = fold.blended(model.blend.weights), weeks_before(past, fold.minute, 1)
    year = _day_shares(np.nan_to_num(past.counts[:, -364 * _DAY_MIN :]).T)
    day, rows = ((fold.minute - fold.minute[0]) // _DAY_MIN).astype(int), []
    for number in range(int(day[-1]) + 1):
        part = day == number
        actual = np.nan_to_num(fold.actual[part])
        if actual.sum() > 0:
            share = _day_shares(actual)
            guesses = (_day_shares(said[part]), _day_shares(week[part]), year)
            own, last, usual = (float(np.abs(guess - share).mean()) for guess in guesses)
            rows.append((own, last, usual))
    return rows


def _day_shares(counts: Array) -> Array:
    total = counts.sum(axis=0) + _LEAST
    return np.asarray(total / total.sum())
