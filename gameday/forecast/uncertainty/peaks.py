"""The peak: the count of the highest minute, and when it comes, with quantiles of its own.

This is the one definition of a peak: every verb, page and picture that names one prints what `peak_of` returns,
of minutes inside the event's own span. A mean forecast is not a peak forecast: the highest minute of a day lies
above the highest of its expectation, the more so the flatter its top and the fewer its counts. That much is
computed from the curve and the chance in its counts; the rest, and how far off the minute is, is learned from
every day of earlier origins (conformal on the ratio of the two maxima). Of several days any may have the highest
minute: they are drawn together, their errors as alike as those of one origin's days were. A launch's crowd comes
on top of the curve, with a spread of its own: the peak is then the higher of the days' own and of the minutes with
a launch in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.special import ndtri, stdtrit

from gameday.forecast.uncertainty.counts import BEYOND
from gameday.forecast.uncertainty.peak_errors import PeakErrors, median_maximum, stacked
from gameday.vocabulary import Array, Seed, supported

__all__ = ["LaunchedCurve", "Peak", "peak_of"]

LEVELS = (0.1, 0.5, 0.9, 0.99)
_LEAST_DAYS = 3
_DAY_MIN = 1440
_MANY_DAYS = 60
"""From so many days on their own quantiles tell; of fewer Student's law has a share. Ours."""
_DRAWS = 4001
"""Equally likely outcomes of day and crowds that a peak with launches is read off; odd: one is the median."""
_TAIL = 0.01
"""A minute with less of a launch than this share of its highest minute has none, as far as a peak goes; and a day
whose likely peak is less than this share of the highest day's has none. Ours."""


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


def peak_of(
    smooth: Array,
    errors: PeakErrors,
    sigma: float,
    launched: LaunchedCurve | None = None,
    days: Array | None = None,
) -> Peak:
    """Return the peak of a median's smooth curve, shape (slots,), and of the minutes with launches in them.

    `sigma`: spread of the event's log size. All slots given count: who asks for the event's peak gives its span.
    `days`: the slots at which days begin, but the first; by default every 1440.
    """
    slot = int(np.argmax(smooth))
    expected = float(smooth[slot])
    begins = np.arange(_DAY_MIN, len(smooth), _DAY_MIN) if days is None else days
    size, minutes = _own_peak(_Days.of(smooth, begins), slot, errors, sigma)
    own = Peak(slot, expected, size, minutes, errors.distinct)
    return own if launched is None else _or_launched(own, launched)


def _or_launched(own: Peak, launched: LaunchedCurve) -> Peak:
    """Return the higher of the days' own peak and of the minutes with launches in them."""
    peak, top = (
        replace(own, size=_with_launches(own.size, launched)),
        int(np.argmax(launched.total)),
    )
    if launched.total[top] <= own.expected:
        return peak
    return replace(peak, slot=top, expected=float(launched.total[top]), minutes={})


@dataclass(frozen=True, slots=True)
class _Days:
    """A curve by days."""

    curves: list[Array]
    tops: Array
    """The slot of each day's highest minute, of the whole curve, shape (days,)."""

    @staticmethod
    def of(smooth: Array, begins: Array) -> _Days:
        """Return a curve cut where days begin, but the first."""
        curves = np.split(smooth, begins)
        first = np.concatenate([[0], begins])
        return _Days(curves, first + [int(curve.argmax()) for curve in curves])


@dataclass(frozen=True, slots=True)
class _DayError:
    """How far a day's peak may be off: of one more day, and of several together."""

    quantiles: Array
    """Of its log, shape (LEVELS,)."""
    farthest: float
    """The largest log that is drawn."""
    shared: float
    """Correlation of two days'."""

    @staticmethod
    def of(errors: PeakErrors, sigma: float) -> _DayError:
        """Return what earlier days and the spread of the event's log size, `sigma`, say."""
        # What the event itself may be off comes on top of what its days are: both are draws of their own.
        away = np.hypot(_away(errors.log_size, errors.distinct), _scores_of_levels() * sigma)
        wide = np.sign(np.array(LEVELS) - 0.5) * away
        own, event = float(np.var(errors.log_size)), sigma**2
        shared = (errors.together * own + event) / max(own + event, 1e-12)
        farthest = float(errors.log_size.max()) + np.log(BEYOND) + 3 * sigma
        return _DayError(float(np.median(errors.log_size)) + wide, farthest, shared)

    def drawn(self, days: int) -> Array:
        """Return log errors of so many days together, equally likely draws, shape (draws, days).

        The same draws for everyone: what differs between peaks is what was learned.
        """
        rng = Seed(0).stream("days' peaks")
        both, each = rng.standard_normal((_DRAWS, 1)), rng.standard_normal((_DRAWS, days))
        score = np.sqrt(self.shared) * both + np.sqrt(1 - self.shared) * each
        log = _through(score.ravel(), list(_scores_of_levels()), self.quantiles)
        return np.minimum(log.reshape(score.shape), self.farthest)


def _scores_of_levels() -> Array:
    return np.array([NormalDist().inv_cdf(level) for level in LEVELS])


def _highest_of_days(likely: Array, error: _DayError) -> tuple[Array, Array]:
    """Return quantiles of the log of the highest of days, and which day it is in each draw.

    `likely`: each day's likely maximum, shape (days,).
    """
    near = np.flatnonzero(likely > _TAIL * likely.max())
    drawn = np.log(likely[near]) + error.drawn(len(near))
    return np.quantile(drawn.max(axis=1), LEVELS), near[drawn.argmax(axis=1)]


def _own_peak(
    days: _Days, slot: int, errors: PeakErrors, sigma: float
) -> tuple[dict[float, float], dict[float, float]]:
    """Return the highest minute without launches, quantile -> its size, and -> minutes it comes after `slot`.

    Where no days tell, the median alone.
    """
    if errors.distinct < _LEAST_DAYS:
        return {0.5: max(float(day.max()) for day in days.curves)}, {}
    likely = median_maximum(stacked(days.curves), np.ones(len(days.tops)), errors.chance)
    error, late = _DayError.of(errors, sigma), errors.minutes
    log_size = np.log(likely[0]) + error.quantiles
    if len(likely) > 1:
        log_size, day = _highest_of_days(likely, error)
        late = days.tops[day] - slot + np.resize(late, len(day))
    size = {q: float(np.exp(log)) for q, log in zip(LEVELS, log_size, strict=True)}
    outward = {q: _outward(q, errors.distinct) for q in LEVELS[:3]}
    return size, {q: float(np.quantile(late, share)) for q, share in outward.items()}


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
