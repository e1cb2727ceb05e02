"""The peak: the count of the highest minute, and when it comes, with quantiles of its own.

This is the one definition of a peak: every verb, page and picture that names one prints what `peak_of` returns,
of minutes inside the event's own span. A mean forecast is not a peak forecast: the highest minute of a day lies
above the highest of its expectation, the more so the flatter its top and the fewer its counts. That much is
computed from the curve and the chance in its counts; the rest, and how far off the minute is, is learned from
every day of earlier origins (conformal on the ratio of the two maxima). Of several days any may have the highest
minute: that is learned from earlier windows of as many days. A launch's crowd comes on top of the curve, with a
spread of its own: the peak is then the higher of the days' own and of the minutes with a launch in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.special import ndtri

from gameday.forecast.uncertainty.highest import highest_points, median_maximum
from gameday.forecast.uncertainty.peak_errors import FIVE_MIN, PEAK_LEVELS, PeakErrors
from gameday.vocabulary import Array, supported

__all__ = ["LaunchedCurve", "Peak", "busy_days", "peak_of"]

_DAY_MIN = 1440
_NEAR = 0.5
"""A day whose highest minute is expected below this share of the highest day's does not have the peak. Ours."""
_DRAWS = 4001
"""Equally likely outcomes of day and crowds that a peak with launches is read off; odd: one is the median."""
_TAIL = 0.01
"""A minute with less of a launch than this share of its highest minute has none, as far as a peak goes. Ours."""


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

    def over(self, minutes: int) -> LaunchedCurve:
        """Return the means of so many minutes from each on."""

        def means(values: Array) -> Array:
            longer = np.pad(values, (0, minutes - 1), "edge")
            return np.asarray(
                np.lib.stride_tricks.sliding_window_view(longer, minutes).mean(axis=1)
            )

        return LaunchedCurve(
            means(self.median), tuple((means(steps), sigma) for steps, sigma in self.launches)
        )


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
    five_minutes: dict[float, float]
    """Quantile -> the highest mean of five minutes, steps a minute."""
    minutes: dict[float, float]
    """Quantile -> how many minutes after `slot` it comes; negative: before. Empty where a launch sets it."""
    days: int
    """Days of earlier origins it is calibrated on."""

    @property
    def calibrated_to(self) -> float:
        """The highest quantile so many days can support."""
        return supported(self.days)

    def times_median(self, quantile: float) -> float:
        """Return how many times its median the peak's size is at any quantile."""
        levels = sorted(self.size)
        known = [NormalDist().inv_cdf(level) for level in levels]
        log = np.log(np.maximum([self.size[level] for level in levels], 1e-9))
        score = np.array([NormalDist().inv_cdf(quantile), 0.0])
        wanted, middle = _through(score, known, log)
        return float(np.exp(wanted - middle))


def busy_days(smooth: Array) -> int:
    """Return how many days of a curve may have its highest minute: those that come near it.

    `smooth`: shape (slots,), cut into days of 1440 minutes from its start on.
    """
    highest = np.maximum.reduceat(smooth, np.arange(0, max(len(smooth), 1), _DAY_MIN))
    return int((highest >= _NEAR * highest.max()).sum())


def peak_of(
    smooth: Array, errors: PeakErrors, sigma: float, launched: LaunchedCurve | None = None
) -> Peak:
    """Return the peak of a median's smooth curve, shape (slots,), and of the minutes with launches in them.

    `errors`: of windows of as many days as are busy; `sigma`: spread of the event's log size. All slots given
    count: who asks for the event's peak gives its span.
    """
    slot = int(np.argmax(smooth))
    own = _own_peak(smooth, slot, errors, sigma)
    return own if launched is None else _or_launched(own, launched)


def _own_peak(smooth: Array, slot: int, errors: PeakErrors, sigma: float) -> Peak:
    """Return the highest minute without launches; where too few days tell, the median alone."""
    expected = float(smooth[slot])
    if not errors.is_known:
        alone = {0.5: expected}
        return Peak(slot, expected, alone, dict(alone), {}, errors.distinct)
    likely = float(median_maximum(*highest_points(smooth[None]), errors.chance)[0])
    size, five = (
        likely * np.exp(_with_event(log, sigma)) for log in (errors.log_size, errors.log_five)
    )
    late = dict(zip(PEAK_LEVELS[:3], map(float, errors.minutes), strict=True))
    return Peak(
        slot, expected, _by_level(size), _by_level(np.minimum(five, size)), late, errors.distinct
    )


def _by_level(values: Array) -> dict[float, float]:
    return dict(zip(PEAK_LEVELS, map(float, values), strict=True))


def _with_event(log_size: Array, sigma: float) -> Array:
    """Return log errors at `PEAK_LEVELS` of days and of the event's size together: draws of their own."""
    levels = np.array(PEAK_LEVELS)
    middle = log_size[PEAK_LEVELS.index(0.5)]
    wide = np.hypot(log_size - middle, sigma * ndtri(levels))
    return np.asarray(middle + np.sign(levels - 0.5) * wide)


def _or_launched(own: Peak, launched: LaunchedCurve) -> Peak:
    """Return the higher of the days' own peak and of the minutes with launches in them."""
    peak = replace(
        own,
        size=_with_launches(own.size, launched),
        five_minutes=_with_launches(own.five_minutes, launched.over(FIVE_MIN)),
    )
    top = int(np.argmax(launched.total))
    if launched.total[top] <= own.expected:
        return peak
    return replace(peak, slot=top, expected=float(launched.total[top]), minutes={})


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
    return {q: float(np.quantile(highest, q)) for q in PEAK_LEVELS}


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
