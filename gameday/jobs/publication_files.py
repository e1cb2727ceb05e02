"""A publication as files: Parquet, the models, a page a team, last the manifest; and how they are read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import parquet

from gameday.errors import HistoryError
from gameday.files import write_whole
from gameday.forecast import demand_grid, event_spans
from gameday.forecast.data import LaunchLesson, crowds_of
from gameday.forecast.model import State, known_until, save_state
from gameday.forecast.publication import (
    EarlierPeak,
    PeakMove,
    Published,
    TeamPeak,
    calendar_hash,
    demand_of_state,
    peak_moves,
    published_table,
    team_peaks,
    team_region,
)
from gameday.products import IsoInstant, from_json, to_json
from gameday.report import render_team
from gameday.scenario import Scenario
from gameday.scenario.reading import scenario_of
from gameday.traffic.fit import event_demand
from gameday.vocabulary import TimeGrid

__all__ = ["Basis", "KeptPublication", "Publication", "kept_publication", "write_publication"]

_MANIFEST, _FORECAST = "publication.json", "forecast.parquet"
_MOST_TEAMS = 5
"""Teams that a note names."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a publication rests on: kept with it, so that it can be refreshed."""

    scenario: Scenario
    text: str
    """The scenario as JSON."""
    fitted: TimeGrid
    """The past that the models were first fitted to."""
    lessons: tuple[LaunchLesson, ...]
    """What past launches say of those to come."""
    hashes: dict[str, str]
    """Input -> its SHA-256, hex."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published of an event."""

    folder: str
    until: str
    """When the known past ends, UTC, ISO 8601."""
    peaks: tuple[TeamPeak, ...]
    changes: tuple[PeakMove, ...]
    """Of the peaks since the publication before, the largest first."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptPublication:
    """A publication as it lies in its folder."""

    folder: Path
    basis: Basis
    teams: tuple[str, ...]
    states: dict[str, str]
    """Region -> name of its model's file."""
    forecast_sha256: str | None
    """Hex; None in manifests of an older version."""

    def forecast_file(self) -> Path:
        """Return the forecast's file; HistoryError where it is not the one that the manifest tells of."""
        file = self.folder / _FORECAST
        if not file.is_file() or _file_sha256(file) != self.forecast_sha256:
            raise HistoryError(
                f"{file}: is not what {self.folder / _MANIFEST} tells of, a publication or a refresh was cut off; "
                "do it again"
            )
        return file


@dataclass(frozen=True, slots=True)
class _FittedSpan:
    start: IsoInstant
    slots: int


@dataclass(frozen=True, slots=True)
class _Manifest:
    """The file `publication.json`, fields as in `Basis` and `KeptPublication`."""

    event: str
    until: str
    hashes: dict[str, str]
    teams: tuple[str, ...]
    scenario: str
    fitted: _FittedSpan
    lessons: tuple[LaunchLesson, ...]
    states: dict[str, str]
    forecast_sha256: str
    peaks: tuple[TeamPeak, ...]


@dataclass(frozen=True, slots=True)
class _RegionForecast:
    """A region's forecast and its teams' peaks, in the model's order."""

    published: Published
    peaks: list[TeamPeak]


def kept_publication(folder: Path) -> KeptPublication:
    """Return the publication that lies in a folder; HistoryError where there is no whole one."""
    try:
        kept = _kept(folder, json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        if set(kept.states) != set(kept.basis.scenario.regions):
            raise KeyError("states")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HistoryError(
            f"{folder}: holds no whole publication ({type(error).__name__}); `gameday forecast publish` makes one"
        ) from None
    return kept


def _kept(folder: Path, data: dict[str, Any]) -> KeptPublication:
    """Return what a manifest holds; ValueError, KeyError or TypeError where it is none."""
    scenario, span = scenario_of(data["scenario"]), data["fitted"]
    basis = Basis(
        scenario=scenario,
        text=data["scenario"],
        fitted=TimeGrid(datetime.fromisoformat(span["start"]), span["slots"]),
        lessons=tuple(from_json(LaunchLesson, row) for row in data["lessons"]),
        hashes=data["hashes"],
    )
    return KeptPublication(
        folder, basis, tuple(data["teams"]), data["states"], data.get("forecast_sha256")
    )


def write_publication(
    folder: Path, basis: Basis, states: Sequence[State], notes: Sequence[str]
) -> Publication:
    """Write a publication, its manifest last; return what was published.

    `states`: the regions' models. HistoryError where what lies in the folder is no publication.
    """
    before = _earlier_peaks(folder)
    forecasts, left_out = _forecasts(basis, states)
    tables = (published_table(region.published.demand) for region in forecasts)
    write_whole(folder / _FORECAST, lambda path: _write_parquet(path, tables))
    peaks = tuple(peak for region in forecasts for peak in region.peaks)
    publication = Publication(
        folder=str(folder),
        until=f"{known_until(states[0]):%Y-%m-%dT%H:%MZ}",
        peaks=peaks,
        changes=peak_moves(peaks, before),
        notes=(*notes, *left_out),
    )
    basis = replace(basis, hashes={**basis.hashes, "calendar": calendar_hash(basis.scenario)})
    pages = _TeamPages(publication, basis, forecasts, before)
    for series, team in enumerate(states[0].names):
        pages.write(series, folder / "teams" / f"{_as_file_name(team)}.html")
    _write_manifest(folder, publication, basis, states)
    return publication


def _earlier_peaks(folder: Path) -> dict[tuple[str, str], EarlierPeak]:
    """Return (region, team) -> its peak in the publication that lies in a folder; nothing where none does."""
    file = folder / _MANIFEST
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        peaks = [from_json(EarlierPeak, row) for row in kept["peaks"]]
        return {(peak.region, peak.team): peak for peak in peaks}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HistoryError(
            f"{file}: is no publication ({error!r}); move it away or choose another --out"
        ) from None


def _forecasts(basis: Basis, states: Sequence[State]) -> tuple[list[_RegionForecast], list[str]]:
    """Return each region's forecast, launches included, and notes of what launches are left out of."""
    scenario = basis.scenario
    grid, spans = demand_grid(scenario), event_spans(scenario, demand_grid(scenario))
    teams = states[0].names
    others = [name for name in teams if name not in scenario.steps]
    crowds = crowds_of(scenario, grid, [*basis.lessons]) if len(others) < len(teams) else {}
    forecasts = []
    for region, (state, span) in enumerate(zip(states, spans, strict=True)):
        demand = event_demand(scenario, demand_of_state(state, grid, span, crowds, region))
        published = Published.of(state, demand)
        forecasts.append(_RegionForecast(published, team_peaks(published)))
    if not others or not scenario.launches:
        return forecasts, []
    more = " ..." if len(others) > _MOST_TEAMS else ""
    return forecasts, [
        f"launches ({', '.join(scenario.launches)}) are not in the forecasts of teams that are no steps of the "
        f"scenario: {', '.join(others[:_MOST_TEAMS])}{more}"
    ]


@dataclass(frozen=True, slots=True)
class _TeamPages:
    """The teams' pages of a publication."""

    publication: Publication
    basis: Basis
    forecasts: list[_RegionForecast]
    before: dict[tuple[str, str], EarlierPeak]

    def write(self, series: int, file: Path) -> None:
        """Write the page of one team, by its place among the teams."""
        regions = []
        for region in self.forecasts:
            peak = region.peaks[series]
            before = self.before.get((peak.region, peak.team))
            shown = team_region(region.published, series, peak, before)
            row = {**to_json(peak), **to_json(shown)}
            if shown.change is not None:
                row["change"]["words"] = shown.change.words()
            regions.append(row)
        inputs = (f"{name} {digest[:12]}" for name, digest in self.basis.hashes.items())
        page = {
            "team": self.forecasts[0].peaks[series].team,
            "event": self.basis.scenario.event.name,
            "until": self.publication.until,
            "notes": [*self.publication.notes, *inputs],
            "regions": regions,
        }
        render_team(page, file)


def _write_manifest(
    folder: Path, publication: Publication, basis: Basis, states: Sequence[State]
) -> None:
    """Write the models, then the manifest that names them; models that it does not name go."""
    files = {s.calendar.region: save_state(s, folder / "state").name for s in states}
    manifest = _Manifest(
        event=basis.scenario.event.name,
        until=publication.until,
        hashes=basis.hashes,
        teams=states[0].names,
        scenario=basis.text,
        fitted=_FittedSpan(basis.fitted.start, basis.fitted.slots),
        lessons=basis.lessons,
        states=files,
        forecast_sha256=_file_sha256(folder / _FORECAST),
        peaks=publication.peaks,
    )
    text = json.dumps(to_json(manifest, schema_version=3))
    write_whole(folder / _MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))
    for old in (folder / "state").glob("*.npz"):
        if old.name not in files.values():
            old.unlink()


def _file_sha256(file: Path) -> str:
    """Return the hash of a file's bytes, hex."""
    with file.open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").hexdigest()


def _as_file_name(team: str) -> str:
    """Return a team's name as a file's: letters, digits, dots, dashes and underscores alone."""
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in team)
    if plain == team and plain.strip("."):
        return plain
    return f"{plain}-{hashlib.sha256(team.encode()).hexdigest()[:8]}"  # two names may look alike


def _write_parquet(file: Path, tables: Iterable[pd.DataFrame]) -> None:
    """Write tables of the same columns as one file, one after the other."""
    writer = None
    try:
        for table in tables:
            part = pyarrow.Table.from_pandas(table, preserve_index=False)
            writer = writer or parquet.ParquetWriter(file, part.schema)
            writer.write_table(part)
    finally:
        if writer is not None:
            writer.close()
