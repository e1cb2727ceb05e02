"""`gameday forecast show`: what is expected, per region and step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli import (
    backtest,
    breaks,
    explain,
    outlook,
    publish,
    review,
    service_forecast,
    track,
    type_shares,
)
from gameday.cli.explain import KeepOption, MaskOption
from gameday.cli.launch_rows import launch_row, say_launch
from gameday.cli.options import EventOption, HistoryOption, JsonOption, RivalsOption, SeedOption

if TYPE_CHECKING:
    from gameday.forecast import EventDemand
    from gameday.history import History
    from gameday.scenario import Scenario

__all__ = ["add_to"]

_PATHS = 200
"""Days drawn for the quantiles of sums: a p90 of them lies within 0.86 and 0.94 of the truth's 19 times of 20."""

RegionOption = Annotated[str | None, typer.Option(help="one region; default all")]
StepOption = Annotated[str | None, typer.Option(help="one step; default all")]
PerMinuteOption = Annotated[
    bool, typer.Option("--per-minute", help="every minute, not the summary")
]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    group = typer.Typer(no_args_is_help=True, help="What is expected, and why.")
    group.command()(show)
    explain.add_to(group)
    breaks.add_to(group)
    backtest.add_to(group)
    outlook.add_to(group)
    publish.add_to(group)
    service_forecast.add_to(group)
    type_shares.add_to(group)
    review.add_to(group)
    track.add_to(group)
    app.add_typer(group, name="forecast")


def show(
    event: EventOption,
    region: RegionOption = None,
    step: StepOption = None,
    per_minute: PerMinuteOption = False,
    rivals: RivalsOption = "last week,median of weeks",
    mask: MaskOption = None,
    keep: KeepOption = None,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Show the forecast of an event: totals and highest minute with quantiles, or every minute.

    Example: gameday forecast show --event primeday --region us --step checkout
    """
    from gameday.forecast.uncertainty import sums_of, total_quantiles
    from gameday.history import read_history
    from gameday.scenario import load_scenario
    from gameday.vocabulary import Seed

    scenario = explain.with_stretches(load_scenario(event), mask, keep)
    chosen = _chosen(scenario, region, step)
    past = read_history(scenario, file=history, seed=Seed(seed))
    demand = _demand(scenario, past, rivals)
    if per_minute:
        _minutes(demand, chosen, as_json=as_json)
        return
    sums = [] if region or step else sums_of(demand)
    totals = total_quantiles(demand, [*chosen, *sums], _PATHS, Seed(seed))
    rows = [_row(demand, *names, totals[names]) for names in [*chosen, *sums]]
    _summary(scenario, demand, rows[: len(chosen)], rows[len(chosen) :], past, as_json=as_json)


def _chosen(scenario: Scenario, region: str | None, step: str | None) -> list[tuple[str, str]]:
    """Return the regions and steps that are shown; UsageError where one is unknown."""
    if region is not None:
        explain.known_name("--region", region, scenario.regions)
    if step is not None:
        explain.known_name("--step", step, scenario.steps)
    return [
        (r, s)
        for r in scenario.regions
        if region in (None, r)
        for s in scenario.steps
        if step in (None, s)
    ]


def _demand(scenario: Scenario, past: History, rivals: str) -> EventDemand:
    """Return the event's demand, benchmarked against what `--rivals` names."""
    from gameday.forecast import forecast_demand
    from gameday.forecast.rivals import chosen_rivals
    from gameday.traffic.fit import event_demand

    beside = chosen_rivals(rivals, by_day=False)
    return event_demand(scenario, forecast_demand(scenario, past, rivals=beside))


def _summary(
    scenario: Scenario,
    demand: EventDemand,
    rows: list[dict[str, Any]],
    totals: list[dict[str, Any]],
    past: History,
    *,
    as_json: bool,
) -> None:
    from gameday.forecast.evaluation import actuals_table
    from gameday.products import to_json
    from gameday.traffic.plan import launch_days

    actuals, notes = actuals_table(demand, past), [*past.notes, *demand.organic.notes]
    launches = [launch_row(scenario, day) for day in launch_days(scenario, demand.organic)]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "schema_version": 2,
                    "event": scenario.event.name,
                    "rows": rows,
                    "totals": totals,
                    "launches": launches,
                    "backtest_wape": demand.organic.backtest_wape,
                    "race": demand.organic.benchmark,
                    "actuals": None if actuals is None else to_json(actuals),
                    "notes": notes,
                }
            )
        )
        return
    _say(scenario, demand, [*rows, *totals], launches, notes)
    if actuals:
        typer.echo(
            f"against what happened: WAPE {100 * actuals.wape:.1f} % a minute over "
            f"{actuals.minutes} minutes; hottest minute {actuals.peak_forecast:.0f} forecast "
            f"({actuals.peak_forecast_at[:16]}), {actuals.peak_actual:.0f} actual "
            f"({actuals.peak_actual_at[:16]}), {100 * actuals.peak_error:+.1f} %"
        )


def _row(demand: EventDemand, region: str, step: str, total: dict[float, float]) -> dict[str, Any]:
    told = demand.numbers(region, step)
    return {
        "region": region,
        "step": step,
        "total_mean": round(told.total_mean),
        "organic_mean": round(told.organic_mean),
        "launch_mean": round(told.launch_mean),
        "total": _by_level(total),
        "hottest_minute": demand.grid.instant(told.peak.slot).isoformat(),
        "median_then": round(told.median_then, 1),
        "peak": _by_level(told.peak.size),
        "five_minutes": _by_level(told.peak.five_minutes),
    }


def _by_level(values: dict[float, float]) -> dict[str, float]:
    return {f"p{100 * level:g}": round(value, 1) for level, value in values.items()}


def _say(
    scenario: Scenario,
    demand: EventDemand,
    rows: list[dict[str, Any]],
    launches: list[dict[str, Any]],
    notes: list[str],
) -> None:
    from gameday.forecast.evaluation import benchmark_words

    typer.echo(
        f"{scenario.event.name}, steps of the event in each region's own time"
        + (", launches included" if demand.launches else "")
    )
    typer.echo(
        "totals are means, which add up; p10 to p99 are of the highest minute, whenever it comes; the last column "
        "is the p90 of the highest mean of five minutes"
    )
    of_launches = f"{'of launches':>13}" if demand.launches else ""
    levels = "".join(f"{name:>10}" for name in ("p10", "p50", "p90", "p99"))
    typer.echo(
        f"{'region':<8}{'step':<12}{'mean total':>14}{of_launches}  {'hottest, UTC':<18}"
        f"{'median then':>12}{levels}{'5 min':>10}"
    )
    for row in rows:
        numbers = [row["peak"].get(name) for name in ("p10", "p50", "p90", "p99")]
        numbers.append(row["five_minutes"].get("p90"))
        added = f"{row['launch_mean']:>13,}" if demand.launches else ""
        typer.echo(
            f"{row['region']:<8}{row['step']:<12}{row['total_mean']:>14,}{added}  "
            f"{row['hottest_minute'][:16]:<18}{row['median_then']:>12,.0f}"
            + "".join(f"{'-' if n is None else format(n, ',.0f'):>10}" for n in numbers)
        )
    for row in launches:
        say_launch(row)
    typer.echo(benchmark_words(demand.organic.benchmark))
    for note in notes:
        typer.echo(f"  {note}")


def _minutes(demand: EventDemand, chosen: list[tuple[str, str]], *, as_json: bool) -> None:
    table = demand.table()
    keep = [pair in set(chosen) for pair in zip(table["region"], table["step"], strict=True)]
    table = table[keep]
    if as_json:
        rows = json.loads(table.to_json(orient="records", date_format="iso"))
        typer.echo(json.dumps({"schema_version": 1, "rows": rows}))
    else:
        typer.echo(table.to_csv(index=False, float_format="%.2f"), nl=False)
