"""`gameday forecast services`: what an event asks of each service, and the fleet for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import EventOption, HistoryOption, JsonOption, SeedOption

if TYPE_CHECKING:
    from gameday.jobs.service_forecast import ServiceAnswer, ServiceRow

__all__ = ["add_to"]

_MOST_CALLERS = 3


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(services)


def services(
    event: EventOption,
    counts: Annotated[
        Path | None,
        typer.Option(help="the services' own counts by time, region, service, to be learned from"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Parquet to write: every minute, region and service")
    ] = None,
    pages: Annotated[
        Path | None, typer.Option(help="folder to write a page a service into")
    ] = None,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Forecast each service from its customers: visits, busy servers and instances, and which steps cause them.

    Example: gameday forecast services --event primeday --pages services/
    """
    from gameday.jobs.service_forecast import ServiceOrder, forecast_services
    from gameday.live import Show
    from gameday.products import to_json
    from gameday.vocabulary import Seed

    order = ServiceOrder(event, Seed(seed), history, counts, out, pages)
    answer = forecast_services(order, Show())
    if as_json:
        typer.echo(json.dumps(to_json(answer, schema_version=1)))
    else:
        _say(answer)


def _say(answer: ServiceAnswer) -> None:
    typer.echo(
        f"{answer.event}: visits to each service, launches included; p50 and p90 are of the highest minute and of "
        "the most servers busy at once"
    )
    typer.echo(
        f"{'region':<8}{'service':<16}{'mean total':>14}  {'hottest, UTC':<18}{'p50':>10}{'p90':>10}"
        f"{'busy p50':>10}{'p90':>9}  called by"
    )
    for row in answer.rows:
        _say_row(row)
    typer.echo(
        f"{'service':<16}{'stack':<12}{'declared':>10}{'needed p50':>12}{'p90':>6}  instances, zones lost"
    )
    for fleet in answer.fleets:
        short = "  too few" if fleet.needed["p90"] > fleet.declared else ""
        typer.echo(
            f"{fleet.service:<16}{fleet.stack:<12}{fleet.declared:>10}{fleet.needed['p50']:>12}"
            f"{fleet.needed['p90']:>6}{short}"
        )
    for note in answer.notes:
        typer.echo(f"  {note}")


def _say_row(row: ServiceRow) -> None:
    callers = list(row.callers.items())
    said = ", ".join(f"{step} {100 * share:.0f} %" for step, share in callers[:_MOST_CALLERS])
    rest = f", {len(callers) - _MOST_CALLERS} more" if len(callers) > _MOST_CALLERS else ""
    high = row.visits.get("p90")
    typer.echo(
        f"{row.region:<8}{row.service:<16}{row.total_mean:>14,.0f}  {row.instant:%Y-%m-%dT%H:%M}  "
        f"{row.visits['p50']:>10,.0f}{'-' if high is None else format(high, ',.0f'):>10}"
        f"{row.busy['p50']:>10,.1f}{row.busy['p90']:>9,.1f}  {said or 'nothing'}{rest}"
    )
    if (own := row.own_counts) is not None:
        typer.echo(
            f"{'':<24}own counts: {own.times:.2f} times what the calls say, {own.besides:,.1f} a minute besides; "
            f"that explains {100 * own.explained:.0f} % of what {own.hours} hours differ by"
        )
