"""What customers' steps ask of each service: visits and busy servers a minute, by region, and the fleet for them.

A service's demand is its callers': steps times the visits of their call graphs, by product type. Where a service's
own counts are known, how they lie to that is learned (`Tie`), for a scenario may not know all who call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gameday.capacity.sizing import size_service
from gameday.capacity.ties import Tie
from gameday.forecast import Demand, EventDemand, LaunchSteps
from gameday.scenario import Scenario
from gameday.simulate import busy_s_per_step, visits_per_step
from gameday.traffic import event_steps
from gameday.traffic.fit import steps_by_type
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = ["ServiceDemand", "callers_at", "instances_for", "service_demand", "visits_of_steps"]

Ties = Mapping[tuple[str, str], Tie]
"""(region, service) -> how its own counts lie to what the scenario's calls say."""


@dataclass(frozen=True, slots=True)
class ServiceDemand:
    """What is asked of services."""

    visits: EventDemand
    """Visits a minute; its axis `step` is the scenario's services."""
    busy: dict[float, Array]
    """Quantile of the day -> busy servers if nothing waits, shape (regions, services, slots)."""


def service_demand(
    scenario: Scenario, demand: EventDemand, quantiles: tuple[float, ...], ties: Ties
) -> ServiceDemand:
    """Return what the event's demand asks of each service, its busy servers on days at `quantiles`.

    Steps of a region err together, as sessions do: a service's bands are the sums of its steps'.
    """
    organic, services = demand.organic, tuple(scenario.services)

    def of_services(steps: Array) -> Array:
        """Return visits, (regions, services, slots), of steps a minute, (regions, steps, slots)."""
        each = [
            visits_of_steps(scenario, demand.grid, region, steps[r])
            for r, region in enumerate(demand.regions)
        ]
        return _tied(np.stack(each), demand.regions, services, ties)

    plain = organic.median * np.exp(-organic.event_log_effect)
    median, without = of_services(organic.median), of_services(plain)
    visits = EventDemand(
        replace(
            organic,
            steps=services,
            median=median,
            mean=of_services(organic.mean),
            marginal={level: of_services(rows) for level, rows in organic.marginal.items()},
            event_log_effect=_log_ratio(median, without),
            smooth=of_services(organic.smooth),
            peaks={
                (region, service): errors
                for (region, step), errors in organic.peaks.items()
                if step == "all"
                for service in (*services, "all")
            },
            error_correlation=organic.error_correlation.none(len(services), len(demand.regions)),
        ),
        {
            name: LaunchSteps(_of_launch(scenario, demand, name, ties), launch.log_sigma)
            for name, launch in demand.launches.items()
        },
    )
    return ServiceDemand(visits, _busy(scenario, organic, quantiles, ties))


def visits_of_steps(scenario: Scenario, grid: TimeGrid, region: str, steps: Array) -> Array:
    """Return visits a minute to each service, (services, slots), that a region's steps, (steps, slots), cause."""
    stack = scenario.regions[region].stack
    return np.asarray(
        sum(
            visits_per_step(scenario, stack, product) @ rows
            for product, rows in steps_by_type(scenario, grid, region, steps).items()
        )
    )


def callers_at(scenario: Scenario, demand: EventDemand, region: str, slot: int) -> Array:
    """Return visits a minute in one slot by the step that causes them, shape (services, steps)."""
    r = demand.regions.index(region)
    stack, grid = scenario.regions[region].stack, demand.grid.part(slot, 1)
    median = demand.organic.median[r, :, slot : slot + 1]
    callers = np.zeros((len(scenario.services), len(scenario.steps)))
    for product, rows in steps_by_type(scenario, grid, region, median).items():
        callers += visits_per_step(scenario, stack, product) * rows[:, 0]
    for name, launch in demand.launches.items():
        sold = scenario.launches[name].product
        callers += visits_per_step(scenario, stack, sold) * launch.median[r, :, slot]
    return callers


def _of_launch(scenario: Scenario, demand: EventDemand, name: str, ties: Ties) -> Array:
    """Return visits a minute that a launch's median crowd causes, shape (regions, services, slots)."""
    sold, steps = scenario.launches[name].product, demand.launches[name].median
    each = [
        visits_per_step(scenario, scenario.regions[region].stack, sold) @ steps[r]
        for r, region in enumerate(demand.regions)
    ]
    times = _times(demand.regions, tuple(scenario.services), ties)
    return np.stack(each) * times[:, :, None]


def _busy(
    scenario: Scenario, demand: Demand, quantiles: tuple[float, ...], ties: Ties
) -> dict[float, Array]:
    """Return quantile -> busy servers, launches included, shape (regions, services, slots)."""
    out = {}
    for quantile in quantiles:
        busy, visits = (
            np.zeros((len(demand.regions), len(scenario.services), demand.grid.slots)) for _ in "ab"
        )
        for product, steps in event_steps(scenario, demand, quantile).items():
            for r, region in enumerate(demand.regions):
                stack = scenario.regions[region].stack
                busy[r] += busy_s_per_step(scenario, stack, product) @ steps[r] / SLOT_S
                visits[r] += visits_per_step(scenario, stack, product) @ steps[r]
        tied = _tied(visits, demand.regions, tuple(scenario.services), ties)
        more = np.divide(tied, visits, out=np.ones_like(visits), where=visits > 0)
        out[quantile] = busy * more
    return out


def _times(regions: tuple[str, ...], services: tuple[str, ...], ties: Ties) -> Array:
    """Return how many times what the calls say each service is visited, shape (regions, services)."""
    none = Tie.none()
    return np.array([[ties.get((r, s), none).times for s in services] for r in regions])


def _tied(visits: Array, regions: tuple[str, ...], services: tuple[str, ...], ties: Ties) -> Array:
    """Return visits as services' own counts lie to them, shape (regions, services, slots)."""
    none = Tie.none()
    besides = np.array([[ties.get((r, s), none).besides for s in services] for r in regions])
    return np.asarray(visits * _times(regions, services, ties)[:, :, None] + besides[:, :, None])


def _log_ratio(above: Array, below: Array) -> Array:
    return np.log(np.maximum(above, 1e-12)) - np.log(np.maximum(below, 1e-12))


def instances_for(scenario: Scenario, stack: str, service: str, busy: Array) -> Array:
    """Return the instances that hold so many busy servers with zones lost, each minute, shape (slots,).

    To three digits of what is busy, rounded up.
    """

    @lru_cache(maxsize=4096)
    def sized(offered: float) -> int:
        return size_service(scenario, stack, service, offered).instances

    return np.array([sized(_rounded_up(offered)) for offered in busy.tolist()])


def _rounded_up(value: float) -> float:
    """Return a number rounded up to three digits."""
    if value <= 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.ceil(value / digit) * digit
