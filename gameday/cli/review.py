"""`gameday forecast review`: what came of an event against what had been said."""

from __future__ import annotations

import json
import math
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import EventOption, HistoryOption, JsonOption, SeedOption

if TYPE_CHECKING:
    from gameday.forecast.evaluation import IngredientError, PeakReview, ReviewRow
    from gameday.jobs.forecast_review import EventReview

__all__ = ["add_to"]

_MOST_INGREDIENTS = 16


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(review)


def review(
    event: EventOption,
    page: Annotated[Path | None, typer.Option(help="HTML to write")] = None,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Hold an event that is over against what had been said of it: by lead, region, step, hour and service.

    Example: gameday forecast review --event primeday --page review.html
    """
    from gameday.jobs.forecast_review import ReviewOrder, review_event
    from gameday.live import Show
    from gameday.products import to_json
    from gameday.vocabulary import Seed

    found = review_event(ReviewOrder(event, Seed(seed), history, page), Show())
    if as_json:
        typer.echo(json.dumps(to_json(found, schema_version=1)))
    else:
        _say(found)


def _say(found: EventReview) -> None:
    typer.echo(
        f"{found.event}: what came against what was said, known until {found.known_until[:16]}Z"
    )
    typer.echo(
        f"{'':<32}{'said':>14}{'came':>14}{'too much':>10}{'off':>8}{'p10':>8}{'p90':>8}{'held':>7}"
    )
    for of, rows in groupby(found.rows, key=lambda row: row.of):
        typer.echo(f"by {of}")
        for row in rows:
            _say_row(row)
    _say_peak(found.peak)
    typer.echo(
        "what was wrong, as came over said: level, of ordinary minutes around the event; event, beside them"
    )
    for error in found.ingredients[:_MOST_INGREDIENTS]:
        _say_ingredient(error)
    if (rest := len(found.ingredients) - _MOST_INGREDIENTS) > 0:
        typer.echo(f"  and {rest} more, nearer to what was said: --json has them all")
    before, after = (
        100 * (math.exp(sigma) - 1) for sigma in (found.sigma_before, found.sigma_after)
    )
    typer.echo(
        f"the next event of its kind: its size is told to within {before:.0f} % (one deviation) without this one, "
        f"{after:.0f} % with it; its effect is learned from this one too, once the history holds it"
    )
    for note in found.notes:
        typer.echo(f"  {note}")


def _say_row(row: ReviewRow) -> None:
    """Print a row; `off` is the mean error of an hour, p10 and p90 are of came over said by the hour."""
    low, high = ("-" if ratio is None else f"{ratio:.2f}" for ratio in (row.low, row.high))
    typer.echo(
        f"  {row.name:<30}{row.said:>14,.0f}{row.came:>14,.0f}{100 * row.bias:>+9.1f}%{100 * row.wape:>7.1f}%"
        f"{low:>8}{high:>8}{100 * row.held:>6.0f}%"
    )


def _say_peak(peak: PeakReview) -> None:
    said = ", ".join(f"p{100 * level:g} {size:,.0f}" for level, size in sorted(peak.said.items()))
    held = {
        True: "p10 to p90 held it",
        False: "p10 to p90 did not hold it",
        None: "not judged: no spread was told, or over a tenth of its minutes is not known",
    }[peak.is_held]
    typer.echo(
        f"highest minute: {peak.came:,.0f} came, {abs(peak.minutes_late):.0f} minutes "
        f"{'later' if peak.minutes_late >= 0 else 'earlier'} than expected; said were {said}; {held}"
    )


def _say_ingredient(error: IngredientError) -> None:
    typer.echo(f"  {error.region:<8}{error.step:<16}{error.ingredient:<18}x {error.factor:.3f}")
