"""`gameday plan`: what would be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gameday.cli.replay import (
    DurationOption,
    EventOption,
    HistoryOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    SpeedOption,
    WindowOption,
    asked_of,
)

if TYPE_CHECKING:
    from gameday.game_day import Order
    from gameday.live import Show

__all__ = ["add_to", "say_plan"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(plan)


def plan(
    event: EventOption, window: WindowOption = "peak", speed: SpeedOption = None,
    duration: DurationOption = None, scale: ScaleOption = "auto", quantile: QuantileOption = None,
    history: HistoryOption = None, seed: SeedOption = 1,
    as_json: bool = typer.Option(False, "--json", help="print JSON"),
) -> None:  # fmt: skip
    """Say what a replay would send, slot by slot; send nothing.

    Example: gameday plan --event primeday --scale 0.01
    """
    from gameday.live import Show

    say_plan(_order(event, window, speed, duration, scale, quantile, history, seed), Show(),
             as_json=as_json)  # fmt: skip


def _order(
    event: str, window: str, speed: str | None, duration: str | None, scale: str,
    quantile: str | None, history: Path | None, seed: int,
) -> Order:  # fmt: skip
    from gameday.game_day import Order
    from gameday.vocabulary import Seed

    asked = asked_of(window, speed, duration, scale, quantile)
    return Order(event=event, seed=Seed(seed), out=Path("reports"), asked=asked, history=history)


def say_plan(order: Order, show: Show, *, as_json: bool) -> None:
    """Print the plan of an order; SafetyRefusal where a replay would refuse it."""
    from gameday.game_day import check_targets, foresee
    from gameday.safety import check_ceilings
    from gameday.scenario import build_cell, load_scenario

    scenario = load_scenario(order.event)
    _, _, plan = foresee(scenario, check_targets(order, scenario), show)
    played = plan.forecast * plan.scale / plan.speed
    cells = {
        stack: {name: station.servers for name, station in
                build_cell(scenario, stack, scale=plan.scale).stations.items()}
        for stack in scenario.stack_names
    }  # fmt: skip
    data: dict[str, Any] = {
        "schema_version": 1, "event": scenario.event.name,
        "window_start": plan.window.start.isoformat(), "window_end": plan.window.end.isoformat(),
        "lead_in_slots": plan.lead_in, "speed": plan.speed, "scale": plan.scale,
        "quantile": plan.quantile, "seed": plan.seed.root,
        "wall_s": plan.duration_s + plan.lead_in_s, "sessions": int(plan.played.sum()),
        "steps": round(float(played.sum())),
        "peak_steps_per_s": round(float(played.sum(axis=(0, 1)).max()) / plan.slot_wall_s, 1),
        "steps_per_slot": {
            region: dict(zip(plan.steps, played[r].round(1).tolist(), strict=True))
            for r, region in enumerate(plan.regions)
        },
        "sessions_per_slot": {
            region: dict(zip(plan.journeys, plan.played[r].tolist(), strict=True))
            for r, region in enumerate(plan.regions)
        },
        "cells": cells,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(data))
    else:
        _show_plan(data)
    check_ceilings(scenario, plan)


def _show_plan(data: dict[str, Any]) -> None:
    for name in ("window_start", "window_end", "lead_in_slots", "speed", "scale", "quantile",
                 "wall_s", "sessions", "steps", "peak_steps_per_s"):  # fmt: skip
        typer.echo(f"{name.replace('_', ' '):<18} {data[name]}")
    for stack, stations in data["cells"].items():
        shown = ", ".join(f"{name} {servers}" for name, servers in stations.items())
        typer.echo(f"cell of {stack:<10} {shown}")
