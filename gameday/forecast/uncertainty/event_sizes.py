"""How far an event's size may lie from its forecast: past events', each left out in turn, shrunk to a prior."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from gameday.vocabulary import Array

__all__ = ["PRIOR_SIGMA", "size_distances", "spread_of_sizes"]

PRIOR_SIGMA, _PRIOR_EVENTS = 0.15, 2.0
"""Spread of an event's log size where the past cannot tell, and as how many past events that counts. Ours: half as
much again as forecast is p99.7."""


def spread_of_sizes(misses: Array) -> float:
    """Return the spread of the log of an event's size around its forecast; `misses`: past events' log errors."""
    total = _PRIOR_EVENTS * PRIOR_SIGMA**2 + float(np.sum(np.square(misses)))
    return float(np.sqrt(total / (_PRIOR_EVENTS + len(misses))))


def size_distances(misses: Array, levels: tuple[float, ...]) -> Array:
    """Return the log distances of one more event's size at `levels`: by Student's law, for past sizes are few."""
    degrees = _PRIOR_EVENTS + len(misses)
    return np.asarray(spread_of_sizes(misses) * stdtrit(degrees, np.array(levels)))
