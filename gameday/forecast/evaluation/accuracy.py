"""How a forecast is judged: the field's own measures, each over the minutes that are known.

WAPE: summed absolute error over summed actuals, of all minutes together. MASE, RMSSE: absolute and root squared
error over that of last week's same minute within the past. wQL: twice the mean pinball loss over the levels,
over the mean actual. Source of the set: anchors/forecast.md §2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from gameday.vocabulary import Array

__all__ = [
    "LEVELS",
    "Accuracy",
    "Missed",
    "five_minute_means",
    "judge",
    "mean_accuracy",
    "missed",
    "pooled_wape",
]

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Quantiles of the loss; two pairs of them are the 80 % and 95 % bands."""
_PEAK_MIN = 5
"""A peak is the highest mean of so many minutes."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What a WAPE is made of, so that those of several series, regions and origins pool to one of all."""

    wrong: Array
    """Summed absolute error, shape (series,); NaN where nothing was said of a minute that is scored."""
    total: Array
    """Summed actuals, shape (series,)."""

    def __add__(self, other: Missed) -> Missed:
        """Return both origins' together."""
        return Missed(self.wrong + other.wrong, self.total + other.total)

    def by_series(self) -> Array:
        """Return each series' WAPE, shape (series,); NaN where nothing was counted, or something not said."""
        told = self.total > 0
        return np.where(told, self.wrong / np.where(told, self.total, 1.0), np.nan)


def missed(actual: Array, said: Array) -> Missed:
    """Return by how much `said` missed `actual`, shape (n, series) each, over the minutes that are known."""
    known = ~np.isnan(actual)
    wrong = np.where(known, np.abs(said - actual), 0.0)
    return Missed(wrong.sum(axis=0, dtype=float), np.nansum(actual, axis=0, dtype=float))


def pooled_wape(parts: Iterable[Missed]) -> float:
    """Return the one WAPE of all parts: summed absolute error over summed actuals; NaN where it cannot be told."""
    parts = list(parts)
    wrong, total = sum(p.wrong.sum() for p in parts), sum(p.total.sum() for p in parts)
    return float(wrong / total) if total > 0 else float("nan")


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
    """How far that peak was from where it was said to be."""
    daily_peak: float
    """Mean absolute error of each day's highest five-minute mean, as a share."""

    def row(self) -> dict[str, float | None]:
        """Return the scores by name, rounded; None where they cannot be told."""
        return {k: round(v, 4) if np.isfinite(v) else None for k, v in asdict(self).items()}


def judge(actual: Array, said: Array, bands: Array | None, naive: Array, *, day: int) -> Accuracy:
    """Return the scores of `said` against `actual`, shape (n,); bands have shape (n, LEVELS).

    `naive`: how far the past's slots lay from the same time a week before; `day`: slots in a day. All are NaN
    where a minute that is known was not forecast: no model is scored on fewer minutes than another.
    """
    known = ~np.isnan(actual)
    y, f = actual[known], said[known]
    if not len(y) or y.sum() <= 0 or np.isnan(f).any():
        return Accuracy(*[float("nan")] * 10)
    wrong, total = np.abs(y - f), y.sum()
    wape = pooled_wape([missed(actual[:, None], said[:, None])])
    with np.errstate(invalid="ignore", divide="ignore"):
        mase = wrong.mean() / np.nanmean(np.abs(naive)) if np.isfinite(naive).any() else np.nan
        rmsse = (
            np.sqrt((wrong**2).mean() / np.nanmean(naive**2))
            if np.isfinite(naive).any()
            else np.nan
        )
    wql = c80 = c95 = float("nan")
    if bands is not None:
        inside = bands[known]
        away = y[:, None] - inside
        levels = np.array(LEVELS)
        wql = float(2 * np.maximum(levels * away, (levels - 1) * away).mean() / y.mean())
        c80 = float(((y >= inside[:, 1]) & (y <= inside[:, 5])).mean())
        c95 = float(((y >= inside[:, 0]) & (y <= inside[:, 6])).mean())
    size, minutes, daily = _peaks(actual, np.where(known, said, np.nan), day)
    return Accuracy(
        wape,
        float(mase),
        float(rmsse),
        wql,
        c80,
        c95,
        float(f.sum() / total - 1),
        size,
        minutes,
        daily,
    )


_SHARES_OF_VOLUME = ("wape", "wql", "bias")
"""Scores that are errors over what came: each counts by what came."""


def mean_accuracy(several: list[Accuracy], volumes: Array | None = None) -> Accuracy:
    """Return the mean of scores over origins and series, those that cannot be told left out.

    `volumes`, shape (several,): what came in each; WAPE, wQL and bias are then those of all minutes together.
    Without, all count alike.
    """
    rows = np.array([list(asdict(one).values()) for one in several])
    weight = np.ones_like(rows)
    if volumes is not None:
        weight[:, [name in _SHARES_OF_VOLUME for name in asdict(several[0])]] = volumes[:, None]
    weight = np.where(np.isnan(rows), 0.0, weight)
    whole = weight.sum(axis=0)
    mean = (weight * np.nan_to_num(rows)).sum(axis=0) / np.where(whole > 0, whole, 1.0)
    return Accuracy(*np.where(whole > 0, mean, np.nan).tolist())


def _peaks(actual: Array, said: Array, day: int) -> tuple[float, float, float]:
    if day == 1:  # slots are days: the highest one stands for itself
        known = ~np.isnan(actual) & ~np.isnan(said)
        highest = [int(np.argmax(np.where(known, x, -1.0))) for x in (actual, said)]
        size = float(said[highest[1]] / max(float(actual[highest[0]]), 1e-9) - 1)
        return size, 1440.0 * abs(highest[0] - highest[1]), float("nan")
    smooth = [
        five_minute_means(np.where(np.isnan(actual) | np.isnan(said), np.nan, x))
        for x in (actual, said)
    ]
    if not np.isfinite(smooth[0]).any():
        return (float("nan"),) * 3
    at = [int(np.nanargmax(x)) for x in smooth]
    size = float(smooth[1][at[1]] / max(smooth[0][at[0]], 1e-9) - 1)
    days = len(actual) // day
    tops = [x[: days * day].reshape(days, day) for x in smooth]
    whole = (np.nan_to_num(tops[0]) > 0).any(axis=1) if days else np.zeros(0, bool)
    if not whole.any():
        return size, float(abs(at[0] - at[1])), float("nan")
    y, f = (np.nanmax(t[whole], axis=1) for t in tops)
    return size, float(abs(at[0] - at[1])), float(np.mean(np.abs(f / np.maximum(y, 1e-9) - 1)))


def five_minute_means(values: Array, *, least: int = 1) -> Array:
    """Return the mean of five slots around each, of those known; NaN where fewer than `least` are."""
    known = ~np.isnan(values)
    around = np.ones(_PEAK_MIN)
    count = np.convolve(known, around, "same")
    total = np.convolve(np.where(known, values, 0.0), around, "same")
    return np.asarray(np.where(count >= least, total / np.maximum(count, 1), np.nan))
