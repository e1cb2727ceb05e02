"""What is published of a model: every minute of the event with its band, and each team's next peak."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pydantic import Field

from gameday.forecast.data.fit_rows import in_event
from gameday.forecast.demand import Crowd, Demand
from gameday.forecast.event_demand import EventDemand, EventNumbers
from gameday.forecast.model.state import State
from gameday.forecast.publication.explain import Waterfall, bridge, waterfall_of
from gameday.forecast.uncertainty.curves import curves_of, stack_curves
from gameday.forecast.uncertainty.error_correlation import ErrorCorrelation
from gameday.vocabulary import Array, TimeGrid, supported

__all__ = [
    "BandLine",
    "BandWidth",
    "EarlierPeak",
    "PeakChange",
    "PeakMove",
    "Published",
    "TeamPeak",
    "TeamRegion",
    "demand_of_state",
    "peak_change",
    "peak_moves",
    "published_table",
    "team_peaks",
    "team_region",
]

_PICTURE_POINTS = 240
_LEAST_MOVE = 0.001
"""Share by which a number must have moved to be told."""
_MOST_FACTORS = 3
"""Ingredients by which a move is told."""
_HOURS = 3
"""Width of the stretches of the day that a band's width is told by."""


@dataclass(frozen=True, slots=True)
class Published:
    """One region's forecast and the model it comes from; `demand` has that region alone."""

    state: State
    demand: EventDemand
    median: Array
    """Steps a minute, launches included, shape (teams, slots), as the others."""
    low: Array
    """p10."""
    high: Array
    """p90."""

    @staticmethod
    def of(state: State, demand: EventDemand) -> Published:
        """Return the forecast of one region, its bands laid out."""
        return Published(
            state, demand, demand.median[0], demand.marginal(0.1)[0], demand.marginal(0.9)[0]
        )


@dataclass(frozen=True, slots=True)
class EarlierPeak:
    """What a later publication reads of a peak that was published before."""

    region: str
    team: str
    instant: Annotated[str, Field(alias="at")]
    """UTC, ISO 8601."""
    expected: float
    factors: tuple[tuple[str, float], ...]
    launches: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeamPeak:
    """A team's event in one region: its total, its highest minute, and the ingredients of that minute."""

    region: str
    team: str
    instant: Annotated[str, Field(alias="at")]
    """When the peak is expected, UTC, ISO 8601."""
    total_mean: float
    """Steps expected in the event, launches included, as in `EventNumbers`."""
    organic_mean: float
    launch_mean: float
    expected: float
    """Median of that minute, steps a minute, launches included."""
    organic: float
    """The same without launches."""
    launches: dict[str, float]
    """Launch -> steps a minute of its median crowd; launches without any are left out."""
    size: dict[str, float]
    """Name of a quantile, as p90 -> steps a minute of the highest minute, whenever it comes."""
    five_minutes: dict[str, float]
    """Likewise of the highest mean of five minutes."""
    minutes: dict[str, float]
    """Name of a quantile -> how many minutes after `instant` it comes."""
    days: int
    """Days of earlier origins the peak is calibrated on."""
    past_events: int | None
    """Past events of its kind; None where the peak lies in no event."""
    calibrated_to: float
    """The highest quantile that the past supports."""
    factors: tuple[tuple[str, float], ...]
    """(ingredient, factor); the first is a count a minute, the others multiply it to `organic`."""
    race: dict[str, float | None]
    """Name -> WAPE of this series on earlier origins; None where it cannot be told."""


@dataclass(frozen=True, slots=True)
class PeakChange:
    """How a published peak moved since the publication before. Units and order as in `Bridge`."""

    before: float
    after: float
    factors: tuple[tuple[str, float], ...]
    launches: tuple[tuple[str, float, float], ...]
    instant: Annotated[str, Field(alias="at")]
    """When the earlier peak was expected, UTC, ISO 8601."""

    def words(self) -> str:
        """Return why it moved: launches, then the ingredients that moved it most."""
        moved = [(name, f) for name, f in self.factors if f > 0 and abs(f - 1) >= _LEAST_MOVE]
        moved.sort(key=lambda pair: -abs(math.log(pair[1])))
        launches = [
            f"launch {name} {before:,.0f} -> {after:,.0f}"
            for name, before, after in self.launches
            if abs(after - before) > _LEAST_MOVE * max(after, before)
        ]
        factors = (f"{name} {100 * (f - 1):+.1f} %" for name, f in moved[:_MOST_FACTORS])
        return "; ".join([*launches, *factors])


@dataclass(frozen=True, slots=True)
class PeakMove:
    """A published peak that moved since the publication before; steps a minute."""

    region: str
    team: str
    before: float
    after: float
    times: float
    """After over before."""
    words: str
    """Why."""


@dataclass(frozen=True, slots=True)
class BandLine:
    """A team's event as drawn: every so many minutes, steps a minute."""

    instants: Annotated[tuple[datetime, ...], Field(alias="at")]
    """In the region's own clock."""
    p50: tuple[float, ...]
    p10: tuple[float, ...]
    p90: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BandWidth:
    """How far the 80 % band lies from the median in one stretch of the local day, as shares."""

    of: str
    p10: float
    p90: float


@dataclass(frozen=True, slots=True)
class TeamRegion:
    """What a team's page shows of one region beside the `TeamPeak` there."""

    at_local: str
    line: BandLine
    spread: tuple[BandWidth, ...]
    change: PeakChange | None
    """None where nothing was published before."""


def demand_of_state(
    state: State, grid: TimeGrid, span: tuple[int, int], crowds: dict[str, Crowd], region: int
) -> Demand:
    """Return the demand of one region that a kept model forecasts; no paths are drawn from it, so it has no
    error correlation.

    `span`: the event's slots there; `crowds` are of all regions, this one is number `region`.
    """
    name = state.calendar.region
    own = curves_of(state.blend, state.end_min, state.bands, grid)
    curves = stack_curves([own])
    return Demand(
        grid=grid,
        regions=(name,),
        steps=state.names,
        median=curves.median,
        mean=curves.mean,
        marginal=curves.marginal,
        event_log_effect=curves.event_log_effect,
        strength_sigma=state.sigma,
        past_events=state.past_events,
        error_correlation=ErrorCorrelation.none(len(state.names)),
        launches={launch: crowd.of_region(region) for launch, crowd in crowds.items()},
        backtest_wape=float("nan"),
        benchmark=(),
        notes=(),
        spans=(span,),
        smooth=curves.smooth,
        peaks={(name, team): errors for team, errors in zip(state.names, state.peaks, strict=True)},
    )


def published_table(demand: EventDemand) -> pd.DataFrame:
    """Return region, team, slot_utc, in_event and the numbers of every minute, in single precision."""
    table = demand.table(series_column="team")
    for name in ("region", "team"):
        table[name] = table[name].astype("category")
    numbers = table.select_dtypes("float64").columns
    return table.astype(dict.fromkeys(numbers, np.float32))


def team_peaks(published: Published) -> list[TeamPeak]:
    """Return each team's event: its total, its peak with quantiles, and the ingredients of that minute."""
    return [_peak(published, series) for series in range(len(published.state.names))]


def _peak(published: Published, series: int) -> TeamPeak:
    state, demand = published.state, published.demand
    numbers = demand.numbers(state.calendar.region, state.names[series])
    peak = numbers.peak
    fall = _waterfall_at(published, series, peak.slot)
    launches = _launches_at(demand, series, peak.slot)
    past_events, calibrated_to = _support(state, demand.grid, numbers)
    return TeamPeak(
        region=fall.region,
        team=fall.step,
        instant=fall.instant.isoformat(),
        total_mean=numbers.total_mean,
        organic_mean=numbers.organic_mean,
        launch_mean=numbers.launch_mean,
        expected=fall.forecast + sum(launches.values()),
        organic=fall.forecast,
        launches=launches,
        size=_by_name(peak.size),
        five_minutes=_by_name(peak.five_minutes),
        minutes=_by_name(peak.minutes),
        days=peak.days,
        past_events=past_events,
        calibrated_to=calibrated_to,
        factors=fall.factors,
        race={name: scores[series] for name, scores in state.benchmark.items()},
    )


def _launches_at(demand: EventDemand, series: int, slot: int) -> dict[str, float]:
    """Return launch -> steps of its median crowd in one minute; launches without any are left out."""
    steps = {name: launch.median[0, series, slot] for name, launch in demand.launches.items()}
    return {name: float(count) for name, count in steps.items() if count > 0}


def _waterfall_at(published: Published, series: int, slot: int) -> Waterfall:
    """Return the ingredients of one minute of a team's forecast, without launches."""
    state, grid = published.state, published.demand.grid
    return waterfall_of(state.blend, series, state.names[series], grid.instant(slot))


def _support(state: State, grid: TimeGrid, numbers: EventNumbers) -> tuple[int | None, float]:
    """Return the past events behind a peak, None where it lies in none, and the highest supported quantile."""
    minute = np.array([grid.epoch_min + numbers.peak.slot], float)
    if in_event(minute, state.calendar)[0]:
        return state.past_events, supported(state.past_events)
    return None, numbers.peak.calibrated_to


def _by_name(quantiles: dict[float, float]) -> dict[str, float]:
    return {f"p{100 * level:g}": value for level, value in quantiles.items()}


def team_region(
    published: Published, series: int, peak: TeamPeak, previous: EarlierPeak | None
) -> TeamRegion:
    """Return what a team's page shows of one region beside its peak: the event there, and what changed."""
    calendar, slots = published.state.calendar, _drawn_slots(published, series)
    minutes, zone = published.demand.grid.minutes()[slots], ZoneInfo(calendar.zone)
    median, low, high = (
        rows[series, slots] for rows in (published.median, published.low, published.high)
    )
    log_distance = np.log1p(np.stack([low, high], axis=1)) - np.log1p(median)[:, None]
    instants = tuple(datetime.fromtimestamp(60 * int(minute), zone) for minute in minutes)
    return TeamRegion(
        at_local=_local(peak.instant, calendar.zone),
        line=BandLine(instants, _rounded(median), _rounded(low), _rounded(high)),
        spread=_spread(calendar.slot_of_day(minutes.astype(float))[0] // 60, log_distance),
        change=peak_change(peak, previous),
    )


def _drawn_slots(published: Published, series: int) -> Array:
    """Return the slots of the event that are drawn: at even distances, and that of the peak."""
    first, last = published.demand.organic.spans[0]
    every = max(1, (last - first) // _PICTURE_POINTS)
    peak = published.median[series, first:last].argmax() + first
    return np.union1d(np.arange(first, last, every), peak)


def peak_change(peak: TeamPeak, previous: EarlierPeak | None) -> PeakChange | None:
    """Return by what a published peak moved, and when the one before was; None where none was published."""
    if previous is None:
        return None
    moved = bridge(_waterfall_of_peak(previous), _waterfall_of_peak(peak))
    return PeakChange(moved.before, moved.after, moved.factors, moved.launches, previous.instant)


def peak_moves(
    peaks: Iterable[TeamPeak], before: dict[tuple[str, str], EarlierPeak]
) -> tuple[PeakMove, ...]:
    """Return which peaks moved by over a thousandth, most first; `before`: (region, team) -> its peak then."""
    moves = []
    for peak in peaks:
        change = peak_change(peak, before.get((peak.region, peak.team)))
        if change is None or not change.before or not change.after:
            continue
        times, words = change.after / change.before, change.words()
        if abs(times - 1) > _LEAST_MOVE:
            moves.append(
                PeakMove(peak.region, peak.team, change.before, change.after, times, words)
            )
    return tuple(sorted(moves, key=lambda move: -abs(math.log(move.times))))


def _waterfall_of_peak(peak: TeamPeak | EarlierPeak) -> Waterfall:
    return Waterfall(
        peak.region,
        peak.team,
        datetime.fromisoformat(peak.instant),
        peak.factors,
        peak.expected,
        tuple(peak.launches.items()),
    )


def _spread(hour: Array, log_distance: Array) -> tuple[BandWidth, ...]:
    """Return the mean width of the 80 % band by local time of day, of the minutes drawn.

    `log_distance`: of p10 and p90 from the median, shape (minutes, 2).
    """
    widths = []
    for first in range(0, 24, _HOURS):
        here = (hour >= first) & (hour < first + _HOURS)
        if here.any():
            low, high = log_distance[here].mean(axis=0)
            label = f"{first:02d}:00-{first + _HOURS:02d}:00"
            widths.append(BandWidth(label, float(np.expm1(low)), float(np.expm1(high))))
    return tuple(widths)


def _rounded(counts: Array) -> tuple[float, ...]:
    return tuple(round(float(v), 2) for v in counts)


def _local(instant: str, zone: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"
