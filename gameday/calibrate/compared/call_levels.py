"""The call graph of a cell as calibration walks it: who is called by whom, and the own work of each visit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from gameday.queueing import Cell, Visit, build_cell
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.traffic.fit import caused_by_type
from gameday.vocabulary import Array

__all__ = [
    "CUSTOMERS",
    "Work",
    "calls_of",
    "levels_of",
    "type_shares",
    "visits_from",
    "work_of",
]


def levels_of(cell: Cell) -> list[list[str]]:
    """Return the services that are visited, level by level: those that call nobody, then those
    that call only them.

    Of services that call one another, in different steps, one comes first.
    """
    below = _called_by(cell)
    heights: dict[str, int] = {}

    def height(service: str, above: frozenset[str] = frozenset()) -> int:
        if service not in heights:
            others = below[service] - above
            under = (height(other, above | {service}) for other in sorted(others))
            heights[service] = 1 + max(under, default=-1)
        return heights[service]

    levels = range(1 + max(map(height, below), default=-1))
    return [[name for name in cell.stations if heights.get(name) == n] for n in levels]


def _called_by(cell: Cell) -> dict[str, set[str]]:
    """Return service -> those that it calls."""
    below: dict[str, set[str]] = {}
    for visit in cell.walk():
        called = {other.service for group in visit.then for other in group}
        below.setdefault(visit.service, set()).update(called - {visit.service})
    return below


def calls_of(scenario: Scenario, stack: str, scale: float, service: str) -> dict[str, float]:
    """Return the services that one calls, with how often each is called."""
    found: dict[str, float] = {}
    for visit in build_cell(scenario, stack, scale=scale).visits_to(service):
        for group in visit.then:
            for called in group:
                found[called.service] = found.get(called.service, 0.0) + called.per_exchange
    return found


def type_shares(scenario: Scenario, plan: LoadPlan, stack: str) -> dict[str | None, Array]:
    """Return product type -> its share of each step of a stack over the window, shape (steps,)."""
    regions = [plan.regions.index(region) for region in scenario.stack_regions(stack)]
    parts = {
        name: per_min[regions][:, :, plan.lead_in :].sum(axis=(0, 2))
        for name, per_min in caused_by_type(scenario, plan).items()
    }
    whole = np.asarray(sum(parts.values()))
    if not whole.any():
        return {None: np.ones(len(plan.steps))}
    return {
        name: np.divide(part, whole, out=np.full(len(whole), 1 / len(parts)), where=whole > 0)
        for name, part in parts.items()
    }


@dataclass(frozen=True, slots=True)
class Work:
    """What visits to a service hold a server for in a cell, of each step, when nothing waits."""

    own_s: Array
    """Own work of a visit from each step, mean, s; 0 where none comes. Shape (steps,)."""
    calls_s: Array
    """What it is held for besides, while it calls, s; same shape."""
    visits: Array
    """Visits that one execution of a step makes, same shape."""

    @staticmethod
    def of_sums(visits: Array, own_s: Array, calls_s: Array) -> Work:
        """Return the work of so many visits an execution, whose times add up to so much."""
        made = np.maximum(visits, 1e-300)
        return Work(own_s / made, calls_s / made, visits)

    def mean(self, seconds: Array, executions: Array) -> float:
        """Return the mean of `seconds` over all visits, each step executed so often, (steps,); NaN of none."""
        counts = executions * self.visits
        return float((counts * seconds).sum() / counts.sum()) if counts.sum() else float("nan")


def work_of(
    scenario: Scenario, stack: str, scale: float, shares: Mapping[str | None, Array]
) -> dict[str, Work]:
    """Return service -> its work in the cell of a stack; `shares` as `type_shares` has them."""
    cell = build_cell(scenario, stack, scale=scale)
    sums = {name: np.zeros((3, len(scenario.steps))) for name in cell.stations}
    for index, share, entry in _entries(scenario, cell, shares):
        for visit in entry.walk():
            own_s = visit.time.mean * visit.factor
            each = np.array([1.0, own_s, visit.mean_hold_s - own_s])
            sums[visit.service][:, index] += share * visit.per_exchange * each
    return {name: Work.of_sums(*rows) for name, rows in sums.items()}


CUSTOMERS = ""
"""Who makes the visits that steps make themselves."""


def visits_from(
    scenario: Scenario,
    stack: str,
    scale: float,
    shares: Mapping[str | None, Array],
    executions: Array,
) -> dict[str, dict[str, float]]:
    """Return service -> who visits it, `CUSTOMERS` among them, and how often; `executions` of steps, (steps,)."""
    cell = build_cell(scenario, stack, scale=scale)
    found: dict[str, dict[str, float]] = {name: {} for name in cell.stations}
    for index, share, entry in _entries(scenario, cell, shares):
        often = share * float(executions[index])
        if not often:
            continue
        for caller, visit in [(CUSTOMERS, entry), *_calls_below(entry)]:
            callers = found[visit.service]
            callers[caller] = callers.get(caller, 0.0) + often * visit.per_exchange
    return found


def _calls_below(entry: Visit) -> Iterator[tuple[str, Visit]]:
    """Yield every visit below one with the service that makes it."""
    for visit in entry.walk():
        for below in chain.from_iterable(visit.then):
            yield visit.service, below


def _entries(
    scenario: Scenario, cell: Cell, shares: Mapping[str | None, Array]
) -> Iterator[tuple[int, float, Visit]]:
    """Yield every entry visit with the number of its step and the share of its customers who make it."""
    for product, share in shares.items():
        for index, step in enumerate(scenario.steps):
            for entry in chain.from_iterable(cell.exchanges(step, product)):
                yield index, float(share[index]), entry
