"""What peaks were before: how each day's highest minute lay to what earlier origins expected of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import noise_of
from gameday.vocabulary import Array

__all__ = ["PeakErrors", "median_maximum", "peak_errors", "stacked"]

_TOP = 300
"""Points of a curve that may hold its highest: in minutes, five hours of them."""


@dataclass(frozen=True, slots=True)
class PeakErrors:
    """How each day's highest minute lay to what was expected of it, of one series or of a sum of them."""

    log_size: Array
    """log of actual over likely maximum, shape (days,)."""
    minutes: Array
    """Actual less expected minute, shape (days,)."""
    distinct: int
    """How many days there are: origins share some."""
    chance: float
    """b of a minute's log variance a + b / (1 + expected): what its counts owe to chance."""
    together: float
    """Share of the variance of `log_size` that all days of an origin have in common, 0 to 1."""

    @staticmethod
    def unknown() -> PeakErrors:
        """Return what is known of peaks where no day was foretold: nothing."""
        return PeakErrors(np.empty(0), np.empty(0), 0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class _ScoredDay:
    """A whole day of an earlier origin: what was forecast of it, and its highest minute."""

    curve: Array
    """The smooth forecast at the scored minutes, shape (points,)."""
    every_min: float
    """Minutes between them."""
    highest: float
    """Actual count of its highest minute."""
    late_min: float
    """How much later that minute came than the forecast's highest."""
    start: float
    """Minutes since 1970 UTC."""
    origin: float
    """From which it was forecast, likewise."""


def peak_errors(members: Sequence[tuple[Model, int]]) -> PeakErrors:
    """Return the errors of daily peaks, on every earlier origin, of the sum of series: (model, number) each.

    The models' origins are the same, and so are the minutes that each scored.
    """
    chance = _chance(members)
    days = [
        day
        for folds in zip(*(model.folds for model, _ in members), strict=True)
        for day in _days(members, folds)
    ]
    if not days:
        return PeakErrors(np.empty(0), np.empty(0), 0, chance, 1.0)
    curves = stacked([day.curve for day in days])
    expected = median_maximum(curves, np.array([day.every_min for day in days]), chance)
    highest = np.array([day.highest for day in days])
    late_min = np.array([day.late_min for day in days])
    distinct = len(np.unique(np.round([day.start / 1440 for day in days])))
    log_size = np.log(highest / expected)
    together = _shared(log_size, np.array([day.origin for day in days]))
    return PeakErrors(log_size, late_min, distinct, chance, together)


def _shared(errors: Array, group: Array) -> float:
    """Return the share of errors' variance that is that of groups' means: the intraclass correlation, 0 to 1.

    From the mean squares between groups and within them (Fisher's analysis of variance); 1 where no group has two.
    """
    _, number, size = np.unique(group, return_inverse=True, return_counts=True)
    groups, left = len(size), len(errors) - len(size)
    if groups < 2 or left < 1:
        return 1.0
    means = np.bincount(number, errors) / size
    within = float(np.sum((errors - means[number]) ** 2)) / left
    between = float(np.sum(size * (means - errors.mean()) ** 2)) / (groups - 1)
    usual = (len(errors) - float(np.sum(size**2)) / len(errors)) / (groups - 1)
    whole = between + (usual - 1) * within
    return float(np.clip((between - within) / whole, 0, 1)) if whole > 0 else 1.0


def stacked(curves: list[Array]) -> Array:
    """Return curves of several lengths in one, 0 behind their ends, shape (days, points)."""
    points = max(len(curve) for curve in curves)
    return np.stack([np.pad(curve, (0, points - len(curve))) for curve in curves])


def _chance(members: Sequence[tuple[Model, int]]) -> float:
    """Return what a sum's counts owe to chance: the mean of its members', each by how much of the sum it is."""
    each, level = [], []
    for model, series in members:
        errors = model.errors(series)
        each.append(noise_of(errors)[1])
        level.append(float(errors.expected.mean()) if len(errors.expected) else 0.0)
    return float(np.average(each, weights=level)) if sum(level) > 0 else float(np.mean(each))


def _days(members: Sequence[tuple[Model, int]], folds: Sequence[Fold]) -> Iterator[_ScoredDay]:
    """Yield the whole days that an origin forecast, of the sum of series; one fold for each."""
    curve, past = _smooth_forecast(members, folds), members[0][0].past
    actual = np.sum([f.actual[:, s] for (_, s), f in zip(members, folds, strict=True)], axis=0)
    minute = folds[0].minute
    day = ((minute - minute[0]) // 1440).astype(int)
    for number in range(int(day[-1]) + 1):
        within, start = day == number, minute[0] + 1440 * number
        if start + 1440 <= past.end_min and np.isnan(actual[within]).mean() <= 0.1:
            counts = _counts_of_day(members, int(start - past.first_min))
            top = _scored_peak(curve[within], minute[within] - start, counts)
            if top is not None:
                yield _ScoredDay(curve[within], _stride_min(minute), *top, start, folds[0].origin)


def _stride_min(minute: Array) -> float:
    return float(minute[1] - minute[0]) if len(minute) > 1 else 1.0


def _scored_peak(curve: Array, minute: Array, counts: Array) -> tuple[float, float] | None:
    """Return a day's highest count, and how much later than the curve's it came; None where there is none.

    `minute`: of the curve's points within the day; `counts`: of every minute, shape (1440,).
    """
    top = int(np.argmax(curve))
    if curve[top] <= 0 or not np.isfinite(counts).any() or np.nanmax(counts) <= 0:
        return None
    return float(np.nanmax(counts)), float(np.nanargmax(counts)) - minute[top]


def _smooth_forecast(members: Sequence[tuple[Model, int]], folds: Sequence[Fold]) -> Array:
    """Return the forecast sum at an origin's scored minutes without what recurs at single minutes, shape (n,).

    Not every minute is scored, and a spike on the hour may lie between.
    """
    parts = [
        fold.blended_series(model.blend.weights, s) * np.exp(-fold.recurring[:, s])
        for (model, s), fold in zip(members, folds, strict=True)
    ]
    return np.asarray(np.sum(parts, axis=0))


def _counts_of_day(members: Sequence[tuple[Model, int]], first: int) -> Array:
    """Return every minute's count of the sum of series in the day from slot `first` on, shape (1440,)."""
    counts = [model.past.counts[s, first : first + 1440] for model, s in members]
    return np.asarray(np.sum(counts, axis=0))


def median_maximum(curves: Array, every_min: Array, chance: float) -> Array:
    """Return the median of the highest minute of each curve, (days, points), given the chance in its counts.

    `every_min`, shape (days,): minutes between points. The log of a minute's count is normal with variance
    chance / (1 + count), independently; the maximum's distribution is the product of the minutes', and its median
    is found by bisection.
    """
    top = -np.sort(-curves, axis=1)[:, :_TOP]
    log, spread = np.log(np.maximum(top, 1e-9)), np.sqrt(chance / (1 + top)) + 1e-6
    share = np.maximum(every_min, 1.0)[:, None]

    def is_below(middle: Array) -> Array:
        log_share = log_ndtr((middle[:, None] - log) / spread)
        return np.asarray((share * log_share).sum(axis=1) < np.log(0.5))

    return np.exp(_bisected(is_below, log[:, 0], log[:, 0] + 8 * spread.max(axis=1)))


def _bisected(is_below: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where `is_below` turns false between low and high, elementwise."""
    for _ in range(40):
        middle = (low + high) / 2
        below = is_below(middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high
