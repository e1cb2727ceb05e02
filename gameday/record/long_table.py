"""A run record as one long table, as `measured.parquet` and `predicted.parquet` hold it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gameday.record.run_record import ATTEMPTS, LATENCIES, LOADS, SESSIONS, STEPS, RunRecord
from gameday.vocabulary import Array

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["record_table"]


def record_table(record: RunRecord, replication: int = 0) -> pd.DataFrame:
    """Return table, stack, name, measure, slot, bin, value and replication; zeros are left out.

    Slots count from the window's start: those of the lead-in are negative. Bins are -1 but of histograms.
    """
    import pandas as pd  # a worker never asks for it

    frames = [pd.DataFrame(columns, copy=False) for columns in _columns(record)]
    whole = pd.concat(frames, ignore_index=True)
    whole["replication"] = replication
    return whole


def _columns(record: RunRecord) -> Iterator[dict[str, Array]]:
    yield from _counts(record)
    yield from _histograms(record)
    for (stack, product), at_s in record.sold_out.items():
        yield _rows("sold_out", np.full((1, 1, 1, 1), at_s), ((stack,), (product,), ("first",)), 0)
    delay = record.session_delay[:, None, None, None]
    yield _rows("sessions", delay, (record.stacks, ("",), ("delay",)), 0)


def _counts(record: RunRecord) -> Iterator[dict[str, Array]]:
    """Yield what is counted slot by slot: of steps, services and sessions."""
    stacks, services, lead_in = record.stacks, record.services, record.lead_in
    yield _rows("steps", record.step_counts, (stacks, record.steps, STEPS), lead_in)
    yield _rows("services", record.attempts, (stacks, services, ATTEMPTS), lead_in)
    yield _rows("loads", record.loads, (stacks, services, LOADS), lead_in)
    yield _rows("sessions", record.session_counts[:, None], (stacks, ("",), SESSIONS), lead_in)


def _histograms(record: RunRecord) -> Iterator[dict[str, Array]]:
    """Yield the times of steps and of visits to services, slot by slot and bin by bin."""
    stacks, lead_in = record.stacks, record.lead_in
    yield _rows("latency", record.latency, (stacks, record.steps, LATENCIES), lead_in)
    visits = record.visits[:, :, None]
    yield _rows("visits", visits, (stacks, record.services, ("visit",)), lead_in)


def _rows(
    table: str, values: Array, names: tuple[tuple[str, ...], ...], lead_in: int
) -> dict[str, Array]:
    """Return the columns of what is not zero; `values`: (stacks, names, measures, slots[, bins])."""
    stack, name, measure, slot, *bins = indices = np.nonzero(values)
    return {
        "table": np.full(len(stack), table),
        "stack": np.array(names[0])[stack],
        "name": np.array(names[1])[name],
        "measure": np.array(names[2])[measure],
        "slot": slot - lead_in,
        "bin": bins[0] if bins else np.full(len(stack), -1),
        "value": values[indices].astype(float),
    }
