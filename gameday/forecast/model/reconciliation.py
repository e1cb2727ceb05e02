"""Hierarchical reconciliation: minutes keep their shape, days their totals, children sum to their parents.

A day's total has up to three forecasts: by the minutes of its series, by the daily model (years of days show what
weeks of minutes cannot), and, for a region, by a model of its sum. Each counts by its error on earlier origins.
What remains between a region's own total and the sum of its series is shared out by their errors: weighted least
squares (Wickramasuriya et al. 2019, with a diagonal covariance), in closed form for a tree of two levels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.blend import Reconciliation
from gameday.forecast.model.regional import Model, fit_models
from gameday.forecast.parallel import side_by_side
from gameday.vocabulary import Array

__all__ = [
    "LONG_PAST_DAYS",
    "combine_totals",
    "daily_error",
    "daily_totals",
    "reconcile",
    "reconcile_tree",
    "reconciled_models",
    "with_total",
]

LONG_PAST_DAYS = 350
"""Below this the daily model has no year to learn from, and is not used."""
_LEAST_ERROR = 0.01
"""No day's total counts as known more surely than this, as a share."""
_EVERY_MIN, _AT_ONCE = 5, 14
"""A day's total is that of every fifth minute; so many days are laid out at once."""


def with_total(past: Past) -> Past:
    """Return the past with one series more, the last: the sum of all, NaN where any is not known."""
    total = past.counts.sum(axis=0, keepdims=True)
    return replace(past, counts=np.concatenate([past.counts, total]))


def reconciled_models(pasts: list[Past], origin: float, end: float, kind: str) -> list[Model]:
    """Return each region's model for a forecast from `origin` to `end`, reconciled over days and region."""
    horizon = max(1440, int(end - origin))
    whole = [with_total(past) for past in pasts]
    minutes = fit_models(whole, horizon, kind)
    is_long = all(past.grid.slots >= LONG_PAST_DAYS * 1440 for past in pasts)
    days = (
        fit_models([daily(past) for past in whole], horizon, kind)
        if is_long
        else [None] * len(pasts)
    )
    both = zip(minutes, days, strict=True)
    return side_by_side(reconcile, [(model, day, origin, end) for model, day in both])


def reconcile(minutes: Model, days: Model | None, begin: float, end: float) -> Model:
    """Return the model of `minutes` without its last series, the total, reconciled from `begin` to `end`."""
    edges = minutes.past.calendar.midnights(begin - 1500, end + 1500)
    if len(edges) < 2:
        return minutes.without_last()
    own = daily_totals(minutes, edges)
    totals, error = own, np.broadcast_to(daily_error(minutes), own.shape)
    if days is not None:
        other_error = np.broadcast_to(daily_error(days), own.shape)
        totals, error = combine_totals(own, error, days.blend.means(edges[:-1]), other_error)
    sd = error * totals
    leaves = reconcile_tree(totals[:, :-1], totals[:, -1], sd[:, :-1], sd[:, -1])
    return minutes.without_last(Reconciliation(edges, _log_factor(own[:, :-1], leaves)))


def _log_factor(before: Array, after: Array) -> Array:
    """Return the log of after over before; 0 where either is none."""
    factor = np.log(np.maximum(after, 1e-9)) - np.log(np.maximum(before, 1e-9))
    return np.where((before > 0) & (after > 0), factor, 0.0)


def daily_totals(model: Model, edges: Array) -> Array:
    """Return what is expected of each day between `edges`, shape (days, series)."""
    parts = [
        _some_totals(model, edges[first : first + _AT_ONCE + 1])
        for first in range(0, len(edges) - 1, _AT_ONCE)
    ]
    return np.concatenate(parts)


def _some_totals(model: Model, edges: Array) -> Array:
    """Return the same of a few days: single minutes' factors leave their sums as they are."""
    minute = np.concatenate([np.arange(a, b, _EVERY_MIN) for a, b in itertools.pairwise(edges)])
    hour = model.past.calendar.slot_of_day(minute)[0] // 60
    means = model.blend.smooth(minute) * model.blend.mean_factor[hour]
    starts = np.searchsorted(minute, edges[:-1])
    return np.asarray(np.add.reduceat(means, starts, axis=0) * _EVERY_MIN)


def reconcile_tree(children: Array, parent: Array, child_sd: Array, parent_sd: Array) -> Array:
    """Return children moved so that their sum and the parent agree, by least squares weighted by 1 / sd^2.

    Shapes: children (days, series), parent (days,). No child becomes negative. The parent is then their sum.
    """
    variance, own = child_sd**2, parent_sd**2
    gap = parent - children.sum(axis=1)
    share = variance / np.maximum(variance.sum(axis=1, keepdims=True) + own[:, None], 1e-300)
    moved = np.maximum(children + share * gap[:, None], 0.0)
    return np.asarray(moved)


def combine_totals(
    first: Array, first_error: Array, second: Array, second_error: Array
) -> tuple[Array, Array]:
    """Return the mean of two totals in logs, weighted by 1 / error^2, and the smaller of the errors."""
    weights = 1 / first_error**2, 1 / second_error**2
    share = weights[1] / (weights[0] + weights[1])
    logs = np.log(np.maximum(first, 1e-9)), np.log(np.maximum(second, 1e-9))
    mean = np.exp((1 - share) * logs[0] + share * logs[1])
    # The two err together, so their mean is no surer than the better of them.
    return (
        np.where((first > 0) & (second > 0), mean, first),
        np.minimum(first_error, second_error),
    )


def daily_error(model: Model) -> Array:
    """Return the relative error of a day's total on earlier origins, robust, shape (series,)."""
    log_ratios = [
        ratio for fold in model.folds for ratio in _daily_log_ratios(fold, model.blend.weights)
    ]
    if not log_ratios:
        return np.full(model.blend.weights.shape[1], 1.0)
    away = np.abs(np.stack(log_ratios))
    known = np.isfinite(away).any(axis=0)
    middle = np.nanmedian(np.where(known, away, 1.0), axis=0)
    return np.maximum(1.4826 * middle, _LEAST_ERROR)


def _daily_log_ratios(fold: Fold, weights: Array) -> Iterator[Array]:
    """Yield of each of a fold's days the log of its actual over its forecast total, shape (series,).

    NaN where too few of its minutes are known, or nothing was counted or forecast.
    """
    forecast = fold.blended(weights)
    day = np.floor((fold.minute - fold.minute[0]) / 1440).astype(int)
    for number in range(int(day[-1]) + 1):
        within = day == number
        yield _log_ratio_of_totals(fold.actual[within], forecast[within])


def _log_ratio_of_totals(actual: Array, forecast: Array) -> Array:
    """Return the log ratio of the sums of a day's known minutes, (n, series) each, shape (series,)."""
    known = ~np.isnan(actual)
    counted, expected = (np.where(known, x, 0).sum(axis=0) for x in (actual, forecast))
    enough = (known.mean(axis=0) > 0.5) & (counted > 0) & (expected > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(enough, np.log(counted) - np.log(expected), np.nan)
