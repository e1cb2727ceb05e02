"""Work offered to each service: steps a minute times the work their call graphs ask for."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario, build_cell
from gameday.vocabulary import SLOT_S, Array

__all__ = ["offered_erlangs", "visits_per_s"]


def offered_erlangs(scenario: Scenario, stack: str, steps: Array) -> Array:
    """Return busy servers asked for at full scale, shape (services, slots), when nothing waits.

    `steps` are steps a minute, shape (regions, steps, slots). A service that holds its server
    while it calls others is busy for theirs too. No retries: they come on top in trouble.
    """
    return _weighted(scenario, stack, steps, hold=True)


def visits_per_s(scenario: Scenario, stack: str, steps: Array) -> Array:
    """Return visits a second to each service, shape (services, slots), without retries."""
    return _weighted(scenario, stack, steps, hold=False)


def _weighted(scenario: Scenario, stack: str, steps: Array, *, hold: bool) -> Array:
    cell = build_cell(scenario, stack, scale=1.0)
    services = list(scenario.services)
    out = np.zeros((len(services), steps.shape[2]))
    for region in scenario.stack_regions(stack):
        r = scenario.region_names.index(region)
        products: list[tuple[str | None, float]] = [(None, 1.0)]
        if scenario.products:
            products = [(n, p.share.get(region, 0.0)) for n, p in scenario.products.items()]
        for index, step in enumerate(scenario.steps):
            for product, share in products:
                for group in cell.exchanges(step, product):
                    for visit in (v for entry in group for v in entry.walk()):
                        weight = share * (visit.mean_hold_s if hold else 1.0)
                        out[services.index(visit.service)] += steps[r, index] / SLOT_S * weight
    return out
