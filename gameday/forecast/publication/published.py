"""What is published of a model: every minute of the event with its band, and each team's next peak."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from gameday.forecast.data.fit_rows import in_event
from gameday.forecast.demand import Crowd, Demand
from gameday.forecast.event_demand import EventDemand
from gameday.forecast.model.state import State
from gameday.forecast.publication.explain import Waterfall, bridge, waterfall_of
from gameday.forecast.uncertainty.curves import curves_of, stacked
from gameday.forecast.uncertainty.error_correlation import Together
from gameday.vocabulary import Array, TimeGrid, supported

__all__ = [
    "Published",
    "change_of",
    "demand_of_state",
    "peaks_of",
    "published_table",
    "team_region",
]

_PICTURE_POINTS = 240


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


def demand_of_state(
    state: State, grid: TimeGrid, span: tuple[int, int], crowds: dict[str, Crowd], place: int
) -> Demand:
    """Return the demand of one region that a kept model tells; nothing is drawn from it, so no errors are shared.

    `span`: the event's slots there; `crowds` are of all regions, this one is number `place`.
    """
    region, shape = state.calendar.region, (1, len(state.names))
    here = {name: replace(c, starts=c.starts[place : place + 1]) for name, c in crowds.items()}
    return Demand(
        grid=grid,
        regions=(region,),
        steps=state.names,
        **stacked([curves_of(state.blend, state.calendar, state.end_min, state.bands, grid)]),
        strength_sigma=state.sigma,
        past_events=state.past_events,
        together=Together((), np.zeros(shape)),
        launches=here,
        backtest_wape=float("nan"),
        race=(),
        notes=(),
        spans=(span,),
        peaks={
            (region, name): errors for name, errors in zip(state.names, state.peaks, strict=True)
        },
    )


def published_table(demand: EventDemand) -> pd.DataFrame:
    """Return region, team, slot_utc, in_event and what is told of every minute, in single precision."""
    table = demand.table(what="team")
    for name in ("region", "team"):
        table[name] = table[name].astype("category")
    numbers = table.select_dtypes("float64").columns
    return table.astype(dict.fromkeys(numbers, np.float32))


def peaks_of(published: Published) -> list[dict[str, Any]]:
    """Return each team's event: its total, its peak with quantiles, and the ingredients of that minute."""
    return [_peak(published, series) for series in range(len(published.state.names))]


def _peak(published: Published, series: int) -> dict[str, Any]:
    state, demand = published.state, published.demand
    region, team = state.calendar.region, state.names[series]
    told = demand.numbers(region, team)
    slot = told.peak.slot
    minute = np.array([demand.grid.epoch_min + slot], float)
    logs = {name: float(part[0, series]) for name, part in state.blend.parts(minute).items()}
    fall = waterfall_of(region, team, demand.grid.instant(slot), logs)
    busy = bool(in_event(minute, state.calendar)[0])
    launches = {name: float(one.median[0, series, slot]) for name, one in demand.launches.items()}
    return {
        "region": region,
        "team": team,
        "at": fall.at.isoformat(),
        "total_mean": told.total_mean,
        "organic_mean": told.organic_mean,
        "launch_mean": told.launch_mean,
        "expected": fall.forecast + sum(launches.values()),
        "organic": fall.forecast,
        "launches": {name: steps for name, steps in launches.items() if steps > 0},
        "size": {f"p{100 * q:g}": v for q, v in told.peak.size.items()},
        "minutes": {f"p{100 * q:g}": v for q, v in told.peak.minutes.items()},
        "days": told.peak.days,
        "past_events": state.past_events if busy else None,
        "calibrated_to": supported(state.past_events) if busy else told.peak.calibrated_to,
        "factors": [list(pair) for pair in fall.factors],
        "race": {name: scores[series] for name, scores in state.race.items()},
    }


def team_region(
    published: Published, series: int, peak: dict[str, Any], previous: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what a team's page tells of one region: the event there, and its peak."""
    state, grid = published.state, published.demand.grid
    first, last = published.demand.organic.spans[0]
    every = max(1, (last - first) // _PICTURE_POINTS)
    # The minute of the peak is drawn however far apart the others are.
    slots = np.union1d(
        np.arange(first, last, every), published.median[series, first:last].argmax() + first
    )
    median, low, high = (
        rows[series, slots] for rows in (published.median, published.low, published.high)
    )
    zone = ZoneInfo(state.calendar.zone)
    hour = state.calendar.slot_of_day(grid.minutes()[slots].astype(float))[0] // 60
    return {
        **peak,
        "at_local": _local(peak["at"], state.calendar.zone),
        "line": {
            "at": [grid.instant(int(slot)).astimezone(zone) for slot in slots],
            "p50": _rounded(median),
            "p10": _rounded(low),
            "p90": _rounded(high),
        },
        "spread": _spread(
            hour, np.log1p(np.stack([low, high], axis=1)) - np.log1p(median)[:, None]
        ),
        "change": change_of(peak, previous),
    }


def change_of(peak: dict[str, Any], previous: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return by what a published peak moved, and when the one before was; None where none was published."""
    if previous is None:
        return None
    told = [
        Waterfall(
            p["region"],
            p["team"],
            datetime.fromisoformat(p["at"]),
            tuple((n, f) for n, f in p["factors"]),
            p["expected"],
            tuple(p.get("launches", {}).items()),
        )
        for p in (previous, peak)
    ]
    moved = asdict(bridge(*told))
    return {
        **moved,
        "factors": [list(pair) for pair in moved["factors"]],
        "launches": [list(row) for row in moved["launches"]],
        "at": previous["at"],
    }


def _spread(hour: Array, away: Array) -> list[dict[str, Any]]:
    """Return the mean width of the 80 % band by local time of day, of the minutes drawn, as shares."""
    return [
        {
            "of": f"{first:02d}:00-{first + 3:02d}:00",
            "p10": float(np.expm1(mine[0])),
            "p90": float(np.expm1(mine[1])),
        }
        for first in range(0, 24, 3)
        if (here := (hour >= first) & (hour < first + 3)).any()
        for mine in [away[here].mean(axis=0)]
    ]


def _rounded(counts: Array) -> list[float]:
    return [round(float(v), 2) for v in counts]


def _local(at: str, zone: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"
