"""The calendar as columns: trend, year, week, day, holidays and events of one region.

Every column belongs to a named block, so that a forecast can be read back block by block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pandas as pd

from gameday.scenario import Scenario
from gameday.scenario.events import KINDS, EventKind
from gameday.vocabulary import Array

__all__ = ["Columns", "Design", "Shape"]

_DAY_MIN = 1440.0
_YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Shape:
    """What the trend may do; raced on rolling origins."""

    knot_days: float
    """Days between places where the slope may change."""
    damp_days: float
    """After the origin the slope fades with this time constant."""
    half_life_days: float
    """Weight of the past halves in this time."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Part of a design matrix."""

    values: Array
    """Shape (rows, columns), float32."""
    blocks: tuple[str, ...]
    """The block of each column."""
    penalty: Array
    """The ridge of each column, before its overall factor."""

    def rows(self, keep: Array) -> Columns:
        """Return the rows where `keep`."""
        return replace(self, values=self.values[keep])


def _joined(blocks: Iterable[tuple[str, Array, Array]]) -> Columns:
    parts = list(blocks)
    return Columns(
        np.concatenate([values for _, values, _ in parts], axis=1, dtype=np.float32),
        tuple(name for name, values, _ in parts for _ in range(values.shape[1])),
        np.concatenate([np.broadcast_to(p, v.shape[1]) for _, v, p in parts]),
    )


@dataclass(frozen=True)
class Design:
    """Columns for one region's calendar, for a past that runs from `first` to `origin`."""

    scenario: Scenario
    region: str
    first_min: float
    """Start of the past, minutes since 1970 UTC."""
    origin_min: float
    """End of the past, minutes since 1970 UTC."""
    shape: Shape

    @cached_property
    def knots(self) -> Array:
        """Days after the start at which the slope may change."""
        days = (self.origin_min - self.first_min) / _DAY_MIN
        return np.arange(
            self.shape.knot_days, days - self.shape.knot_days / 2, self.shape.knot_days
        )

    def columns(self, minute: Array, calendar: Columns | None = None) -> Columns:
        """Return every column at `minute`; `calendar`, if given, is `calendar_columns(minute)`."""
        trend = _joined(self._trend(minute))
        fixed = calendar or self.calendar_columns(minute)
        return Columns(
            np.concatenate([trend.values, fixed.values], axis=1),
            trend.blocks + fixed.blocks,
            np.concatenate([trend.penalty, fixed.penalty]),
        )

    def calendar_columns(self, minute: Array) -> Columns:
        """Return the columns that depend on neither origin nor trend: days, weeks, events."""
        return _joined([*self._calendar(minute), *self._events(minute)])

    def _trend(self, minute: Array) -> Iterator[tuple[str, Array, Array]]:
        day = (minute - self.first_min) / _DAY_MIN
        last = (self.origin_min - self.first_min) / _DAY_MIN
        damp = self.shape.damp_days
        beyond = np.maximum(day - last, 0)
        day = np.where(day > last, last + damp * -np.expm1(-beyond / damp), day)
        yield "level", np.ones((len(minute), 1)), np.array([1e-6])
        yield "trend", day[:, None] / 30, np.array([1e-2])
        if len(self.knots):
            yield "trend", np.maximum(day[:, None] - self.knots, 0) / 30, np.array([1.0])
        if last >= 1.5 * _YEAR_DAYS:
            angle = 2 * np.pi * minute / (_YEAR_DAYS * _DAY_MIN)
            yield "year", _fourier(angle, 3), np.array([0.05])

    def _calendar(self, minute: Array) -> Iterator[tuple[str, Array, Array]]:
        zone = ZoneInfo(self.scenario.regions[self.region].zone)
        stamps = pd.to_datetime(np.floor(minute), unit="m", utc=True).tz_convert(zone)
        angle = 2 * np.pi * (stamps.hour * 60 + stamps.minute).to_numpy() / _DAY_MIN
        yield "day", _fourier(angle, 14), 1e-4 * (np.arange(28) // 2 + 1) ** 2
        weekday = stamps.day_of_week.to_numpy()
        basis = np.concatenate([np.ones((len(minute), 1)), _fourier(angle, 5)], axis=1)
        penalty = np.concatenate([[0.1], 0.02 * (np.arange(10) // 2 + 1)])
        for number in range(7):
            yield "week", basis * (weekday == number)[:, None], penalty
        country = self.scenario.calendar.holidays.get(self.region)
        if country is not None:
            years = range(stamps[0].year, stamps[-1].year + 1)
            days = holidays.country_holidays(country, years=years)
            free = stamps.tz_localize(None).normalize().isin(pd.to_datetime(sorted(days)))
            yield "holiday", free[:, None].astype(float), np.array([0.1])

    def _events(self, minute: Array) -> Iterator[tuple[str, Array, Array]]:
        occurrences = self.scenario.occurrences(self.region)
        for name, kind in KINDS.items():
            mine = [o for o in occurrences if o[0].kind == name]
            width = len(kind.start_knots_min) + len(kind.end_knots_min) + kind.plateau
            if not mine or not width:
                continue
            values = np.zeros((len(minute), width), np.float32)
            for event, start, end in mine:
                from_start, from_end = minute - _epoch_min(start), minute - _epoch_min(end)
                near = (from_start > -900) & (from_end < 900)
                if near.any():
                    values[near] += event.strength * phased(kind, from_start[near], from_end[near])
            yield f"event: {name}", values, np.array([0.002])


def phased(kind: EventKind, from_start: Array, from_end: Array) -> Array:
    """Return an event's columns: hats on its start, hats on its end, and what lasts between."""
    parts = [_hats(from_start, kind.start_knots_min), _hats(from_end, kind.end_knots_min)]
    if kind.plateau:
        parts.append(np.clip(np.minimum(from_start / 60, -from_end / 60), 0, 1)[:, None])
    return np.concatenate(parts, axis=1)


def _fourier(angle: Array, pairs: int) -> Array:
    return np.stack([f(k * angle) for k in range(1, pairs + 1) for f in (np.sin, np.cos)], axis=1)


def _hats(lag: Array, knots: tuple[float, ...]) -> Array:
    """Return piecewise-linear bumps, one a knot, 1 at it and 0 at its neighbours."""
    if not knots:
        return np.zeros((len(lag), 0))
    ends = (2 * knots[0] - knots[1], *knots, 2 * knots[-1] - knots[-2])
    return np.stack(
        [
            np.clip(np.minimum((lag - a) / (b - a), (c - lag) / (c - b)), 0, None)
            for a, b, c in zip(ends, ends[1:], ends[2:], strict=False)
        ],
        axis=1,
    )


def _epoch_min(instant: datetime) -> float:
    return float(instant.timestamp() / 60)
