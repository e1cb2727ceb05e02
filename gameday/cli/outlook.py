"""`gameday forecast outlook`: years ahead, by week, with the year's peak, in steps and in compute."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from gameday.cli.options import EventOption, HistoryOption, SeedOption
from gameday.cli.past import told_past

if TYPE_CHECKING:
    from gameday.forecast import EventDemand
    from gameday.forecast.publication import Outlook
    from gameday.history import History
    from gameday.scenario import Scenario
    from gameday.vocabulary import Array

__all__ = ["add_to"]

_ALL, _COMPUTE = "all", "busy vCPUs"


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(outlook)


def outlook(
    event: EventOption,
    weeks: Annotated[int, typer.Option(min=1, max=156, help="how far ahead")] = 104,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    out: Annotated[
        Path | None, typer.Option(help="Parquet to write: every week, region and step")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Look two years ahead by the week, and at the highest minute of the next year, in steps and busy vCPUs.

    Example: gameday forecast outlook --event primeday --weeks 104
    """
    from gameday.forecast import forecast_demand
    from gameday.forecast.data import region_calendars
    from gameday.forecast.evaluation import main_kind
    from gameday.forecast.publication import look_ahead
    from gameday.scenario import load_scenario
    from gameday.traffic.fit import event_demand

    scenario = load_scenario(event)
    past = told_past(scenario, history, seed)
    known = past.known_before(scenario.history.until)
    calendars = list(region_calendars(scenario, known).values())
    sums = _sums(scenario, known)
    planned = event_demand(scenario, forecast_demand(scenario, past))
    found = look_ahead(known, calendars, main_kind(scenario), weeks=weeks, sums=sums, event=planned)
    data = _data(scenario, found, planned)
    if out is not None:
        _write(data, out)
        typer.echo(f"{out}", err=as_json)
    if as_json:
        typer.echo(json.dumps(data))
    else:
        _say(data)


def _sums(scenario: Scenario, known: History) -> dict[str, Array]:
    """Return all steps, and busy vCPUs: by how much each region's steps count in them."""
    import numpy as np

    from gameday.capacity import vcpus_per_step
    from gameday.vocabulary import TimeGrid

    ahead = TimeGrid(known.grid.end, 1440)
    each = [vcpus_per_step(scenario, region, ahead) for region in scenario.regions]
    return {_ALL: np.ones((len(each), len(scenario.steps))), _COMPUTE: np.stack(each)}


def _event_rows(planned: EventDemand, region: str) -> list[dict[str, Any]]:
    """Return what is told of the event in a region, by step and in all: as `gameday forecast show` prints it."""
    rows = []
    for step in (*planned.steps, _ALL):
        told = planned.numbers(region, step)
        rows.append(
            {
                "step": step,
                "total_mean": round(told.total_mean),
                "launch_mean": round(told.launch_mean),
                "at": planned.grid.instant(told.peak.slot).isoformat(),
                "peak": {f"p{100 * q:g}": round(v, 1) for q, v in told.peak.size.items()},
            }
        )
    return rows


def _data(scenario: Scenario, found: Outlook, planned: EventDemand) -> dict[str, Any]:
    import numpy as np

    regions = {}
    for row in found.regions:
        weekly = {f"p{100 * q:g}": t for q, t in row.totals.items()} | {"mean": row.means}
        peaks: dict[str, dict[str, Any]] = {
            name: {
                "day": day.isoformat(),
                "at": (day + timedelta(minutes=peak.slot)).isoformat(),
                "expected": round(peak.expected, 1),
                "size": {f"p{100 * q:g}": round(v, 1) for q, v in peak.size.items()},
                "calibrated_to": round(peak.calibrated_to, 3),
            }
            for name, day, peak in zip(found.series, row.peak_day, row.peaks, strict=True)
        }
        compute = peaks.pop(_COMPUTE)
        regions[row.region] = {
            "weeks": [at.isoformat() for at in row.weeks],
            "weeks_local": [
                f"{at.astimezone(ZoneInfo(scenario.regions[row.region].zone)):%Y-%m-%d}"
                for at in row.weeks
            ],
            "steps_a_week": {level: np.round(t[:-1]).tolist() for level, t in weekly.items()},
            "mean_vcpus": {
                level: np.round(t[-1] / (7 * 1440), 2).tolist() for level, t in weekly.items()
            },
            "event": _event_rows(planned, row.region),
            "peaks": peaks,
            "vcpus_at_peak": compute["size"],
            "vcpus_peak": compute,
            "daily_wape": round(row.wape, 4),
        }
    return {
        "schema_version": 3,
        "event": scenario.event.name,
        "steps": list(found.series[:-1]),
        "regions": regions,
        "notes": list(found.notes),
    }


def _write(data: dict[str, Any], file: Path) -> None:
    import pandas as pd

    from gameday.files import write_whole

    rows = [
        {
            "region": region,
            "step": step,
            "week_utc": week,
            **{level: block["steps_a_week"][level][s][w] for level in block["steps_a_week"]},
        }
        for region, block in data["regions"].items()
        for s, step in enumerate(data["steps"])
        for w, week in enumerate(block["weeks"])
    ]
    table = pd.DataFrame(rows)
    table["week_utc"] = pd.to_datetime(table["week_utc"], utc=True)
    write_whole(file, lambda path: table.to_parquet(path, index=False))


def _say(data: dict[str, Any]) -> None:
    for region, block in data["regions"].items():
        typer.echo(f"{region}: WAPE of a day on earlier origins {100 * block['daily_wape']:.1f} %")
        typer.echo(
            f"  {'week of':<12}{'steps p10':>14}{'p50':>14}{'p90':>14}{'mean busy vCPUs p50':>22}"
        )
        last = len(block["weeks"]) - 1
        for index in sorted({0, *range(3, last, 13), last}):
            totals = [block["steps_a_week"][q][-1][index] for q in ("p10", "p50", "p90")]
            typer.echo(
                f"  {block['weeks_local'][index]:<12}"
                + "".join(f"{t:>14,.0f}" for t in totals)
                + f"{block['mean_vcpus']['p50'][index]:>22,.1f}"
            )
        _say_event(data["event"], block["event"])
        for step, peak in block["peaks"].items():
            size = peak["size"]
            typer.echo(
                f"  year's highest minute of {step:<12} {peak['at'][:16]}Z: {size['p50']:,.0f} a minute"
                + (f" (p10 {size['p10']:,.0f}, p90 {size['p90']:,.0f})" if "p90" in size else "")
            )
        compute = block["vcpus_peak"]
        typer.echo(
            f"  year's most busy vCPUs {compute['at'][:16]}Z: "
            f"{', '.join(f'{q} {v:,.0f}' for q, v in compute['size'].items())}"
        )
    for note in data["notes"]:
        typer.echo(f"  {note}")


def _say_event(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the event's own row: its total, and its highest minute, launches included."""
    whole = rows[-1]
    added = f", {whole['launch_mean']:,} of them of launches" if whole["launch_mean"] else ""
    size = ", ".join(f"{level} {value:,.0f}" for level, value in whole["peak"].items())
    typer.echo(
        f"  {name}: {whole['total_mean']:,} steps expected{added}; highest minute "
        f"{whole['at'][:16]}Z: {size}"
    )
