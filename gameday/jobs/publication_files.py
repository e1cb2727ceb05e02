"""A publication as files: Parquet, the models, a page a team, and last the manifest; and what changed."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gameday.errors import HistoryError

if TYPE_CHECKING:
    from gameday.forecast.model import State
    from gameday.forecast.publication import EarlierPeak, PeakChange, Published, TeamPeak
    from gameday.scenario import Scenario

__all__ = ["file_sha256", "write_publication"]


def write_publication(
    scenario: Scenario, states: list[State], folder: Path, notes: list[str], kept: dict[str, Any]
) -> dict[str, Any]:
    """Write the publication, its manifest last; return what the command says of it."""
    from gameday.files import write_whole
    from gameday.forecast.model import known_until, save_state
    from gameday.forecast.publication import calendar_hash, published_table, team_peaks
    from gameday.products import to_json

    before = _previous(folder)
    forecasts, left_out = _forecasts(scenario, states, kept["lessons"])
    notes = [*notes, *left_out]
    peaks = {one.state.calendar.region: team_peaks(one) for one in forecasts}
    write_whole(
        folder / "forecast.parquet",
        lambda path: _parquet(path, (published_table(one.demand) for one in forecasts)),
    )
    names = {s.calendar.region: save_state(s, folder / "state").name for s in states}
    until = f"{known_until(states[0]):%Y-%m-%dT%H:%MZ}"
    teams = states[0].names
    hashes = {**kept["hashes"], "calendar": calendar_hash(scenario)}
    told = [*notes, *(f"{name} {digest[:12]}" for name, digest in hashes.items())]
    for series, team in enumerate(teams):
        mine = {region: rows[series] for region, rows in peaks.items()}
        page = {"team": team, "event": scenario.event.name, "until": until, "notes": told}
        _write_page(forecasts, series, folder, page, mine, before)
    every = [peak for region in peaks.values() for peak in region]
    rows = [to_json(peak) for peak in every]
    manifest = {
        "schema_version": 3,
        "event": scenario.event.name,
        "until": until,
        "hashes": hashes,
        "teams": teams,
        "scenario": kept["scenario"],
        "fitted": kept["fitted"],
        "lessons": kept["lessons"],
        "states": names,
        "forecast_sha256": file_sha256(folder / "forecast.parquet"),
        "peaks": rows,
    }
    write_whole(
        folder / "publication.json",
        lambda path: path.write_text(json.dumps(manifest), encoding="utf-8"),
    )
    for old in (folder / "state").glob("*.npz"):  # none before the manifest names the new ones
        if old.name not in names.values():
            old.unlink()
    return {"until": until, "peaks": rows, "changes": _changes(every, before), "notes": notes}


def _forecasts(
    scenario: Scenario, states: list[State], lessons: list[dict[str, Any]]
) -> tuple[list[Published], list[str]]:
    """Return each region's forecast, launches included, and what launches are left out of."""
    from gameday.forecast import demand_grid, event_spans
    from gameday.forecast.data import LaunchLesson, crowds_of
    from gameday.forecast.publication import Published, demand_of_state
    from gameday.traffic.fit import event_demand

    grid, others = demand_grid(scenario), [n for n in states[0].names if n not in scenario.steps]
    learned = [LaunchLesson(**{**row, "seen": tuple(row["seen"])}) for row in lessons]
    are_steps = len(others) < len(states[0].names)
    crowds = crowds_of(scenario, grid, learned) if are_steps else {}
    spans, notes = event_spans(scenario, grid), []
    if others and scenario.launches:
        notes.append(
            f"launches ({', '.join(scenario.launches)}) are not in the forecasts of teams that are no steps of "
            f"the scenario: {', '.join(others[:5])}{' ...' if len(others) > 5 else ''}"
        )
    return [
        Published.of(
            state, event_demand(scenario, demand_of_state(state, grid, span, crowds, place))
        )
        for place, (state, span) in enumerate(zip(states, spans, strict=True))
    ], notes


def _write_page(
    forecasts: list[Published],
    series: int,
    folder: Path,
    page: dict[str, Any],
    peaks: dict[str, TeamPeak],
    before: dict[tuple[str, str], EarlierPeak],
) -> None:
    """Write one team's page: its regions beside what the page says anyway."""
    from gameday.forecast.publication import team_region
    from gameday.products import to_json
    from gameday.report import render_team

    team, regions = page["team"], []
    for published in forecasts:
        region = published.state.calendar.region
        found = team_region(published, series, peaks[region], before.get((region, team)))
        row = {**to_json(peaks[region]), **to_json(found)}
        if found.change is not None:
            row["change"]["words"] = _words(found.change)
        regions.append(row)
    render_team({**page, "regions": regions}, folder / "teams" / f"{_safe(team)}.html")


def file_sha256(file: Path) -> str:
    """Return the hash of a file's bytes, hex."""
    with file.open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").hexdigest()


def _safe(team: str) -> str:
    """Return a team's name as a file's: letters, digits, dots, dashes and underscores alone."""
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in team)
    if plain == team and plain.strip("."):
        return plain
    return f"{plain}-{hashlib.sha256(team.encode()).hexdigest()[:8]}"  # two names may look alike


def _parquet(path: Path, tables: Any) -> None:
    import pyarrow
    from pyarrow import parquet

    writer = None
    try:
        for table in tables:
            part = pyarrow.Table.from_pandas(table, preserve_index=False)
            writer = writer or parquet.ParquetWriter(path, part.schema)
            writer.write_table(part)
    finally:
        if writer is not None:
            writer.close()


def _previous(folder: Path) -> dict[tuple[str, str], EarlierPeak]:
    """Return (region, team) -> its peak in the publication that lies there; nothing where none does."""
    from gameday.forecast.publication import EarlierPeak
    from gameday.products import from_json

    try:
        kept = json.loads((folder / "publication.json").read_text(encoding="utf-8"))
        peaks = [from_json(EarlierPeak, row) for row in kept["peaks"]]
        return {(peak.region, peak.team): peak for peak in peaks}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HistoryError(
            f"{folder / 'publication.json'}: is no publication ({error!r}); move it away or choose another --out"
        ) from None


def _changes(
    peaks: list[TeamPeak], before: dict[tuple[str, str], EarlierPeak]
) -> list[dict[str, Any]]:
    """Return what moved by more than a thousandth, most first, and why."""
    from gameday.forecast.publication import peak_change

    out = []
    for peak in peaks:
        moved = peak_change(peak, before.get((peak.region, peak.team)))
        if moved is None or not moved.before or not moved.after:
            continue
        times = moved.after / moved.before
        if abs(times - 1) > 0.001:
            out.append(
                {
                    "region": peak.region,
                    "team": peak.team,
                    "before": moved.before,
                    "after": moved.after,
                    "times": times,
                    "words": _words(moved),
                }
            )
    return sorted(out, key=lambda row: -abs(math.log(row["times"])))


def _words(moved: PeakChange) -> str:
    told = [(n, f) for n, f in moved.factors if f > 0 and abs(f - 1) >= 0.001]
    told.sort(key=lambda pair: -abs(math.log(pair[1])))
    launches = [
        f"launch {name} {before:,.0f} -> {after:,.0f}"
        for name, before, after in moved.launches
        if abs(after - before) > 0.001 * max(after, before)
    ]
    return "; ".join([*launches, *(f"{name} {100 * (f - 1):+.1f} %" for name, f in told[:3])])
