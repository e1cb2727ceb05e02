"""The room's verb: which services are too small, the requests for them, and which of them nothing supports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from gameday.capacity.joint_sizing import SizedStack
from gameday.capacity.request import ERLANG, CapacityRequest
from gameday.capacity.schedule import ScheduledStep, schedule
from gameday.capacity.services.demand import instances_for
from gameday.capacity.sizing import Size, offered_by_quantile, size_service
from gameday.experiments.failures import WARM_UP
from gameday.findings import RULES, Finding, Standing
from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.scenario.blocks import Fleet, Service
from gameday.traffic.fit import event_demand
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Withheld", "request_capacity", "with_order", "withhold"]


_AS_HIGH = 0.97
"""Share of its highest load from which on a minute of a service's load is as good as its peak. Ours."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A request that is not made: it would rest on a model that the run refutes."""

    stack: str
    service: str
    why: tuple[str, ...]
    """What was measured against what was predicted, a line each."""


def withhold(
    requests: tuple[CapacityRequest, ...], standing: Standing
) -> tuple[tuple[CapacityRequest, ...], tuple[Withheld, ...]]:
    """Return the requests that the run does not refute, each with what it says of their model; and the others."""
    kept, withheld = [], []
    for request in requests:
        model = standing.of(request.stack, (request.service,))
        if model == "refuted":
            why = standing.against(request.stack, (request.service,))
            withheld.append(Withheld(request.stack, request.service, why))
        else:
            kept.append(replace(request, model=model))
    return tuple(kept), tuple(withheld)


def request_capacity(
    scenario: Scenario,
    demand: Demand,
    findings: tuple[Finding, ...],
    *,
    run: str,
    now: datetime,
    sized: tuple[SizedStack, ...] = (),
) -> tuple[CapacityRequest, ...]:
    """Return a draft request for every service whose fleet is to change, by size of need.

    To the fleets that were `sized` together in the model; in other stacks to what Erlang's C asks for, where a
    fleet is too small for it. None where the services are not known: nobody can order more of a station that
    stands in for them.
    """
    if not scenario.services_are_known:
        return ()
    requests = [
        _request(need, findings=_ids(findings, need.stack, need.service), run=run, now=now)
        for need in _needs(scenario, demand, sized)
        if need.is_to_change
    ]
    return tuple(sorted(requests, key=lambda r: (-len(r.findings), -r.added * r.hourly_usd, r.id)))


def _needs(scenario: Scenario, demand: Demand, sized: tuple[SizedStack, ...]) -> Iterator[_Need]:
    """Yield what each service of each stack is asked for."""
    levels = tuple(sorted({0.5, scenario.capacity.quantile, 0.99}))
    offered = offered_by_quantile(scenario, demand, levels)
    numbers = {name: number for number, name in enumerate(scenario.services)}
    expected = event_demand(scenario, demand)
    for stack in scenario.stack_names:
        together = tuple(each for each in sized if each.stack == stack)
        regions = [expected.regions.index(region) for region in scenario.stack_regions(stack)]
        steps = float((expected.mean * expected.in_span)[regions].sum())
        for service in scenario.stack_services(stack):
            load = {level: offered[level][stack][numbers[service]] for level in levels}
            yield _Need(scenario, demand, stack, service, load, together, steps)


@dataclass(frozen=True)
class _Need:
    """What a service of a stack is asked for, and what it has."""

    scenario: Scenario
    demand: Demand
    stack: str
    service: str
    load: dict[float, Array]
    """Quantile of the event's strength -> busy servers asked for, erlangs, shape (slots,)."""
    together: tuple[SizedStack, ...]
    """What the model found for its stack, a phase each; empty: it was not asked."""
    steps: float
    """That the stack's customers make in the event, on average."""

    @property
    def is_to_change(self) -> bool:
        """Whether its fleet is too small or, where the model says so, larger than it need be."""
        return bool(self.schedule) if self.together else self.size.instances > self.instances

    @property
    def fleet(self) -> Fleet:
        """The instances there are."""
        return self.scenario.services[self.service].stacks[self.stack]

    @property
    def service_block(self) -> Service:
        """The service, as it was measured."""
        return self.scenario.services[self.service]

    @property
    def instances(self) -> int:
        """The instances that should be at work."""
        return self.fleet.instances

    @property
    def as_measured(self) -> str:
        """What was measured of the fleet that is not as declared; empty: nothing."""
        each, declared = self.servers(1), self.service_block.servers_per_instance
        if each == declared:
            return ""
        working = self.instances * each / declared
        return (
            f"; measured: {self.instances} instances work as {working:.3g} do by their declaration, {each:.3g} "
            "servers each; those added are taken to do the same"
        )

    @property
    def sized_load(self) -> Array:
        """The load that is sized for, erlangs, shape (slots,)."""
        return self.load[self.scenario.capacity.quantile]

    @cached_property
    def by_erlang(self) -> Size:
        """The instances that Erlang's C asks for at the peak."""
        peak = float(self.sized_load.max())
        return size_service(self.scenario, self.stack, self.service, peak)

    @cached_property
    def size(self) -> Size:
        """The instances that are needed when most are."""
        if not self.together:
            return self.by_erlang
        instances = max(each.fleets[self.service] for each in self.together)
        left = self.by_erlang.survivors_share
        return Size(instances, math.ceil(self.servers(instances) * left), left)

    @cached_property
    def in_each_slot(self) -> Array:
        """Return the instances needed in each slot, (slots,): in a phase's busiest minutes what it was sized to.

        In others in proportion to what Erlang's C asks for.
        """
        by_erlang = instances_for(self.scenario, self.stack, self.service, self.sized_load)
        needed, zones = np.zeros(len(by_erlang)), self.fleet.zones
        for each in self.together:
            here = by_erlang if each.phase is None else by_erlang * each.phase.slots
            sized = by_erlang if each.phase is None else by_erlang * each.phase.alone
            most = each.fleets[self.service]
            own = np.ceil(most / max(1, int(sized.max())) * here / zones - 1e-9) * zones
            needed = np.maximum(needed, np.minimum(own, most))
        return needed if self.together else by_erlang

    @property
    def peak(self) -> int:
        """The slot of the most load; of those played in the model where one has as much, but for little."""
        played = np.zeros(len(self.sized_load), bool)
        for each in self.together:
            first = self.demand.grid.index_of(each.minutes.start)
            played[first : first + each.minutes.slots] = True
        highest = int((self.sized_load * played).argmax())
        is_as_high = self.sized_load[highest] >= _AS_HIGH * self.sized_load.max()
        return highest if played.any() and is_as_high else int(self.sized_load.argmax())

    @cached_property
    def schedule(self) -> tuple[ScheduledStep, ...]:
        """When how many are to be at work, where that differs from those that are."""
        if not self.together:
            return ()
        names = np.full(len(self.sized_load), self.scenario.event.kind, dtype=object)
        for each in self.together:
            if each.phase is not None:
                names[each.phase.slots] = each.phase.name
        least = 0 if self.scenario.capacity.scale_down else self.instances
        on = self.demand.during(self.scenario.stack_regions(self.stack))
        needed = np.where(on, np.maximum(self.in_each_slot, least), 0)
        return schedule(needed, names, self.demand.grid, self.instances)

    def servers(self, instances: int) -> float:
        """Return how many servers so many instances have."""
        return instances * self.service_block.servers_each(self.stack)

    def short_slots(self) -> tuple[int, int]:
        """Return the first and the last slot in which the fleet is too small; the peak where it never is."""
        short = np.flatnonzero(self.in_each_slot > self.instances)
        if not len(short):
            return (int(self.sized_load.argmax()),) * 2
        return int(short[0]), int(short[-1])

    def peak_utilisation(self) -> dict[str, float]:
        """Return the utilisation at the peak before and after the order, all zones up and with the zones lost."""
        peak = float(self.sized_load.max())
        before = peak / self.servers(self.instances)
        after = peak / self.servers(self.size.instances)
        return {
            "before": before,
            "before_zone_lost": before / self.size.survivors_share,
            "after": after,
            "after_zone_lost": after / self.size.survivors_share,
        }


@dataclass(frozen=True, slots=True)
class _Times:
    """When an order is needed."""

    start: datetime
    """First minute in which the fleet is too small."""
    end: datetime
    needed_by: datetime
    latest_order: datetime

    @staticmethod
    def of(need: _Need) -> _Times:
        """Return the times of the schedule, or of the minutes in which the fleet is too small."""
        if need.schedule:
            needed_by, end = need.schedule[0].start, need.schedule[-1].end
            start = needed_by + WARM_UP
        else:
            first, last = need.short_slots()
            grid = need.demand.grid
            start, end = grid.instant(first), grid.instant(last + 1)
            needed_by = start - WARM_UP
        lead_time = timedelta(days=need.scenario.capacity.lead_time_days)
        return _Times(start, end, needed_by, needed_by - lead_time)


def _request(need: _Need, *, findings: tuple[str, ...], run: str, now: datetime) -> CapacityRequest:
    scenario, fleet, size = need.scenario, need.fleet, need.size
    block, times, demand = scenario.capacity, _Times.of(need), need.demand
    added, price = size.instances - need.instances, block.instances[fleet.instance].hourly_usd
    support = "" if block.quantile <= demand.calibrated_to + 1e-9 else " (prior, not calibrated)"
    request = CapacityRequest(
        id=f"CR-{scenario.event.name}-{need.stack}-{need.service}",
        event=scenario.event.name,
        run=run,
        stack=need.stack,
        service=need.service,
        state="draft",
        findings=findings,
        window_start=times.start,
        window_end=times.end,
        needed_by=times.needed_by,
        latest_order=times.latest_order,
        at_risk=times.latest_order < now and size.instances > need.instances,
        instance=fleet.instance,
        zones=fleet.zones,
        instances_from=need.instances,
        instances_to=size.instances,
        servers_per_instance=need.service_block.servers_per_instance,
        offered={f"p{100 * q:g}": round(float(x.max()), 2) for q, x in need.load.items()},
        servers_needed=size.servers_needed,
        zones_lost=min(block.zones_lost, fleet.zones - 1),
        sized_for=f"p{100 * block.quantile:g}{support}{need.as_measured}",
        bounds={}
        if need.together
        else {
            "max_utilisation": block.max_utilisation,
            "max_wait_probability": block.max_wait_probability,
        },
        peak_utilisation=need.peak_utilisation(),
        hourly_usd=added * price,
        total_usd=0.0,
        expires=times.end + WARM_UP,
        schedule=need.schedule,
        peak=demand.grid.instant(need.peak),
        owner=scenario.owner(need.service),
        forecast_steps=round(need.steps),
        sized_by="; ".join(each.words for each in need.together) or ERLANG,
    )
    return replace(request, total_usd=price * request.instance_hours)


def _ids(findings: tuple[Finding, ...], stack: str, service: str) -> tuple[str, ...]:
    """Return the ids of the findings that more servers of a service answer."""
    return tuple(
        f.id
        for f in findings
        if f.stack == stack and RULES[f.rule].servers_help and service in f.subject.split()
    )


def with_order(
    scenario: Scenario, requests: tuple[CapacityRequest, ...], minutes: TimeGrid | None = None
) -> Scenario:
    """Return the scenario as it would be in these minutes with every request placed; None: at their most."""
    return scenario.with_instances(
        {
            (r.stack, r.service): r.instances_to
            if minutes is None
            else r.instances_in(minutes.start, minutes.end)
            for r in requests
        }
    )
