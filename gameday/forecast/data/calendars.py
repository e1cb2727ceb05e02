"""Regions' calendars: clock, holidays, events and regressors, and the settings of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pandas as pd

from gameday.errors import HistoryError, UsageError
from gameday.history import History
from gameday.scenario import Scenario, did_you_mean
from gameday.scenario.blocks import ForecastBlock
from gameday.scenario.events import KINDS
from gameday.scenario.ingredients import MonthDays, Occurrence, When
from gameday.vocabulary import Array

__all__ = ["RegionCalendar", "bare_calendars", "check_place", "known_until", "region_calendars"]

_OTHER_LENGTH = 0.2
"""Past events' logs of lengths that differ by more tell what length does. Ours."""
_LAUNCH_LEAD_MIN = 5
"""Minutes before a launch that are masked with it: its crowd gathers."""


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
    """Start of the past, minutes since 1970 UTC."""
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
                name: values[np.maximum(np.searchsorted(since, minute, "right") - 1, 0)]
                for name, (since, values) in self.regressors.items()
            },
        )

    def midnights(self, begin: float, end: float) -> Array:
        """Return the local midnights from `begin` to `end`, both included, minutes since 1970 UTC."""
        first, last = self._local(np.array([begin, end]))
        days = pd.date_range(first.tz_localize(None).floor("D"), last.tz_localize(None).ceil("D"))
        # Where clocks skip midnight, the day begins when they have: at the first instant that is.
        instants = days.tz_localize(self.zone, nonexistent="shift_forward", ambiguous=True)
        minutes = (instants.tz_convert("UTC") - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(minutes=1)
        minute = minutes.to_numpy(float)
        return np.asarray(minute[(minute >= begin) & (minute <= end)])

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

    def date(self, minute: Array) -> Array:
        """Return the local day, in days since 1970-01-01, shape (n,)."""
        days = self._local(minute).tz_localize(None) - pd.Timestamp(0)
        return np.asarray(days // pd.Timedelta(days=1), int)

    def month(self, minute: Array) -> MonthDays:
        """Return where the local days of minutes lie in their months; public holidays are no working days."""
        dates, place = np.unique(self.date(minute).astype("datetime64[D]"), return_inverse=True)
        months = dates.astype("datetime64[M]")
        free = _days_off(self.country, months) if self.country else []
        begin, end = (m.astype("datetime64[D]") for m in (months, months + 1))
        left = np.busday_count(dates + 1, np.maximum(end, dates + 1), holidays=free)
        left = np.where(np.is_busday(dates, holidays=free), left, -1)
        day = (dates - begin).astype(int) + 1
        return MonthDays(day[place], left[place])

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
        by_name = _public_holidays(self.country, [*ends.year, *np.unique(stamps.year)])
        place, dates = pd.factorize(_days(stamps))
        each = {name: np.asarray(dates.isin(days))[place] for name, days in by_name.items()}
        is_any = np.any([*each.values(), np.zeros(len(stamps), bool)], axis=0)
        first, last = _days(ends)
        seen = {n for n, days in by_name.items() if any(first <= day < last for day in days)}
        return {name: is_on for name, is_on in each.items() if name in seen}, is_any


def _days(stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the local days of local instants."""
    return stamps.tz_localize(None).normalize()


def _public_holidays(country: str, years: list[int]) -> dict[str, list[pd.Timestamp]]:
    """Return name -> days of a country's public holidays, from the first of the years to the last."""
    span = range(min(years), max(years) + 1)
    by_name: dict[str, list[pd.Timestamp]] = {}
    found = holidays.country_holidays(country, years=span, language="en_US")
    for day, name in sorted(found.items()):
        by_name.setdefault(name, []).append(pd.Timestamp(day))
    return by_name


def _days_off(country: str, months: Array) -> list[np.datetime64]:
    """Return a country's public holidays in the years of months."""
    years = np.unique(months.astype("datetime64[Y]").astype(int) + 1970)
    by_name = _public_holidays(country, [int(year) for year in years])
    return [np.datetime64(day, "D") for days in by_name.values() for day in days]


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


def check_place(zone: str, country: str | None = None) -> None:
    """Raise UsageError where a zone is no IANA time zone, or a country has no known holidays."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise UsageError(
            f"--zone: must be an IANA time zone, such as Europe/Berlin (got '{zone}')"
        ) from None
    known = sorted(holidays.list_supported_countries())
    if country is not None and country not in known:
        raise UsageError(f"--country: unknown '{country}'{did_you_mean(country, known)}")


def _regressors(
    scenario: Scenario, region: str, first: float, until: float
) -> dict[str, tuple[Array, Array]]:
    """Return regressor and lag -> (minutes, values from each on), centred and scaled by what the past saw."""
    scaled = {}
    for name, regressor in scenario.forecast.ingredients.regressors.items():
        if regressor.strength_of:
            continue
        since, values = regressor.of(region)
        if not len(since) or since[0] > first:
            raise HistoryError(
                f"forecast.ingredients.regressors.{name}: says nothing of {region} where its past begins; "
                "add earlier values"
            )
        seen = values[np.searchsorted(since, np.arange(first, until, 60), "right") - 1]
        for lag in regressor.lags:
            scaled[f"{name}+{lag:g}"] = (since + lag / 60, _scaled(values, seen))
    return scaled


def _scaled(values: Array, seen: Array) -> Array:
    """Return values less the mean of those seen over their standard deviation; 0 where they never moved.

    What never moved in the past cannot tell what it does: it is left out of the sum.
    """
    moves = seen.std() > 1e-6 * max(1.0, float(np.abs(seen).max()))
    return np.asarray((values - seen.mean()) / seen.std() if moves else np.zeros(len(values)))


def known_until(calendar: RegionCalendar) -> dict[str, float]:
    """Return regressor and lag -> minute up to which it is known: a last value holds as long as the one before."""
    return {
        name: float(since[-1] + (since[-1] - since[-2]))
        for name, (since, _) in calendar.regressors.items()
        if len(since) > 1
    }


def _calendar(scenario: Scenario, history: History, region: str) -> RegionCalendar:
    first = float(history.grid.epoch_min)
    until = first + history.grid.slots
    events = _events(scenario, region)
    events = _with_strengths(scenario, region, events, first, until)
    borrowed = _borrowed(events, first, until)
    events = [replace(event, kind=borrowed.get(event.kind, event.kind)) for event in events]
    return RegionCalendar(
        region=region,
        zone=scenario.regions[region].zone,
        country=scenario.calendar.holidays.get(region),
        occurrences=tuple(_with_lengths(events, first, until)),
        launches=_launches(scenario, region),
        block=scenario.forecast,
        regressors=_regressors(scenario, region, first, until),
        borrowed=tuple(sorted(borrowed.items())),
        seen_from_min=first,
        seen_until_min=until,
    )


def _seen(events: list[Occurrence], kind: str, first: float, until: float) -> list[Occurrence]:
    """Return the events of a kind that lie wholly in the past."""
    return [o for o in events if o.kind == kind and o.start_min >= first and o.end_min <= until]


def _with_lengths(events: list[Occurrence], first: float, until: float) -> list[Occurrence]:
    """Return the events, each beside the mean length of past ones of its kind; where those differ in length."""
    out = []
    for event in events:
        past = _seen(events, event.kind, first, until)
        lengths = np.log([o.end_min - o.start_min for o in past])
        if len(past) > 1 and np.ptp(lengths) > _OTHER_LENGTH:
            own = np.log(event.end_min - event.start_min)
            event = replace(event, log_length=float(own - lengths.mean()))
        out.append(event)
    return out


def _with_strengths(
    scenario: Scenario, region: str, events: list[Occurrence], first: float, until: float
) -> list[Occurrence]:
    """Return the events, as strong as regressors say that are their kinds' strength; HistoryError if unknown."""
    for name, regressor in scenario.forecast.ingredients.regressors.items():
        for kind in regressor.strength_of:
            own = [o for o in events if o.kind == kind and o.end_min > first]
            means = {o.name: regressor.mean_within(region, o.start_min, o.end_min) for o in own}
            _require_strengths(name, region, means)
            usual = _usual_strength(
                name, kind, [means[o.name] for o in _seen(own, kind, first, until)]
            )
            events = [_as_strong(event, means, usual) for event in events]
    return events


def _require_strengths(name: str, region: str, means: dict[str, float]) -> None:
    """Raise HistoryError where a regressor says nothing during an event whose strength it is."""
    for event, value in means.items():
        if np.isnan(value):
            raise HistoryError(
                f"forecast.ingredients.regressors.{name}: says nothing of {region} during {event}, whose strength "
                "it is; add its values"
            )


def _usual_strength(name: str, kind: str, past: list[float]) -> float:
    """Return the mean value within past events; HistoryError where that is none, for nothing is told beside it."""
    if not past or not np.mean(past) > 0:
        raise HistoryError(
            f"forecast.ingredients.regressors.{name}: strength_of: "
            + (
                f"was 0 in every past event of kind '{kind}'"
                if past
                else f"no past event of kind '{kind}' is known, beside which the coming one would be as strong"
            )
            + "; leave it out, or declare `strength` of the event"
        )
    return float(np.mean(past))


def _as_strong(event: Occurrence, means: dict[str, float], usual: float) -> Occurrence:
    """Return an event as strong as its value in `means` is beside the `usual` one, if it has one."""
    if event.name not in means:
        return event
    return replace(event, strength=event.strength * means[event.name] / usual)


def _events(scenario: Scenario, region: str) -> list[Occurrence]:
    """Return the events that the model learns, of the past and to come; launches are none."""
    return [
        Occurrence(
            name=event.name,
            kind=event.kind,
            start_min=start.timestamp() / 60,
            end_min=end.timestamp() / 60,
            strength=event.strength,
            lead_min=(event.lead or 0.0) / 60,
            lag_min=(event.lag or 0.0) / 60,
        )
        for event, start, end in scenario.occurrences(region)
        if KINDS[event.kind].masked_min is None and event.strength > 0
    ]


def _launches(scenario: Scenario, region: str) -> tuple[tuple[float, float], ...]:
    """Return (start, end) of the time that each launch's crowd is masked for, minutes since 1970 UTC."""
    masked = []
    for event, start, end in scenario.occurrences(region):
        minutes = KINDS[event.kind].masked_min
        if minutes is not None:
            begin, finish = start.timestamp() / 60, end.timestamp() / 60
            masked.append((begin - _LAUNCH_LEAD_MIN, finish + minutes))
    return tuple(masked)


def _borrowed(events: list[Occurrence], first: float, until: float) -> dict[str, str]:
    """Return kind that the past from `first` to `until` has not seen -> the nearest kind that it has."""
    seen = {o.kind for o in events if o.start_min >= first and o.start_min < until}
    nearest = {
        o.kind: next((near for near in KINDS[o.kind].nearest if near in seen), None)
        for o in events
        if o.kind not in seen
    }
    return {kind: near for kind, near in nearest.items() if near is not None}
