"""The words every room says: Seed and its draws, TimeGrid, Band. Imports nothing of ours."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LONGEST_WALK",
    "QUANTILES",
    "SLOT_S",
    "Array",
    "Band",
    "Clock",
    "CALL_IS_MADE",
    "Draw",
    "Seed",
    "TimeGrid",
    "draw",
    "draw_keyed",
    "draw_many",
    "session_key",
    "session_keys",
    "supported",
]

Array = NDArray[Any]
"""A numpy array; each field's docstring gives its shape, range and unit."""

SLOT_S = 60
"""Length of a slot in event time, seconds: one minute of the event."""

LONGEST_WALK = 500
"""Most steps of a session: walks end there, and what is reckoned of journeys ends there too. Default: ours."""

QUANTILES = (0.1, 0.5, 0.9, 0.99)
"""The levels a Band carries."""


def supported(cases: int) -> float:
    """Return the highest quantile that so many past cases can support: 1 - 1/(n + 1)."""
    return 1 - 1 / (cases + 1)


_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Draw(IntEnum):
    """What a keyed draw is for; a new purpose never moves the numbers of another."""

    ARRIVAL = 0
    ENTRY = 1
    NEXT_STEP = 2
    THINK = 3
    PRODUCT = 4
    CUSTOMER = 5
    SERVICE_TIME = 6
    BACKOFF = 7
    REACTION = 8
    VALUE = 9
    FEED = 10
    CONNECTION = 11
    HOLD = 12
    BALANCE = 13
    CACHE = 14
    INSTANCE = 15


CALL_IS_MADE = 1
"""Number of the attempt under which a draw for CACHE tells whether a call is made: keys have room for 16 purposes,
and a cache is asked once a call, as number 0."""


def _mix(x: int) -> int:
    """Scramble 64 bits (the finaliser of SplitMix64: Steele, Lea & Flood, OOPSLA 2014)."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def session_key(root: int, session: int) -> int:
    """Return the 64 bits that stand for a session in all its draws."""
    return _mix((root + _GOLDEN * (session + 1)) & _MASK)


def draw_keyed(key: int, step: int, attempt: int, purpose: int) -> float:
    """Return `draw` of the session whose `session_key` is `key`: half the work, same number."""
    x = (key + _GOLDEN * ((step << 20) + (attempt << 4) + purpose + 1)) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (((x ^ (x >> 31)) >> 12) + 0.5) * 2.0**-52


def draw(root: int, session: int, step: int, attempt: int, purpose: int) -> float:
    """Return the uniform number in (0, 1) that belongs to this key, and to no order of asking.

    Any engine that asks for the same key gets the same number, so variants share their chance
    (common random numbers) and two engines can be compared draw by draw.
    """
    return draw_keyed(session_key(root, session), step, attempt, purpose)


def _mix_many(x: Array) -> Array:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def session_keys(root: int, sessions: Array) -> Array:
    """Return `session_key` of every session, uint64 in the shape of `sessions`."""
    numbers = sessions.astype(np.uint64) + np.uint64(1)
    return _mix_many(np.uint64(root & _MASK) + np.uint64(_GOLDEN) * numbers)


def draw_many(keys: Array, step: int, attempt: int, purpose: int) -> Array:
    """Return `draw_keyed` of every key, float64, bit for bit the same."""
    number = (_GOLDEN * ((step << 20) + (attempt << 4) + purpose + 1)) & _MASK
    x = _mix_many(keys + np.uint64(number))
    return np.asarray(((x >> np.uint64(12)).astype(float) + 0.5) * 2.0**-52)


@dataclass(frozen=True, slots=True)
class Seed:
    """The root of all chance in a run; printed in every report."""

    root: int

    def stream(self, *name: str) -> np.random.Generator:
        """Return the generator called `name`; it depends on nothing but the root and its name."""
        return np.random.default_rng([self.root, zlib.crc32("/".join(name).encode())])

    def child(self, *name: str) -> Seed:
        """Return the seed called `name` below this one."""
        return Seed(_mix((self.root + _GOLDEN * (zlib.crc32("/".join(name).encode()) + 1)) & _MASK))


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """Consecutive slots of one minute, in UTC."""

    start: datetime
    """First slot's beginning, timezone-aware UTC, on a whole minute."""
    slots: int
    """How many slots, >= 0."""

    @property
    def end(self) -> datetime:
        """The instant after the last slot."""
        return self.start + timedelta(seconds=SLOT_S * self.slots)

    @property
    def epoch_min(self) -> int:
        """Whole minutes from 1970-01-01T00:00Z to the start."""
        return int(self.start.timestamp()) // SLOT_S

    def index_of(self, instant: datetime) -> int:
        """Return the slot that holds `instant`; may lie outside 0..slots-1."""
        return math.floor((instant - self.start).total_seconds() / SLOT_S)

    def instant(self, slot: int) -> datetime:
        """Return when `slot` begins."""
        return self.start + timedelta(seconds=SLOT_S * slot)

    def minutes(self) -> Array:
        """Return each slot's start as int64 minutes since 1970-01-01T00:00Z, shape (slots,)."""
        return np.arange(self.epoch_min, self.epoch_min + self.slots, dtype=np.int64)

    def part(self, first: int, slots: int) -> TimeGrid:
        """Return `slots` slots of this grid from slot `first` on."""
        return TimeGrid(self.instant(first), slots)

    @staticmethod
    def between(start: datetime, end: datetime) -> TimeGrid:
        """Return the slots from `start` up to, not including, `end`."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        return TimeGrid(start, max(0, math.ceil((end - start).total_seconds() / SLOT_S)))


@dataclass(frozen=True, slots=True)
class Clock:
    """Event time and full scale against a run's own: the one place where they are converted.

    What is a time of customers or of the event is divided by the speed; times of services are not.
    """

    speed: float = 1.0
    """Event seconds a wall second, > 0."""
    scale: float = 1.0
    """Share of full scale that is played, k, 0-1."""
    lead_in_s: float = 0.0
    """Wall seconds from the run's zero to its window's start."""

    @property
    def slot_wall_s(self) -> float:
        """Wall seconds a slot lasts."""
        return SLOT_S / self.speed

    @property
    def stock_scale(self) -> float:
        """Share of the event's totals (stock, customers of a slot) that the run has: k / s."""
        return self.scale / self.speed

    def wall_s(self, event_s: float) -> float:
        """Return how many wall seconds an event duration takes."""
        return event_s / self.speed

    def event_s(self, wall_s: Any) -> Any:
        """Return how many event seconds wall seconds stand for; of arrays too."""
        return wall_s * self.speed

    def run_s(self, event_s: float) -> float:
        """Return the wall second of the run at which the window is `event_s` event seconds old."""
        return self.lead_in_s + event_s / self.speed

    def played(self, counts: Any) -> Any:
        """Return what counts of a slot at full scale come to in the run; of arrays too."""
        return counts * self.scale / self.speed

    def played_per_s(self, counts: Any) -> Any:
        """Return counts of a slot at full scale as a rate of the run, a wall second; of arrays too."""
        return counts * self.scale / SLOT_S


@dataclass(frozen=True, slots=True)
class Band:
    """One number with its interval; `low` and `high` bound it at `level`."""

    mid: float
    low: float
    high: float
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse an interval that does not hold its number: it would be printed."""
        if self.mid < self.low or self.mid > self.high:
            raise ValueError(f"an interval must hold its number (got {self})")

    def within(self, least: float = -math.inf, most: float = math.inf) -> Band:
        """Return the band cut to what its number can be."""
        mid, low, high = (min(max(x, least), most) for x in (self.mid, self.low, self.high))
        return Band(mid, low, high, self.level)

    def __str__(self) -> str:
        return f"{self.mid:.4g} ({self.low:.4g} to {self.high:.4g})"
