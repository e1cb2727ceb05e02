"""`gameday forecast backtest`: how good it would have been, beside what people would use instead."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.options import RivalsOption, SeedOption
from gameday.errors import HistoryError, UsageError
from gameday.history.readers import readable_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from gameday.forecast.data import RegionCalendar
    from gameday.forecast.evaluation import Backtest
    from gameday.forecast.rivals import Rival
    from gameday.history import History

__all__ = ["add_to"]

_MOST_POINTS = 600
_MUCH = 0.03
"""A share of a past that is left out and worth a warning: robots are 2 % of logs known to have them."""


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(backtest)


def backtest(
    event: Annotated[str | None, typer.Option(help="whose calendar counts; default none")] = None,
    history: Annotated[
        Path | None, typer.Option(help=f"{readable_kinds()}; default the scenario's own")
    ] = None,
    horizon: Annotated[str, typer.Option(help="how far ahead, as 7d")] = "7d",
    origins: Annotated[int, typer.Option(min=1, max=50, help="how many, a horizon apart")] = 3,
    grain: Annotated[str, typer.Option(help="minute or day")] = "minute",
    rivals: RivalsOption = "installed",
    zone: Annotated[str, typer.Option(help="clock of the customers, without a scenario")] = "UTC",
    country: Annotated[
        str | None, typer.Option(help="whose public holidays, without a scenario, as GB")
    ] = None,
    seed: SeedOption = 1,
    page: Annotated[Path | None, typer.Option(help="HTML file: the same with a picture")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Score the forecast on a history, from several origins, beside seasonal naive and what else is installed.

    Example: gameday forecast backtest --history counts.parquet --horizon 7d --origins 3
    """
    from gameday.forecast.evaluation import backtest as rooms
    from gameday.forecast.rivals import chosen_rivals

    if grain not in ("minute", "day"):
        raise UsageError(f"--grain: must be minute or day (got '{grain}')")
    ahead = _horizon(horizon, grain)
    calendars, past, kind = _what(event, history, zone, country, seed)
    beside = chosen_rivals(rivals, by_day=grain == "day")
    found = rooms.backtest(
        calendars,
        past,
        origins=rooms.origins_of(past, ahead, origins),
        horizon_min=ahead,
        kind=kind,
        rivals=beside,
        by_day=grain == "day",
    )
    data = _data(found, past, grain)
    if event is not None and grain == "minute":
        data |= _published(event, past, beside)
    if page is not None:
        from gameday.report import render_backtest

        typer.echo(f"{render_backtest(data, page)}", err=as_json)
    if as_json:
        typer.echo(json.dumps(data))
    else:
        _say(data)


def _published(event: str, past: History, rivals: list[Rival]) -> dict[str, Any]:
    """Return what the event's forecast says of itself, as `forecast show` prints it."""
    from gameday.forecast import benchmark_forecast
    from gameday.forecast.evaluation import backtest_wape
    from gameday.scenario import load_scenario

    try:
        race = benchmark_forecast(load_scenario(event), past, rivals)
    except HistoryError as error:
        return {"backtest_wape": None, "race": [], "untold": str(error)}
    return {"backtest_wape": backtest_wape(race), "race": race}


def _horizon(text: str, grain: str) -> int:
    """Return minutes; UsageError says how it is written and what the least is."""
    from gameday.scenario import parse_duration

    try:
        ahead = round(parse_duration(text) / 60)
    except ValueError as error:
        raise UsageError(f"--horizon: {error} (got '{text}')") from None
    least = 1440 if grain == "day" else 60
    if ahead < least:
        raise UsageError(
            f"--horizon: must be at least {least // 60}h by the {grain} (got '{text}')"
        )
    return ahead


def _what(
    event: str | None, file: Path | None, zone: str, country: str | None, seed: int
) -> tuple[Callable[[History], list[RegionCalendar]], History, str]:
    """Return calendars by what is known, the past, and the kind of event that counts."""
    from gameday.forecast.data import bare_calendars, check_place, region_calendars
    from gameday.forecast.evaluation import main_kind
    from gameday.history import read_any_history, read_history
    from gameday.scenario import load_scenario
    from gameday.vocabulary import Seed

    if event is not None:
        scenario = load_scenario(event)
        past = read_history(scenario, file=file, seed=Seed(seed))
        return (
            lambda known: list(region_calendars(scenario, known).values()),
            past,
            main_kind(scenario),
        )
    if file is None:
        raise UsageError("give --history FILE, or --event NAME whose past is made up")
    check_place(zone, country)
    past = read_any_history(file, time_zone=zone)
    return lambda known: bare_calendars(known, zone, country), past, "sale"


def _data(found: Backtest, past: History, grain: str) -> dict[str, Any]:
    import numpy as np

    from gameday.forecast.evaluation import thin

    rows = [
        {
            "model": s.model,
            "region": s.region,
            "step": s.step,
            "origin": _stamp(s.origin_min),
            **s.accuracy.row(),
        }
        for s in found.scored
    ]
    every = max(1, -(-len(found.drawn["at"]) // _MOST_POINTS))
    drawn: dict[str, Any] = {
        name: thin(values, np.arange(0, len(values), every))
        for name, values in found.drawn.items()
        if name != "at"
    }
    drawn["at"] = [_stamp(minute) for minute in found.drawn["at"][::every]]
    return {
        "schema_version": 1,
        "history": past.source,
        "sha256": past.sha256,
        "grain": grain,
        "horizon_days": found.horizon_min / 1440,
        "series": len(past.regions) * len(past.steps),
        "origins": sorted({row["origin"] for row in rows}),
        "models": {name: found.mean(name).row() for name in found.models},
        "rows": rows,
        "drawn": drawn,
        "notes": [*past.notes, *_untold(rows), *_left_out(found)],
    }


def _untold(rows: list[dict[str, Any]]) -> list[str]:
    """Return a note where scores cannot be told: nothing was known, or nothing counted."""
    gone = [row for row in rows if row["wape"] is None]
    if not gone:
        return []
    one = gone[0]
    return [
        f"{len(gone)} of {len(rows)} scores cannot be told, the first of {one['model']} for {one['region']} "
        f"{one['step']} from {one['origin']}: no count above 0 was known in its horizon, or nothing was said"
    ]


def _left_out(found: Backtest) -> list[str]:
    if found.masked_share < _MUCH:
        return []
    return [
        f"{100 * found.masked_share:.1f} % of what was known was left out as robots, outages or glitches: more "
        "than is usual; `gameday forecast outliers` lists it, and forecast.keep keeps what was customers'"
    ]


def _stamp(minute: float) -> str:
    return f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%dT%H:%MZ}"


def _say(data: dict[str, Any]) -> None:
    from gameday.forecast.evaluation import benchmark_words

    typer.echo(
        f"{data['history']}: {len(data['origins'])} origins, {data['horizon_days']:g} days ahead by the "
        f"{data['grain']}, {data['series']} series; fitted anew at each; all scored over the same minutes"
    )
    heads = (
        ("wape", "WAPE"),
        ("mase", "MASE"),
        ("rmsse", "RMSSE"),
        ("wql", "wQL"),
        ("coverage_80", "in 80 %"),
        ("coverage_95", "in 95 %"),
        ("bias", "bias"),
        ("peak_size", "peak"),
        ("peak_minutes", "off, min"),
    )
    typer.echo(f"{'model':<18}" + "".join(f"{title:>10}" for _, title in heads))
    for name, row in data["models"].items():
        cells = ["-" if row[key] is None else f"{row[key]:.3f}" for key, _ in heads[:-1]]
        cells.append("-" if row["peak_minutes"] is None else f"{row['peak_minutes']:.0f}")
        typer.echo(f"{name:<18}" + "".join(f"{cell:>10}" for cell in cells))
    if "race" in data:
        typer.echo(
            "of the event's own forecast, on its own origins: "
            f"{data.get('untold') or benchmark_words(data['race'])}"
        )
    for note in data["notes"]:
        typer.echo(f"  {note}")
