"""`gameday forecast outlook`: years ahead, by week, with the year's peak, in steps and in compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import EventOption, HistoryOption, JsonOption, SeedOption

if TYPE_CHECKING:
    from gameday.jobs.outlook import EventRow, OutlookAnswer, YearPeak, YearsAhead

__all__ = ["add_to"]

_EVERY_WEEKS = 13
"""Of the weeks every so many are printed, and the first and the last."""


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(outlook)


def outlook(
    event: EventOption,
    weeks: Annotated[int, typer.Option(min=1, max=156, help="how far ahead")] = 104,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    out: Annotated[
        Path | None, typer.Option(help="Parquet to write: every week, region and step")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look two years ahead by the week, and at the highest minute of the next year, in steps and busy vCPUs.

    Example: gameday forecast outlook --event primeday --weeks 104
    """
    from gameday.jobs.outlook import OutlookOrder
    from gameday.jobs.outlook import outlook as look_ahead
    from gameday.live import Show
    from gameday.products import to_json
    from gameday.vocabulary import Seed

    answer = look_ahead(OutlookOrder(event, Seed(seed), weeks, history, out), Show())
    if out is not None:
        typer.echo(f"{out}", err=as_json)
    if as_json:
        typer.echo(json.dumps(to_json(answer, schema_version=3)))
    else:
        _say(answer)


def _say(answer: OutlookAnswer) -> None:
    for region, ahead in answer.regions.items():
        typer.echo(f"{region}: WAPE of a day on earlier origins {100 * ahead.daily_wape:.1f} %")
        _say_weeks(ahead)
        if ahead.vcpus_peak is not None:
            _say_event(answer.event, ahead.event[-1])
            _say_peaks(ahead, ahead.vcpus_peak)
    for note in answer.notes:
        typer.echo(f"  {note}")


def _say_weeks(ahead: YearsAhead) -> None:
    typer.echo(
        f"  {'week of':<12}{'steps p10':>14}{'p50':>14}{'p90':>14}{'mean busy vCPUs p50':>22}"
    )
    last = len(ahead.weeks) - 1
    for week in sorted({0, *range(3, last, _EVERY_WEEKS), last}):
        totals = [ahead.steps_a_week[level][-1][week] for level in ("p10", "p50", "p90")]
        typer.echo(
            f"  {ahead.weeks_local[week]:<12}"
            + "".join(f"{total:>14,.0f}" for total in totals)
            + f"{ahead.mean_vcpus['p50'][week]:>22,.1f}"
        )


def _say_event(name: str, whole: EventRow) -> None:
    """Print the event's own row: its total, and its highest minute, launches included."""
    added = f", {whole.launch_mean:,} of them of launches" if whole.launch_mean else ""
    size = ", ".join(f"{level} {value:,.0f}" for level, value in whole.peak.items())
    typer.echo(
        f"  {name}: {whole.total_mean:,} steps expected{added}; highest minute "
        f"{whole.instant:%Y-%m-%dT%H:%M}Z: {size}"
    )


def _say_peaks(ahead: YearsAhead, vcpus: YearPeak) -> None:
    for step, peak in ahead.peaks.items():
        size = peak.size
        typer.echo(
            f"  year's highest minute of {step:<12} {peak.instant:%Y-%m-%dT%H:%M}Z: {size['p50']:,.0f} a minute"
            + (f" (p10 {size['p10']:,.0f}, p90 {size['p90']:,.0f})" if "p90" in size else "")
        )
    typer.echo(
        f"  year's most busy vCPUs {vcpus.instant:%Y-%m-%dT%H:%M}Z: "
        f"{', '.join(f'{level} {value:,.0f}' for level, value in vcpus.size.items())}"
    )
