"""The phases of an event in a stack, that differ in what they ask of it: each launch's crowd, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.traffic.fit import event_demand
from gameday.vocabulary import Array

__all__ = ["WARM_UP", "EventPhase", "event_phases"]

_COUNTS = 0.05
"""Share of what comes besides it that a crowd makes while its launch lasts. Ours."""
WARM_UP = timedelta(hours=2)
"""Servers must work this long before they are needed, whole hours: caches fill, checks pass. Ours."""


@dataclass(frozen=True, slots=True)
class EventPhase:
    """Part of an event in a stack."""

    name: str
    """`launch NAME`, or the event's kind."""
    slots: Array
    """Whether a slot of the demand's grid belongs to it, shape (slots,)."""
    alone: Array
    """Whether one is so far from every launch that fleets of that time are its own, shape (slots,)."""


def event_phases(scenario: Scenario, demand: Demand, stack: str) -> tuple[EventPhase, ...]:
    """Return the phases of a stack's event: a launch is on while its crowd counts, the rest is the event's."""
    during = demand.during(scenario.stack_regions(stack))
    hour = demand.grid.minutes() // 60
    phases, rest, alone = list[EventPhase](), during.copy(), during.copy()
    for name, slots in _launched(scenario, demand, stack).items():
        found = np.flatnonzero(slots & during)
        if len(found):
            phases.append(EventPhase(f"launch {name}", slots & during, slots & during))
            begin, end = hour[found[0]] - WARM_UP // timedelta(hours=1), hour[found[-1]]
            rest, alone = rest & ~slots, alone & ((hour < begin) | (hour > end))
    if not rest.any():
        return tuple(phases)
    return *phases, EventPhase(scenario.event.kind, rest, alone if alone.any() else rest)


def _launched(scenario: Scenario, demand: Demand, stack: str) -> dict[str, Array]:
    """Return launch -> the slots from the first to the last in which its crowd counts in a stack, (slots,)."""
    rows = [demand.regions.index(region) for region in scenario.stack_regions(stack)]
    both, launched = event_demand(scenario, demand), {}
    usual = both.organic.median[rows].sum(axis=(0, 1))
    for name, launch in both.launches.items():
        counts = launch.median[rows].sum(axis=(0, 1)) > _COUNTS * np.maximum(usual, 1e-9)
        launched[name] = (
            np.logical_or.accumulate(counts) & np.logical_or.accumulate(counts[::-1])[::-1]
        )
    return launched
