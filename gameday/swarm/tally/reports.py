"""What a worker reports once a second: its counts since the last report, and gauges of this moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["GaugeReading", "TallyCounts", "WorkerReport", "message_items", "report_of"]

Rows = list[list[int]]
MixedRows = list[list[Any]]


@dataclass(frozen=True, slots=True)
class TallyCounts:
    """Rows of counts; stacks and steps by their index, outcomes by that of their column in a RunRecord."""

    worker: int
    number: int
    """Of the worker's reports, from 0."""
    steps: Rows
    """[stack, step, STEPS column, slot, count]."""
    latency: Rows
    """[stack, step, kind of LATENCIES, slot, bin, count]."""
    sessions: Rows
    """[stack, SESSIONS column, slot, count]."""
    delay: Rows
    """Sessions that ended, by their delay against the plan: [stack, bin, count]."""
    faults: MixedRows
    """[stack, step, why it was not done, count]."""
    redirects: Rows
    """[step, count]."""
    orders: MixedRows
    """[stack, order key, confirmed | unknown, the shop's number of it, s from the window's start]."""
    gone: MixedRows
    """[stack, product type, when a customer first heard that it is sold out, s from the window's start]."""


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """How busy a worker is, how many customers it has, what limits it."""

    seconds: float
    """Since the reading before."""
    requests: int
    """Requests that went out in that time; redirects and second tries are each one."""
    busy: float
    """Share of a core used in that time."""
    awake: int
    """Customers with a step under way."""
    most_awake: int
    """The most of them in that time."""
    waiting: int
    """Customers who think."""
    sockets: int
    queued: int
    """Flights that wait for a connection."""
    limits: dict[str, int]
    """What held requests back, and how often."""
    open: list[tuple[int, int, int]]
    """Steps that wait for the target: (step, bin of their age, count)."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One report of one worker."""

    counts: TallyCounts
    gauges: GaugeReading


def message_items(report: WorkerReport) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a report's message; nothing is copied, as load goes out meanwhile."""
    for field in fields(TallyCounts):
        yield field.name, getattr(report.counts, field.name)
    gauges = report.gauges
    yield "gauges", {field.name: getattr(gauges, field.name) for field in fields(GaugeReading)}


def report_of(message: Mapping[str, Any]) -> WorkerReport:
    """Return the report whose fields `message_items` gave; others in `message` are left aside."""
    gauges = message["gauges"]
    return WorkerReport(
        TallyCounts(**{field.name: message[field.name] for field in fields(TallyCounts)}),
        GaugeReading(**{field.name: gauges[field.name] for field in fields(GaugeReading)}),
    )
