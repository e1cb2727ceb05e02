"""What is to be forecast: regions with their calendars, and what a person said of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import holidays
import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history import History
from gameday.scenario import Scenario
from gameday.scenario.blocks import ForecastBlock
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import Occurrence, When
from gameday.vocabulary import Array

__all__ = ["RegionCalendar", "bare_calendars", "known_until", "region_calendars"]


@dataclass(frozen=True)
class RegionCalendar:
    """One region's clock, holidays and events."""

    region: str
    zone: str
    country: str | None = None
    occurrences: tuple[Occurrence, ...] = ()
    launches: tuple[tuple[float, float], ...] = ()
    """(start, end) of crowds that add to the counts and are no part of the model, minutes since 1970."""
    block: ForecastBlock = field(default_factory=ForecastBlock)
    regressors: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    """Name and lag -> (minutes since 1970, values from each on), centred and scaled."""
    borrowed: tuple[tuple[str, str], ...] = ()
    """(kind never seen, kind whose effect it borrows)."""
    seen_from_min: float = 0.0
    seen_until_min: float = 0.0

    def when(self, minute: Array) -> When:
        """Return what the calendar says of minutes."""
        stamps = self._local(minute)
        weekday = stamps.day_of_week.to_numpy()
        days, is_holiday = self._holidays(stamps)
        free = weekday >= 5 if is_holiday is None else (weekday >= 5) | is_holiday
        return When(
            minute=minute,
            angle=2 * np.pi * (stamps.hour * 60 + stamps.minute).to_numpy() / 1440,
            weekday=weekday,
            is_free=free,
            holidays=days,
            is_holiday=is_holiday,
            occurrences=self.occurrences,
            regressors={
                name: values[np.maximum(np.searchsorted(at, minute, "right") - 1, 0)]
                for name, (at, values) in self.regressors.items()
            },
        )

    def midnights(self, begin: float, end: float) -> Array:
        """Return the local midnights from `begin` to `end`, both included, minutes since 1970 UTC."""
        first, last = self._local(np.array([begin, end]))
        days = pd.date_range(first.tz_localize(None).floor("D"), last.tz_localize(None).ceil("D"))
        # Where clocks skip midnight, the day begins when they have: at the first instant that is.
        instants = days.tz_localize(self.zone, nonexistent="shift_forward", ambiguous=True)
        minute = (instants.tz_convert("UTC") - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(minutes=1)
        at = minute.to_numpy(float)
        return np.asarray(at[(at >= begin) & (at <= end)])

    def days_before(self, minute: Array, days: Array | int) -> Array:
        """Return when it was the same local time so many days before, minutes since 1970 UTC, shape (n,).

        Where clocks skip that time, an hour beside it; where they show it twice, either.
        """
        wall = minute + self._offset(minute) - 1440.0 * np.asarray(days)
        return np.asarray(wall - self._offset(wall - self._offset(minute)))

    def _offset(self, minute: Array) -> Array:
        """Return by how many minutes local clocks are ahead of UTC, shape (n,)."""
        local = self._local(minute)
        ahead = local.tz_localize(None) - local.tz_convert(None)
        return np.asarray(ahead / pd.Timedelta(minutes=1), float)

    def slot_of_day(self, minute: Array) -> tuple[Array, Array]:
        """Return (local minute of the day, 1 at weekends), shape (n,) each."""
        stamps = self._local(minute)
        day = (stamps.hour * 60 + stamps.minute).to_numpy()
        return day, (stamps.day_of_week.to_numpy() >= 5).astype(int)

    def weekday(self, minute: Array) -> Array:
        """Return the local weekday, Monday 0, shape (n,)."""
        return np.asarray(self._local(minute).day_of_week.to_numpy())

    def _local(self, minute: Array) -> pd.DatetimeIndex:
        return pd.to_datetime(np.floor(minute), unit="m", utc=True).tz_convert(self.zone)

    def _holidays(self, stamps: pd.DatetimeIndex) -> tuple[dict[str, Array], Array | None]:
        """Return the holidays that the past has seen, by name, and whether each day is any; None: no country."""
        if self.country is None:
            return {}, None
        ends = self._local(np.array([self.seen_from_min, self.seen_until_min]))
        all_years = [*ends.year, *np.unique(stamps.year)]
        years = range(min(all_years), max(all_years) + 1)
        by_name: dict[str, list[pd.Timestamp]] = {}
        for day, name in sorted(
            holidays.country_holidays(self.country, years=years, language="en_US").items()
        ):
            by_name.setdefault(name, []).append(pd.Timestamp(day))
        first, last = (end.tz_localize(None).normalize() for end in ends)
        local = stamps.tz_localize(None).normalize()
        each = {name: np.asarray(local.isin(days)) for name, days in by_name.items()}
        seen = {n for n, days in by_name.items() if any(first <= day < last for day in days)}
        anyone = np.any([*each.values(), np.zeros(len(stamps), bool)], axis=0)
        return {name: is_one for name, is_one in each.items() if name in seen}, anyone


def region_calendars(scenario: Scenario, history: History) -> dict[str, RegionCalendar]:
    """Return each region's calendar for what `history` knows."""
    return {name: _calendar(scenario, history, name) for name in scenario.regions}


def bare_calendars(history: History, zone: str, country: str | None) -> list[RegionCalendar]:
    """Return calendars of a history that no scenario describes: one clock, perhaps holidays, no events."""
    first = float(history.grid.epoch_min)
    return [
        RegionCalendar(
            region, zone, country, seen_from_min=first, seen_until_min=first + history.grid.slots
        )
        for region in history.regions
    ]


def _regressors(
    scenario: Scenario, region: str, first: float, until: float
) -> dict[str, tuple[Array, Array]]:
    """Return regressor and lag -> (minutes, values from each on), centred and scaled by what the past saw."""
    out = {}
    for name, regressor in scenario.forecast.ingredients.regressors.items():
        at, values = regressor.of(region)
        if not len(at) or at[0] > first:
            raise HistoryError(
                f"forecast.ingredients.regressors.{name}: says nothing of {region} where its past begins; "
                "add earlier values"
            )
        seen = values[np.searchsorted(at, np.arange(first, until, 60), "right") - 1]
        # What never moved in the past cannot tell what it does: it is left out of the sum.
        moves = seen.std() > 1e-6 * max(1.0, float(np.abs(seen).max()))
        scaled = (values - seen.mean()) / seen.std() if moves else np.zeros(len(values))
        for lag in regressor.lags:
            out[f"{name}+{lag:g}"] = (at + lag / 60, scaled)
    return out


def known_until(calendar: RegionCalendar) -> dict[str, float]:
    """Return regressor and lag -> minute up to which it is known: a last value holds as long as the one before."""
    return {
        name: float(at[-1] + (at[-1] - at[-2]))
        for name, (at, _) in calendar.regressors.items()
        if len(at) > 1
    }


def _calendar(scenario: Scenario, history: History, region: str) -> RegionCalendar:
    first = float(history.grid.epoch_min)
    until = first + history.grid.slots
    events, launches = [], []
    for event, start, end in scenario.occurrences(region):
        begin, finish = start.timestamp() / 60, end.timestamp() / 60
        masked = KINDS[event.kind].masked_min
        if masked is not None:
            launches.append((begin - 5, finish + masked))
        elif event.strength > 0:
            events.append(
                Occurrence(
                    event.name,
                    event.kind,
                    begin,
                    finish,
                    event.strength,
                    (event.lead or 0.0) / 60,
                    (event.lag or 0.0) / 60,
                )
            )
    seen = {o.kind for o in events if o.start_min >= first and o.start_min < until}
    borrowed = {
        o.kind: near
        for o in events
        if o.kind not in seen
        for near in [next((n for n in KINDS[o.kind].nearest if n in seen), None)]
        if near is not None
    }
    return RegionCalendar(
        region,
        scenario.regions[region].zone,
        scenario.calendar.holidays.get(region),
        tuple(replace(o, kind=borrowed.get(o.kind, o.kind)) for o in events),
        tuple(launches),
        scenario.forecast,
        _regressors(scenario, region, first, until),
        tuple(sorted(borrowed.items())),
        first,
        until,
    )
