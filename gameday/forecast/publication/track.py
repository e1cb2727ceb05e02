"""Actuals against the plan, minute by minute: sharp edges, drift, and what today's level says.

A launch that is planned and does not come is told apart from a crowd that is smaller than planned.
A sharp edge: two minutes in a row, or one beyond doubt, that lie far off the plan moved to the level of
the last hour. Drift: a CUSUM of the log error in units of its spread, and a band that holds too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from gameday.forecast.model.correction import LevelCorrection
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Alert", "Plan", "SeriesTrack", "Tracker"]

_EDGE, _CERTAIN = 5.0, 10.0
"""Spreads off the level for two minutes in a row, or for one. Ours: a band's spread is that of days."""
_EDGE_RATIO = 1.25
"""What is less than this many times off its level is no edge, however sure. Ours."""
_QUIET_MIN = 30
"""An edge is said once; again after so many minutes without one."""
_SLACK, _LIMIT = 0.5, 12.0
"""CUSUM: what each minute forgives, and where it alarms, in spreads of an hour's mean. Ours: half a shift."""
_HELD_MIN, _LEAST_HELD = 180, 0.6
"""Drift too where an 80 % band holds less than this of so many minutes. Source: anchors/forecast.md §4.10."""
_CAME, _TOLD = 0.5, 3.0
"""A launch came if this share of its crowd did; it can be told where that is so many spreads of the day. Ours:
half is below the p1 of a crowd whose log spread is the prior's 0.3."""
_MEMORY = 0.5 ** (1 / 10)
"""The level that edges are measured from forgets half in ten minutes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was forecast of one series."""

    name: str
    grid: TimeGrid
    median: Array
    low: Array
    """p10, shape (slots,)."""
    high: Array
    """p90, shape (slots,)."""
    launch: Array | None = None
    """What of the median launches add, shape (slots,); None: nothing."""
    organic: tuple[Array, Array] | None = None
    """p10 and p90 without launches; None: as `low` and `high`."""

    def launched(self, slot: int) -> float:
        """Return what launches add to a minute's median."""
        return 0.0 if self.launch is None else float(self.launch[slot])

    def organic_noise(self, slot: int) -> float:
        """Return the standard deviation of a minute's count without launches."""
        low, high = self.organic or (self.low, self.high)
        count = max(float(self.median[slot]) - self.launched(slot), 0.0)
        wide = (math.log1p(high[slot]) - math.log1p(low[slot])) / 2.563
        return (1 + count) * max(wide, 1 / math.sqrt(1 + count))

    def spread(self, slot: int) -> float:
        """Return the log spread of one minute: the band's, not below that of a Poisson count."""
        wide = (math.log1p(self.high[slot]) - math.log1p(self.low[slot])) / 2.563
        return max(wide, 1 / math.sqrt(1 + self.median[slot]))


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to look at."""

    at: datetime
    series: str
    kind: str
    """edge, drift, or launch: one that is planned and does not come."""
    words: str


@dataclass(slots=True)
class SeriesTrack:
    """One series as it comes."""

    plan: Plan
    level: LevelCorrection = field(default_factory=LevelCorrection)
    seen: int = 0
    wrong: float = 0.0
    total: float = 0.0
    held: list[bool] = field(default_factory=list)
    _smooth: float = 0.0
    _over: int = 0
    _quiet_until: int = -1
    _sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _told_drift: int = -_HELD_MIN
    _hour: list[tuple[float, float]] = field(default_factory=list)
    _absent: int = 0
    """Minutes in a row in which a launch was due and did not come."""

    def feed(self, slot: int, count: float) -> list[Alert]:
        """Take in one minute's count, NaN where unknown; return what is to be said at once."""
        planned = float(self.plan.median[slot])
        self._hour.append((count, planned))
        out: list[Alert] = []
        if math.isfinite(count):
            self.seen += 1
            self.wrong += abs(count - planned)
            self.total += count
            self.held.append(bool(self.plan.low[slot] <= count <= self.plan.high[slot]))
            error = math.log(count + 0.5) - math.log(planned + 0.5)
            spread = self.plan.spread(slot)
            self._absent = self._absent + 1 if self._is_absent(slot, count) else 0
            # Where a launch is due and does not come, the level must not be learned from it.
            out += (
                self._no_launch(slot, count)
                if self._absent
                else self._edge(slot, count, error, spread)
            )
            out += self._drift(slot, error / spread)
        if len(self._hour) == 60:
            actual, said = (np.array(column) for column in zip(*self._hour, strict=True))
            self.level.learn(actual, said)
            self._hour = []
        return out

    def _is_absent(self, slot: int, count: float) -> bool:
        """Return whether less than half of the launch that is due came, and chance does not explain it."""
        due = self.plan.launched(slot)
        if _CAME * due < _TOLD * self.plan.organic_noise(slot):
            return False  # too small beside the day to be told
        day = math.exp(self._smooth) * (float(self.plan.median[slot]) - due)
        return count - day < _CAME * due

    def _no_launch(self, slot: int, count: float) -> list[Alert]:
        """Return an alert the second minute that a launch does not come; it is said once."""
        if self._absent != 2:
            return []
        planned, due = float(self.plan.median[slot]), self.plan.launched(slot)
        return [
            Alert(
                self.plan.grid.instant(slot),
                self.plan.name,
                "launch",
                f"the launch has not come: {count:,.0f} a minute; "
                f"planned {planned:,.0f}, {due:,.0f} of it the launch",
            )
        ]

    def _edge(self, slot: int, count: float, error: float, spread: float) -> list[Alert]:
        off = error - self._smooth
        far = abs(off) > _EDGE * spread and abs(off) > math.log(_EDGE_RATIO)
        same = far and self._over * off > 0
        self._over = (
            0
            if not far
            else (self._over + (1 if off > 0 else -1) if same else (1 if off > 0 else -1))
        )
        sharp = abs(self._over) >= 2 or (far and abs(off) > _CERTAIN * spread)
        if not far:  # an edge must not become the level it is measured from
            self._smooth = _MEMORY * self._smooth + (1 - _MEMORY) * error
        if not sharp:
            return []
        if slot < self._quiet_until:
            self._quiet_until = slot + _QUIET_MIN
            return []
        self._quiet_until = slot + _QUIET_MIN
        planned, peak = float(self.plan.median[slot]), float(self.plan.high.max())
        beyond = f", beyond the highest expected at all (p90 {peak:,.0f})" if count > peak else ""
        return [
            Alert(
                self.plan.grid.instant(slot),
                self.plan.name,
                "edge",
                f"{count:,.0f} a minute, {math.exp(off):.2g} times the level of the last minutes; "
                f"planned {planned:,.0f}{beyond}",
            )
        ]

    def _drift(self, slot: int, scaled: float) -> list[Alert]:
        step = max(-3.0, min(3.0, scaled)) / math.sqrt(60)
        for side, sign in enumerate((1.0, -1.0)):
            self._sums[side] = max(0.0, self._sums[side] + sign * step - _SLACK / math.sqrt(60))
        recent = self.held[-_HELD_MIN:]
        share = sum(recent) / len(recent) if len(recent) == _HELD_MIN else 1.0
        drifting = max(self._sums) > _LIMIT or share < _LEAST_HELD
        if not drifting or slot < self._told_drift + _HELD_MIN:
            return []
        self._told_drift = slot
        why = (
            f"the 80 % band holds {100 * share:.0f} % of the last three hours"
            if share < _LEAST_HELD
            else (
                f"it lies {'above' if self._sums[0] > self._sums[1] else 'below'} the plan for long"
            )
        )
        self._sums = [0.0, 0.0]
        return [
            Alert(
                self.plan.grid.instant(slot),
                self.plan.name,
                "drift",
                f"the plan no longer fits: {why}",
            )
        ]

    def outlook(self) -> dict[str, float | bool | None]:
        """Return how the plan does so far, and the factor to apply to what is to come."""
        return {
            "minutes": self.seen,
            "wape": self.wrong / self.total if self.total else None,
            "coverage_80": sum(self.held) / len(self.held) if self.held else None,
            "level": math.exp(self.level.level),
            "applied": math.exp(self.level.in_use),
            "pays": self.level.pays,
        }


class Tracker:
    """All series of a plan, fed from one table of counts that grows."""

    def __init__(self, plans: list[Plan]) -> None:
        """Track `plans`, all of one grid."""
        self.grid = plans[0].grid
        self.series = {plan.name: SeriesTrack(plan) for plan in plans}
        self.next_slot = 0

    def feed(self, counts: dict[str, Array], first_slot: int, slots: int) -> list[Alert]:
        """Take in whole minutes not seen yet: name -> counts from `first_slot` on; return alerts by time."""
        out = []
        for slot in range(
            max(self.next_slot, first_slot), min(first_slot + slots, self.grid.slots)
        ):
            for name, track in self.series.items():
                if name in counts:
                    out += track.feed(slot, float(counts[name][slot - first_slot]))
            self.next_slot = slot + 1
        return out
