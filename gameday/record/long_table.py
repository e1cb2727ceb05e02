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
    yield _rows("steps", record.step_counts, (record.stacks, record.steps, STEPS), record.lead_in)
    of_services = {"services": (record.attempts, ATTEMPTS), "loads": (record.loads, LOADS)}
    for table, (values, measures) in of_services.items():
        yield _rows(table, values, (record.stacks, record.services, measures), record.lead_in)
    counts = record.session_counts[:, None]
    yield _rows("sessions", counts, (record.stacks, ("",), SESSIONS), record.lead_in)
    axes = (record.stacks, record.steps, LATENCIES)
    yield _rows("latency", record.latency, axes, record.lead_in)
    visits = record.visits[:, :, None]
    yield _rows("visits", visits, (record.stacks, record.services, ("visit",)), record.lead_in)
    for (stack, product), at_s in record.sold_out.items():
        yield _rows("sold_out", np.full((1, 1, 1, 1), at_s), ((stack,), (product,), ("first",)), 0)
    delay = record.session_delay[:, None, None, None]
    yield _rows("sessions", delay, (record.stacks, ("",), ("delay",)), 0)


def _rows(
    table: str, values: Array, names: tuple[tuple[str, ...], ...], lead_in: int
) -> dict[str, Array]:
    """Return the columns of what is not zero; `values`: (stacks, names, measures, slots[, bins])."""
    stack, name, measure, slot, *bins = at = np.nonzero(values)
    return {
        "table": np.full(len(stack), table),
        "stack": np.array(names[0])[stack],
        "name": np.array(names[1])[name],
        "measure": np.array(names[2])[measure],
        "slot": slot - lead_in,
        "bin": bins[0] if bins else np.full(len(stack), -1),
        "value": values[at].astype(float),
    }
