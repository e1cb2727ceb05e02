"""What ingredients compute their columns from: minutes, and what the calendar knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gameday.vocabulary import Array

__all__ = ["MonthDays", "Occurrence", "Origin", "Part", "Shape", "When", "waves"]

DAY_MIN = 1440.0

Part = tuple[str, Array, Array]
"""(what it is called in an explanation, columns of shape (n, k), ridge of each column)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the level may change: a candidate, compared with the others on rolling origins."""

    name: str
    knot_days: float
    """Days between places where the slope may change."""
    damp_days: float
    """After the origin the slope fades with this time constant."""
    half_life_days: float
    """Weight of the past halves in this time."""
    walk_min: float | None = None
    """Weight that ties a day's level to the day's before, in minutes of data; None: no random walk."""
    is_monthly: bool = False
    """Whether days of the month have effects."""


@dataclass(frozen=True, slots=True)
class MonthDays:
    """Where days lie in their local month, shape (n,) each."""

    day: Array
    """1 to 31."""
    working_days_left: Array
    """Of the month after this day; -1 of days that are no working days."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event of a region's calendar."""

    name: str
    kind: str
    """The kind whose effect it has: its own or, where that was never seen, the nearest."""
    start_min: float
    end_min: float
    strength: float
    lead_min: float
    lag_min: float
    log_length: float = 0.0
    """Log of its length over the mean one of past events of its kind; 0 where those are all as long."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Minutes of one region, and where its past starts and ends."""

    minute: Array
    """Minutes since 1970 UTC, float, shape (n,)."""
    first_min: float
    origin_min: float
    shape: Shape
    month: MonthDays | None = None
    """Of shapes with days of the month; None: of the others."""

    @property
    def day(self) -> Array:
        """Days since the past's start, shape (n,)."""
        return np.asarray((self.minute - self.first_min) / DAY_MIN)

    @property
    def year_angle(self) -> Array:
        """Time of year, radians, shape (n,)."""
        return np.asarray(2 * np.pi * self.minute / (365.25 * DAY_MIN))

    @property
    def days_known(self) -> float:
        """Length of the past."""
        return (self.origin_min - self.first_min) / DAY_MIN


@dataclass(frozen=True, slots=True)
class When:
    """Minutes of one region, and its calendar."""

    minute: Array
    """Minutes since 1970 UTC, float, shape (n,)."""
    angle: Array
    """Local time of day, radians, shape (n,)."""
    weekday: Array
    """Local, Monday 0, shape (n,)."""
    is_free: Array
    """Whether it is a weekend or a public holiday, shape (n,)."""
    holidays: Mapping[str, Array]
    """Public holiday -> whether it is one, shape (n,); of those the past has seen."""
    is_holiday: Array | None
    """Whether it is any, seen before or not, shape (n,); None: no country's holidays count."""
    occurrences: tuple[Occurrence, ...]
    regressors: Mapping[str, Array]
    """Name -> its value at each minute, shape (n,)."""


def waves(angle: Array, pairs: int) -> Array:
    """Return sines and cosines of 1 to `pairs` times an angle, shape (n, 2 pairs)."""
    return np.stack([f(k * angle) for k in range(1, pairs + 1) for f in (np.sin, np.cos)], axis=1)
