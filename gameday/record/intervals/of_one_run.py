"""Intervals of one run: of a share, and of a quantile of a histogram; and both as plain data."""

from __future__ import annotations

import numpy as np
import scipy

from gameday.record.run_record import percentile
from gameday.vocabulary import Array, Band

__all__ = ["band_of", "binomial_band", "plain_number", "quantile_band", "rounded"]


def binomial_band(bad: int, all_: int) -> Band:
    """Return a share with its 95 % interval (Clopper and Pearson, 1934)."""
    if all_ == 0:
        return Band(float("nan"), float("nan"), float("nan"))
    low = float(scipy.stats.beta.ppf(0.025, bad, all_ - bad + 1)) if bad else 0.0
    high = float(scipy.stats.beta.ppf(0.975, bad + 1, all_ - bad)) if bad < all_ else 1.0
    return Band(bad / all_, low, high)


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


def band_of(band: Band) -> dict[str, float | None]:
    """Return a band in plain data; None where there is no number."""
    return {
        "mid": plain_number(band.mid),
        "low": plain_number(band.low),
        "high": plain_number(band.high),
    }


def rounded(values: Array) -> list[float | None]:
    """Return numbers in plain data; None where there is none."""
    return [plain_number(float(value), 4) for value in values]
