"""What customers' steps ask of each service: visits and busy servers a minute, by region, and the fleet for them.

A service's demand is its callers': steps times the visits of their call graphs, by product type. Where a service's
own counts are known, what they are beside that is learned: a scenario may not know all who call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gameday.capacity.own_counts import CountsBesideCalls
from gameday.capacity.sizing import size_service
from gameday.forecast import Demand, EventDemand, LaunchSteps
from gameday.forecast.uncertainty import PeakErrors
from gameday.scenario import Scenario
from gameday.simulate import busy_s_per_step, visits_per_step
from gameday.traffic import event_steps
from gameday.traffic.fit import steps_by_type
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = ["ServiceDemand", "callers_at", "instances_for", "service_demand", "visits_of_steps"]

OwnCounts = Mapping[tuple[str, str], CountsBesideCalls]
"""(region, service) -> what its own counts are beside what the scenario's calls say."""


@dataclass(frozen=True, slots=True)
class ServiceDemand:
    """What is asked of services."""

    visits: EventDemand
    """Visits a minute; its axis `step` is the scenario's services."""
    busy: dict[float, Array]
    """Quantile of the day -> busy servers if nothing waits, shape (regions, services, slots)."""


def service_demand(
    scenario: Scenario, demand: EventDemand, quantiles: tuple[float, ...], own: OwnCounts
) -> ServiceDemand:
    """Return what the event's demand asks of each service, its busy servers on days at `quantiles`.

    Steps of a region err together, as sessions do: a service's bands are the sums of its steps'.
    """
    calls = _Calls(scenario, demand, own)
    launches = {
        name: LaunchSteps(calls.of_launch(name), launch.log_sigma)
        for name, launch in demand.launches.items()
    }
    return ServiceDemand(
        EventDemand(calls.organic(), launches), {q: calls.busy(q) for q in quantiles}
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    """How steps become visits."""

    scenario: Scenario
    demand: EventDemand
    own: OwnCounts

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(self.scenario.services)

    def stack(self, region: str) -> str:
        return self.scenario.regions[region].stack

    def organic(self) -> Demand:
        """Return visits a minute without launches, as a demand whose steps are the services."""
        steps, number = self.demand.organic, len(self.services)
        median = self.visits(steps.median)
        plain = self.visits(steps.median * np.exp(-steps.event_log_effect))
        return replace(
            steps,
            steps=self.services,
            median=median,
            mean=self.visits(steps.mean),
            marginal={level: self.visits(rows) for level, rows in steps.marginal.items()},
            event_log_effect=_log_ratio(median, plain),
            smooth=self.visits(steps.smooth),
            peaks=self._peaks(),
            error_correlation=steps.error_correlation.none(number, len(steps.regions)),
        )

    def _peaks(self) -> dict[tuple[str, str], PeakErrors]:
        """Return the errors of services' peaks: those of the sum of their region's steps."""
        return {
            (region, service): errors
            for (region, step), errors in self.demand.organic.peaks.items()
            if step == "all"
            for service in (*self.services, "all")
        }

    def visits(self, steps: Array) -> Array:
        """Return visits, (regions, services, slots), of steps a minute, (regions, steps, slots)."""
        each = [
            visits_of_steps(self.scenario, self.demand.grid, region, steps[r])
            for r, region in enumerate(self.demand.regions)
        ]
        return self._as_counted(np.stack(each))

    def of_launch(self, name: str) -> Array:
        """Return visits a minute that a launch's median crowd causes, shape (regions, services, slots)."""
        sold, steps = self.scenario.launches[name].product, self.demand.launches[name].median
        each = [
            visits_per_step(self.scenario, self.stack(region), sold) @ steps[r]
            for r, region in enumerate(self.demand.regions)
        ]
        return np.stack(each) * self._times()[:, :, None]

    def busy(self, quantile: float) -> Array:
        """Return busy servers on the day at `quantile`, launches included, shape (regions, services, slots)."""
        busy = np.zeros((len(self.demand.regions), len(self.services), self.demand.grid.slots))
        visits = busy.copy()
        for product, steps in event_steps(self.scenario, self.demand.organic, quantile).items():
            for r, region in enumerate(self.demand.regions):
                of_stack = self.scenario, self.stack(region), product
                busy[r] += busy_s_per_step(*of_stack) @ steps[r] / SLOT_S
                visits[r] += visits_per_step(*of_stack) @ steps[r]
        more = np.divide(self._as_counted(visits), visits, out=np.ones_like(busy), where=visits > 0)
        return np.asarray(busy * more)

    def _beside(self, region: str, service: str) -> CountsBesideCalls:
        return self.own.get((region, service), CountsBesideCalls.none())

    def _times(self) -> Array:
        """Return how many times what the calls say each service is visited, shape (regions, services)."""
        rows = [[self._beside(r, s).times for s in self.services] for r in self.demand.regions]
        return np.array(rows)

    def _as_counted(self, visits: Array) -> Array:
        """Return visits as services' own counts have them, shape (regions, services, slots)."""
        besides = [[self._beside(r, s).besides for s in self.services] for r in self.demand.regions]
        return np.asarray(visits * self._times()[:, :, None] + np.array(besides)[:, :, None])


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
    r, stack = demand.regions.index(region), scenario.regions[region].stack
    median = demand.organic.median[r, :, slot : slot + 1]
    by_type = steps_by_type(scenario, demand.grid.part(slot, 1), region, median)
    steps = [(product, rows[:, 0]) for product, rows in by_type.items()]
    for name, launch in demand.launches.items():
        steps.append((scenario.launches[name].product, launch.median[r, :, slot]))
    each = [visits_per_step(scenario, stack, product) * counts for product, counts in steps]
    return np.asarray(sum(each))


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
