"""The peak: how high and when, with quantiles of its own. A mean forecast is not a peak forecast.

The highest minute of a day lies above the highest of its expectation, and near it. By how much and
how far is learned from every day of earlier origins: conformal on the ratio of the two maxima, and
on the minutes between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gameday.forecast.accuracy import five_minute_means
from gameday.forecast.regional import Model
from gameday.vocabulary import Array

__all__ = ["Peak", "PeakErrors", "peak_errors", "peak_of"]

LEVELS = (0.1, 0.5, 0.9, 0.99)
_LEAST_DAYS = 5


@dataclass(frozen=True, slots=True)
class PeakErrors:
    """How each day's peak lay to what was expected of it, of one series."""

    log_size: Array
    """log of actual over expected maximum, shape (days,)."""
    minutes: Array
    """Actual less expected minute, shape (days,)."""


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
        return 1 - 1 / (self.days + 1)


def peak_errors(model: Model, series: int) -> PeakErrors:
    """Return one series' errors of daily peaks on every earlier origin."""
    sizes, minutes = [], []
    weights = model.blend.weights[:, series]
    for fold in model.folds:
        # The smooth curve: not every minute is scored, and a spike on the hour may lie between.
        said = np.expm1(weights @ fold.log_mean[:, :, series]) * np.exp(-fold.recurring[:, series])
        day = ((fold.minute - fold.minute[0]) // 1440).astype(int)
        for number in range(int(day[-1]) + 1):
            mine = day == number
            start = fold.minute[0] + 1440 * number
            if (
                start + 1440 > model.past.end_min
                or np.isnan(fold.actual[mine, series]).mean() > 0.1
            ):
                continue
            first = int(start - model.past.first_min)
            actual = five_minute_means(model.past.counts[series, first : first + 1440], least=3)
            top = int(np.argmax(said[mine]))
            if said[mine][top] <= 0 or not np.isfinite(actual).any() or np.nanmax(actual) <= 0:
                continue
            sizes.append(np.log(np.nanmax(actual) / said[mine][top]))
            minutes.append(float(np.nanargmax(actual)) - (fold.minute[mine][top] - start))
    return PeakErrors(np.array(sizes), np.array(minutes))


def peak_of(median: Array, errors: PeakErrors, sigma: float) -> Peak:
    """Return the peak of a median's smooth curve, shape (slots,); `sigma`: spread of the event's log size."""
    slot = int(np.argmax(median))
    size, minutes = errors.log_size, errors.minutes
    if len(size) < _LEAST_DAYS:
        return Peak(slot, float(median[slot]), {0.5: float(median[slot])}, {}, len(size))
    # What the event itself may be off comes on top of what its days are: both are draws of their own.
    spread = np.quantile(size, LEVELS)
    centre = float(np.median(size))
    own = np.array([NormalDist().inv_cdf(level) for level in LEVELS]) * sigma
    wide = np.sign(spread - centre) * np.hypot(spread - centre, own)
    return Peak(
        slot, float(median[slot]),
        {q: float(median[slot] * np.exp(centre + w)) for q, w in zip(LEVELS, wide, strict=True)},
        {q: float(np.quantile(minutes, q)) for q in LEVELS if q <= 0.9}, len(size),
    )  # fmt: skip
