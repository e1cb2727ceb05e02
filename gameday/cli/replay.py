"""`gameday replay`: the main job."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import (
    BudgetOption,
    CalibrationOption,
    CapacityOption,
    DeclaredOption,
    DemandOption,
    DriftOption,
    DurationOption,
    EventOption,
    HistoryOption,
    InjectOption,
    KeyOption,
    LadderOption,
    ListenOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    ShopOption,
    SpareOption,
    SpeedOption,
    WindowOption,
    asked_of,
    drift_of,
    ladder_of,
    listen_of,
    seconds_of,
    targets_of,
)
from gameday.cli.streams import verdict_stands
from gameday.cli.texts.replayed import say_run

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(replay)


def replay(
    event: EventOption,
    target: Annotated[
        list[str] | None, typer.Option(help="URL, or STACK=URL; default: the embedded shop")
    ] = None,
    window: WindowOption = "peak",
    speed: SpeedOption = None,
    duration: DurationOption = None,
    scale: ScaleOption = "auto",
    quantile: QuantileOption = None,
    calibration: CalibrationOption = None,
    capacity: CapacityOption = None,
    as_declared: DeclaredOption = False,
    shop: ShopOption = None,
    budget: BudgetOption = None,
    ladder: LadderOption = None,
    inject: InjectOption = None,
    spare: SpareOption = True,
    drift: DriftOption = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Locust processes")] = 1,
    listen: ListenOption = None,
    key_file: KeyOption = None,
    history: HistoryOption = None,
    demand: DemandOption = None,
    seed: SeedOption = 1,
    warn_exit: Annotated[
        int, typer.Option("--warn-exit", help="exit code of WARN: 0, 1 or 10")
    ] = 10,
    out: Annotated[Path, typer.Option(help="folder of all runs")] = Path("reports"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be sent; send nothing")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Play an event: forecast, model, swarm, findings, capacity requests, report.

    Example: gameday replay --event primeday --window peak --speed 20x
    """
    from gameday.jobs.one_run.order import Order, Past
    from gameday.jobs.replay import replay_order
    from gameday.live import Show
    from gameday.report import summary_json
    from gameday.vocabulary import Seed

    order = Order(
        event=event,
        seed=Seed(seed),
        out=out,
        past=Past(history, demand),
        workers=workers,
        listen=listen_of(listen, key_file, makes_key=not dry_run),
        asked=asked_of(window, speed, duration, scale, quantile),
        targets=targets_of(target or []),
        calibration=calibration,
        capacity=capacity,
        as_declared=as_declared,
        shop=shop,
        budget_s=None if budget is None else seconds_of("--budget", budget),
        ladder=ladder_of(ladder),
        warn_exit=warn_exit,
        inject=tuple(inject or ()),
        n_minus_one=spare,
        drift=drift_of(drift),
        command="gameday " + shlex.join(sys.argv[1:]),
    )
    if dry_run:
        from gameday.cli.plan import say_plan

        say_plan(order, Show(quiet=quiet), as_json=as_json)
        return
    result = replay_order(order, Show(quiet=quiet))
    with verdict_stands(f"the report is {result.folder / 'report.html'}"):
        if as_json:
            told = summary_json(result.summary, result.loaded.played)
            typer.echo(json.dumps(told | {"folder": str(result.folder)}))
        else:
            say_run(result.summary, result.folder)
    raise typer.Exit(result.summary.verdict.exit_code)
