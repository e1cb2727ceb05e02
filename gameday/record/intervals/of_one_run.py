"""Intervals of one run: of a share, and of a quantile of a histogram; and both rounded for print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from gameday.record.histograms import percentile
from gameday.vocabulary import Array, Band

__all__ = [
    "Interval",
    "band_of",
    "binomial_band",
    "interval_of",
    "p_share_above",
    "plain_number",
    "quantile_band",
    "rounded",
]


def binomial_band(bad: int, all_: int) -> Band:
    """Return a share with its 95 % interval (Clopper and Pearson, 1934)."""
    if all_ == 0:
        return Band(float("nan"), float("nan"), float("nan"))
    low = float(scipy.stats.beta.ppf(0.025, bad, all_ - bad + 1)) if bad else 0.0
    high = float(scipy.stats.beta.ppf(0.975, bad + 1, all_ - bad)) if bad < all_ else 1.0
    return Band(bad / all_, low, high)


def p_share_above(bad: int, all_: int, bound: float) -> float:
    """Return the one-sided p-value of the exact binomial test that a share is above `bound`; 1 of none."""
    return float(scipy.stats.binom.sf(bad - 1, all_, bound)) if all_ else 1.0


def quantile_band(histogram: Array, level: float, longest_s: float = np.inf) -> Band:
    """Return a latency quantile with its 95 % interval from order statistics, seconds, at most `longest_s`."""
    n = int(histogram.sum())
    if n == 0:
        return Band(float("nan"), float("nan"), float("nan"))
    low = max(0.0, float(scipy.stats.binom.ppf(0.025, n, level)) - 1) / n
    high = min(1.0, (float(scipy.stats.binom.ppf(0.975, n, level)) + 1) / n)
    return Band(*(percentile(histogram, q, longest_s) for q in (level, low, high)))


def plain_number(value: float, digits: int = 5) -> float | None:
    """Return a number for plain data, rounded; None where there is none."""
    return None if np.isnan(value) or np.isinf(value) else round(float(value), digits)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its interval, rounded for print; None where there is none."""

    mid: float | None
    low: float | None
    high: float | None


def interval_of(band: Band) -> Interval:
    """Return a band rounded to five digits."""
    return Interval(plain_number(band.mid), plain_number(band.low), plain_number(band.high))


def band_of(interval: Interval) -> Band:
    """Return an interval that is known as a band; its digits are those that are printed."""
    if interval.mid is None or interval.low is None or interval.high is None:
        raise ValueError(f"no number has this interval: {interval}")
    return Band(interval.mid, interval.low, interval.high)


def rounded(values: Array) -> list[float | None]:
    """Return numbers in plain data; None where there is none."""
    return [plain_number(float(value), 4) for value in values]
