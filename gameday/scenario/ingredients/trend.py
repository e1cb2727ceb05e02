"""The level, where it goes, and where its slope breaks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import DAY_MIN, Origin, Part
from gameday.scenario.units import Block, Instant
from gameday.vocabulary import Array

__all__ = ["Trend"]

_TWO_YEARS = 700


class Trend(Block):
    """Straight pieces in the log; what the last one does fades after the origin."""

    slope_breaks: list[Instant] = Field(default_factory=list, max_length=20)
    """Instants from which growth is another, as a person knows: each gets a slope of its own."""

    def columns(self, when: Origin) -> Iterator[Part]:
        """Yield the level and the slopes."""
        last, damp = when.days_known, when.shape.damp_days
        beyond = np.maximum(when.day - last, 0)
        day = np.where(when.day > last, last + damp * -np.expm1(-beyond / damp), when.day)
        yield "base", np.ones((len(day), 1)), np.array([1e-6])
        # Less than two years cannot tell growth from season, where the season is told.
        held = 1e3 if 350 <= last < _TWO_YEARS else 1e-2
        yield "trend", day[:, None] / 30, np.array([held])
        if len(knots := self._knots(when)):
            hinges = np.maximum(day[:, None] - knots, 0) / 30
            yield "trend", hinges, np.full(len(knots), max(held, 1.0))
        if len(breaks := self._breaks(when)):
            bends = np.maximum(day[:, None] - breaks, 0) / 30
            yield "slope breaks", bends, np.full(len(breaks), 1e-2)

    @staticmethod
    def _knots(when: Origin) -> Array:
        every = when.shape.knot_days
        return np.arange(every, when.days_known - every / 2, every)

    def _breaks(self, when: Origin) -> Array:
        days = np.array([_day_of(at, when.first_min) for at in self.slope_breaks])
        return days[(days > 0) & (days < when.days_known - 1)]


def _day_of(instant: datetime, first_min: float) -> float:
    return (instant.timestamp() / 60 - first_min) / DAY_MIN
