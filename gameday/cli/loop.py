"""`gameday loop`: replay, order by rule, place, and replay again."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import (
    BudgetOption,
    CalibrationOption,
    DurationOption,
    EventOption,
    HistoryOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    ShopOption,
    SpareOption,
    SpeedOption,
    WindowOption,
    asked_of,
    seconds_of,
    targets_of,
)

if TYPE_CHECKING:
    from gameday.jobs.loop import Looped, Round
    from gameday.jobs.replay import Replayed

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    app.command()(loop)


def loop(
    event: EventOption,
    until_pass: Annotated[
        bool,
        typer.Option(
            "--until-pass/--all-rounds", help="end with the first PASS, or play all rounds"
        ),
    ] = True,
    max_rounds: Annotated[int, typer.Option(min=1, max=50, help="replays at most")] = 5,
    budget_usd: Annotated[
        float | None,
        typer.Option(min=0, help="what all that is placed may cost; default: the operator's rules"),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="URL, or STACK=URL; default: the embedded shop")
    ] = None,
    window: WindowOption = "peak",
    speed: SpeedOption = None,
    duration: DurationOption = None,
    scale: ScaleOption = "auto",
    quantile: QuantileOption = None,
    spare: SpareOption = True,
    calibration: CalibrationOption = None,
    shop: ShopOption = None,
    budget: BudgetOption = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Locust processes")] = 1,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    out: Annotated[Path, typer.Option(help="folder of all runs")] = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="print the rounds as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Replay, size, approve by the operator's rules, place in the embedded shop, and replay again until it passes.

    Against a target of yours nothing is placed: it ends with what is approved, for you to place.
    Example: gameday loop --event primeday --until-pass --max-rounds 5 --budget-usd 5000
    """
    from gameday.jobs.loop import loop_order
    from gameday.jobs.one_run.order import Order, Past
    from gameday.live import Show
    from gameday.vocabulary import Seed

    order = Order(
        event=event,
        seed=Seed(seed),
        out=out,
        past=Past(history),
        workers=workers,
        asked=asked_of(window, speed, duration, scale, quantile),
        targets=targets_of(target or []),
        calibration=calibration,
        shop=shop,
        budget_s=None if budget is None else seconds_of("--budget", budget),
        n_minus_one=spare,
        command="gameday " + shlex.join(sys.argv[1:]),
    )

    def told(number: int, replayed: Replayed, done: Round) -> None:
        for line in () if as_json else _round_lines(number, done):
            typer.echo(line)

    done = loop_order(
        order,
        rounds=max_rounds,
        until_pass=until_pass,
        budget_usd=budget_usd,
        show=lambda number: Show(quiet=quiet),
        told=told,
    )
    _say(done, as_json=as_json)
    raise typer.Exit(done.exit_code)


def _round_lines(number: int, done: Round) -> list[str]:
    """Return a round in lines."""
    lines = [f"round {number}: {done.verdict}, run {done.run}: {done.folder / 'report.html'}"]
    lines += [f"  {reason}" for reason in done.reasons[:4]]
    if len(done.reasons) > 4:
        lines.append(f"  and {len(done.reasons) - 4} more")
    if done.lives:
        lines.append(f"  {done.lives}")
    lines += [f"  approved: {line}" for line in done.approved]
    lines += [f"  not approved: {name}: {why}" for name, why in done.left]
    lines.append(f"  {done.placed} requests at work, USD {done.usd:,.0f}")
    return lines


def _say(done: Looped, *, as_json: bool) -> None:
    if as_json:
        from gameday.products import to_json

        typer.echo(json.dumps(to_json(done, schema_version=1)))
        return
    rounds = len(done.rounds)
    typer.echo(f"{done.end} after {rounds} {'round' if rounds == 1 else 'rounds'}")
