"""The peak: the count of the highest minute, and when it comes, with quantiles of its own.

This is the one definition of a peak: every verb, page and picture that names one prints what `peak_of` returns,
of minutes inside the event's own span. A mean forecast is not a peak forecast: the highest minute of a day lies
above the highest of its expectation, the more so the flatter its top and the fewer its counts. That much is
computed from the curve and the chance in its counts; the rest, and how far off the minute is, is learned from
every day of earlier origins (conformal on the ratio of the two maxima). A launch's crowd comes on top of the
curve, with a spread of its own: the peak is then the higher of the day's own and of the minutes with a launch in
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.special import log_ndtr, ndtri, stdtrit

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import noise_of
from gameday.forecast.uncertainty.counts import BEYOND
from gameday.vocabulary import Array, supported

__all__ = ["LaunchedCurve", "Peak", "PeakErrors", "peak_errors", "peak_of"]

LEVELS = (0.1, 0.5, 0.9, 0.99)
_LEAST_DAYS = 3
_MANY_DAYS = 60
"""From so many days on their own quantiles tell; of fewer Student's law has a share. Ours."""
_TOP = 300
"""Points of a curve that may hold its highest: in minutes, five hours of them."""
_DRAWS = 4001
"""Equally likely outcomes of day and crowds that a peak with launches is read off; odd: one is the median."""
_TAIL = 0.01
"""A minute with less of a launch than this share of its highest minute has none, as far as a peak goes. Ours."""


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

    @staticmethod
    def unknown() -> PeakErrors:
        """Return what is known of peaks where no day was foretold: nothing."""
        return PeakErrors(np.empty(0), np.empty(0), 0, 0.0)


@dataclass(frozen=True, slots=True)
class LaunchedCurve:
    """A median curve and the launches that come on top of it."""

    median: Array
    """Steps a minute without launches, shape (slots,)."""
    launches: tuple[tuple[Array, float], ...]
    """Of each launch: steps a minute of its median crowd, shape (slots,), and the log spread of its size."""

    @property
    def launched(self) -> Array:
        """Steps a minute that all launches add at their medians, shape (slots,)."""
        return np.asarray(sum(steps for steps, _ in self.launches))

    @property
    def total(self) -> Array:
        """Steps a minute with every launch at its median, shape (slots,)."""
        return np.asarray(self.median + self.launched)


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest minute of a forecast."""

    slot: int
    """Where it is expected."""
    expected: float
    """What is expected in that slot: of the smooth curve without what recurs at single minutes, or with a launch
    the sum of both, steps a minute. Not the size of the peak, which lies above it."""
    size: dict[float, float]
    """Quantile -> steps a minute of the highest minute, whenever it comes."""
    minutes: dict[float, float]
    """Quantile -> how many minutes after `slot` it comes; negative: before. Empty where a launch sets it."""
    days: int
    """Days of earlier origins it is calibrated on."""

    @property
    def calibrated_to(self) -> float:
        """The highest quantile so many days can support."""
        return supported(self.days)


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
        return PeakErrors(np.empty(0), np.empty(0), 0, chance)
    curves = _stacked([day.curve for day in days])
    expected = _median_maximum(curves, np.array([day.every_min for day in days]), chance)
    highest = np.array([day.highest for day in days])
    late_min = np.array([day.late_min for day in days])
    distinct = len(np.unique(np.round([day.start / 1440 for day in days])))
    return PeakErrors(np.log(highest / expected), late_min, distinct, chance)


def _stacked(curves: list[Array]) -> Array:
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
                yield _ScoredDay(curve[within], _stride_min(minute), *top, start)


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
        np.expm1(model.blend.weights[:, s] @ fold.log_mean[:, :, s]) * np.exp(-fold.recurring[:, s])
        for (model, s), fold in zip(members, folds, strict=True)
    ]
    return np.asarray(np.sum(parts, axis=0))


def _counts_of_day(members: Sequence[tuple[Model, int]], first: int) -> Array:
    """Return every minute's count of the sum of series in the day from slot `first` on, shape (1440,)."""
    counts = [model.past.counts[s, first : first + 1440] for model, s in members]
    return np.asarray(np.sum(counts, axis=0))


def _median_maximum(curves: Array, every_min: Array, chance: float) -> Array:
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


def peak_of(
    smooth: Array, errors: PeakErrors, sigma: float, launched: LaunchedCurve | None = None
) -> Peak:
    """Return the peak of a median's smooth curve, shape (slots,), and of the minutes with launches in them.

    `sigma`: spread of the event's log size. All slots given count: who asks for the event's peak gives its span.
    """
    slot = int(np.argmax(smooth))
    expected = float(smooth[slot])
    size = _own_size(smooth, errors, sigma)
    minutes = _late_quantiles(errors)
    if launched is not None:
        top = int(np.argmax(launched.total))
        size = _with_launches(size, launched)
        if launched.total[top] > expected:
            slot, expected, minutes = top, float(launched.total[top]), {}
    return Peak(slot, expected, size, minutes, errors.distinct)


def _late_quantiles(errors: PeakErrors) -> dict[float, float]:
    """Return quantile -> how many minutes later than expected a peak comes; empty where too few days tell."""
    if errors.distinct < _LEAST_DAYS:
        return {}
    return {
        level: float(np.quantile(errors.minutes, _outward(level, errors.distinct)))
        for level in LEVELS[:3]
    }


def _own_size(smooth: Array, errors: PeakErrors, sigma: float) -> dict[float, float]:
    """Return quantile -> size of the highest minute without launches; where no days tell, the median alone."""
    expected = float(smooth.max())
    if errors.distinct < _LEAST_DAYS:
        return {0.5: expected}
    likely = float(_median_maximum(smooth[None], np.ones(1), errors.chance)[0])
    centre = float(np.median(errors.log_size))
    # What the event itself may be off comes on top of what its days are: both are draws of their own.
    own = np.array([NormalDist().inv_cdf(level) for level in LEVELS]) * sigma
    wide = np.sign(np.array(LEVELS) - 0.5) * np.hypot(_away(errors.log_size, errors.distinct), own)
    return {q: float(likely * np.exp(centre + w)) for q, w in zip(LEVELS, wide, strict=True)}


def _with_launches(own: dict[float, float], curve: LaunchedCurve) -> dict[float, float]:
    """Return the quantiles of the higher of a day's own peak, given by `own`, and of its minutes with launches.

    Of equally likely draws: one score moves the day's own peak and its minutes at the launch, one each crowd.
    A day whose spread nobody knows stays as expected.
    """
    levels = sorted(own)
    known = [NormalDist().inv_cdf(level) for level in levels]
    log = np.log(np.maximum([own[level] for level in levels], 1e-9))
    day = np.exp(_through(ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS), known, log))
    highest = np.maximum(day, _highest_launched(day / max(own[0.5], 1e-9), curve))
    return {q: float(np.quantile(highest, q)) for q in LEVELS}


def _highest_launched(factor: Array, curve: LaunchedCurve) -> Array:
    """Return the highest minute with a launch in it, in each draw; `factor`: by how much a draw moves the day."""
    launched = curve.launched
    near = np.flatnonzero(launched > _TAIL * launched.max())
    crowds = [
        (steps[near], np.exp(sigma * _score_of(number)))
        for number, (steps, sigma) in enumerate(curve.launches, start=1)
    ]
    highest = np.zeros(_DRAWS)
    for slot, median in enumerate(curve.median[near]):
        total = median * factor
        for steps, times in crowds:
            total = total + steps[slot] * times
        highest = np.maximum(highest, total)
    return highest


def _score_of(number: int) -> Array:
    """Return crowd `number`'s normal score in each draw: evenly spread beside the day's and the other crowds'.

    An additive recurrence (Kronecker's sequence) with e to the power of the number as its step.
    """
    return np.asarray(ndtri((np.arange(1, _DRAWS + 1) * np.exp(float(number))) % 1.0))


def _through(score: Array, known: list[float], log: Array) -> Array:
    """Return values at normal scores, piecewise linear through the known ones, and on beyond them."""
    if len(known) == 1:
        return np.full(len(score), log[0])
    values = np.interp(score, known, log)
    low = (log[1] - log[0]) / (known[1] - known[0])
    high = (log[-1] - log[-2]) / (known[-1] - known[-2])
    values += np.minimum(score - known[0], 0) * low + np.maximum(score - known[-1], 0) * high
    return np.asarray(values)


def _away(errors: Array, distinct: int) -> Array:
    """Return how far the levels of one more error lie from the middle, shape (LEVELS,).

    Of few days as Student's prediction of one more, of many their own quantiles; by no more than `BEYOND` times
    farther than any day was.
    """
    few = np.sqrt(distinct / (distinct - 1)) * errors.std() * np.sqrt(1 + 1 / distinct)
    student = few * stdtrit(distinct - 1, np.array(LEVELS))
    own = np.quantile(errors, [_outward(q, distinct) for q in LEVELS]) - np.median(errors)
    share = min(1.0, distinct / _MANY_DAYS)
    most = np.abs(errors - np.median(errors)).max() + np.log(BEYOND)
    return np.asarray(np.clip((1 - share) * student + share * own, -most, most))


def _outward(level: float, distinct: int) -> float:
    """Return the sample quantile beyond which one more lies as often as `level` promises. As in bands.py."""
    return float(np.clip(0.5 + (level - 0.5) * (distinct + 1) / (distinct - 1), 0, 1))
