"""The load offered to each service: steps a minute times the visits of their call graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

import numpy as np

from gameday.queueing import Visit, build_cell
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.traffic.fit import caused_by_type
from gameday.vocabulary import SLOT_S, Array

__all__ = [
    "busy_s_per_step",
    "expected_visits",
    "offered_erlangs",
    "visits_per_s",
    "visits_per_step",
]


def offered_erlangs(scenario: Scenario, stack: str, steps: Mapping[str | None, Array]) -> Array:
    """Return the offered load at full scale, erlangs, shape (services, slots): servers busy if nothing waits.

    `steps`: product type -> steps a minute, shape (regions, steps, slots); None: of no type. A service that
    holds its server while it calls others is busy for their time too. Retries are left out.
    """
    return _sum_over_visits(scenario, stack, steps, lambda visit: visit.mean_hold_s)


def visits_per_s(scenario: Scenario, stack: str, steps: Mapping[str | None, Array]) -> Array:
    """Return visits a second to each service, shape (services, slots), without retries."""
    return _sum_over_visits(scenario, stack, steps, lambda visit: 1.0)


def expected_visits(scenario: Scenario, plan: LoadPlan) -> float:
    """Return the service visits of a replication of `plan` when nothing fails."""
    steps = caused_by_type(scenario, plan)
    visits = sum(
        visits_per_s(scenario, stack, steps).sum() * SLOT_S for stack in scenario.stack_names
    )
    return float(plan.clock.played(visits))


def _sum_over_visits(
    scenario: Scenario,
    stack: str,
    steps: Mapping[str | None, Array],
    weight: Callable[[Visit], float],
) -> Array:
    """Return visits a second to each service, each times its weight, shape (services, slots)."""
    regions = [scenario.region_names.index(region) for region in scenario.stack_regions(stack)]
    total = np.zeros((len(scenario.services), next(iter(steps.values())).shape[2]))
    for product, per_min in steps.items():
        of_stack = per_min[regions].sum(axis=0)
        total += _per_step(scenario, stack, product, weight) @ of_stack / SLOT_S
    return total


def visits_per_step(scenario: Scenario, stack: str, product: str | None) -> Array:
    """Return how often a step of a product type visits each service, shape (services, steps), without retries."""
    return _per_step(scenario, stack, product, lambda visit: 1.0)


def busy_s_per_step(scenario: Scenario, stack: str, product: str | None) -> Array:
    """Return how long a step keeps servers of each service busy, seconds, shape (services, steps)."""
    return _per_step(scenario, stack, product, lambda visit: visit.mean_hold_s)


def _per_step(
    scenario: Scenario, stack: str, product: str | None, weight: Callable[[Visit], float]
) -> Array:
    """Return a step's visits to each service, each times its weight, shape (services, steps)."""
    cell, services = build_cell(scenario, stack, scale=1.0), list(scenario.services)
    out = np.zeros((len(services), len(scenario.steps)))
    for index, step in enumerate(scenario.steps):
        for entry in chain.from_iterable(cell.exchanges(step, product)):
            for visit in entry.walk():
                out[services.index(visit.service), index] += visit.per_exchange * weight(visit)
    return out
