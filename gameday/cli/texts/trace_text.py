"""`gameday history import --traces`: what is asked for, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gameday.cli.options import headers_of, seconds_of

if TYPE_CHECKING:
    from gameday.history.traces import CallEdge, RequestGraph, ServiceSeen, TraceCounts
    from gameday.jobs.import_traces import TraceOrder, TracesImported

__all__ = ["tell_traces", "trace_order"]

_MOST_UNKNOWN = 4


def trace_order(
    traces: list[str],
    event: str | None,
    out: Path | None,
    *,
    window: str | None,
    last: str | None,
    header: list[str] | None,
) -> TraceOrder:
    """Return what is asked of traces; UsageError where an option is not written as it must be."""
    from gameday.history.traces import TraceSource
    from gameday.jobs.import_traces import TraceOrder as Order

    source = TraceSource(
        tuple(traces),
        window_s=seconds_of("--window", window or "60s"),
        last_s=seconds_of("--last", last or "1h"),
        headers=headers_of(header),
    )
    return Order(source, out or Path("services.yaml"), event)


def tell_traces(order: TraceOrder, *, as_json: bool) -> tuple[str, ...]:
    """Import traces and print what they tell; return why it is doubted."""
    from gameday.jobs.import_traces import import_traces
    from gameday.products import to_json

    imported = import_traces(order)
    if as_json:
        typer.echo(json.dumps(to_json(imported, schema_version=1), allow_nan=False))
    else:
        _say(imported)
    return imported.doubts


def _say(imported: TracesImported) -> None:
    structure = imported.structure
    _say_counts(structure.counts)
    for graph in structure.requests:
        if graph.step is not None:
            _say_calls(graph)
    _say_services(structure.services)
    for name, written in imported.renamed.items():
        typer.echo(f"service '{name}' is written as {written}")
    for note in (*structure.notes, *imported.notes):
        typer.echo(f"  {note}")
    for doubt in imported.doubts:
        typer.echo(f"doubted: {doubt}")
    typer.echo(
        f"written: {imported.written}; list it first under `include:` (of two files, what the first says counts)"
    )
    if imported.unknown:
        named = ", ".join(imported.unknown[:_MOST_UNKNOWN])
        more = " ..." if len(imported.unknown) > _MOST_UNKNOWN else ""
        typer.echo(
            f"traces cannot tell {len(imported.unknown)} of its fields; they are `unknown` there, each with "
            f"how to find it: {named}{more}"
        )


def _say_calls(graph: RequestGraph) -> None:
    typer.echo(
        f"{graph.step}: {graph.name} at {graph.entry}, {graph.requests:.0f} requests; "
        f"{graph.as_written_share:.1%} of visits make their calls in the order written"
    )
    for edge in graph.edges:
        typer.echo(f"  {_edge(edge)}")


def _say_counts(counts: TraceCounts) -> None:
    left = {
        "late": counts.late,
        "with impossible times": counts.impossible,
        "told twice": counts.duplicates,
        "of broken traces": counts.of_broken_traces,
    }
    told = ", ".join(f"{count} {why}" for why, count in left.items() if count) or "none"
    typer.echo(
        f"{counts.spans} spans of {counts.traces} traces; used {counts.used}, left out: {told}"
        + (
            f"; a trace stands for {counts.sampled:.4g} requests on average"
            if counts.sampled
            else ""
        )
    )
    if counts.malformed:
        typer.echo(
            f"{counts.malformed} lines or spans are none and were left out, the first: {counts.first_malformed}"
        )


def _edge(edge: CallEdge) -> str:
    parts = [f"{edge.per_visit:.2f} a visit"]
    if edge.parallel_with:
        parts.append(f"in parallel with {', '.join(edge.parallel_with)}")
    shares = {
        "retried": edge.retry_share,
        "failed": edge.failed_share,
        "from a cache": edge.cached_share,
        "not waited for": edge.asynchronous_share,
    }
    parts += [f"{share:.2%} {what}" for what, share in shares.items() if share]
    if edge.is_optional:
        parts.append("done without when it fails")
    if edge.transit_s is not None:
        parts.append(f"{1e3 * edge.transit_s:.3g} ms on the way")
    return f"{' > '.join((*edge.callers, edge.service))}: {', '.join(parts)}"


def _say_services(services: tuple[ServiceSeen, ...]) -> None:
    typer.echo(
        f"{'service':<24} {'visits':>9} {'failed':>7} {'own work: mean':>15} {'p50':>9} {'p99':>9}  law"
    )
    for seen in services:
        typer.echo(
            f"{seen.service:<24} {seen.visits:>9.0f} {seen.failed_share:>7.2%} {_ms(seen.mean_s):>15} "
            f"{_ms(seen.p50_s):>9} {_ms(seen.p99_s):>9}  {seen.law.law if seen.law else 'unknown'}"
        )


def _ms(seconds: float | None) -> str:
    """Return a duration in ms; a dash where it is not known."""
    return "-" if seconds is None else f"{1e3 * seconds:.4g} ms"
