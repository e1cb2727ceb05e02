"""How good a forecast would have been on a history, beside what people would use instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from gameday.errors import HistoryError, UsageError
from gameday.forecast import benchmark_forecast
from gameday.forecast.data import (
    RegionCalendar,
    bare_calendars,
    check_place,
    region_calendars,
)
from gameday.forecast.evaluation import (
    Backtest,
    RoundedAccuracy,
    backtest_forecast,
    backtest_wape,
    main_kind,
    origins_of,
    thin,
)
from gameday.forecast.rivals import Rival, chosen_rivals
from gameday.history import History, read_any_history, read_history
from gameday.products import WhereKnown, to_json
from gameday.scenario import Scenario, load_scenario
from gameday.vocabulary import Seed

__all__ = ["BacktestAnswer", "BacktestOrder", "SeriesAccuracy", "backtest", "backtest_json"]

_MOST_POINTS = 600
_MUCH = 0.03
"""A share of a past that is left out and worth a warning: robots are 2 % of logs known to have them."""


@dataclass(frozen=True, slots=True)
class BacktestOrder:
    """A backtest as it is asked for: of an event's past, or of a history that no scenario describes."""

    horizon_min: int
    """How far ahead is forecast, minutes."""
    event: str | None
    """A bundled scenario's name, or a YAML file; None: `history` alone."""
    history: Path | None
    """None: the scenario's own."""
    seed: Seed
    origins: int = 3
    """How many, a horizon apart."""
    by_day: bool = False
    """Whether days are forecast, not minutes."""
    rivals: str = "installed"
    """As `chosen_rivals` reads them."""
    zone: str = "UTC"
    """Clock of the customers, without a scenario."""
    country: str | None = None
    """Whose public holidays, without a scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesAccuracy(RoundedAccuracy):
    """One model's scores of one series from one origin."""

    model: str
    region: str
    step: str
    origin: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class DrawnSeries:
    """The first series as drawn, means over stretches of equal length."""

    instants: list[str]
    """UTC, ISO 8601."""
    counts: dict[str, list[float | None]]
    """`actual`, and each model -> counts a slot; None where unknown."""


@dataclass(frozen=True, slots=True)
class OwnBenchmark:
    """What the event's forecast says of itself, on its own origins."""

    backtest_wape: float | None
    """None where it cannot be told."""
    race: tuple[tuple[str, float], ...]
    """Name -> WAPE over the same minutes, the forecast first."""
    untold: Annotated[str | None, WhereKnown] = None
    """Why nothing can be told."""


@dataclass(frozen=True, slots=True)
class BacktestAnswer:
    """The scores of the forecast and of its rivals."""

    history: str
    """Its source."""
    sha256: str
    grain: str
    """minute or day."""
    horizon_days: float
    series: int
    origins: list[str]
    """UTC, ISO 8601, earliest first."""
    models: dict[str, RoundedAccuracy]
    """Name -> mean over origins and series, the forecast first."""
    rows: tuple[SeriesAccuracy, ...]
    drawn: DrawnSeries
    notes: tuple[str, ...]
    own: OwnBenchmark | None
    """None without an event, or by the day."""


def backtest(order: BacktestOrder) -> BacktestAnswer:
    """Score the forecast on a history, from several origins; HistoryError where it is too short for one.

    UsageError where the order names what there is not.
    """
    scenario = None if order.event is None else load_scenario(order.event)
    past = _past(order, scenario)
    rivals = chosen_rivals(order.rivals, by_day=order.by_day)
    found = backtest_forecast(
        _calendars(order, scenario),
        past,
        origins=origins_of(past, order.horizon_min, order.origins),
        horizon_min=order.horizon_min,
        kind="sale" if scenario is None else main_kind(scenario),
        rivals=rivals,
        by_day=order.by_day,
    )
    own = None if scenario is None or order.by_day else _own_benchmark(scenario, past, rivals)
    return _answer(found, past, own, grain="day" if order.by_day else "minute")


def backtest_json(answer: BacktestAnswer) -> dict[str, Any]:
    """Return a backtest as `gameday forecast backtest --json` prints it: what the event says of itself flat."""
    fields = to_json(answer, schema_version=1)
    drawn, own = fields.pop("drawn"), fields.pop("own")
    return fields | {"drawn": drawn["counts"] | {"at": drawn["instants"]}} | (own or {})


def _past(order: BacktestOrder, scenario: Scenario | None) -> History:
    """Return the past that is scored on."""
    if scenario is not None:
        return read_history(scenario, file=order.history, seed=order.seed)
    if order.history is None:
        raise UsageError("give --history FILE, or --event NAME whose past is made up")
    check_place(order.zone, order.country)
    return read_any_history(order.history, time_zone=order.zone)


def _calendars(
    order: BacktestOrder, scenario: Scenario | None
) -> Callable[[History], Sequence[RegionCalendar]]:
    """Return what gives the regions' calendars as known with so much of the past."""
    if scenario is None:
        return lambda known: bare_calendars(known, order.zone, order.country)
    return lambda known: list(region_calendars(scenario, known).values())


def _own_benchmark(scenario: Scenario, past: History, rivals: Sequence[Rival]) -> OwnBenchmark:
    """Return what the event's forecast says of itself, as `forecast show` prints it."""
    try:
        race = benchmark_forecast(scenario, past, rivals)
    except HistoryError as error:
        return OwnBenchmark(None, (), str(error))
    return OwnBenchmark(backtest_wape(race), race)


def _answer(
    found: Backtest, past: History, own: OwnBenchmark | None, *, grain: str
) -> BacktestAnswer:
    rows = tuple(
        SeriesAccuracy(
            model=scored.model,
            region=scored.region,
            step=scored.step,
            origin=_stamp(scored.origin_min),
            **asdict(scored.accuracy.rounded()),
        )
        for scored in found.scored
    )
    return BacktestAnswer(
        history=past.source,
        sha256=past.sha256,
        grain=grain,
        horizon_days=found.horizon_min / 1440,
        series=len(past.regions) * len(past.steps),
        origins=sorted({row.origin for row in rows}),
        models={name: found.mean(name).rounded() for name in found.models},
        rows=rows,
        drawn=_drawn(found),
        notes=(*past.notes, *_untold(rows), *_left_out(found)),
        own=own,
    )


def _drawn(found: Backtest) -> DrawnSeries:
    begins = found.drawn["at"]
    every = max(1, -(-len(begins) // _MOST_POINTS))
    stretches = np.arange(0, len(begins), every)
    counts = {name: thin(values, stretches) for name, values in found.drawn.items() if name != "at"}
    return DrawnSeries([_stamp(minute) for minute in begins[::every]], counts)


def _untold(rows: tuple[SeriesAccuracy, ...]) -> list[str]:
    """Return a note where scores cannot be told: nothing was known, or nothing counted."""
    gone = [row for row in rows if row.wape is None]
    if not gone:
        return []
    first = gone[0]
    return [
        f"{len(gone)} of {len(rows)} scores cannot be told, the first of {first.model} for {first.region} "
        f"{first.step} from {first.origin}: no count above 0 was known in its horizon, or nothing was said"
    ]


def _left_out(found: Backtest) -> list[str]:
    """Return a note where much of the past was left out."""
    if found.masked_share < _MUCH:
        return []
    return [
        f"{100 * found.masked_share:.1f} % of what was known was left out as robots, outages or glitches: more "
        "than is usual; `gameday forecast outliers` lists it, and forecast.keep keeps what was customers'"
    ]


def _stamp(minute: float) -> str:
    return f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%dT%H:%MZ}"
