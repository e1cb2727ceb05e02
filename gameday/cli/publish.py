"""`gameday forecast publish` and `refresh`: forecasts of all regions and teams, kept, and moved on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.cli.options import (
    EventOption,
    HistoryOption,
    JsonOption,
    RivalsOption,
    SeedOption,
)
from gameday.history.readers import readable_kinds

if TYPE_CHECKING:
    from gameday.forecast.publication import TeamPeak
    from gameday.jobs.publication_files import Publication

__all__ = ["add_to"]

_MOST_ROWS, _MOST_CHANGES = 12, 5


ReportsOption = Annotated[
    Path,
    typer.Option(help="folder of all runs: requests whose need has changed are in review again"),
]


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(publish)
    group.command()(refresh)


def publish(
    event: EventOption,
    out: Annotated[Path, typer.Option(help="folder; what was published there is compared with")],
    teams: Annotated[
        Path | None, typer.Option(help="counts by time, region, team; default the steps")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="a dask scheduler, as tcp://HOST:8786")
    ] = None,
    rivals: RivalsOption = "last week,median of weeks",
    history: HistoryOption = None,
    seed: SeedOption = 1,
    reports: ReportsOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Publish the forecasts of an event for all regions and teams: Parquet, a page a team, the model to refresh.

    Example: gameday forecast publish --event primeday --out forecasts/primeday
    """
    from gameday.jobs.publish import PublishOrder, publish_order
    from gameday.vocabulary import Seed

    order = PublishOrder(
        event=event,
        out=out,
        seed=Seed(seed),
        teams=teams,
        history=history,
        rivals=rivals,
        cluster=cluster,
    )
    done = publish_order(order)
    _tell(done, _met(reports, out, done), as_json=as_json)


def refresh(
    folder: Annotated[Path, typer.Argument(help="what `gameday forecast publish` wrote")],
    add: Annotated[
        Path,
        typer.Option(help=f"{readable_kinds()} with the new minutes, columns as published from"),
    ],
    reports: ReportsOption = Path("reports"),
    as_json: JsonOption = False,
) -> None:
    """Add new minutes to a publication without starting over, and say what changed and why.

    Example: gameday forecast refresh forecasts/primeday --add yesterday.csv
    """
    from gameday.jobs.refresh import refresh as add_minutes

    done = add_minutes(folder, add)
    _tell(done, _met(reports, folder, done), as_json=as_json)


def _met(reports: Path, folder: Path, publication: Publication) -> tuple[str, ...]:
    """Return what a publication does to the requests of its event."""
    from gameday.jobs.publication_files import kept_publication
    from gameday.jobs.publication_need import meet_publication

    return meet_publication(reports, kept_publication(folder).basis.scenario, publication)


def _tell(publication: Publication, requests: tuple[str, ...], *, as_json: bool) -> None:
    from gameday.products import to_json

    if as_json:
        told = to_json(publication, schema_version=2)
        typer.echo(json.dumps({**told, "requests_outdated": list(requests)}))
        return
    peaks = publication.peaks
    teams, regions = {peak.team for peak in peaks}, {peak.region for peak in peaks}
    typer.echo(
        f"{publication.folder}: {len(teams)} teams in {len(regions)} regions, known until {publication.until}"
    )
    _say_peaks(peaks)
    for move in publication.changes[:_MOST_CHANGES]:
        typer.echo(
            f"  {move.team} in {move.region}: {move.before:,.0f} -> {move.after:,.0f}: {move.words}"
        )
    for note in (*publication.notes, *requests):
        typer.echo(f"  {note}")


def _say_peaks(peaks: tuple[TeamPeak, ...]) -> None:
    """Print the highest peaks."""
    highest = sorted(peaks, key=lambda peak: -peak.size["p50"])[:_MOST_ROWS]
    typer.echo(
        f"  {'team':<14}{'region':<8}{'highest minute':<18}{'its p50':>12}{'its p90':>12}{'mean total':>16}"
        "  launches included"
    )
    for peak in highest:
        high = f"{peak.size['p90']:>12,.0f}" if "p90" in peak.size else f"{'-':>12}"
        added = f", {peak.launch_mean:,.0f} of them of launches" if peak.launch_mean else ""
        typer.echo(
            f"  {peak.team:<14}{peak.region:<8}{peak.instant[:16]}Z "
            f"{peak.size['p50']:>12,.0f}{high}{peak.total_mean:>16,.0f}{added}"
        )
    if len(highest) < len(peaks):
        typer.echo(f"  the {len(highest)} highest of {len(peaks)}; --json has all")
