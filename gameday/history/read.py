"""The room's verb: a file's past, or the synthetic one from its cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from gameday.errors import HistoryError
from gameday.files import cache_folder, write_whole
from gameday.history.history import History
from gameday.history.readers import READERS
from gameday.history.repair import counts_from_table
from gameday.history.synthetic import make_past, past_fingerprint
from gameday.scenario import Scenario
from gameday.vocabulary import Seed, TimeGrid

__all__ = ["read_history"]


def read_history(scenario: Scenario, *, file: Path | None, seed: Seed) -> History:
    """Return the past from `file`, or a synthetic one made from `seed`; HistoryError if unsound."""
    return _cached_past(scenario, seed) if file is None else _from_file(scenario, file)


def _from_file(scenario: Scenario, file: Path) -> History:
    if not file.is_file():
        raise HistoryError(f"{file}: no such history file; check --history")
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise HistoryError(f"{file}: must end in {' or '.join(READERS)} (got '{file.suffix}')")
    grid, counts, notes = counts_from_table(reader(file), scenario, str(file))
    if grid.start >= scenario.history.until:
        raise HistoryError(
            f"{file}: starts at {grid.start:%Y-%m-%dT%H:%MZ}, after history.until "
            f"{scenario.history.until:%Y-%m-%dT%H:%MZ}; nothing would be known"
        )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return History(
        grid, scenario.region_names, scenario.step_names, counts, file.name, digest, notes
    )


def _cached_past(scenario: Scenario, seed: Seed) -> History:
    digest = past_fingerprint(scenario, seed)
    cached = cache_folder() / f"past-{digest[:24]}.npy"
    block = scenario.history.synthetic
    if block is not None and cached.is_file():
        grid = TimeGrid.between(
            scenario.history.until - np.timedelta64(block.days, "D").item(), scenario.history.until
        )
        try:
            counts = np.load(cached)
        except (ValueError, OSError, EOFError):
            counts = np.empty(0)  # a torn cache is no cache
        if counts.shape == (len(scenario.regions), len(scenario.steps), grid.slots):
            return History(
                grid, scenario.region_names, scenario.step_names, counts, "synthetic", digest
            )
    past = make_past(scenario, seed=seed)
    write_whole(cached, lambda path: np.save(path, past.counts), optional=True)
    return past
