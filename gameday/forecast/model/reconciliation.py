"""One forecast at all levels: minutes keep their shape, days their totals, children sum to their parents.

A day's total is told three ways: by the minutes of its series, by the daily model (years of days see
what weeks of minutes cannot), and, for a region, by a model of its sum. Each counts by how well it
did before. What remains between a region's own total and the sum of its series is shared out by how
unsure each is: weighted least squares, in closed form for a tree of two levels.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from gameday.forecast.data.training_data import Past, daily
from gameday.forecast.model.blend import Tie
from gameday.forecast.model.regional import Model, fit_models
from gameday.vocabulary import Array

__all__ = [
    "LONG_PAST_DAYS",
    "closed_tree",
    "daily_error",
    "pooled",
    "tied",
    "tied_models",
    "totals",
    "with_total",
]

LONG_PAST_DAYS = 350
"""Below this the daily model has no year to tell of, and is not asked."""
_LEAST_ERROR = 0.01
_EVERY_MIN, _AT_ONCE = 5, 14
"""A day's total is that of every fifth minute; so many days are laid out at once."""


def with_total(past: Past) -> Past:
    """Return the past with one series more, the last: the sum of all, NaN where any is not known."""
    return replace(
        past, counts=np.concatenate([past.counts, past.counts.sum(axis=0, keepdims=True)])
    )


def tied_models(pasts: list[Past], origin: float, end: float, kind: str) -> list[Model]:
    """Return each region's model for a forecast from `origin` to `end`, tied to days and region."""
    horizon = max(1440, int(end - origin))
    whole = [with_total(past) for past in pasts]
    minutes = fit_models(whole, horizon, kind)
    is_long = all(past.grid.slots >= LONG_PAST_DAYS * 1440 for past in pasts)
    days = (
        fit_models([daily(past) for past in whole], horizon, kind)
        if is_long
        else [None] * len(pasts)
    )
    return [tied(model, day, origin, end) for model, day in zip(minutes, days, strict=True)]


def tied(minutes: Model, days: Model | None, begin: float, end: float) -> Model:
    """Return the model of `minutes` without its last series, the total, tied from `begin` to `end`."""
    edges = minutes.past.calendar.midnights(begin - 1500, end + 1500)
    if len(edges) < 2:
        return minutes.without_last()
    mine = totals(minutes, edges)
    spread = daily_error(minutes)
    told, error = mine, np.broadcast_to(spread, mine.shape)
    if days is not None:
        theirs = days.blend.means(edges[:-1])
        other = np.broadcast_to(daily_error(days), mine.shape)
        told, error = pooled(mine, error, theirs, other)
    leaves = closed_tree(
        told[:, :-1], told[:, -1], error[:, :-1] * told[:, :-1], error[:, -1] * told[:, -1]
    )
    factor = np.log(np.maximum(leaves, 1e-9)) - np.log(np.maximum(mine[:, :-1], 1e-9))
    factor = np.where((mine[:, :-1] > 0) & (leaves > 0), factor, 0.0)
    return minutes.without_last(Tie(edges, factor))


def totals(model: Model, edges: Array) -> Array:
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
    means = model.blend.smooth(minute) * model.blend.smear[hour]
    starts = np.searchsorted(minute, edges[:-1])
    return np.asarray(np.add.reduceat(means, starts, axis=0) * _EVERY_MIN)


def closed_tree(children: Array, parent: Array, child_sd: Array, parent_sd: Array) -> Array:
    """Return children moved so that their sum and the parent agree, by least squares weighted by 1 / sd^2.

    Shapes: children (days, series), parent (days,). None becomes negative. The parent is then their sum.
    """
    variance, own = child_sd**2, parent_sd**2
    gap = parent - children.sum(axis=1)
    share = variance / np.maximum(variance.sum(axis=1, keepdims=True) + own[:, None], 1e-300)
    moved = np.maximum(children + share * gap[:, None], 0.0)
    return np.asarray(moved)


def pooled(one: Array, one_error: Array, other: Array, other_error: Array) -> tuple[Array, Array]:
    """Return the mean of two totals in logs, weighted by 1 / error^2, and the smaller of the errors."""
    weights = 1 / one_error**2, 1 / other_error**2
    share = weights[1] / (weights[0] + weights[1])
    told = np.exp(
        (1 - share) * np.log(np.maximum(one, 1e-9)) + share * np.log(np.maximum(other, 1e-9))
    )
    # What both see wrong, they see wrong together: no more sure than the better of the two.
    return np.where((one > 0) & (other > 0), told, one), np.minimum(one_error, other_error)


def daily_error(model: Model) -> Array:
    """Return the relative error of a day's total on earlier origins, robust, shape (series,)."""
    found = []
    for fold in model.folds:
        said = np.expm1(np.einsum("cs,cns->ns", model.blend.weights, fold.log_mean))
        day = np.floor((fold.minute - fold.minute[0]) / 1440).astype(int)
        for number in range(int(day[-1]) + 1):
            mine = day == number
            known = ~np.isnan(fold.actual[mine])
            totals = [np.where(known, x[mine], 0).sum(axis=0) for x in (fold.actual, said)]
            enough = (known.mean(axis=0) > 0.5) & (totals[0] > 0) & (totals[1] > 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                found.append(np.where(enough, np.log(totals[0]) - np.log(totals[1]), np.nan))
    if not found:
        return np.full(model.blend.weights.shape[1], 1.0)
    away = np.abs(np.stack(found))
    told = np.isfinite(away).any(axis=0)
    middle = np.nanmedian(np.where(told, away, 1.0), axis=0)
    return np.maximum(1.4826 * middle, _LEAST_ERROR)
