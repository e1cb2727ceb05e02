"""Work offered to each service: steps a minute times the work their call graphs ask for."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario, build_cell
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S, Array

__all__ = ["expected_visits", "offered_erlangs", "visits_per_s"]


def offered_erlangs(
    scenario: Scenario, stack: str, steps: Array, launches: dict[str, Array] | None = None
) -> Array:
    """Return busy servers asked for at full scale, shape (services, slots), when nothing waits.

    `steps` are steps a minute of ordinary customers, shape (regions, steps, slots), dealt to
    product types by their shares (over the day, without `hours`); `launches` are those who come
    for one product type. A service that holds its server
    while it calls others is busy for theirs too. No retries: they come on top in trouble.
    """
    return _weighted(scenario, stack, steps, launches or {}, hold=True)


def visits_per_s(
    scenario: Scenario, stack: str, steps: Array, launches: dict[str, Array] | None = None
) -> Array:
    """Return visits a second to each service, shape (services, slots), without retries."""
    return _weighted(scenario, stack, steps, launches or {}, hold=False)


def expected_visits(scenario: Scenario, plan: LoadPlan) -> float:
    """Return how many service visits a replication of `plan` comes to when nothing fails."""
    visits = sum(
        visits_per_s(scenario, stack, plan.forecast).sum() * SLOT_S
        for stack in scenario.stack_names
    )
    return float(visits * plan.scale / plan.speed)


def _weighted(
    scenario: Scenario, stack: str, steps: Array, launches: dict[str, Array], *, hold: bool
) -> Array:
    cell = build_cell(scenario, stack, scale=1.0)
    services = list(scenario.services)
    out = np.zeros((len(services), steps.shape[2]))
    for region in scenario.stack_regions(stack):
        r = scenario.region_names.index(region)
        asked: list[tuple[str | None, Array]] = [(None, steps[r])]
        if scenario.products:
            asked = [(n, p.share.get(region, 0.0) * steps[r]) for n, p in scenario.products.items()]
        asked += [(product, rows[r]) for product, rows in launches.items()]
        for product, rows in asked:
            for index, step in enumerate(scenario.steps):
                for group in cell.exchanges(step, product):
                    for visit in (v for entry in group for v in entry.walk()):
                        weight = visit.mean_hold_s if hold else 1.0
                        out[services.index(visit.service)] += rows[index] / SLOT_S * weight
    return out
