"""`gameday simulate`: the event in the queueing model, and what would change it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import (
    CalibrationOption,
    DemandOption,
    EventOption,
    HistoryOption,
    InjectOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    SpareOption,
    WindowOption,
    asked_of,
    check_folder,
)
from gameday.cli.streams import verdict_stands

if TYPE_CHECKING:
    from gameday.jobs.rehearsal import Rehearsal
    from gameday.live import Show

__all__ = ["add_to"]

WhatIfOption = Annotated[
    list[str] | None,
    typer.Option(help="as 'checkout.instances = 40' or 'forecast = 1.3x'; may be repeated"),
]
HeadroomOption = Annotated[
    bool,
    typer.Option(
        "--headroom",
        help="find the multiple of the forecast each objective bears: some ten variants more",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(simulate)


def simulate(
    event: EventOption,
    window: WindowOption = "peak",
    scale: ScaleOption = "auto",
    quantile: QuantileOption = None,
    history: HistoryOption = None,
    demand: DemandOption = None,
    calibration: CalibrationOption = None,
    seed: SeedOption = 1,
    what_if: WhatIfOption = None,
    headroom: HeadroomOption = False,
    inject: InjectOption = None,
    spare: SpareOption = True,
    replications: Annotated[int, typer.Option(min=2, max=1000, help="of each variant")] = 10,
    budget: Annotated[
        float, typer.Option(min=1, max=86400, help="seconds a variant; sets an auto scale")
    ] = 30.0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes; default: the cores")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="a dask scheduler, as tcp://HOST:8786")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder of the pictures")] = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Rehearse an event in the queueing model, at real speed after an hour of warm-up; send nothing.

    Example: gameday simulate --event primeday --what-if 'checkout.instances = 40'
    """
    from gameday.jobs.one_run.order import Past
    from gameday.jobs.rehearse import RehearsalOrder, checked, rehearse_order
    from gameday.live import Show
    from gameday.vocabulary import Seed

    order = RehearsalOrder(
        event=event,
        seed=Seed(seed),
        asked=asked_of(window, "1x", None, scale, quantile),
        past=Past(history, demand),
        calibration=calibration,
        what_if=tuple(what_if or ()),
        inject=tuple(inject or ()),
        headroom=headroom,
        n_minus_one=spare,
        replications=replications,
        budget_s=budget,
        workers=workers,
        cluster=cluster,
    )
    can_be_played, show = checked(order), Show()
    check_folder(out)
    result = rehearse_order(can_be_played, show)
    _tell(result, out, show, as_json=as_json)
    raise typer.Exit(result.exit_code())


def _tell(result: Rehearsal, out: Path, show: Show, *, as_json: bool) -> None:
    """Print what was found before it is drawn; JSON names its page, so that comes last."""
    from gameday.cli.texts.rehearsal_text import drawn, say
    from gameday.products import to_json
    from gameday.report import render_rehearsal

    told = to_json(result, schema_version=3) | {"drawn": drawn(result)}
    page = out / result.event / f"rehearsal-{datetime.now(UTC):%Y%m%dT%H%M%S}.html"
    with verdict_stands(f"the pictures are in {page}"):
        if not as_json:
            say(result)
    with show.phase("pictures"):
        told["page"] = str(render_rehearsal(told, page))
    with verdict_stands(f"the pictures are in {page}"):
        typer.echo(json.dumps(told, allow_nan=False) if as_json else f"pictures: {page}")
