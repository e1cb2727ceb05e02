"""Members from outside: files that say what a model forecast at earlier origins, and installed libraries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from gameday.forecast.data.training_data import OutsideMember, Past
from gameday.forecast.model.told import Told
from gameday.forecast.rivals import RIVALS, Rival
from gameday.history import History, MemberForecasts, SaidAtOrigin
from gameday.scenario.blocks import ForecastBlock
from gameday.vocabulary import Array

__all__ = ["missing_members", "outside_members"]

_QUARTER_MIN = 15
"""Rows are told as means of so long: what recurs by the minute is the blend's own factor."""


def outside_members(known: History, region: int, block: ForecastBlock) -> tuple[OutsideMember, ...]:
    """Return the members that `forecast.members` asks for, of one region; libraries that are here only."""
    files = [_OutsideFile(said, region) for said in known.members]
    return (*files, *(_OutsideModel(RIVALS[name]) for name in _libraries(block) if _is_here(name)))


def missing_members(block: ForecastBlock) -> list[str]:
    """Return a note on each library that `forecast.members` asks for and that is not installed."""
    return [
        f"forecast.members: '{name}' is left out: it needs the package {RIVALS[name].package}, an extra of gameday"
        for name in _libraries(block)
        if not _is_here(name)
    ]


def _libraries(block: ForecastBlock) -> Iterator[str]:
    return (name for name, member in block.members.items() if member.file is None)


def _is_here(name: str) -> bool:
    package = RIVALS[name].package
    return package is None or find_spec(package) is not None


@dataclass(frozen=True, slots=True)
class _OutsideFile:
    """What a file says of one region at earlier origins."""

    said: MemberForecasts
    region: int

    @property
    def name(self) -> str:
        return self.said.name

    def forecasts(self, *, daily: bool) -> bool:
        return not daily

    def told(self, past: Past, origin: float, end: float) -> Told:
        """Return what was said at the last origin up to `origin`, by quarter hours.

        Of a past with one series more than the file has steps, that one is their sum.
        """
        minute, earlier = np.arange(origin, end, _QUARTER_MIN), self.said.known_before(origin).said
        log = np.full((len(minute), len(past.counts)), np.nan)
        if earlier:
            log = self._quarters(earlier[-1], minute, len(past.counts))
        return Told(self.name, origin, _QUARTER_MIN, log)

    def _quarters(self, said: SaidAtOrigin, minute: Array, number: int) -> Array:
        """Return log(1 + counts a minute) of quarter hours from each `minute` on, (n, series)."""
        width = self.said.width_min
        told = Told(self.name, said.first_min, width, np.log1p(self._series(said, number)).T)
        step = math.gcd(width, _QUARTER_MIN)
        each = [np.expm1(told.at(minute + after)) for after in range(0, _QUARTER_MIN, step)]
        return np.asarray(np.log1p(np.mean(each, axis=0)))

    def _series(self, said: SaidAtOrigin, number: int) -> Array:
        """Return counts a minute, (series, rows); beyond the steps, the last series is their sum."""
        counts = said.counts[self.region]
        if number == len(counts) + 1:
            return np.concatenate([counts, counts.sum(axis=0, keepdims=True)])
        return np.asarray(counts)


@dataclass(frozen=True, slots=True)
class _OutsideModel:
    """A library's model, fitted to what was known at each origin."""

    model: Rival

    @property
    def name(self) -> str:
        return self.model.name

    def forecasts(self, *, daily: bool) -> bool:
        return self.model.daily if daily else self.model.minutes

    def told(self, past: Past, origin: float, end: float) -> Told:
        """Return what it forecasts by quarter hours, or by days where the past is of days."""
        known = past if origin >= past.end_min else past.until(origin)
        if past.is_daily:
            days = past.calendar.midnights(origin, end)
            # Local days begin up to an hour apart from every 1440 minutes.
            return Told(self.name, float(days[0]) - 60, 1440.0, np.log1p(self.model(known, days)))
        minute = np.arange(origin, end, _QUARTER_MIN)
        counts = self.model(known, minute + _QUARTER_MIN // 2)
        return Told(self.name, origin, _QUARTER_MIN, np.log1p(counts))
