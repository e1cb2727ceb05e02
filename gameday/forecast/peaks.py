"""The peak: how high and when, with quantiles of its own. A mean forecast is not a peak forecast.

The highest minutes of a day lie above the highest of its expectation: the flatter its top and the fewer its
counts, the more. So much is reckoned from the curve and the chance in its counts; what is left, and how far
off the minute is, is learned from every day of earlier origins (conformal on the ratio of the two maxima).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.special import log_ndtr, stdtrit

from gameday.forecast.accuracy import five_minute_means
from gameday.forecast.bands import noise_of
from gameday.forecast.counts import BEYOND
from gameday.forecast.race import Fold
from gameday.forecast.regional import Model
from gameday.vocabulary import Array, supported

__all__ = ["Peak", "PeakErrors", "peak_errors", "peak_of"]

LEVELS = (0.1, 0.5, 0.9, 0.99)
_LEAST_DAYS = 3
_MANY_DAYS = 60
"""From so many days on their own quantiles tell; of fewer Student's law has a share. Ours."""
_PEAK_MIN = 5
"""A peak is the highest mean of so many minutes. As in accuracy.py."""
_TOP = 300
"""Points of a curve that may hold its highest: in minutes, five hours of them."""


@dataclass(frozen=True, slots=True)
class PeakErrors:
    """How each day's peak lay to what was expected of it, of one series."""

    log_size: Array
    """log of actual over likely maximum, shape (days,)."""
    minutes: Array
    """Actual less expected minute, shape (days,)."""
    distinct: int
    """How many days there are: origins share some."""
    chance: float
    """b of a minute's log variance a + b / (1 + expected): what its counts owe to chance."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest five-minute mean of a forecast."""

    slot: int
    """Where it is expected."""
    expected: float
    """Highest of the median's smooth curve, what recurs at single minutes left out, steps a minute."""
    size: dict[float, float]
    """Quantile -> steps a minute of the highest five minutes, whenever they come."""
    minutes: dict[float, float]
    """Quantile -> how many minutes after `slot` they come; negative: before."""
    days: int
    """Days of earlier origins it is calibrated on."""

    @property
    def calibrated_to(self) -> float:
        """The highest quantile so many days can support."""
        return supported(self.days)


def peak_errors(model: Model, series: int) -> PeakErrors:
    """Return one series' errors of daily peaks on every earlier origin."""
    chance = noise_of(model.errors(series))[1]
    days = [day for fold in model.folds for day in _days(model, fold, series)]
    if not days:
        return PeakErrors(np.empty(0), np.empty(0), 0, chance)
    most = max(len(curve) for curve, *_ in days)
    curves = np.stack([np.pad(curve, (0, most - len(curve))) for curve, *_ in days])
    every = np.array([stride for _, stride, *_ in days])
    expected = _likely_highest(curves, every, chance)
    highest, late = (np.array([day[k] for day in days]) for k in (2, 3))
    distinct = len(np.unique(np.round([day[4] / 1440 for day in days])))
    return PeakErrors(np.log(highest / expected), late, distinct, chance)


def _days(
    model: Model, fold: Fold, series: int
) -> Iterator[tuple[Array, float, float, float, float]]:
    """Yield each whole day's expectation, minutes between, its highest, how late it came, when the day began."""
    # The smooth curve: not every minute is scored, and a spike on the hour may lie between.
    weights = model.blend.weights[:, series]
    said = np.expm1(weights @ fold.log_mean[:, :, series]) * np.exp(-fold.recurring[:, series])
    every = float(fold.minute[1] - fold.minute[0]) if len(fold.minute) > 1 else 1.0
    day = ((fold.minute - fold.minute[0]) // 1440).astype(int)
    for number in range(int(day[-1]) + 1):
        mine, start = day == number, fold.minute[0] + 1440 * number
        unknown = np.isnan(fold.actual[mine, series]).mean()
        if start + 1440 > model.past.end_min or unknown > 0.1:
            continue
        first = int(start - model.past.first_min)
        actual = five_minute_means(model.past.counts[series, first : first + 1440], least=3)
        top = int(np.argmax(said[mine]))
        if said[mine][top] <= 0 or not np.isfinite(actual).any() or np.nanmax(actual) <= 0:
            continue
        late = float(np.nanargmax(actual)) - (fold.minute[mine][top] - start)
        yield said[mine], every, float(np.nanmax(actual)), late, start


def _likely_highest(curves: Array, every_min: Array, chance: float) -> Array:
    """Return the median of the highest five-minute mean of curves, (days, points): days apart from chance as said.

    `every_min`, shape (days,): minutes between points. Five minutes' counts vary by chance / (5 (1 + count)), in
    logs, each five on their own; the product of their distributions is halved by bisection.
    """
    top = -np.sort(-curves, axis=1)[:, :_TOP]
    log = np.log(np.maximum(top, 1e-9))
    spread = np.sqrt(chance / (_PEAK_MIN * (1 + top))) + 1e-6
    share = np.maximum(every_min, 1.0)[:, None] / _PEAK_MIN
    low, high = log[:, 0], log[:, 0] + 8 * spread.max(axis=1)
    for _ in range(40):
        middle = (low + high) / 2
        below = (share * log_ndtr((middle[:, None] - log) / spread)).sum(axis=1) < np.log(0.5)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(np.exp(high))


def peak_of(median: Array, errors: PeakErrors, sigma: float) -> Peak:
    """Return the peak of a median's smooth curve, shape (slots,); `sigma`: spread of the event's log size."""
    slot = int(np.argmax(median))
    size, minutes, expected = errors.log_size, errors.minutes, float(median[slot])
    if errors.distinct < _LEAST_DAYS:
        return Peak(slot, expected, {0.5: expected}, {}, errors.distinct)
    likely = float(_likely_highest(median[None], np.ones(1), errors.chance)[0])
    centre = float(np.median(size))
    # What the event itself may be off comes on top of what its days are: both are draws of their own.
    own = np.array([NormalDist().inv_cdf(level) for level in LEVELS]) * sigma
    wide = np.sign(np.array(LEVELS) - 0.5) * np.hypot(_away(size, errors.distinct), own)
    return Peak(
        slot, expected,
        {q: float(likely * np.exp(centre + w)) for q, w in zip(LEVELS, wide, strict=True)},
        {q: float(np.quantile(minutes, _outward(q, errors.distinct))) for q in LEVELS if q <= 0.9},
        errors.distinct,
    )  # fmt: skip


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
