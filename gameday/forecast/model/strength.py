"""How far an event's size may be from its forecast: past events', each left out in turn, shrunk to a prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.bands import PRIOR_SIGMA

__all__ = ["strength_sigma"]

_PRIOR_WEIGHT = 2.0
"""The prior counts as so many past events."""


def strength_sigma(models: Sequence[Model]) -> float:
    """Return the spread of the log of the event's size around its forecast."""
    misses = [
        float(np.nanmean(e)) for m in models for e in m.event_errors if len(m.event_errors) > 1
    ]
    total = _PRIOR_WEIGHT * PRIOR_SIGMA**2 + float(np.sum(np.square(misses)))
    return float(np.sqrt(total / (_PRIOR_WEIGHT + len(misses))))
