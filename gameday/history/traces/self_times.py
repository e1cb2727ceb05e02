"""Own work of services over many visits: by step, and by how many visits were there at once.

Memory does not grow with the visits: they are counted in histograms, a part at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from gameday.history.traces.visits import Call, Visit
from gameday.record import BINS, bin_of
from gameday.vocabulary import Array

__all__ = ["SelfTimes", "ServiceTimes", "TimeSums"]

K = TypeVar("K")
_PART = 50_000
"""Visits after which a part is counted. Ours."""
_LEVELS = 24
"""Levels of how many visits were at a process when one came: 0, 1, 2, 3, then two a doubling."""
_LEAST_AT_LEVEL, _LEAST_SHARE = 200, 0.05
"""Visits, and share of all, that the emptiest levels must have to say how long work takes without waiting."""
_SLOWER = 1.05
"""Factor of the mean beyond which, with three standard errors, a level waits. Ours."""


@dataclass(slots=True)
class TimeSums:
    """Own work of visits, weighted by the sampling."""

    counts: Array = field(default_factory=lambda: np.zeros(BINS))
    visits: int = 0
    """Without weights."""
    weight: float = 0.0
    sum_s: float = 0.0
    squares: float = 0.0
    longest_s: float = 0.0
    shortest_s: float = float("inf")
    weights_squared: float = 0.0
    """Sum of the squares of the weights: unequal ones are worth fewer visits."""

    def add(self, seconds: Array, weights: Array) -> None:
        """Count visits."""
        self.counts += np.bincount(bin_of(seconds), weights, minlength=BINS)
        self.visits += len(seconds)
        self.weight += float(weights.sum())
        self.weights_squared += float(weights @ weights)
        self.sum_s += float(seconds @ weights)
        self.squares += float(seconds**2 @ weights)
        self.longest_s = max(self.longest_s, float(seconds.max(initial=0.0)))
        self.shortest_s = min(self.shortest_s, float(seconds.min(initial=self.shortest_s)))

    def add_one(self, seconds: float) -> None:
        """Count one visit that stands for itself."""
        self.add(np.array([seconds]), np.ones(1))

    def merge(self, other: TimeSums) -> TimeSums:
        """Return the visits of both."""
        return TimeSums(
            self.counts + other.counts,
            self.visits + other.visits,
            self.weight + other.weight,
            self.sum_s + other.sum_s,
            self.squares + other.squares,
            max(self.longest_s, other.longest_s),
            min(self.shortest_s, other.shortest_s),
            self.weights_squared + other.weights_squared,
        )

    @property
    def mean_s(self) -> float:
        """Mean, s; NaN where there is no visit."""
        return self.sum_s / self.weight if self.weight else float("nan")

    @property
    def cv(self) -> float:
        """Coefficient of variation."""
        if not self.sum_s:
            return 0.0
        return float(np.sqrt(max(0.0, self.squares / self.weight - self.mean_s**2)) / self.mean_s)

    @property
    def error_s(self) -> float:
        """Standard error of the mean, s, of as many visits of one weight as these are worth (Kish)."""
        alike = self.weight**2 / self.weights_squared if self.weights_squared else 1.0
        return self.cv * self.mean_s / math.sqrt(max(1.0, alike))


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """Own work of one service."""

    whole: TimeSums
    steps: dict[str, TimeSums]
    waits_from: int | None
    """Visits at one process beyond which own work grows, and which are left out; None: it nowhere does."""


@dataclass(slots=True)
class _Part:
    """Visits of one service that are not counted yet."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(
        self, start_ns: int, end_ns: int, own_s: float, step: str, instance: str, weight: float
    ) -> None:
        """Note a visit."""
        self.starts.append(start_ns)
        self.ends.append(end_ns)
        self.own_s.append(own_s)
        self.steps.append(step)
        self.instances.append(instance)
        self.weights.append(weight)


@dataclass(slots=True)
class SelfTimes:
    """Own work of all services."""

    _parts: dict[str, _Part] = field(default_factory=dict)
    _sums: dict[tuple[str, str, int], TimeSums] = field(default_factory=dict)
    """(Service, step, level) -> own work."""

    def add(self, visit: Visit, step: str, weight: float) -> None:
        """Note a visit that went well; `step` is whatever its customer's request is told by."""
        part = self._part(visit.service)
        part.add(visit.start_ns, visit.end_ns, visit.own_s(), step, visit.span.instance, weight)
        if len(part.starts) >= _PART:
            self._count(visit.service)

    def add_call(self, call: Call, step: str, weight: float) -> None:
        """Note a call that went well, all its time, of a service that may tell nothing of itself."""
        part = self._part(call.service)
        seconds = (call.end_ns - call.start_ns) / 1e9
        part.add(call.start_ns, call.end_ns, seconds, step, "", weight)
        if len(part.starts) >= _PART:
            self._count(call.service)

    def _part(self, service: str) -> _Part:
        found = self._parts.get(service)
        if found is None:
            found = self._parts[service] = _Part()
        return found

    def of(self, service: str, chosen: frozenset[str]) -> ServiceTimes:
        """Return own work of a service for the chosen steps; for all of them where it works for none of those."""
        self._count(service)
        rows = {key[1:]: sums for key, sums in sorted(self._sums.items()) if key[0] == service}
        if any(step in chosen for step, _ in rows):
            rows = {key: sums for key, sums in rows.items() if key[0] in chosen}
        waits_from = _waits_from(_merged((level, sums) for (_, level), sums in rows.items()))
        most = _LEVELS if waits_from is None else waits_from
        kept = {key: sums for key, sums in rows.items() if key[1] < most}
        steps = _merged((step, sums) for (step, _), sums in kept.items())
        whole = _merged((None, sums) for sums in kept.values()).get(None, TimeSums())
        return ServiceTimes(whole, steps, None if waits_from is None else _fewest_at(waits_from))

    def _count(self, service: str) -> None:
        part = self._parts.pop(service, None)
        if part is None:
            return
        own_s, weights = np.asarray(part.own_s), np.asarray(part.weights)
        levels = _levels(np.asarray(part.starts), np.asarray(part.ends), part.instances)
        steps, of_step = np.unique(np.asarray(part.steps, object).astype(str), return_inverse=True)
        for key in np.unique(of_step * _LEVELS + levels):
            chosen = of_step * _LEVELS + levels == key
            place = service, str(steps[key // _LEVELS]), int(key % _LEVELS)
            self._sums.setdefault(place, TimeSums()).add(own_s[chosen], weights[chosen])


def _merged(rows: Iterable[tuple[K, TimeSums]]) -> dict[K, TimeSums]:
    """Return the sums of each key together."""
    out: dict[K, TimeSums] = {}
    for key, sums in rows:
        out[key] = out.get(key, TimeSums()).merge(sums)
    return out


def _levels(starts: Array, ends: Array, instances: list[str]) -> Array:
    """Return the level of each visit: how many were at its process when it came."""
    out = np.zeros(len(starts), int)
    names, of = np.unique(np.asarray(instances, object).astype(str), return_inverse=True)
    for number in range(len(names)):
        rows = np.flatnonzero(of == number)
        begun = np.searchsorted(np.sort(starts[rows]), starts[rows], side="left")
        ended = np.searchsorted(np.sort(ends[rows]), starts[rows], side="right")
        out[rows] = _level_of(np.maximum(begun - ended, 0))
    return out


def _level_of(visits: Array) -> Array:
    """Return the level of so many visits at once."""
    beyond = np.floor(2 * np.log2(np.maximum(visits, 1) / 4)).astype(int) + 4
    return np.minimum(np.where(visits < 4, visits, beyond), _LEVELS - 1)


def _fewest_at(level: int) -> int:
    """Return the fewest visits of a level."""
    return level if level < 4 else int(np.ceil(4 * 2 ** ((level - 4) / 2)))


def _waits_from(levels: dict[int, TimeSums]) -> int | None:
    """Return the first level at which work takes longer than at the emptiest ones; None where it nowhere does."""
    visits = sum(sums.visits for sums in levels.values())
    base, least = TimeSums(), max(_LEAST_AT_LEVEL, _LEAST_SHARE * visits)
    for level, sums in sorted(levels.items()):
        if base.visits < least:
            base = base.merge(sums)
            continue
        margin = 3 * float(np.hypot(base.error_s, sums.error_s))
        if sums.mean_s > base.mean_s * _SLOWER + margin and sums.visits >= _LEAST_AT_LEVEL / 4:
            return level
    return None
