"""`gameday forecast breaks`: where the past began to grow otherwise, for a person to declare or not."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gameday.cli.options import EventOption, HistoryOption, SeedOption
from gameday.cli.past import told_past
from gameday.errors import UsageError

__all__ = ["add_to"]


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(breaks)


def breaks(
    event: EventOption,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Propose slope breaks of each region's total: days from which it grows otherwise (needs the extra ruptures).

    One with a reason goes to forecast.ingredients.trend.slope_breaks; none is used by itself.

    Example: gameday forecast breaks --event primeday
    """
    from importlib.util import find_spec

    from gameday.forecast.data import prepare, propose_breaks, region_calendars, tells_minutes
    from gameday.scenario import load_scenario

    if find_spec("ruptures") is None:
        raise UsageError("forecast breaks needs ruptures: pip install 'gameday[ruptures]'")
    scenario = load_scenario(event)
    known = told_past(scenario, history, seed).known_before(scenario.history.until)
    calendars = list(region_calendars(scenario, known).values())
    pasts, _ = prepare(calendars, known, by_day=not tells_minutes(known))
    found = [one for past in pasts for one in propose_breaks(past)]
    if as_json:
        rows = [
            {
                "region": one.region,
                "at": one.start.isoformat(),
                "before_per_year": one.before_per_year,
                "after_per_year": one.after_per_year,
            }
            for one in found
        ]
        typer.echo(json.dumps({"schema_version": 1, "event": scenario.event.name, "breaks": rows}))
        return
    for one in found:
        typer.echo(
            f"{one.region}: from {one.start:%Y-%m-%d} on x {one.after_per_year:.2f} a year, "
            f"before x {one.before_per_year:.2f}"
        )
    if not found:
        typer.echo("no day from which a region's total clearly grows otherwise")
