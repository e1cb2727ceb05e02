"""`gameday history import --prometheus`: what is asked for, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gameday.cli.options import headers_of, seconds_of
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.jobs.import_metrics import MetricsOrder

__all__ = ["metrics_order", "tell_metrics"]


def metrics_order(
    prometheus: str,
    queries: list[str] | None,
    counts: Path | None,
    event: str | None,
    *,
    last: str | None,
    header: list[str] | None,
) -> MetricsOrder:
    """Return what is asked of a server; UsageError where an option is missing, or not written as it must be."""
    from gameday.history import ApiServer
    from gameday.jobs.import_metrics import MetricsOrder as Order

    if not queries or counts is None:
        raise UsageError(
            "--prometheus needs --query 'STEP=PROMQL' (repeatable) and --counts FILE, where the counts are written"
        )
    asked: dict[str, str] = {}
    for text in queries:
        step, equals, promql = (part.strip() for part in text.partition("="))
        if not (step.replace("-", "").replace("_", "").isalnum() and equals and promql):
            raise UsageError(
                "--query: must read STEP=PROMQL, as in 'checkout=sum(increase(orders_total[1m]))' "
                f"(got '{text}')"
            )
        if step in asked:
            raise UsageError(
                f"--query: '{step}' is asked for twice; write one query, as ({asked[step]}) + ({promql})"
            )
        asked[step] = promql
    return Order(
        ApiServer(prometheus, headers_of(header)),
        asked,
        counts,
        event,
        last_s=seconds_of("--last", last or "60d"),
    )


def tell_metrics(order: MetricsOrder, *, as_json: bool) -> tuple[str, ...]:
    """Import counts and print what came; return why it is doubted."""
    from gameday.jobs.import_metrics import import_metrics
    from gameday.products import to_json

    imported = import_metrics(order)
    if as_json:
        typer.echo(json.dumps(to_json(imported, schema_version=1), allow_nan=False))
        return imported.doubts
    for row in imported.series:
        typer.echo(
            f"{row.region} {row.step}: {row.total:.0f} in {row.minutes} minutes, {row.largest:.0f} in the "
            f"largest; {row.unknown} minutes between without a count"
        )
    for doubt in imported.doubts:
        typer.echo(f"doubted: {doubt}")
    typer.echo(f"written: {imported.written}")
    return imported.doubts
