"""Work offered to each service: steps a minute times the work their call graphs ask for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.traffic.fit import caused_by_type
from gameday.vocabulary import SLOT_S, Array

__all__ = ["expected_visits", "offered_erlangs", "visits_per_s"]


def offered_erlangs(scenario: Scenario, stack: str, steps: Mapping[str | None, Array]) -> Array:
    """Return busy servers asked for at full scale, shape (services, slots), when nothing waits.

    `steps`: product type -> steps a minute, shape (regions, steps, slots); None: of no type. A service that
    holds its server while it calls others is busy for theirs too. No retries: they come on top in trouble.
    """
    return _weighted(scenario, stack, steps, hold=True)


def visits_per_s(scenario: Scenario, stack: str, steps: Mapping[str | None, Array]) -> Array:
    """Return visits a second to each service, shape (services, slots), without retries."""
    return _weighted(scenario, stack, steps, hold=False)


def expected_visits(scenario: Scenario, plan: LoadPlan) -> float:
    """Return how many service visits a replication of `plan` comes to when nothing fails."""
    steps = caused_by_type(scenario, plan)
    visits = sum(
        visits_per_s(scenario, stack, steps).sum() * SLOT_S for stack in scenario.stack_names
    )
    return float(plan.clock.played(visits))


def _weighted(
    scenario: Scenario, stack: str, steps: Mapping[str | None, Array], *, hold: bool
) -> Array:
    cell = build_cell(scenario, stack, scale=1.0)
    services = list(scenario.services)
    regions = [scenario.region_names.index(r) for r in scenario.stack_regions(stack)]
    out = np.zeros((len(services), next(iter(steps.values())).shape[2]))
    for product, asked in steps.items():
        rows = asked[regions].sum(axis=0)
        for index, step in enumerate(scenario.steps):
            for group in cell.exchanges(step, product):
                for visit in (v for entry in group for v in entry.walk()):
                    weight = visit.mean_hold_s if hold else 1.0
                    out[services.index(visit.service)] += rows[index] / SLOT_S * weight
    return out
