"""Years ahead: every week, the next year's highest minute, and the event that is planned, in steps and vCPUs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pydantic import Field

from gameday.capacity import vcpus_per_step
from gameday.files import write_whole
from gameday.forecast import EventDemand, forecast_demand
from gameday.forecast.data import region_calendars, tells_minutes
from gameday.forecast.evaluation import main_kind
from gameday.forecast.publication import Outlook, RegionOutlook, look_ahead
from gameday.history import History, read_history
from gameday.live import Show
from gameday.products import IsoInstant
from gameday.scenario import Scenario, load_scenario
from gameday.traffic.fit import event_demand
from gameday.vocabulary import Array, Seed, TimeGrid

__all__ = ["EventRow", "OutlookAnswer", "OutlookOrder", "YearPeak", "YearsAhead", "outlook"]

Value = TypeVar("Value")

_ALL, _COMPUTE = "all", "busy vCPUs"
_WEEK_MIN = 7 * 1440


@dataclass(frozen=True, slots=True)
class OutlookOrder:
    """An outlook as it is asked for."""

    event: str
    """A bundled scenario's name, or a YAML file."""
    seed: Seed
    weeks: int = 104
    """How far ahead."""
    history: Path | None = None
    out: Path | None = None
    """Parquet to write: every week, region and step."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """The planned event in one region, of one step or of all."""

    step: str
    total_mean: int
    """Steps expected, launches included."""
    launch_mean: int
    """What of it launches are."""
    instant: Annotated[IsoInstant, Field(alias="at")]
    """When its highest minute is expected, UTC."""
    peak: dict[str, float]
    """Name of a quantile, as p90 -> steps in that minute, whenever it comes."""


@dataclass(frozen=True, slots=True)
class YearPeak:
    """The highest minute of the next year: steps a minute, or busy vCPUs."""

    day: IsoInstant
    """When its day begins there, UTC."""
    instant: Annotated[IsoInstant, Field(alias="at")]
    """When it is expected, UTC."""
    expected: float
    size: dict[str, float]
    """Name of a quantile -> the same, whenever it comes."""
    calibrated_to: float
    """The highest quantile that the past supports."""


@dataclass(frozen=True, slots=True)
class YearsAhead:
    """One region's years ahead; levels are p10, p50, p90 and mean."""

    weeks: tuple[IsoInstant, ...]
    """Local Mondays' beginnings, UTC."""
    weeks_local: tuple[str, ...]
    """Their dates there."""
    steps_a_week: dict[str, list[list[float]]]
    """Level -> count, rows by `OutlookAnswer.steps`, columns by `weeks`."""
    mean_vcpus: dict[str, list[float]]
    """Level -> busy vCPUs, on average over each week."""
    event: tuple[EventRow, ...]
    """By step, and last of all."""
    peaks: dict[str, YearPeak]
    """Step -> its peak."""
    vcpus_at_peak: dict[str, float]
    """The sizes of `vcpus_peak`."""
    vcpus_peak: YearPeak | None
    """None, and no peaks nor event, where rows are of days: nothing tells how a day goes."""
    daily_wape: float
    """Of a day, on earlier origins."""


@dataclass(frozen=True, slots=True)
class OutlookAnswer:
    """All regions' years ahead."""

    event: str
    steps: tuple[str, ...]
    """And `all`, last."""
    regions: dict[str, YearsAhead]
    notes: tuple[str, ...]


def outlook(order: OutlookOrder, show: Show) -> OutlookAnswer:
    """Forecast the years ahead, and write the weeks where that is asked for.

    HistoryError where less than 56 days are known. What was mended in the past is said to `show`.
    """
    scenario = load_scenario(order.event)
    past = read_history(scenario, file=order.history, seed=order.seed)
    for note in past.notes:
        show.say(f"history: {note}")
    known = past.known_before(scenario.history.until)
    planned = _planned(scenario, past) if tells_minutes(known) else None
    found = look_ahead(
        known,
        list(region_calendars(scenario, known).values()),
        main_kind(scenario),
        weeks=order.weeks,
        sums=_sums(scenario, known),
        event=planned,
    )
    answer = _answer(scenario, found, planned)
    if order.out is not None:
        _write(answer, order.out)
    return answer


def _planned(scenario: Scenario, past: History) -> EventDemand:
    return event_demand(scenario, forecast_demand(scenario, past))


def _sums(scenario: Scenario, known: History) -> dict[str, Array]:
    """Return all steps, and busy vCPUs: by how much each region's steps count in them."""
    ahead = TimeGrid(known.grid.end, 1440)
    vcpus = [vcpus_per_step(scenario, region, ahead) for region in scenario.regions]
    return {_ALL: np.ones((len(vcpus), len(scenario.steps))), _COMPUTE: np.stack(vcpus)}


def _answer(scenario: Scenario, found: Outlook, planned: EventDemand | None) -> OutlookAnswer:
    regions = {
        row.region: _years_ahead(
            row,
            found.series,
            ZoneInfo(scenario.regions[row.region].zone),
            () if planned is None else tuple(_event_rows(planned, row.region)),
        )
        for row in found.regions
    }
    return OutlookAnswer(scenario.event.name, found.series[:-1], regions, found.notes)


def _years_ahead(
    found: RegionOutlook, series: tuple[str, ...], zone: ZoneInfo, event: tuple[EventRow, ...]
) -> YearsAhead:
    """Return what is told of a region; of the `series`, the last are busy vCPUs."""
    weekly = _by_level(found.totals) | {"mean": found.means}
    told: list[YearPeak | None] = [*_year_peaks(found)]
    *peaks, vcpus = told or [None]
    return YearsAhead(
        weeks=found.weeks,
        weeks_local=tuple(f"{week.astimezone(zone):%Y-%m-%d}" for week in found.weeks),
        steps_a_week={level: np.round(t[:-1]).tolist() for level, t in weekly.items()},
        mean_vcpus={level: np.round(t[-1] / _WEEK_MIN, 2).tolist() for level, t in weekly.items()},
        event=event,
        peaks={step: peak for step, peak in zip(series, peaks, strict=False) if peak is not None},
        vcpus_at_peak={} if vcpus is None else vcpus.size,
        vcpus_peak=vcpus,
        daily_wape=round(found.wape, 4),
    )


def _year_peaks(found: RegionOutlook) -> Iterator[YearPeak]:
    """Yield the highest minute of the next year of each series."""
    for day, peak in zip(found.peak_day, found.peaks, strict=True):
        yield YearPeak(
            day=day,
            instant=day + timedelta(minutes=peak.slot),
            expected=round(peak.expected, 1),
            size={level: round(size, 1) for level, size in _by_level(peak.size).items()},
            calibrated_to=round(peak.calibrated_to, 3),
        )


def _event_rows(planned: EventDemand, region: str) -> Iterator[EventRow]:
    """Yield what is told of the event in a region, by step and in all: as `gameday forecast show` prints it."""
    for step in (*planned.steps, _ALL):
        numbers = planned.numbers(region, step)
        size = _by_level(numbers.peak.size)
        yield EventRow(
            step=step,
            total_mean=round(numbers.total_mean),
            launch_mean=round(numbers.launch_mean),
            instant=planned.grid.instant(numbers.peak.slot),
            peak={level: round(value, 1) for level, value in size.items()},
        )


def _by_level(values: dict[float, Value]) -> dict[str, Value]:
    """Return name of a quantile, as p90 -> its value."""
    return {f"p{100 * level:g}": value for level, value in values.items()}


def _write(answer: OutlookAnswer, file: Path) -> None:
    """Write every week, region and step as Parquet."""
    rows = [
        {
            "region": region,
            "step": step,
            "week_utc": week.isoformat(),
            **{level: counts[s][w] for level, counts in ahead.steps_a_week.items()},
        }
        for region, ahead in answer.regions.items()
        for s, step in enumerate(answer.steps)
        for w, week in enumerate(ahead.weeks)
    ]
    table = pd.DataFrame(rows)
    table["week_utc"] = pd.to_datetime(table["week_utc"], utc=True)
    write_whole(file, lambda path: table.to_parquet(path, index=False))
