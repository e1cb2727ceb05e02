"""`gameday plan`: what would be sent."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.replay import (
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
    from gameday.forecast import Demand
    from gameday.jobs.replay import Order
    from gameday.live import Show
    from gameday.scenario import Scenario
    from gameday.traffic import LoadPlan
    from gameday.traffic.plan import Outlook

__all__ = ["add_to", "say_plan"]


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
    seed: SeedOption = 1,
    drift: DriftOption = None,
    out: Annotated[Path | None, typer.Option(help="HTML file to draw it in")] = None,
    as_json: bool = typer.Option(False, "--json", help="print JSON"),
) -> None:
    """Say what a replay would send, slot by slot; send nothing.

    Example: gameday plan --event primeday --scale 0.01 --out plan.html
    """
    from gameday.live import Show

    if out is not None:
        check_folder(out.parent)
    order = _order(event, window, speed, duration, scale, quantile, history, seed)
    say_plan(replace(order, drift=drift_of(drift)), Show(), out=out, as_json=as_json)


def _order(
    event: str,
    window: str,
    speed: str | None,
    duration: str | None,
    scale: str,
    quantile: str | None,
    history: Path | None,
    seed: int,
) -> Order:
    from gameday.jobs.replay import Order
    from gameday.vocabulary import Seed

    asked = asked_of(window, speed, duration, scale, quantile)
    return Order(event=event, seed=Seed(seed), out=Path("reports"), asked=asked, history=history)


def say_plan(order: Order, show: Show, *, as_json: bool, out: Path | None = None) -> None:
    """Print the plan of an order; SafetyRefusal where a replay would refuse it."""
    from gameday.jobs.replay import check_targets, foresee
    from gameday.safety import check_ceilings
    from gameday.scenario.reading import read_scenario

    loaded = read_scenario(order.event, drift=order.drift)
    scenario = loaded.played
    _, demand, plan = foresee(loaded, check_targets(order, scenario), show)
    data = _told(scenario, demand, plan)
    data["redirects"] = _redirects(data, order.out)
    if out is not None:
        from gameday.report import render_plan

        data["page"] = str(render_plan(data, out))
    if as_json:
        typer.echo(json.dumps(data, allow_nan=False))
    else:
        _show_plan(data)
    check_ceilings(scenario, plan)


def _told(scenario: Scenario, demand: Demand, plan: LoadPlan) -> dict[str, Any]:
    from gameday.queueing import build_cell
    from gameday.scenario.reading import share_cut
    from gameday.simulate import visits_per_s
    from gameday.traffic.fit import find_contradictions, measure_residuals
    from gameday.traffic.plan import outlook

    seen = outlook(scenario, plan)
    services = {
        stack: dict(
            zip(
                scenario.services,
                (plan.scale * visits_per_s(scenario, stack, seen.steps_by_type)).round(2).tolist(),
                strict=True,
            )
        )
        for stack in scenario.stack_names
    }
    return {
        "schema_version": 3,
        "event": scenario.event.name,
        "window_start": plan.window.start.isoformat(),
        "window_end": plan.window.end.isoformat(),
        "lead_in_slots": plan.lead_in,
        "speed": plan.speed,
        "scale": plan.scale,
        "quantile": plan.quantile,
        "seed": plan.seed.root,
        "wall_s": plan.duration_s + plan.lead_in_s,
        "sessions": int(plan.played.sum()),
        **_totals(plan, seen),
        **_by_slot(plan, seen),
        **_by_product(scenario, demand, plan, seen),
        "journeys": {
            name: {
                "visits": dict(zip(plan.steps, chain.visits.round(6).tolist(), strict=True)),
                "ever": dict(zip(plan.steps, chain.ever.round(6).tolist(), strict=True)),
                "mean_steps": chain.mean_steps,
                "spread_steps": chain.spread_steps,
                "mean_s": chain.mean_s,
                "share_cut": share_cut(scenario.journeys[name]),
            }
            for name, chain in seen.chains.items()
        },
        "service_visits_per_s": services,
        "cells": {
            stack: {
                name: station.servers
                for name, station in build_cell(scenario, stack, scale=plan.scale).stations.items()
            }
            for stack in scenario.stack_names
        },
        "residuals": [asdict(row) for row in measure_residuals(plan)],
        "contradictions": [
            asdict(row)
            | {"first": row.first.isoformat(), "last": row.last.isoformat(), "text": row.text}
            for row in find_contradictions(scenario, plan)
        ],
    }


def _redirects(data: dict[str, Any], runs: Path) -> dict[str, Any]:
    """Return how many requests are redirects as declared, and as the event's last run followed them."""
    from gameday.cli.runs import last_summary

    last = last_summary(runs, data["event"]) or {}
    rows = last.get("redirects", {})
    steps: dict[str, float] = {}
    for region in data["steps_per_slot"].values():
        for step, slots in region.items():
            steps[step] = steps.get(step, 0.0) + sum(slots)
    followed = sum(
        n * rows[step]["followed"] / rows[step]["sent"]
        for step, n in steps.items()
        if step in rows and rows[step]["sent"]
    )
    out: dict[str, Any] = {
        "declared": data["redirects"],
        "last_run": last["run_id"] if rows else None,
        "as_in_last_run": round(followed) if rows else None,
    }
    return out | {"text": _redirect_text(out)}


def _redirect_text(redirects: dict[str, Any]) -> str:
    """Return whether the requests hold redirects, and what the last run says of that."""
    declared, run, followed = (redirects[k] for k in ("declared", "last_run", "as_in_last_run"))
    said = (
        f"of the requests {declared:,.0f} are redirects, as declared"
        if declared
        else "redirects are not included in the requests: no exchange declares any (`redirects: 1`), "
        "and the embedded shop sends none"
    )
    if run is None:
        return f"{said}; no run of this event is there to tell"
    return f"{said}; as run {run} followed them, they come to {followed:,.0f} for this plan"


def _totals(plan: LoadPlan, seen: Outlook) -> dict[str, Any]:
    a_second = seen.requests.sum(axis=0) / plan.slot_wall_s
    hottest = plan.lead_in + int(a_second[plan.lead_in :].argmax())
    return {
        "steps": round(float(seen.steps.sum())),
        "requests": round(float(seen.requests.sum())),
        "redirects": round(seen.redirects),
        "orders": round(float(seen.orders.sum())),
        "request_bytes": round(seen.request_bytes),
        "peak_steps_per_s": round(
            float(seen.steps.sum(axis=(0, 1))[plan.lead_in :].max()) / plan.slot_wall_s, 1
        ),
        "peak_requests_per_s": round(float(a_second[hottest]), 1),
        "peak_utc": plan.grid.instant(hottest).isoformat(),
        "most_customers": round(float(seen.customers.sum(axis=0).max()), 1),
    }


def _by_slot(plan: LoadPlan, seen: Outlook) -> dict[str, Any]:
    regions = list(enumerate(plan.regions))
    return {
        "slots_utc": [plan.grid.instant(slot).isoformat() for slot in range(plan.grid.slots)],
        "steps_per_slot": {
            region: dict(zip(plan.steps, seen.steps[r].round(1).tolist(), strict=True))
            for r, region in regions
        },
        "sessions_per_slot": {
            region: dict(zip(plan.journeys, plan.played[r].tolist(), strict=True))
            for r, region in regions
        },
        "per_slot": {
            region: {
                "requests": seen.requests[r].round(1).tolist(),
                "orders": seen.orders[r].round(2).tolist(),
                "customers": seen.customers[r].round(1).tolist(),
            }
            for r, region in regions
        },
    }


def _by_product(
    scenario: Scenario, demand: Demand, plan: LoadPlan, seen: Outlook
) -> dict[str, Any]:
    """Return what is ordered of which product type, when and where; and when what is limited would be gone."""
    from gameday.products import to_json
    from gameday.traffic.plan import sold_orders, stock_rows

    regions = list(enumerate(plan.regions))
    return {
        "products": {
            name: {
                "orders": {region: round(float(rows[r].sum()), 2) for r, region in regions},
                "can_be_sold": round(sold_orders(scenario, plan, seen, name), 2),
                "worth": _worth(
                    scenario.products[name].price, sold_orders(scenario, plan, seen, name)
                ),
                "orders_per_slot": {region: rows[r].round(3).tolist() for r, region in regions},
            }
            for name, rows in seen.orders_by_type.items()
        },
        "stock": [
            to_json(row)
            for stack in scenario.stack_names
            for row in stock_rows(scenario, demand.strength_sigma, plan, seen, stack)
        ],
    }


def _worth(price: float | None, orders: float) -> float | None:
    return None if price is None else round(price * orders, 2)


def _show_products(data: dict[str, Any]) -> None:
    """Print what is ordered of which product type, and when what is limited is gone."""
    for name, product in data["products"].items():
        where = ", ".join(f"{region} {n:,.0f}" for region, n in product["orders"].items())
        worth = "" if product["worth"] is None else f", worth {product['worth']:,.0f}"
        if product["can_be_sold"] < 0.999 * sum(product["orders"].values()):
            worth = f"; {product['can_be_sold']:,.0f} can be sold{worth}"
        typer.echo(f"orders of {name} asked for: {where}{worth}")
    for row in data["stock"]:
        when = [f"{at[:16]}Z at {level}" for level, at in row["sold_out_utc"].items() if at]
        typer.echo(
            f"stock of {row['product']} in {row['stack']}: {row['units']:,} units, "
            f"{row['orders_asked']:,.0f} orders asked for; on paper gone "
            f"{', '.join(when) + ' of strength' if when else 'never in the window'}"
            + (
                "; released before what is played: all of it is taken to be there"
                * row["released_before"]
            )
        )


def _cut(share: float) -> str:
    """Return what is lost to the end of walks, where a ten-thousandth or more is."""
    from gameday.vocabulary import LONGEST_WALK

    return f"; {share:.2%} is cut off after {LONGEST_WALK} steps" if share >= 1e-4 else ""


def _show_plan(data: dict[str, Any]) -> None:
    for name in (
        "window_start",
        "window_end",
        "lead_in_slots",
        "speed",
        "scale",
        "quantile",
        "wall_s",
        "sessions",
        "steps",
        "requests",
        "orders",
        "request_bytes",
        "peak_steps_per_s",
        "peak_requests_per_s",
        "peak_utc",
        "most_customers",
    ):
        typer.echo(f"{name.replace('_', ' '):<20} {data[name]}")
    typer.echo(data["redirects"]["text"])
    for name, chain in data["journeys"].items():
        ever = ", ".join(f"{step} {share:.1%}" for step, share in chain["ever"].items() if share)
        typer.echo(
            f"journey {name}: {chain['mean_steps']:.2f} steps (sd {chain['spread_steps']:.2f}), "
            f"{chain['mean_s'] / 60:.1f} min; comes to {ever}{_cut(chain['share_cut'])}"
        )
    _show_products(data)
    for stack, rows in data["service_visits_per_s"].items():
        shown = ", ".join(f"{name} {max(row):.3g}" for name, row in rows.items() if max(row) > 0)
        typer.echo(f"visits a second at most, {stack}: {shown}")
    for stack, stations in data["cells"].items():
        shown = ", ".join(f"{name} {servers}" for name, servers in stations.items())
        typer.echo(f"cell of {stack:<10} {shown}")
    worst = min(data["residuals"], key=lambda row: row["in_band"], default=None)
    if worst is not None:
        typer.echo(
            f"the journeys cause the forecast: {worst['in_band']:.1%} of slots or more within its Poisson band "
            f"(least: {worst['region']} {worst['step']}, bias {worst['bias']:+.2%}, worst hour "
            f"{worst['worst_hour']:+.2%})"
        )
    for row in data["contradictions"][:5]:
        typer.echo(row["text"])
    if len(data["contradictions"]) > 5:
        typer.echo(
            f"... and {len(data['contradictions']) - 5} contradictions more: --json has them"
        )
    if "page" in data:
        typer.echo(f"picture: {data['page']}")
