"""How far an event's size may be from its forecast, over all regions and series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gameday.forecast.model.regional import Model
from gameday.forecast.uncertainty.event_sizes import spread_of_sizes

__all__ = ["strength_sigma"]


def strength_sigma(models: Sequence[Model]) -> float:
    """Return the spread of the log of the event's size around its forecast."""
    misses = [np.nanmean(e) for m in models for e in m.event_errors if len(m.event_errors) > 1]
    return spread_of_sizes(np.array(misses))
