"""Intervals from replications: the only honest way to print a simulated number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from gameday.vocabulary import Band

__all__ = ["t_interval"]


def t_interval(values: Sequence[float], level: float = 0.95) -> Band:
    """Return the mean of independent replications with its Student-t interval.

    NaN values (not observed) are left out; fewer than two leave an unbounded interval.
    """
    known = np.array([v for v in values if not np.isnan(v)])
    if len(known) == 0:
        return Band(float("nan"), float("nan"), float("nan"), level)
    mean = float(known.mean())
    if len(known) == 1:
        return Band(mean, -np.inf, np.inf, level)
    half = float(stats.t.ppf(0.5 + level / 2, len(known) - 1) * stats.sem(known))
    return Band(mean, mean - half, mean + half, level)
