"""The trend: a level, a piecewise linear slope, and slope breaks that a person knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import DAY_MIN, Origin, Part
from gameday.scenario.units import Block, Instant
from gameday.vocabulary import Array

__all__ = ["Trend"]

_ONE_YEAR, _TWO_YEARS = 350, 700
"""Days, with some tolerance."""
_MONTH = 30
"""Days: slopes are by the month."""


class Trend(Block):
    """Straight pieces in the log; what the last one does fades after the origin."""

    slope_breaks: list[Instant] = Field(default_factory=list, max_length=20)
    """Instants at which growth is known to have changed: each gets a slope of its own."""

    def columns(self, when: Origin) -> Iterator[Part]:
        """Yield the level and the slopes."""
        day = _damped_day(when)
        yield "base", np.ones((len(day), 1)), np.array([1e-6])
        # Between one year and two, growth cannot be told from the season, which is fitted from a year on.
        ridge = 1e3 if _ONE_YEAR <= when.days_known < _TWO_YEARS else 1e-2
        yield "trend", day[:, None] / _MONTH, np.array([ridge])
        if len(knots := self._knots(when)):
            yield "trend", _hinges(day, knots), np.full(len(knots), max(ridge, 1.0))
        if len(breaks := self._breaks(when)):
            yield "slope breaks", _hinges(day, breaks), np.full(len(breaks), 1e-2)

    @staticmethod
    def _knots(when: Origin) -> Array:
        every = when.shape.knot_days
        return np.arange(every, when.days_known - every / 2, every)

    def _breaks(self, when: Origin) -> Array:
        days = np.array([_day_of(instant, when.first_min) for instant in self.slope_breaks])
        return days[(days > 0) & (days < when.days_known - 1)]


def _damped_day(when: Origin) -> Array:
    """Return days since the past's start; beyond the origin they approach an end (a damped trend)."""
    last, damp = when.days_known, when.shape.damp_days
    beyond = np.maximum(when.day - last, 0)
    return np.where(when.day > last, last + damp * -np.expm1(-beyond / damp), when.day)


def _hinges(day: Array, knots: Array) -> Array:
    """Return months since each knot, 0 before it, shape (n, knots)."""
    return np.asarray(np.maximum(day[:, None] - knots, 0) / _MONTH)


def _day_of(instant: datetime, first_min: float) -> float:
    return (instant.timestamp() / 60 - first_min) / DAY_MIN
