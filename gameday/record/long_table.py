"""A run record as one long table, as `measured.parquet` and `predicted.parquet` hold it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gameday.record.run_record import (
    ATTEMPTS,
    LATENCIES,
    LOADS,
    SESSIONS,
    STEPS,
    InstanceLoad,
    RunRecord,
)
from gameday.vocabulary import Array

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fill_record", "record_table"]

_OF_INSTANCE = ("busy_s", "done")


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
    for one in record.instances:
        names = (
            (one.stack,),
            (one.service,),
            tuple(f"{of} {json.dumps(one.labels)}" for of in _OF_INSTANCE),
        )
        values = np.array([one.busy_s, one.done])[None, None, :, None]
        yield _rows("instances", values, names, 0)
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


def fill_record(record: RunRecord, table: pd.DataFrame) -> RunRecord:
    """Return a blank record filled from its long table: what `record_table` left out is 0.

    Rows that name a stack, step, service or measure the record does not have raise KeyError.
    """
    is_delay, is_sold = table["measure"] == "delay", table["table"] == "sold_out"
    is_instance = table["table"] == "instances"
    delays, sold = table[is_delay], table[is_sold]
    places = _numbered(delays["stack"], record.stacks), delays["bin"].to_numpy()
    record.session_delay[places] = delays["value"]
    for kind, rows in table[~is_delay & ~is_sold & ~is_instance].groupby("table", sort=False):
        _fill(record, str(kind), rows)
    sold_out = {(s, p): at_s for s, p, at_s in sold[["stack", "name", "value"]].to_numpy()}
    return replace(record, sold_out=sold_out, instances=list(_instances(table[is_instance])))


def _instances(rows: pd.DataFrame) -> Iterator[InstanceLoad]:
    """Yield what each instance did, of the rows that say it."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for stack, service, measure, value in rows[["stack", "name", "measure", "value"]].to_numpy():
        of, _, labels = measure.partition(" ")
        found.setdefault((stack, service, labels), {})[of] = float(value)
    for (stack, service, labels), numbers in found.items():
        named = tuple((str(name), str(text)) for name, text in json.loads(labels))
        yield InstanceLoad(stack, service, named, *(numbers.get(of, 0.0) for of in _OF_INSTANCE))


def _fill(record: RunRecord, kind: str, rows: pd.DataFrame) -> None:
    """Fill the array of a kind of rows."""
    names, measures, array = {
        "steps": (record.steps, STEPS, record.step_counts),
        "services": (record.services, ATTEMPTS, record.attempts),
        "loads": (record.services, LOADS, record.loads),
        "sessions": (("",), SESSIONS, record.session_counts[:, None]),
        "latency": (record.steps, LATENCIES, record.latency),
        "visits": (record.services, ("visit",), record.visits[:, :, None]),
    }[kind]
    axes = [
        _numbered(rows["stack"], record.stacks),
        _numbered(rows["name"], names),
        _numbered(rows["measure"], measures),
        rows["slot"].to_numpy() + record.lead_in,
    ]
    if array.ndim > len(axes):
        axes.append(rows["bin"].to_numpy())
    array[tuple(axes)] = rows["value"].to_numpy()


def _numbered(names: pd.Series, known: tuple[str, ...]) -> Array:
    numbers = {name: number for number, name in enumerate(known)}
    return np.array([numbers[name] for name in names], int)
