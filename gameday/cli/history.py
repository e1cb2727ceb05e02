"""`gameday history import`: journeys from a shop's own logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import HeaderOption, JsonOption, LogFormatOption
from gameday.cli.texts.metrics_text import metrics_order, tell_metrics
from gameday.cli.texts.trace_text import tell_traces, trace_order
from gameday.errors import UsageError
from gameday.history.exports import EXPORTS
from gameday.history.readers import readable_kinds, writable_kinds

if TYPE_CHECKING:
    from gameday.history.importers import SeriesGrains
    from gameday.jobs.import_history import ImportAnswer, Imported, ImportOrder
    from gameday.traffic.journeys import GoodnessByType

__all__ = ["add_to"]

_COLUMNS = ("time", "event", "session", "user", "order", "category", "region", "product", "price")
_MOST_BUYS = 3
_MOST_AGAIN = 3
_WALKS = ("chain", "sessions")
_WITH_TRACES = "--traces goes with --event, --window, --last, --header and --out"
_WITH_PROMETHEUS = "--prometheus goes with --query, --counts, --event, --last and --header"
_DOUBTED = 10
"""Exit code, as of a run's verdict WARN."""

ClickstreamOption = Annotated[Path | None, typer.Option(help=f"{readable_kinds()}, a row an event")]
AccessLogOption = Annotated[
    list[Path] | None,
    typer.Option(help="of any layout; gzip too; repeatable"),
]
ClientOption = Annotated[
    str | None,
    typer.Option(
        help="of an access log: the field that tells customers apart; else the one that does"
    ),
]
RobotsOption = Annotated[
    str | None,
    typer.Option(
        help="parts of user agents: 'okhttp=robot,MyMonitor=customer'; history.robots too"
    ),
]
TracesOption = Annotated[
    list[str] | None,
    typer.Option(
        help="FILE, DIR or URL: OTLP, Jaeger or Zipkin; Jaeger's or Tempo's query API; repeatable"
    ),
]
WindowOption = Annotated[
    str | None,
    typer.Option(help="of traces: how long after a trace's last span another may come; else 60s"),
]
LastOption = Annotated[
    str | None,
    typer.Option(help="of a URL: how much of the past; else 1h of traces, 60d of counts"),
]
PrometheusOption = Annotated[
    str | None,
    typer.Option(help="a server's address: counts a minute, by --query, into --counts"),
]
QueryOption = Annotated[
    list[str] | None,
    typer.Option(help="'STEP=PROMQL' of a minute's count; may have $region; repeatable"),
]
TimeZoneOption = Annotated[str | None, typer.Option(help="of times without an offset; else UTC")]
FromOption = Annotated[
    str | None,
    typer.Option("--from", help=f"whose export it is: {', '.join(EXPORTS)}; else its columns tell"),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(help=f"as time=NAME,event=NAME; of {', '.join(_COLUMNS)}; a NAME may be none"),
]
RegionsOption = Annotated[
    str | None,
    typer.Option(
        help="regions of the log as ours: 'United Kingdom=uk,EIRE=ie'; others are left out"
    ),
]
CountsOption = Annotated[
    Path | None, typer.Option(help=f"{writable_kinds()} to write: a history, by the minute")
]


WalksOption = Annotated[
    str,
    typer.Option(help="chain: journeys fitted; sessions: those observed, played whole"),
]


def add_to(app: typer.Typer) -> None:
    """Add this file's verbs."""
    group = typer.Typer(no_args_is_help=True, help="What a shop's own logs say of its customers.")
    group.callback()(lambda: None)  # a group of one verb is still a group
    group.command("import")(import_)
    app.add_typer(group, name="history")


def import_(
    clickstream: ClickstreamOption = None,
    access_log: AccessLogOption = None,
    traces: TracesOption = None,
    prometheus: PrometheusOption = None,
    event: Annotated[
        str | None, typer.Option(help="whose regions, steps and history.urls it is for")
    ] = None,
    log_format: LogFormatOption = None,
    client: ClientOption = None,
    robots: RobotsOption = None,
    query: QueryOption = None,
    window: WindowOption = None,
    last: LastOption = None,
    header: HeaderOption = None,
    time_zone: TimeZoneOption = None,
    export: FromOption = None,
    columns: ColumnsOption = None,
    regions: RegionsOption = None,
    steps: Annotated[
        str | None, typer.Option(help="event types as steps: view=product,purchase=checkout")
    ] = None,
    counts: CountsOption = None,
    walks: WalksOption = "chain",
    out: Annotated[
        Path | None,
        typer.Option(help="the YAML to write; else journeys.yaml, or services.yaml of traces"),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="HTML file: how well they tell sessions held out")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit journeys to a shop's own log, and say how well they tell the sessions they were not fitted to.

    Of traces: the services, who calls whom, and how long each one's own work takes.

    Exit code 10 where what was found is doubted; each doubt says what to write to change it.

    Example: gameday history import --clickstream events.parquet --out journeys.yaml
    """
    from gameday.jobs.access_logs import AccessLogOrder
    from gameday.jobs.import_history import ImportOrder

    logs = (clickstream, access_log, log_format, client, robots, time_zone, export, columns)
    others = any((*logs, regions, steps, page))
    if traces:
        _refuse_beside(_WITH_TRACES, is_given=others or any((prometheus, query, counts)))
        asked = trace_order(traces, event, out, window=window, last=last, header=header)
        _exit_doubted(tell_traces(asked, as_json=as_json))
        return
    if prometheus:
        _refuse_beside(_WITH_PROMETHEUS, is_given=others or any((window, out)))
        wanted = metrics_order(prometheus, query, counts, event, last=last, header=header)
        _exit_doubted(tell_metrics(wanted, as_json=as_json))
        return
    if window or last or header or query:
        raise UsageError("--window, --last, --header and --query are for --traces or --prometheus")
    if walks not in _WALKS:
        raise UsageError(f"--walks: must be {' or '.join(_WALKS)} (got '{walks}')")
    _check(
        clickstream,
        access_log,
        mapped=bool(export or columns or steps or regions),
        of_logs=bool(log_format or client or robots),
    )
    order = ImportOrder(
        out=out or Path("journeys.yaml"),
        clickstream=clickstream,
        access_logs=AccessLogOrder(
            tuple(access_log or ()), log_format, client, _pairs("--robots", robots)
        ),
        export=export,
        time_zone=time_zone,
        event=event,
        columns=_columns_of(columns),
        steps=_pairs("--steps", steps),
        regions=_pairs("--regions", regions),
        counts=counts,
        walks=walks,
    )
    _import_log(order, page, as_json=as_json)


def _import_log(order: ImportOrder, page: Path | None, *, as_json: bool) -> None:
    from gameday.jobs.import_history import import_history

    imported = import_history(order)
    _tell(imported, page, as_json=as_json)
    _exit_doubted(imported.answer.doubts)


def _refuse_beside(what: str, *, is_given: bool) -> None:
    """Raise UsageError where an option of other imports is given."""
    if is_given:
        raise UsageError(f"{what} only")


def _exit_doubted(doubts: tuple[str, ...]) -> None:
    if doubts:
        raise typer.Exit(_DOUBTED)


def _check(
    clickstream: Path | None, access_log: list[Path] | None, *, mapped: bool, of_logs: bool
) -> None:
    """Raise UsageError where options do not belong together."""
    if (clickstream is None) == (not access_log):
        raise UsageError(
            "give --clickstream FILE, --access-log FILE, --traces FILE or --prometheus URL (one of them)"
        )
    if clickstream is None and mapped:
        raise UsageError(
            "--from, --columns, --steps and --regions are for --clickstream; history.urls of --event maps "
            "access logs"
        )
    if clickstream is not None and of_logs:
        raise UsageError(
            "--log-format, --client and --robots are for --access-log; --columns maps a clickstream"
        )


def _columns_of(text: str | None) -> dict[str, str | None]:
    """Return field -> column of `--columns`, None for what the log has not; UsageError says how it is written."""
    named = _pairs("--columns", text)
    if unknown := sorted(set(named) - set(_COLUMNS)):
        raise UsageError(f"--columns: unknown '{unknown[0]}'; there are {', '.join(_COLUMNS)}")
    return {field: None if column == "none" else column for field, column in named.items()}


def _pairs(flag: str, text: str | None) -> dict[str, str]:
    out = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{flag}: must read NAME=VALUE,NAME=VALUE (got '{part}')")
        out[name] = value
    return out


def _tell(imported: Imported, page: Path | None, *, as_json: bool) -> None:
    """Draw what was found where that is asked for, and print it."""
    from gameday.products import to_json
    from gameday.report import render_import

    told = to_json(imported.answer, schema_version=2)
    if page is not None:
        drawn = told | {"of": imported.source, "sessions": imported.sessions}
        told["page"] = str(render_import(drawn, page))
    if as_json:
        typer.echo(json.dumps(told, allow_nan=False))
        return
    _say(imported)
    typer.echo(f"written: {imported.answer.written}" + (f"; how well: {page}" if page else ""))


def _say(imported: Imported) -> None:
    """Print what was read, which journeys were fitted to it, and how well they tell sessions held out."""
    answer = imported.answer
    for line in imported.log_lines:
        typer.echo(line)
    typer.echo(f"{imported.sessions} sessions")
    _say_journeys(answer)
    _say_held_out(answer.held_out, imported.order_step)
    _say_losses(answer)
    if not imported.has_orders:
        typer.echo(f"  no event is the step {imported.order_step}: nobody is told as a buyer")
    for row in answer.counts or ():
        typer.echo(_finest(row))
    _say_times(answer)
    for doubt in answer.doubts:
        typer.echo(f"doubted: {doubt}")


def _say_times(answer: ImportAnswer) -> None:
    """Print how long the server took, where its log says so."""
    rows = () if answer.log is None else answer.log.times
    if rows:
        typer.echo(
            f"{'seconds to answer':<18} {'of':<9} {'count':>9} {'mean':>8} {'p50':>8} {'p99':>8}"
        )
    for row in rows:
        typer.echo(
            f"{row.step:<18} {row.kind:<9} {row.count:>9} {row.mean_s:>8.3f} {row.p50_s:>8.3f} {row.p99_s:>8.3f}"
        )


def _say_journeys(answer: ImportAnswer) -> None:
    for note in answer.notes:
        typer.echo(f"  {note}")
    typer.echo(f"{'journey':<16} {'share':>8} {'fitted to':>10}  pauses")
    for journey in answer.journeys:
        laws = ", ".join(f"{step}: {pause.law}" for step, pause in journey.pauses.items())
        typer.echo(f"{journey.name:<16} {journey.share:>8.1%} {journey.sessions:>10}  {laws}")
    for row in answer.buys[:_MOST_BUYS]:
        seen = row.product_type
        what = "sessions" if seen == "all" else f"sessions that saw {seen}"
        typer.echo(
            f"of {row.sessions} {what} {row.buying} bought: {row.share:.2%} "
            f"({row.low:.2%} to {row.high:.2%})"
        )


def _say_losses(answer: ImportAnswer) -> None:
    """Print what a chain, whose next step depends on the present one alone, loses of the sessions."""
    losses = answer.losses
    typer.echo(
        "what a chain of steps loses of the sessions"
        + (
            " (--walks sessions plays them whole):"
            if answer.walks == "chain"
            else ", which are played whole:"
        )
    )
    typer.echo(
        f"  {losses.by_two_before:.1%} of moves go elsewhere by the step before the last "
        f"(chance alone: {losses.by_chance:.1%})"
    )
    if losses.largest is not None and losses.largest_share is not None:
        first, second, third = losses.largest
        typer.echo(
            f"  most: {first}, {second}, then {third}: told {losses.largest_share.told:.1%}, "
            f"seen {losses.largest_share.seen:.1%}"
        )
    again = sorted(losses.again.items(), key=lambda row: -abs(row[1].told - row[1].seen))
    for step, shares in again[:_MOST_AGAIN]:
        typer.echo(
            f"  {step} twice or more in a session: told {shares.told:.1%}, seen {shares.seen:.1%}"
        )
    if losses.empty_cart is not None:
        typer.echo(
            f"  orders with an empty cart: told {losses.empty_cart.told:.1%}, seen {losses.empty_cart.seen:.1%}"
        )


def _say_held_out(held: GoodnessByType, order_step: str) -> None:
    typer.echo(f"of {held.sessions} sessions held out (99 % intervals for all steps together):")
    typer.echo(f"{'step':<16} {'mix told':>9} {'seen':>8} {'ever told':>10} {'seen':>8}")
    for step, fit in held.steps.items():
        typer.echo(
            f"{step:<16} {fit.mix_told:>9.2%} {fit.mix_seen:>8.2%} {fit.ever_told:>10.2%} "
            f"{fit.ever_seen:>8.2%} ({fit.ever_low:.2%} to {fit.ever_high:.2%})"
        )
    length = held.length
    typer.echo(
        f"steps a session: told {length.mean_told:.2f}, seen {length.mean_seen:.2f}; largest gap of their "
        f"distributions {length.distance:.3f} (chance alone: {length.chance:.3f})"
    )
    for name, of_type in held.types.items():
        order, length = of_type.steps.get(order_step), of_type.length
        if order is not None:
            typer.echo(
                f"held out, about {name} ({of_type.sessions}): bought told {order.ever_told:.2%}, seen "
                f"{order.ever_seen:.2%} ({order.ever_low:.2%} to {order.ever_high:.2%}); steps told "
                f"{length.mean_told:.2f}, seen {length.mean_seen:.2f}, gap "
                f"{length.distance:.3f} (chance: {length.chance:.3f})"
            )


def _finest(row: SeriesGrains) -> str:
    """Return how finely counts can be told, in a line."""
    seen = [
        f"{minutes} min: {bins.mean:.3g} a bin, {bins.empty:.0%} empty, chance alone {bins.noise:+.0%}, "
        f"dispersion {bins.dispersion:.2g}"
        for minutes, bins in row.grains.items()
        if bins is not None
    ]
    finest = f"{row.finest_min} min" if row.finest_min else "none, not even a day"
    return f"{row.region} {row.step}, {row.count} events; {'; '.join(seen)}. Finest grain: {finest}"
