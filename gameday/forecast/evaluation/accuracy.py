"""How accurate a forecast is: the usual measures, each over the minutes that are known.

WAPE: summed absolute error over summed actuals, of all minutes together. MASE, RMSSE: absolute and root squared
error over that of last week's same minute within the past (Hyndman & Koehler 2006; M5 competition). wQL: twice the
mean pinball loss over the levels, over the mean actual.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np

from gameday.vocabulary import Array

__all__ = [
    "LEVELS",
    "AbsoluteErrors",
    "Accuracy",
    "RoundedAccuracy",
    "absolute_errors",
    "five_minute_means",
    "mean_accuracy",
    "pooled_wape",
    "score_accuracy",
]

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Quantiles of the loss; two pairs of them are the 80 % and 95 % bands."""
_PEAK_MIN = 5
"""A peak is the highest mean of so many minutes."""


@dataclass(frozen=True, slots=True)
class AbsoluteErrors:
    """What a WAPE is made of, so that those of several series, regions and origins pool to one of all."""

    error: Array
    """Summed absolute error, shape (series,); NaN where a minute that is scored was not forecast."""
    actual: Array
    """Summed actuals, shape (series,)."""

    def __add__(self, other: AbsoluteErrors) -> AbsoluteErrors:
        """Return both origins' together."""
        return AbsoluteErrors(self.error + other.error, self.actual + other.actual)

    def where(self, spoke: Array) -> AbsoluteErrors:
        """Return the errors, NaN of series whose every minute was not forecast: where not `spoke`, (series,)."""
        return AbsoluteErrors(np.where(spoke, self.error, np.nan), self.actual)

    def by_series(self) -> Array:
        """Return each series' WAPE, shape (series,); NaN where nothing was counted, or something not forecast."""
        counted = self.actual > 0
        return np.where(counted, self.error / np.where(counted, self.actual, 1.0), np.nan)


def absolute_errors(actual: Array, forecast: Array) -> AbsoluteErrors:
    """Return the errors of a forecast, shape (n, series) as the actuals, over the minutes that are known."""
    known = ~np.isnan(actual)
    error = np.where(known, np.abs(forecast - actual), 0.0)
    return AbsoluteErrors(error.sum(axis=0, dtype=float), np.nansum(actual, axis=0, dtype=float))


def pooled_wape(parts: Iterable[AbsoluteErrors]) -> float:
    """Return the one WAPE of all parts: summed absolute error over summed actuals; NaN where it cannot be told."""
    parts = list(parts)
    error, actual = sum(p.error.sum() for p in parts), sum(p.actual.sum() for p in parts)
    return float(error / actual) if actual > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Scores of one forecast; NaN where they cannot be told."""

    wape: float
    mase: float
    rmsse: float
    wql: float
    coverage_80: float
    coverage_95: float
    bias: float
    """Summed forecast over summed actual, less 1."""
    peak_size: float
    """Error of the highest five-minute mean, as a share."""
    peak_minutes: float
    """How far that peak was from where it was forecast."""
    daily_peak: float
    """Mean absolute error of each day's highest five-minute mean, as a share."""

    def rounded(self) -> RoundedAccuracy:
        """Return the scores as they are told."""
        scores = asdict(self).items()
        return RoundedAccuracy(
            **{name: round(score, 4) if np.isfinite(score) else None for name, score in scores}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedAccuracy:
    """Scores as in `Accuracy`, to four digits; None where they cannot be told."""

    wape: float | None
    mase: float | None
    rmsse: float | None
    wql: float | None
    coverage_80: float | None
    coverage_95: float | None
    bias: float | None
    peak_size: float | None
    peak_minutes: float | None
    daily_peak: float | None


def score_accuracy(
    actual: Array, forecast: Array, bands: Array | None, naive: Array, *, day: int
) -> Accuracy:
    """Return the scores of a forecast against `actual`, shape (n,); bands have shape (n, LEVELS).

    `naive`: how far the past's slots lay from the same time a week before; `day`: slots in a day. All are NaN
    where a minute that is known was not forecast: no model is scored on fewer minutes than another.
    """
    known = ~np.isnan(actual)
    y, f = actual[known], forecast[known]
    if not len(y) or y.sum() <= 0 or np.isnan(f).any():
        return Accuracy(*[float("nan")] * 10)
    return Accuracy(
        pooled_wape([absolute_errors(actual[:, None], forecast[:, None])]),
        *_scaled_errors(np.abs(y - f), naive),
        *_quantile_scores(y, None if bands is None else bands[known]),
        float(f.sum() / y.sum() - 1),
        *_peak_errors(actual, np.where(known, forecast, np.nan), day),
    )


def _scaled_errors(error: Array, naive: Array) -> tuple[float, float]:
    """Return MASE and RMSSE of absolute errors, shape (n,), against the naive forecast's."""
    if not np.isfinite(naive).any():
        return float("nan"), float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        mase = error.mean() / np.nanmean(np.abs(naive))
        rmsse = np.sqrt((error**2).mean() / np.nanmean(naive**2))
    return float(mase), float(rmsse)


def _quantile_scores(actual: Array, bands: Array | None) -> tuple[float, float, float]:
    """Return wQL and the shares of actuals, shape (n,), within the 80 % and the 95 % band, (n, LEVELS)."""
    if bands is None:
        return float("nan"), float("nan"), float("nan")
    away, levels = actual[:, None] - bands, np.array(LEVELS)
    pinball = np.maximum(levels * away, (levels - 1) * away)
    coverage = [
        float(((actual >= bands[:, low]) & (actual <= bands[:, high])).mean())
        for low, high in ((1, 5), (0, 6))
    ]
    return float(2 * pinball.mean() / actual.mean()), coverage[0], coverage[1]


_SHARES_OF_VOLUME = ("wape", "wql", "bias")
"""Scores that are errors over what came: each counts by what came."""


def mean_accuracy(several: list[Accuracy], volumes: Array | None = None) -> Accuracy:
    """Return the mean of scores over origins and series, those that cannot be told left out.

    `volumes`, shape (several,): what came in each; WAPE, wQL and bias are then those of all minutes together.
    Without, all count alike.
    """
    scores = np.array([list(asdict(accuracy).values()) for accuracy in several])
    weight = _score_weights(len(several), volumes)
    weight = np.where(np.isnan(scores), 0.0, weight)
    whole = weight.sum(axis=0)
    mean = (weight * np.nan_to_num(scores)).sum(axis=0) / np.where(whole > 0, whole, 1.0)
    return Accuracy(*np.where(whole > 0, mean, np.nan).tolist())


def _score_weights(number: int, volumes: Array | None) -> Array:
    """Return how much each score counts in a mean, shape (number, scores)."""
    names = [score.name for score in fields(Accuracy)]
    weight = np.ones((number, len(names)))
    if volumes is not None:
        weight[:, [name in _SHARES_OF_VOLUME for name in names]] = volumes[:, None]
    return weight


def _peak_errors(actual: Array, forecast: Array, day: int) -> tuple[float, float, float]:
    """Return the relative error of the peak's size, its distance in minutes, and the daily peaks' mean error."""
    if day == 1:
        return _peak_errors_of_days(actual, forecast)
    unknown = np.isnan(actual) | np.isnan(forecast)
    y, f = (five_minute_means(np.where(unknown, np.nan, x)) for x in (actual, forecast))
    if np.isnan(y).all():
        return (float("nan"),) * 3
    return *_highest_error(y, f), _daily_peak_error(y, f, day)


def _highest_error(actual: Array, forecast: Array) -> tuple[float, float]:
    """Return the relative error of the highest slot's size, and its distance in slots."""
    at_y, at_f = int(np.nanargmax(actual)), int(np.nanargmax(forecast))
    size = float(forecast[at_f] / max(actual[at_y], 1e-9) - 1)
    return size, float(abs(at_y - at_f))


def _peak_errors_of_days(actual: Array, forecast: Array) -> tuple[float, float, float]:
    """Return the same where slots are days: the highest one stands for itself."""
    known = ~np.isnan(actual) & ~np.isnan(forecast)
    tops = [int(np.argmax(np.where(known, x, -1.0))) for x in (actual, forecast)]
    size = float(forecast[tops[1]] / max(float(actual[tops[0]]), 1e-9) - 1)
    return size, 1440.0 * abs(tops[0] - tops[1]), float("nan")


def _daily_peak_error(actual: Array, forecast: Array, day: int) -> float:
    """Return the mean absolute relative error of whole days' highest means; NaN where there is no whole day."""
    days = len(actual) // day
    tops = [x[: days * day].reshape(days, day) for x in (actual, forecast)]
    whole = (np.nan_to_num(tops[0]) > 0).any(axis=1) if days else np.zeros(0, bool)
    if not whole.any():
        return float("nan")
    y, f = (np.nanmax(top[whole], axis=1) for top in tops)
    return float(np.mean(np.abs(f / np.maximum(y, 1e-9) - 1)))


def five_minute_means(values: Array, *, least: int = 1) -> Array:
    """Return the mean of five slots around each, of those known; NaN where fewer than `least` are."""
    known = ~np.isnan(values)
    around = np.ones(_PEAK_MIN)
    count = np.convolve(known, around, "same")
    total = np.convolve(np.where(known, values, 0.0), around, "same")
    return np.asarray(np.where(count >= least, total / np.maximum(count, 1), np.nan))
