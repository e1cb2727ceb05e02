"""`gameday plan`: what would be sent."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import (
    DemandOption,
    DriftOption,
    DurationOption,
    EventOption,
    HistoryOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    SpeedOption,
    WindowOption,
    asked_of,
    check_folder,
    drift_of,
)

if TYPE_CHECKING:
    from gameday.jobs.one_run.order import Order
    from gameday.jobs.plan import PlanAnswer
    from gameday.live import Show

__all__ = ["add_to", "say_plan"]

_FACTS = (
    *("window_start", "window_end", "lead_in_slots", "speed", "scale", "quantile", "wall_s"),
    *("sessions", "steps", "requests", "orders", "request_bytes", "peak_steps_per_s"),
    *("peak_requests_per_s", "peak_utc", "most_customers"),
)
"""What is printed of a plan's conditions and totals, a line each."""
_MOST_CONTRADICTIONS = 5


def add_to(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(plan)


def plan(
    event: EventOption,
    window: WindowOption = "peak",
    speed: SpeedOption = None,
    duration: DurationOption = None,
    scale: ScaleOption = "auto",
    quantile: QuantileOption = None,
    history: HistoryOption = None,
    demand: DemandOption = None,
    seed: SeedOption = 1,
    drift: DriftOption = None,
    out: Annotated[Path | None, typer.Option(help="HTML file to draw it in")] = None,
    as_json: bool = typer.Option(False, "--json", help="print JSON"),
) -> None:
    """Say what a replay would send, slot by slot; send nothing.

    Example: gameday plan --event primeday --scale 0.01 --out plan.html
    """
    from gameday.jobs.one_run.order import Order, Past
    from gameday.live import Show
    from gameday.vocabulary import Seed

    if out is not None:
        check_folder(out.parent)
    order = Order(
        event=event,
        seed=Seed(seed),
        out=Path("reports"),
        asked=asked_of(window, speed, duration, scale, quantile),
        past=Past(history, demand),
        drift=drift_of(drift),
    )
    say_plan(order, Show(), out=out, as_json=as_json)


def say_plan(order: Order, show: Show, *, as_json: bool, out: Path | None = None) -> None:
    """Print the plan of an order; SafetyRefusal where a replay would refuse it."""
    from gameday.jobs.plan import plan_json, plan_order
    from gameday.report import render_plan
    from gameday.safety import check_ceilings

    planned = plan_order(order, show)
    told = plan_json(planned.answer)
    if out is not None:
        told["page"] = str(render_plan(told, out))
    if as_json:
        typer.echo(json.dumps(told, allow_nan=False))
    else:
        _show_plan(planned.answer)
        if out is not None:
            typer.echo(f"picture: {told['page']}")
    check_ceilings(planned.loaded.played, planned.plan)


def _show_plan(answer: PlanAnswer) -> None:
    """Print a plan: its facts, journeys, products, services, and how well the journeys cause the forecast."""
    facts = asdict(answer.conditions) | asdict(answer.totals)
    for name in _FACTS:
        typer.echo(f"{name.replace('_', ' '):<20} {facts[name]}")
    typer.echo(answer.totals.redirects.text)
    for name, walk in answer.journeys.items():
        ever = ", ".join(f"{step} {share:.1%}" for step, share in walk.ever.items() if share)
        typer.echo(
            f"journey {name}: {walk.mean_steps:.2f} steps (sd {walk.spread_steps:.2f}), "
            f"{walk.mean_s / 60:.1f} min; comes to {ever}{_cut(walk.share_cut)}"
        )
    _show_products(answer)
    if not any(answer.service_visits_per_s.values()):
        typer.echo(
            "no services are written: what each would bear, and how long replies take, is not known; replies "
            "are planned to take no time, and no speed is refused for them"
        )
    for stack, rows in answer.service_visits_per_s.items():
        if not rows:
            continue
        shown = ", ".join(f"{name} {max(row):.3g}" for name, row in rows.items() if max(row) > 0)
        typer.echo(f"visits a second at most, {stack}: {shown}")
    for stack, stations in answer.cells.items():
        if not stations:
            continue
        shown = ", ".join(f"{name} {servers}" for name, servers in stations.items())
        typer.echo(f"cell of {stack:<10} {shown}")
    _show_fit(answer)


def _show_products(answer: PlanAnswer) -> None:
    """Print what is ordered of which product type, and when what is limited is gone."""
    for name, product in answer.products.items():
        where = ", ".join(f"{region} {count:,.0f}" for region, count in product.orders.items())
        worth = "" if product.worth is None else f", worth {product.worth:,.0f}"
        if product.can_be_sold < 0.999 * sum(product.orders.values()):
            worth = f"; {product.can_be_sold:,.0f} can be sold{worth}"
        typer.echo(f"orders of {name} asked for: {where}{worth}")
    for row in answer.stock:
        gone = [f"{at[:16]}Z at {level}" for level, at in row.sold_out_utc.items() if at]
        when = ", ".join(gone) + " of strength" if gone else "never in the window"
        early = "; released before what is played: all of it is taken to be there"
        typer.echo(
            f"stock of {row.product} in {row.stack}: {row.units:,} units, "
            f"{row.orders_asked:,.0f} orders asked for; on paper gone {when}"
            + early
            * row.released_before
        )


def _show_fit(answer: PlanAnswer) -> None:
    """Print how well the journeys cause the forecast, and where they cannot."""
    worst = min(answer.residuals, key=lambda row: row.in_band, default=None)
    if worst is not None:
        typer.echo(
            f"the journeys cause the forecast: {worst.in_band:.1%} of slots or more within its Poisson band "
            f"(least: {worst.region} {worst.step}, bias {worst.bias:+.2%}, worst hour "
            f"{worst.worst_hour:+.2%})"
        )
    for row in answer.contradictions[:_MOST_CONTRADICTIONS]:
        typer.echo(row.text)
    if (more := len(answer.contradictions) - _MOST_CONTRADICTIONS) > 0:
        typer.echo(f"... and {more} contradictions more: --json has them")


def _cut(share: float) -> str:
    """Return what is lost to the end of walks, where a ten-thousandth or more is."""
    from gameday.vocabulary import LONGEST_WALK

    return f"; {share:.2%} is cut off after {LONGEST_WALK} steps" if share >= 1e-4 else ""
