"""New minutes added to a publication without starting over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gameday.errors import HistoryError
from gameday.forecast.data import RegionCalendar, region_calendars
from gameday.forecast.model import State, load_state, refreshed
from gameday.history import History
from gameday.jobs.publication_files import (
    Basis,
    KeptPublication,
    Publication,
    kept_publication,
    write_publication,
)
from gameday.jobs.team_counts import read_team_counts
from gameday.vocabulary import Array, TimeGrid

__all__ = ["refresh"]


def refresh(folder: Path, add: Path) -> Publication:
    """Add the minutes of the file `add` to the publication in a folder, and publish it anew there.

    HistoryError where there is no whole publication, the file has other regions or teams, or nothing in it is new.
    """
    kept = kept_publication(folder)
    new = read_team_counts(add, kept.basis.scenario, kept.teams)
    moved = [_add_minutes(kept, calendar, new) for calendar in _calendars(kept).values()]
    if not any(region.has_moved for region in moved):
        raise HistoryError(f"{add}: ends before what was last known; nothing is new in it")
    notes = [note for region in moved for note in region.notes]
    states = [region.state for region in moved]
    return write_publication(folder, _with_added(kept.basis, new), states, notes)


@dataclass(frozen=True, slots=True)
class _Moved:
    """A region's model after the new minutes."""

    state: State
    notes: list[str]
    has_moved: bool


def _add_minutes(kept: KeptPublication, calendar: RegionCalendar, new: History) -> _Moved:
    """Return a region's model with the minutes after its end, or as it was where there are none."""
    region = calendar.region
    state = load_state(kept.folder / "state" / kept.states[region], calendar)
    end, last = int(state.end_min), new.grid.epoch_min + new.grid.slots
    if last <= end:
        note = f"{region}: was known further than the new minutes go; left as it was"
        return _Moved(state, [note], has_moved=False)
    known = end - new.grid.epoch_min
    counts = _counts_after(new, state, known, last - end)
    moved, odd = refreshed(state, counts, TimeGrid(new.grid.instant(known), last - end))
    return _Moved(moved, [*_notes(region, known, odd)], has_moved=True)


def _counts_after(new: History, state: State, known: int, slots: int) -> Array:
    """Return the counts of the `slots` minutes after a state's end, shape (teams, slots), NaN where unknown.

    `known`: slots of the new history that were known before; negative: minutes that are missing between.
    """
    order = [new.steps.index(name) for name in state.names]
    counts = np.full((len(order), slots), np.nan, np.float32)
    of_region = new.counts[new.regions.index(state.calendar.region)]
    counts[:, max(0, -known) :] = of_region[order][:, max(0, known) :]
    return counts


def _notes(region: str, known: int, odd: int) -> Iterator[str]:
    """Yield what is told of a region's new minutes: those known before, those missing, rows far off."""
    if known > 0:
        yield f"{region}: {known} minutes were known before and are left as they were"
    if known < 0:
        yield f"{region}: {-known} minutes between are not known"
    if odd:
        yield (
            f"{region}: {odd} new rows lie far off what was expected; left out until the next whole fit"
        )


def _with_added(basis: Basis, new: History) -> Basis:
    """Return what a publication rests on with one more input."""
    number = sum(name.startswith("added") for name in basis.hashes) + 1
    return replace(basis, hashes={**basis.hashes, f"added {number}": new.sha256})


def _calendars(kept: KeptPublication) -> dict[str, RegionCalendar]:
    """Return region -> the calendar that its published model was fitted with."""
    scenario = kept.basis.scenario
    nothing = np.empty((len(scenario.regions), len(kept.teams), 0))
    past = History(
        kept.basis.fitted, scenario.region_names, kept.teams, nothing, source="kept", sha256=""
    )
    return region_calendars(scenario, past)
