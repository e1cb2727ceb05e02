"""`gameday forecast track`: what comes against what was forecast, while it comes."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.errors import HistoryError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from gameday.forecast.publication import Alert, Plan, Tracker

__all__ = ["add_to"]

_POLL_S = 5.0
_LEVELS, _PARTS = ("p50", "p10", "p90"), ("launch_p50", "organic_p10", "organic_p90")
"""Columns of a forecast that are tracked: what is expected in all, and what of it launches are."""


def add_to(group: typer.Typer) -> None:
    """Add this file's verbs."""
    group.command()(track)


def track(
    plan: Annotated[Path, typer.Option(help="a publication's folder, or a run's demand.parquet")],
    actuals: Annotated[
        Path | None, typer.Option(help="a growing table: time, region, team, count")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(help="a server's address, as http://127.0.0.1:9090")
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="PromQL of a minute's count; has $region, $step")
    ] = None,
    region: Annotated[str | None, typer.Option(help="one region; default all")] = None,
    step: Annotated[str | None, typer.Option(help="one step or team; default all")] = None,
    zone: Annotated[
        str | None, typer.Option(help="clock of times without offset; default the plan's")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="go on until the plan ends")] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="with --follow, end after so many seconds; 0: never")
    ] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="print JSON: a line an alert, then a summary")
    ] = False,
) -> None:
    """Track actuals against a forecast: sharp edges and launches that do not come within two minutes, drift,
    and today's level where it pays.

    Example: gameday forecast track --plan forecasts/primeday --actuals counts.csv --follow
    """
    if (actuals is None) == (prometheus is None):
        raise UsageError("give --actuals FILE, or --prometheus URL with --query (one of them)")
    if (prometheus is None) != (query is None):
        raise UsageError("--prometheus and --query belong together")
    plans, clock = _plans(plan, region, step), _clock(plan, zone)
    if query is not None:
        _check_query(query, [one.name for one in plans])
    from gameday.forecast.publication import Tracker

    tracker, told = Tracker(plans), set[str]()
    ends = time.monotonic() + wait if wait else float("inf")
    while True:
        if actuals is not None:
            alerts = _from_file(tracker, actuals, clock, told, must_be=not follow)
        else:
            alerts = _from_server(tracker, prometheus or "", query or "")
        for alert in alerts:
            _tell(alert, as_json=as_json)
        if not follow or tracker.next_slot >= tracker.grid.slots or time.monotonic() >= ends:
            break
        time.sleep(min(_POLL_S, max(0.0, ends - time.monotonic())))
    _summary(tracker, as_json=as_json)


def _check_query(query: str, series: list[str]) -> None:
    """Raise UsageError where a query would tell several series of the plan the same counts."""
    for what, words in (("region", ("$region",)), ("step or team", ("$step", "$team"))):
        names = {name.split(" ", 1)[what != "region"] for name in series}
        if len(names) > 1 and not any(word in query for word in words):
            raise UsageError(
                f"--query: says nothing of {' or '.join(words)}, and the plan has {len(names)} of them "
                f"({', '.join(sorted(names)[:5])}): each would be given the same counts; write a label as "
                f'{what.split(" ")[0]}="{words[0]}", or choose one with --{what.split(" ")[0]}'
            )


def _plans(source: Path, region: str | None, step: str | None) -> list[Plan]:
    import numpy as np
    import pandas as pd

    from gameday.forecast.publication import Plan
    from gameday.vocabulary import TimeGrid

    file = source / "forecast.parquet" if source.is_dir() else source
    if source.is_dir():
        from gameday.jobs.publication_files import kept_publication

        kept_publication(source).forecast_file()
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise HistoryError(
            f"{file}: no forecast can be read there ({error}); `gameday forecast publish` writes one"
        ) from None
    what = "team" if "team" in table.columns else "step"
    if missing := {"region", what, "slot_utc", *_LEVELS, *_PARTS} - set(table.columns):
        raise HistoryError(
            f"{file}: is no forecast, or one of an older version: no column {', '.join(sorted(missing))}; "
            "`gameday forecast publish` writes one"
        )
    out = []
    for (place, name), rows in table.groupby(["region", what], sort=False, observed=True):
        if region in (None, place) and step in (None, name):
            start = rows["slot_utc"].iloc[0].to_pydatetime()
            median, low, high = (rows[level].to_numpy(np.float64) for level in _LEVELS)
            launch, *organic = (rows[part].to_numpy(np.float64) for part in _PARTS)
            grid = TimeGrid(start, len(rows))
            band = (organic[0], organic[1])
            out.append(Plan(f"{place} {name}", grid, median, low, high, launch, band))
    if not out:
        raise UsageError(
            f"{file}: forecasts nothing of {region or 'any region'}, {step or 'any step'}"
        )
    return out


def _clock(plan: Path, zone: str | None) -> str:
    """Return the zone of times without an offset: as asked, as the publication's history has it, or UTC."""
    from gameday.cli.backtest import check_place

    if zone is not None:
        check_place(zone, None)
        return zone
    manifest = plan / "publication.json"
    if not manifest.is_file():
        return "UTC"
    from gameday.jobs.publication_files import kept_publication

    return kept_publication(plan).basis.scenario.history.time_zone


def _from_file(
    tracker: Tracker, file: Path, clock: str, told: set[str], *, must_be: bool
) -> list[Alert]:
    import numpy as np

    table = _table(file, clock, told, must_be=must_be)
    if table is None or table.empty:
        return []
    first = tracker.grid.epoch_min
    aliases = _names_of_plan(tracker)
    table["name"] = [aliases.get(name.casefold(), name) for name in table["name"]]
    slot = (table["minute"] - first).to_numpy(np.int64)
    # Only whole minutes: the last one may still be growing, unless all series have it and the plan ends with it.
    last = min(int(slot.max()), tracker.grid.slots)
    if last == tracker.grid.slots - 1 and set(tracker.series) <= set(table["name"][slot == last]):
        last += 1
    begin = tracker.next_slot
    if last <= begin:
        return []
    counts = {}
    for name, rows in table.groupby("name", observed=True):
        if name in tracker.series:
            row, at = (
                np.full(last - begin, np.nan),
                (rows["minute"] - first).to_numpy(np.int64) - begin,
            )
            inside = (at >= 0) & (at < last - begin)
            row[at[inside]] = rows["count"].to_numpy(float)[inside]
            counts[str(name)] = row
    if not counts:
        names = ", ".join(sorted(set(map(str, table["name"])))[:3])
        raise HistoryError(
            f"{file}: names no series of the plan (it has {names}; the plan {', '.join(list(tracker.series)[:3])})"
        )
    if others := sorted(set(map(str, table["name"])) - set(counts)):
        _tell_once([f"{file}: not tracked, the plan has none: {', '.join(others[:5])}"], told)
    return tracker.feed(counts, begin, last - begin)


def _names_of_plan(tracker: Tracker) -> dict[str, str]:
    """Return what files may call a plan's series, in lower case: unnamed where there is no second one."""
    named = [name.split(" ", 1) for name in tracker.series]
    out = {name.casefold(): name for name in tracker.series}
    if len({region for region, _ in named}) == 1:
        out |= {f"all {step}".casefold(): f"{region} {step}" for region, step in named}
    return out | ({"all count": next(iter(tracker.series))} if len(named) == 1 else {})


def _table(file: Path, clock: str, told: set[str], *, must_be: bool) -> pd.DataFrame | None:
    """Return minute, name and count of what the file holds now; a last line not yet whole is left for later."""
    from gameday.history import minutes_of_table
    from gameday.history.readers import find_reader, readable_suffixes

    if not file.is_file():
        if must_be:
            raise HistoryError(
                f"{file}: no such file; check --actuals, or wait for it with --follow"
            )
        return None
    reader = find_reader(file)
    if reader is None:
        raise HistoryError(f"{file}: must end in {readable_suffixes()}")
    table = reader.read_so_far(file)
    if table is None:
        return None
    minutes, notes = minutes_of_table(table, str(file), clock)
    _tell_once([f"{file}: {note}" for note in notes], told)
    return minutes


def _tell_once(lines: list[str], told: set[str]) -> None:
    """Say on standard error what was not said before: a growing file is read again and again."""
    for line in lines:
        if line not in told:
            told.add(line)
            typer.echo(line, err=True)


def _from_server(tracker: Tracker, url: str, query: str) -> list[Alert]:
    from gameday.history import minutes_from_prometheus

    now = int(datetime.now(UTC).timestamp() // 60)
    first = tracker.grid.epoch_min + tracker.next_slot
    last = min(now, tracker.grid.epoch_min + tracker.grid.slots)
    if last <= first:
        return []
    counts = {}
    for name in tracker.series:
        place, step = name.split(" ", 1)
        asked = query.replace("$region", place).replace("$step", step).replace("$team", step)
        counts[name] = minutes_from_prometheus(url, asked, first, last)
    return tracker.feed(counts, tracker.next_slot, last - first)


def _tell(alert: Alert, *, as_json: bool) -> None:
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "schema_version": 1,
                    "at": alert.instant.isoformat(),
                    "series": alert.series,
                    "kind": alert.kind,
                    "words": alert.words,
                }
            )
        )
    else:
        typer.echo(f"{alert.instant:%Y-%m-%dT%H:%MZ}  {alert.kind:<6}{alert.series}: {alert.words}")


def _summary(tracker: Tracker, *, as_json: bool) -> None:
    until = tracker.grid.start + timedelta(minutes=tracker.next_slot)
    rows = {name: one.outlook() for name, one in tracker.series.items()}
    if as_json:
        from gameday.products import to_json

        series = {name: to_json(row) for name, row in rows.items()}
        said: dict[str, Any] = {"schema_version": 1, "until": until.isoformat(), "series": series}
        typer.echo(json.dumps(said))
        return
    typer.echo(f"tracked until {until:%Y-%m-%dT%H:%MZ}")
    typer.echo(f"{'series':<24}{'minutes':>8}{'WAPE':>9}{'in 80 %':>9}{'level':>8}  from now on")
    for name, row in rows.items():
        wape = "-" if row.wape is None else f"{100 * row.wape:.1f} %"
        held = "-" if row.coverage_80 is None else f"{100 * row.coverage_80:.0f} %"
        applied = f"x {row.applied:.3f}" if row.pays else "the plan as it is"
        typer.echo(f"{name:<24}{row.minutes:>8}{wape:>9}{held:>9}{row.level:>8.3f}  {applied}")
