"""`gameday forecast types`: shares of product types in an event, from order lines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import EventOption, JsonOption, SeedOption

if TYPE_CHECKING:
    from gameday.jobs.type_shares import TypeAnswer

__all__ = ["add_to"]


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(types)


def types(
    event: EventOption,
    orders: Annotated[
        Path, typer.Option(help="order lines, or typed clicks: time, region, product type, units")
    ],
    type_column: Annotated[
        str | None, typer.Option(help="the column that tells product types; default by its name")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Parquet to write: every minute, region and type")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="YAML to write: the products' shares and hours, to include")
    ] = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Forecast the shares of product types in an event, by region and hour, from order lines.

    Example: gameday forecast types --event primeday --orders lines.csv --overlay types.yaml
    """
    from gameday.jobs.type_shares import TypeOrder, forecast_types
    from gameday.live import Show
    from gameday.products import to_json
    from gameday.vocabulary import Seed

    order = TypeOrder(event, orders, Seed(seed), type_column, out, overlay)
    answer = forecast_types(order, Show())
    if as_json:
        typer.echo(json.dumps(to_json(answer, schema_version=1)))
    else:
        _say(answer, overlay)


def _say(answer: TypeAnswer, overlay: Path | None) -> None:
    typer.echo(
        f"{answer.event}: shares of orders by product type, and the local hours of the highest and lowest"
    )
    typer.echo(f"{'region':<8}{'type':<24}{'share':>8}{'p10':>8}{'p90':>8}  hours")
    for row in answer.rows:
        known = [(share, hour) for hour, share in enumerate(row.hours) if not math.isnan(share)]
        (low, lowest), (high, highest) = min(known), max(known)
        typer.echo(
            f"{row.region:<8}{row.type:<24}{100 * row.share:>7.1f}%{100 * row.low:>7.1f}%{100 * row.high:>7.1f}%"
            f"  {100 * high:.1f} % at {highest:02d}:00, {100 * low:.1f} % at {lowest:02d}:00"
        )
    errors = answer.errors
    if errors.days:
        typer.echo(
            f"off by {100 * errors.own:.2f} points of share a day and type, over {errors.days} days of earlier "
            f"origins; last week's share {100 * errors.last_week:.2f}, last year's {100 * errors.last_year:.2f}"
        )
    if overlay is not None:
        typer.echo(
            f"{overlay}: `include: [{overlay}, ...]` gives a scenario these shares; the first file wins"
        )
    for note in answer.notes:
        typer.echo(f"  {note}")
