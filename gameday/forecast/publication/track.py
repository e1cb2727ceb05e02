"""Actuals against the plan, minute by minute: sharp edges, drift, and what today's level says.

A launch that is planned and does not come is told apart from a crowd that is smaller than planned.
A sharp edge: two minutes in a row, or one beyond doubt, that lie far off the plan moved to the level of
the last hour. Drift: a CUSUM of the log error in units of its spread, and a band that holds too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field

from gameday.forecast.model.correction import LevelCorrection
from gameday.products import IsoInstant
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Alert", "Plan", "SeriesTrack", "TrackSummary", "Tracker"]

_EDGE, _CERTAIN = 5.0, 10.0
"""Spreads off the level for two minutes in a row, or for one. Ours: wide, for a band's spread is that of days."""
_EDGE_RATIO = 1.25
"""What is less than this many times off its level is no edge, however sure. Ours."""
_QUIET_MIN = 30
"""An edge is said once; again after so many minutes without one."""
_SLACK, _LIMIT = 0.5, 12.0
"""CUSUM: what each minute forgives, and where it alarms, in spreads of an hour's mean. Ours: half of a
shift of one spread, the usual slack."""
_HELD_MIN, _LEAST_HELD = 180, 0.6
"""Drift too where an 80 % band holds less than this share of so many minutes. Ours."""
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

    instant: Annotated[IsoInstant, Field(alias="at")]
    series: str
    kind: str
    """edge, drift, or launch: one that is planned and does not come."""
    words: str


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """How a plan does so far, and the factor to apply to what is to come."""

    minutes: int
    wape: float | None
    """None where nothing was counted yet, as `coverage_80`."""
    coverage_80: float | None
    """Share of minutes within the plan's 80 % band."""
    level: float
    """Today's level as a factor of the plan."""
    applied: float
    """The same where it pays to apply it, else 1."""
    pays: bool


@dataclass(frozen=True, slots=True)
class _Minute:
    """One minute of one series: what came against what was planned."""

    slot: int
    count: float
    planned: float
    log_spread: float

    @property
    def log_error(self) -> float:
        """Log of actual over planned: half a count more on both sides, so that none is an error of finite size."""
        return math.log(self.count + 0.5) - math.log(self.planned + 0.5)


@dataclass(slots=True)
class SeriesTrack:
    """One series as it comes."""

    plan: Plan
    level: LevelCorrection = field(default_factory=LevelCorrection)
    minutes: int = 0
    """Minutes known so far."""
    absolute_error: float = 0.0
    """Summed over them, as `actual`."""
    actual: float = 0.0
    held: list[bool] = field(default_factory=list)
    """Whether each known minute lay within the 80 % band."""
    _smooth: float = 0.0
    """Exponentially weighted log error of the last minutes: the level that edges are measured from."""
    _run: int = 0
    """Minutes in a row off that level, negative below it."""
    _quiet_until: int = -1
    _cusum: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Upward and downward."""
    _drift_slot: int = -_HELD_MIN
    """When drift was last alerted on."""
    _hour: list[tuple[float, float]] = field(default_factory=list)
    """(actual, planned) of this hour's minutes so far."""
    _absent: int = 0
    """Minutes in a row in which a launch was due and did not come."""

    def feed(self, slot: int, count: float) -> list[Alert]:
        """Take in one minute's count, NaN where unknown; return the alerts it causes."""
        planned = float(self.plan.median[slot])
        self._hour.append((count, planned))
        alerts: list[Alert] = []
        if math.isfinite(count):
            self._score(slot, count, planned)
            alerts = self._alerts(_Minute(slot, count, planned, self.plan.spread(slot)))
        if len(self._hour) == 60:
            self.level.learn(*(np.array(counts) for counts in zip(*self._hour, strict=True)))
            self._hour = []
        return alerts

    def _score(self, slot: int, count: float, planned: float) -> None:
        """Count a known minute in the plan's scores."""
        self.minutes += 1
        self.absolute_error += abs(count - planned)
        self.actual += count
        self.held.append(bool(self.plan.low[slot] <= count <= self.plan.high[slot]))

    def _alerts(self, minute: _Minute) -> list[Alert]:
        """Return the alerts of a known minute: a launch that does not come or a sharp edge, and drift."""
        self._absent = self._absent + 1 if self._is_absent(minute) else 0
        # Where a launch is due and does not come, the level must not be learned from it.
        sharp = self._no_launch(minute) if self._absent else self._edge(minute)
        return sharp + self._drift(minute.slot, minute.log_error / minute.log_spread)

    def _alert(self, slot: int, kind: str, words: str) -> Alert:
        return Alert(self.plan.grid.instant(slot), self.plan.name, kind, words)

    def _is_absent(self, minute: _Minute) -> bool:
        """Return whether less than half of the launch that is due came, and chance does not explain it."""
        due = self.plan.launched(minute.slot)
        if _CAME * due < _TOLD * self.plan.organic_noise(minute.slot):
            return False  # too small beside the day to be told
        day = math.exp(self._smooth) * (minute.planned - due)
        return minute.count - day < _CAME * due

    def _no_launch(self, minute: _Minute) -> list[Alert]:
        """Return an alert in the second minute that a launch does not come, once."""
        if self._absent != 2:
            return []
        words = (
            f"the launch has not come: {minute.count:,.0f} a minute; "
            f"planned {minute.planned:,.0f}, {self.plan.launched(minute.slot):,.0f} of it the launch"
        )
        return [self._alert(minute.slot, "launch", words)]

    def _edge(self, minute: _Minute) -> list[Alert]:
        """Return an alert on a sharp edge: two minutes in a row off the recent level, or one far off it."""
        off = minute.log_error - self._smooth
        far = abs(off) > _EDGE * minute.log_spread and abs(off) > math.log(_EDGE_RATIO)
        self._count_run(off, far=far)
        if not far:  # an edge must not become the level it is measured from
            self._smooth = _MEMORY * self._smooth + (1 - _MEMORY) * minute.log_error
        sharp = abs(self._run) >= 2 or (far and abs(off) > _CERTAIN * minute.log_spread)
        if not sharp:
            return []
        is_quiet, self._quiet_until = minute.slot < self._quiet_until, minute.slot + _QUIET_MIN
        return [] if is_quiet else [self._alert(minute.slot, "edge", self._edge_words(minute, off))]

    def _count_run(self, off: float, *, far: bool) -> None:
        """Count minutes in a row off the recent level to the same side."""
        side = 1 if off > 0 else -1
        same = far and self._run * off > 0
        self._run = 0 if not far else (self._run + side if same else side)

    def _edge_words(self, minute: _Minute, off: float) -> str:
        highest = float(self.plan.high.max())
        beyond = (
            f", beyond the highest expected at all (p90 {highest:,.0f})"
            if minute.count > highest
            else ""
        )
        return (
            f"{minute.count:,.0f} a minute, {math.exp(off):.2g} times the level of the last minutes; "
            f"planned {minute.planned:,.0f}{beyond}"
        )

    def _add_to_cusum(self, scaled: float) -> None:
        step = max(-3.0, min(3.0, scaled)) / math.sqrt(60)
        for side, sign in enumerate((1.0, -1.0)):
            self._cusum[side] = max(0.0, self._cusum[side] + sign * step - _SLACK / math.sqrt(60))

    def _drift(self, slot: int, scaled: float) -> list[Alert]:
        """Return an alert where the two-sided CUSUM (Page 1954) passes its limit, or the band holds too few.

        `scaled`: the log error in spreads.
        """
        self._add_to_cusum(scaled)
        recent = self.held[-_HELD_MIN:]
        share = sum(recent) / len(recent) if len(recent) == _HELD_MIN else 1.0
        drifting = max(self._cusum) > _LIMIT or share < _LEAST_HELD
        if not drifting or slot < self._drift_slot + _HELD_MIN:
            return []
        alert = self._alert(slot, "drift", self._drift_words(share))
        self._drift_slot, self._cusum = slot, [0.0, 0.0]
        return [alert]

    def _drift_words(self, share: float) -> str:
        if share < _LEAST_HELD:
            why = f"the 80 % band holds {100 * share:.0f} % of the last three hours"
        else:
            side = "above" if self._cusum[0] > self._cusum[1] else "below"
            why = f"it lies {side} the plan for long"
        return f"the plan no longer fits: {why}"

    def outlook(self) -> TrackSummary:
        """Return how the plan does so far, and the factor to apply to what is to come."""
        return TrackSummary(
            minutes=self.minutes,
            wape=self.absolute_error / self.actual if self.actual else None,
            coverage_80=sum(self.held) / len(self.held) if self.held else None,
            level=math.exp(self.level.level),
            applied=math.exp(self.level.in_use),
            pays=self.level.pays,
        )


class Tracker:
    """All series of a plan, fed from one table of counts that grows."""

    def __init__(self, plans: list[Plan]) -> None:
        """Track `plans`, all of one grid."""
        self.grid = plans[0].grid
        self.series = {plan.name: SeriesTrack(plan) for plan in plans}
        self.next_slot = 0

    def feed(self, counts: dict[str, Array], first_slot: int, slots: int) -> list[Alert]:
        """Take in whole minutes not seen yet: name -> counts from `first_slot` on; return alerts by time."""
        alerts = []
        last = min(first_slot + slots, self.grid.slots)
        for slot in range(max(self.next_slot, first_slot), last):
            for name, track in self.series.items():
                if name in counts:
                    alerts += track.feed(slot, float(counts[name][slot - first_slot]))
            self.next_slot = slot + 1
        return alerts
