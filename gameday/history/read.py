"""Reading a history: from a file, or the synthetic one from its cache."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.files import cache_folder, write_whole
from gameday.history.history import History
from gameday.history.instants import last_year
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

__all__ = ["read_any_history", "read_history"]


def read_history(scenario: Scenario, *, file: str | Path | None, seed: Seed) -> History:
    """Return the past from `file`, or a synthetic one made from `seed`; HistoryError if unsound."""
    return _cached_past(scenario, seed) if file is None else _from_file(scenario, Path(file))


def _from_file(scenario: Scenario, file: Path) -> History:
    block = scenario.history
    wanted = Wanted(
        block.columns,
        block.time_zone,
        scenario.region_names,
        scenario.step_names,
        block.absent,
        max(last_year(), block.until.year + 1),
    )
    history = _history_of(file, _table_of(file), wanted)
    if history.grid.start >= block.until:
        raise HistoryError(
            f"{file}: starts at {history.grid.start:%Y-%m-%dT%H:%MZ}, after history.until "
            f"{block.until:%Y-%m-%dT%H:%MZ}; nothing would be known"
        )
    return history


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
    table = _table_of(file)
    if columns is None or not set(columns.model_dump().values()) - {None} <= set(table.columns):
        columns = usual_columns(table, str(file))
    return _history_of(file, table, Wanted(columns, time_zone, absent=absent))


def _table_of(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise HistoryError(f"{file}: no such history file; check --history")
    return reader_of(file).read_table(file)


def _history_of(file: Path, table: pd.DataFrame, wanted: Wanted) -> History:
    """Return the table's counts as a history; `file` is where it came from."""
    found = counts_from_table(table, wanted, str(file))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return History(
        found.grid, found.regions, found.steps, found.counts, file.name, digest, found.notes
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
