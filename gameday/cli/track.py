"""`gameday forecast track`: what comes against what was forecast, while it comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import HeaderOption, headers_of
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.forecast.publication import Alert
    from gameday.jobs.track import Note, PrometheusQuery, TrackAnswer

__all__ = ["add_to"]

PlanOption = Annotated[Path, typer.Option(help="a publication's folder, or a run's demand.parquet")]
ActualsOption = Annotated[
    Path | None, typer.Option(help="a growing table: time, region, team, count")
]
PrometheusOption = Annotated[
    str | None, typer.Option(help="a server's address, as http://127.0.0.1:9090")
]
QueryOption = Annotated[
    str | None, typer.Option(help="PromQL of a minute's count; has $region, $step")
]
ZoneOption = Annotated[
    str | None, typer.Option(help="clock of times without offset; default the plan's")
]
WaitOption = Annotated[
    float, typer.Option(min=0, help="with --follow, end after so many seconds; 0: never")
]
JsonLinesOption = Annotated[
    bool, typer.Option("--json", help="print JSON: a line an alert, then a summary")
]


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(track)


def track(
    plan: PlanOption,
    actuals: ActualsOption = None,
    prometheus: PrometheusOption = None,
    query: QueryOption = None,
    header: HeaderOption = None,
    region: Annotated[str | None, typer.Option(help="one region; default all")] = None,
    step: Annotated[str | None, typer.Option(help="one step or team; default all")] = None,
    zone: ZoneOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="go on until the plan ends")] = False,
    wait: WaitOption = 0.0,
    as_json: JsonLinesOption = False,
) -> None:
    """Track actuals against a forecast: sharp edges and launches that do not come within two minutes, drift,
    and today's level where it pays.

    Example: gameday forecast track --plan forecasts/primeday --actuals counts.csv --follow
    """
    source = _source(actuals, prometheus, query, header)
    from gameday.jobs.track import TrackOrder
    from gameday.jobs.track import track as follow_plan

    order = TrackOrder(
        plan=plan,
        actuals=source,
        region=region,
        step=step,
        zone=zone,
        follow=follow,
        wait_s=wait or None,
    )
    for told in follow_plan(order):
        _tell(told, as_json=as_json)


def _source(
    actuals: Path | None, prometheus: str | None, query: str | None, header: list[str] | None
) -> Path | PrometheusQuery:
    """Return where actuals come from; UsageError where options do not belong together."""
    if (actuals is None) == (prometheus is None):
        raise UsageError("give --actuals FILE, or --prometheus URL with --query (one of them)")
    if (prometheus is None) != (query is None):
        raise UsageError("--prometheus and --query belong together")
    if actuals is not None:
        return actuals
    from gameday.history import ApiServer
    from gameday.jobs.track import PrometheusQuery

    return PrometheusQuery(ApiServer(prometheus or "", headers_of(header)), query or "")


def _tell(told: Alert | Note | TrackAnswer, *, as_json: bool) -> None:
    """Print an alert as it comes, or how the plan does; a note goes to standard error."""
    from gameday.jobs.track import Note, TrackAnswer
    from gameday.products import to_json

    if isinstance(told, Note):
        typer.echo(told.text, err=True)
    elif as_json:
        typer.echo(json.dumps(to_json(told, schema_version=1)))
    elif isinstance(told, TrackAnswer):
        _say_summary(told)
    else:
        typer.echo(f"{told.instant:%Y-%m-%dT%H:%MZ}  {told.kind:<6}{told.series}: {told.words}")


def _say_summary(answer: TrackAnswer) -> None:
    typer.echo(f"tracked until {answer.until:%Y-%m-%dT%H:%MZ}")
    typer.echo(f"{'series':<24}{'minutes':>8}{'WAPE':>9}{'in 80 %':>9}{'level':>8}  from now on")
    for name, row in answer.series.items():
        wape = "-" if row.wape is None else f"{100 * row.wape:.1f} %"
        held = "-" if row.coverage_80 is None else f"{100 * row.coverage_80:.0f} %"
        applied = f"x {row.applied:.3f}" if row.pays else "the plan as it is"
        typer.echo(f"{name:<24}{row.minutes:>8}{wape:>9}{held:>9}{row.level:>8.3f}  {applied}")
