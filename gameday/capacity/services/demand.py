"""What customers' steps ask of each service: visits and busy servers a minute, by region, and the fleet for them.

A service's demand is its callers': steps times the visits of their call graphs, by product type. Where a service's
own counts are known, what they are beside that is learned: a scenario may not know all who call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gameday.capacity.services.own_counts import CountsBesideCalls
from gameday.capacity.sizing import size_service
from gameday.forecast import Demand, EventDemand, LaunchSteps
from gameday.forecast.uncertainty import PeakErrors
from gameday.scenario import Scenario
from gameday.simulate import busy_s_per_step, visits_per_step
from gameday.traffic import event_steps
from gameday.traffic.fit import steps_by_type
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = ["ServiceDemand", "StepVisits", "instances_for", "service_demand"]

OwnCounts = Mapping[tuple[str, str], CountsBesideCalls]
"""(region, service) -> what its own counts are beside what the scenario's calls say."""


@dataclass(frozen=True, slots=True)
class StepVisits:
    """How often steps visit services; each stack's and product type's call graphs are walked once."""

    scenario: Scenario
    _found: dict[tuple[str, str | None], Array] = field(default_factory=dict)

    def per_step(self, region: str, product: str | None) -> Array:
        """Return how often a step of a product type visits each service of a region, (services, steps)."""
        where = self.scenario.regions[region].stack, product
        if where not in self._found:
            self._found[where] = visits_per_step(self.scenario, *where)
        return self._found[where]

    def caused(self, grid: TimeGrid, region: str, steps: Array) -> Array:
        """Return visits a minute, (services, slots), that a region's steps a minute, (steps, slots), cause."""
        by_type = steps_by_type(self.scenario, grid, region, steps)
        each = [self.per_step(region, product) @ rows for product, rows in by_type.items()]
        return np.asarray(sum(each))

    def callers(self, demand: EventDemand, region: str, service: int, slot: int) -> Array:
        """Return visits a minute to a service, by its number, in a slot by the step that causes them, (steps,)."""
        r = demand.regions.index(region)
        median = demand.organic.median[r, :, slot : slot + 1]
        by_type = steps_by_type(self.scenario, demand.grid.part(slot, 1), region, median)
        steps = [(product, rows[:, 0]) for product, rows in by_type.items()]
        for name, launch in demand.launches.items():
            steps.append((self.scenario.launches[name].product, launch.median[r, :, slot]))
        return np.asarray(sum(self.per_step(region, p)[service] * counts for p, counts in steps))


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
    calls = _Calls(scenario, demand, own, StepVisits(scenario))
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
    step_visits: StepVisits

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(self.scenario.services)

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
            self.step_visits.caused(self.demand.grid, region, steps[r])
            for r, region in enumerate(self.demand.regions)
        ]
        return self._as_counted(np.stack(each))

    def of_launch(self, name: str) -> Array:
        """Return visits a minute that a launch's median crowd causes, shape (regions, services, slots)."""
        sold, steps = self.scenario.launches[name].product, self.demand.launches[name].median
        each = [
            self.step_visits.per_step(region, sold) @ steps[r]
            for r, region in enumerate(self.demand.regions)
        ]
        return np.stack(each) * self._times()[:, :, None]

    def busy(self, quantile: float) -> Array:
        """Return busy servers on the day at `quantile`, launches included, shape (regions, services, slots)."""
        busy = np.zeros((len(self.demand.regions), len(self.services), self.demand.grid.slots))
        visits = busy.copy()
        for product, steps in event_steps(self.scenario, self.demand.organic, quantile).items():
            for r, region in enumerate(self.demand.regions):
                stack = self.scenario.regions[region].stack
                busy[r] += busy_s_per_step(self.scenario, stack, product) @ steps[r] / SLOT_S
                visits[r] += self.step_visits.per_step(region, product) @ steps[r]
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


def _log_ratio(above: Array, below: Array) -> Array:
    return np.log(np.maximum(above, 1e-12)) - np.log(np.maximum(below, 1e-12))


def instances_for(scenario: Scenario, stack: str, service: str, busy: Array) -> Array:
    """Return the instances that hold so many busy servers with zones lost, each minute, shape (slots,).

    To three digits of what is busy, rounded up.
    """
    offered, place = np.unique(_rounded_up(busy), return_inverse=True)
    sizes = [size_service(scenario, stack, service, each).instances for each in offered.tolist()]
    return np.array(sizes)[place]


def _rounded_up(values: Array) -> Array:
    """Return numbers rounded up to three digits; 0 of what is not above 0."""
    positive = np.where(values > 0, values, 1.0)
    digit = 10.0 ** (np.floor(np.log10(positive)) - 2)
    return np.where(values > 0, np.ceil(positive / digit) * digit, 0.0)
