"""Reading a history: from a file, or the synthetic one from its cache."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.files import cache_folder, write_whole
from gameday.history.history import History
from gameday.history.instants import last_year
from gameday.history.member_forecasts import read_members
from gameday.history.names import usual_columns
from gameday.history.readers import reader_of
from gameday.history.repair import Wanted, counts_from_table
from gameday.history.synthetic import (
    make_past,
    past_fingerprint,
    synthetic_grid,
    synthetic_history,
)
from gameday.scenario import Scenario
from gameday.scenario.blocks import Columns
from gameday.vocabulary import Array, Seed

__all__ = ["read_any_history", "read_given", "read_history"]


def read_history(scenario: Scenario, *, file: str | Path | None, seed: Seed) -> History:
    """Return the past from `file`, or a synthetic one made from `seed`, and what `forecast.members` said of it.

    HistoryError if unsound.
    """
    past = _cached_past(scenario, seed) if file is None else _from_file(scenario, Path(file))
    return replace(past, members=read_members(scenario))


def _from_file(scenario: Scenario, file: Path) -> History:
    until = scenario.history.until
    history = _history_of(file, _table_of(file, "--history"), _wanted(scenario))
    if history.grid.start >= until:
        raise HistoryError(
            f"{file}: starts at {history.grid.start:%Y-%m-%dT%H:%MZ}, after history.until "
            f"{until:%Y-%m-%dT%H:%MZ}; nothing would be known"
        )
    return history


def read_given(scenario: Scenario, file: str | Path) -> History:
    """Return counts that are given for the event itself, past or to come, in the form of a past.

    Columns are `history.columns` of the scenario, or where the file lacks those, told by their names. HistoryError
    if unsound.
    """
    file, wanted = Path(file), _wanted(scenario)
    table = _table_of(file, "--demand")
    columns = _columns_of(table, wanted.columns, str(file))
    return _history_of(file, table, replace(wanted, columns=columns))


def _wanted(scenario: Scenario) -> Wanted:
    block = scenario.history
    return Wanted(
        block.columns,
        block.time_zone,
        scenario.region_names,
        scenario.step_names,
        block.absent,
        "time_zone" in block.model_fields_set,
        max(last_year(), block.until.year + 1, scenario.event.start.year + 1),
    )


def read_any_history(
    file: Path,
    *,
    time_zone: str,
    columns: Columns | None = None,
    absent: Literal["zero", "unknown"] | None = None,
) -> History:
    """Return the past of a file that no scenario describes; HistoryError if unsound.

    Its columns are told by their names: time (or ds, timestamp), count (or y, value) and, where there are any,
    region and step (or team, service, series); or they are `columns`, where the file has those. `absent` is what
    a minute without a row says.
    """
    table = _table_of(file, "--history")
    wanted = Wanted(_columns_of(table, columns, str(file)), time_zone, absent=absent)
    return _history_of(file, table, wanted)


def _columns_of(table: pd.DataFrame, declared: Columns | None, source: str) -> Columns:
    """Return the declared columns, or where the table lacks one of them, what their names tell."""
    if declared is None or not set(declared.model_dump().values()) - {None} <= set(table.columns):
        return usual_columns(table, source)
    return declared


def _table_of(file: Path, flag: str) -> pd.DataFrame:
    if not file.is_file():
        raise HistoryError(f"{file}: no such file; check {flag}")
    return reader_of(file).read_table(file)


def _history_of(file: Path, table: pd.DataFrame, wanted: Wanted) -> History:
    """Return the table's counts as a history; `file` is where it came from."""
    found = counts_from_table(table, wanted, str(file))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return History(
        found.grid,
        found.regions,
        found.steps,
        found.counts,
        file.name,
        digest,
        found.notes,
        found.coarse,
    )


def _cached_past(scenario: Scenario, seed: Seed) -> History:
    """Return the synthetic past, from the cache where it has it."""
    digest = past_fingerprint(scenario, seed)
    file = cache_folder() / f"past-{digest[:24]}.npy"
    grid = synthetic_grid(scenario)
    counts = _cached_counts(file, (len(scenario.regions), len(scenario.steps), grid.slots))
    if counts is not None:
        return synthetic_history(scenario, grid, counts, digest)
    past = make_past(scenario, seed=seed)
    write_whole(file, lambda path: np.save(path, past.counts), optional=True)
    return past


def _cached_counts(file: Path, shape: tuple[int, int, int]) -> Array | None:
    """Return what the cache holds; None where it holds nothing whole."""
    if not file.is_file():
        return None
    try:
        counts: Array = np.load(file)
    except (ValueError, OSError, EOFError):
        return None  # a torn cache is no cache
    return counts if counts.shape == shape else None
