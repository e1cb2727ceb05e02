"""The peak: the count of the highest minute, and when it comes, with quantiles of its own.

This is the one definition of a peak: every verb, page and picture that names one prints what `peak_of` returns,
of minutes inside the event's own span. A mean forecast is not a peak forecast: the highest minute of a day lies
above the highest of its expectation, the flatter its top and the fewer its counts, the more. So much is reckoned
from the curve and the chance in its counts; what is left, and how far off the minute is, is learned from every day
of earlier origins (conformal on the ratio of the two maxima). A launch's crowd comes on top of the curve, with a
spread of its own: the peak is then the higher of the day's own and of the minutes with a launch in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.special import log_ndtr, ndtri, stdtrit

from gameday.forecast.evaluation.rolling_origin import Fold
from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import noise_of
from gameday.forecast.uncertainty.counts import BEYOND
from gameday.vocabulary import Array, supported

__all__ = ["Crowded", "Peak", "PeakErrors", "peak_errors", "peak_of"]

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
class Crowded:
    """Minutes with launches in them."""

    median: Array
    """Steps a minute without launches, shape (slots,)."""
    launches: tuple[tuple[Array, float], ...]
    """Of each launch: steps a minute of its median crowd, shape (slots,), and the log spread of its size."""

    @property
    def total(self) -> Array:
        """Steps a minute with every launch at its median, shape (slots,)."""
        return np.asarray(self.median + sum(steps for steps, _ in self.launches))


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
    most = max(len(curve) for curve, *_ in days)
    curves = np.stack([np.pad(curve, (0, most - len(curve))) for curve, *_ in days])
    every = np.array([stride for _, stride, *_ in days])
    expected = _likely_highest(curves, every, chance)
    highest, late = (np.array([day[k] for day in days]) for k in (2, 3))
    distinct = len(np.unique(np.round([day[4] / 1440 for day in days])))
    return PeakErrors(np.log(highest / expected), late, distinct, chance)


def _chance(members: Sequence[tuple[Model, int]]) -> float:
    """Return what a sum's counts owe to chance: the mean of its members', each by how much of the sum it is."""
    each, level = [], []
    for model, series in members:
        errors = model.errors(series)
        each.append(noise_of(errors)[1])
        level.append(float(errors.expected.mean()) if len(errors.expected) else 0.0)
    return float(np.average(each, weights=level)) if sum(level) > 0 else float(np.mean(each))


def _days(
    members: Sequence[tuple[Model, int]], folds: Sequence[Fold]
) -> Iterator[tuple[Array, float, float, float, float]]:
    """Yield each whole day's expectation, minutes between, its highest, how late it came, when the day began."""
    # The smooth curve: not every minute is scored, and a spike on the hour may lie between.
    said = np.sum(
        [
            np.expm1(model.blend.weights[:, s] @ fold.log_mean[:, :, s])
            * np.exp(-fold.recurring[:, s])
            for (model, s), fold in zip(members, folds, strict=True)
        ],
        axis=0,
    )
    seen = np.sum([f.actual[:, s] for (_, s), f in zip(members, folds, strict=True)], axis=0)
    minute, past = folds[0].minute, members[0][0].past
    every = float(minute[1] - minute[0]) if len(minute) > 1 else 1.0
    day = ((minute - minute[0]) // 1440).astype(int)
    for number in range(int(day[-1]) + 1):
        within, start = day == number, minute[0] + 1440 * number
        if start + 1440 > past.end_min or np.isnan(seen[within]).mean() > 0.1:
            continue
        first = int(start - past.first_min)
        actual = np.sum([m.past.counts[s, first : first + 1440] for m, s in members], axis=0)
        top = int(np.argmax(said[within]))
        if said[within][top] <= 0 or not np.isfinite(actual).any() or np.nanmax(actual) <= 0:
            continue
        late = float(np.nanargmax(actual)) - (minute[within][top] - start)
        yield said[within], every, float(np.nanmax(actual)), late, start


def _likely_highest(curves: Array, every_min: Array, chance: float) -> Array:
    """Return the median of the highest minute of curves, (days, points): days apart from chance as said.

    `every_min`, shape (days,): minutes between points. A minute's count varies by chance / (1 + count), in logs,
    each on its own; the product of their distributions is halved by bisection.
    """
    top = -np.sort(-curves, axis=1)[:, :_TOP]
    log = np.log(np.maximum(top, 1e-9))
    spread = np.sqrt(chance / (1 + top)) + 1e-6
    share = np.maximum(every_min, 1.0)[:, None]
    low, high = log[:, 0], log[:, 0] + 8 * spread.max(axis=1)
    for _ in range(40):
        middle = (low + high) / 2
        below = (share * log_ndtr((middle[:, None] - log) / spread)).sum(axis=1) < np.log(0.5)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(np.exp(high))


def peak_of(
    smooth: Array, errors: PeakErrors, sigma: float, crowded: Crowded | None = None
) -> Peak:
    """Return the peak of a median's smooth curve, shape (slots,), and of the minutes with launches in them.

    `sigma`: spread of the event's log size. All slots given count: who asks for the event's peak gives its span.
    """
    slot, minutes = int(np.argmax(smooth)), {}
    expected = float(smooth[slot])
    size = _own_size(smooth, errors, sigma)
    if errors.distinct >= _LEAST_DAYS:
        late = [
            float(np.quantile(errors.minutes, _outward(q, errors.distinct))) for q in LEVELS[:3]
        ]
        minutes = dict(zip(LEVELS[:3], late, strict=True))
    if crowded is not None:
        at = int(np.argmax(crowded.total))
        size = _with_launches(size, crowded, expected)
        if crowded.total[at] > expected:
            slot, expected, minutes = at, float(crowded.total[at]), {}
    return Peak(slot, expected, size, minutes, errors.distinct)


def _own_size(smooth: Array, errors: PeakErrors, sigma: float) -> dict[float, float]:
    """Return quantile -> size of the highest minute without launches; where no days tell, the median alone."""
    expected = float(smooth.max())
    if errors.distinct < _LEAST_DAYS:
        return {0.5: expected}
    likely = float(_likely_highest(smooth[None], np.ones(1), errors.chance)[0])
    centre = float(np.median(errors.log_size))
    # What the event itself may be off comes on top of what its days are: both are draws of their own.
    own = np.array([NormalDist().inv_cdf(level) for level in LEVELS]) * sigma
    wide = np.sign(np.array(LEVELS) - 0.5) * np.hypot(_away(errors.log_size, errors.distinct), own)
    return {q: float(likely * np.exp(centre + w)) for q, w in zip(LEVELS, wide, strict=True)}


def _with_launches(
    own: dict[float, float], crowded: Crowded, expected: float
) -> dict[float, float]:
    """Return the quantiles of the higher of a day's own peak and of its minutes with launches.

    Of equally likely draws: one score moves the day's own peak and its minutes at the launch, one each crowd.
    A day whose spread nobody knows stays as expected.
    """
    score = ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
    levels = sorted(own)
    known = [NormalDist().inv_cdf(level) for level in levels]
    log = np.log(np.maximum([own[level] for level in levels], 1e-9))
    day = np.exp(_through(score, known, log))
    factor = day / max(own[0.5], 1e-9)
    highest = day
    together = np.asarray(sum(steps for steps, _ in crowded.launches))
    near = np.flatnonzero(together > _TAIL * together.max())
    crowds = [
        (steps[near], np.exp(sigma * _score_of(number)))
        for number, (steps, sigma) in enumerate(crowded.launches, start=1)
    ]
    for slot, median in enumerate(crowded.median[near]):
        total = median * factor
        for steps, times in crowds:
            total = total + steps[slot] * times
        highest = np.maximum(highest, total)
    return {q: float(np.quantile(highest, q)) for q in LEVELS}


def _score_of(number: int) -> Array:
    """Return crowd `number`'s normal score in each draw: evenly spread beside the day's and the other crowds'.

    An additive recurrence (Kronecker's sequence) with e to the power of the number as its step.
    """
    return np.asarray(ndtri((np.arange(1, _DRAWS + 1) * np.exp(float(number))) % 1.0))


def _through(score: Array, known: list[float], log: Array) -> Array:
    """Return values at normal scores in straight lines through the known ones, and on beyond them."""
    if len(known) == 1:
        return np.full(len(score), log[0])
    out = np.interp(score, known, log)
    low, high = (
        (log[1] - log[0]) / (known[1] - known[0]),
        (log[-1] - log[-2]) / (known[-1] - known[-2]),
    )
    out += np.minimum(score - known[0], 0) * low + np.maximum(score - known[-1], 0) * high
    return np.asarray(out)


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
