"""The room's verb: which services are too small, the requests for them, and which of them nothing supports."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from gameday.capacity.joint_sizing import SizedStack
from gameday.capacity.request import ERLANG, CapacityRequest, Move
from gameday.capacity.services.demand import instances_for
from gameday.capacity.sizing import Size, offered_by_quantile, size_service
from gameday.findings import RULES, Finding, Standing
from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.scenario.blocks import Fleet, Service
from gameday.vocabulary import Array

__all__ = ["Withheld", "request_capacity", "with_order", "withhold"]

_WARM_UP = timedelta(hours=2)
"""Servers must work this long before they are needed: caches fill, checks pass. Ours."""


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
    together = {each.stack: each for each in sized}
    quantile = scenario.capacity.quantile
    levels = tuple(sorted({0.5, quantile, 0.99}))
    offered = offered_by_quantile(scenario, demand, levels)
    requests = []
    for stack in scenario.stack_names:
        for service in scenario.stack_services(stack):
            index = list(scenario.services).index(service)
            load = {level: offered[level][stack][index] for level in levels}
            need = _Need(scenario, stack, service, load, together.get(stack))
            if need.is_to_change:
                ids = _ids(findings, stack, service)
                requests.append(_request(need, demand, findings=ids, run=run, now=now))
    return tuple(sorted(requests, key=lambda r: (-len(r.findings), -r.added * r.hourly_usd, r.id)))


@dataclass(frozen=True)
class _Need:
    """What a service of a stack is asked for, and what it has."""

    scenario: Scenario
    stack: str
    service: str
    load: dict[float, Array]
    """Quantile of the event's strength -> busy servers asked for, erlangs, shape (slots,)."""
    together: SizedStack | None
    """What the model found for its stack; None: it was not asked."""

    @property
    def is_to_change(self) -> bool:
        """Whether its fleet is too small or, where the model says so, larger than it need be."""
        more = self.size.instances - self.instances
        return more > 0 or (self.together is not None and more < 0)

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
        """The instances at work."""
        return self.service_block.working_instances(self.stack)

    @property
    def as_measured(self) -> str:
        """What was measured of the fleet that is not as declared; empty: nothing."""
        declared, each = self.fleet.instances, self.service_block.servers_each(self.stack)
        if self.instances != declared:
            return f"; measured: the servers of {self.instances} instances, where {declared} are declared"
        if each != self.service_block.servers_per_instance:
            return f"; measured: {each:.3g} servers an instance"
        return ""

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
        """The instances that are needed."""
        if self.together is None:
            return self.by_erlang
        instances = self.together.fleets[self.service]
        left = self.by_erlang.survivors_share
        return Size(instances, math.ceil(self.servers(instances) * left), left)

    def in_each_slot(self) -> Array:
        """Return the instances needed in each slot, (slots,): as at the peak, in proportion to Erlang's C."""
        needed = instances_for(self.scenario, self.stack, self.service, self.sized_load)
        times, zones = self.size.instances / self.by_erlang.instances, self.fleet.zones
        whole = np.ceil(times * needed / zones) * zones
        return np.asarray(np.minimum(whole, self.size.instances))

    def servers(self, instances: int) -> float:
        """Return how many servers so many instances have."""
        return instances * self.service_block.servers_each(self.stack)

    def short_slots(self) -> tuple[int, int]:
        """Return the first and the last slot in which the fleet is too small; the peak where it never is."""
        short = np.flatnonzero(self.in_each_slot() > self.instances)
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
    def of(need: _Need, demand: Demand) -> _Times:
        first, last = need.short_slots()
        start, end = demand.grid.instant(first), demand.grid.instant(last + 1)
        needed_by = start - _WARM_UP
        lead_time = timedelta(days=need.scenario.capacity.lead_time_days)
        return _Times(start, end, needed_by, needed_by - lead_time)


def _request(
    need: _Need, demand: Demand, *, findings: tuple[str, ...], run: str, now: datetime
) -> CapacityRequest:
    scenario, fleet, size = need.scenario, need.fleet, need.size
    block, times = scenario.capacity, _Times.of(need, demand)
    added = size.instances - need.instances
    hourly_usd = added * block.instances[fleet.instance].hourly_usd
    support = "" if block.quantile <= demand.calibrated_to + 1e-9 else " (prior, not calibrated)"
    return CapacityRequest(
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
        at_risk=times.latest_order < now,
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
        hourly_usd=hourly_usd,
        total_usd=hourly_usd * (times.end - times.needed_by).total_seconds() / 3600,
        expires=times.end + _WARM_UP,
        peak=demand.grid.instant(int(need.sized_load.argmax())),
        history=(Move(now.isoformat(timespec="seconds"), "gameday", "draft", f"run {run}"),),
        sized_by=ERLANG if need.together is None else need.together.words,
    )


def _ids(findings: tuple[Finding, ...], stack: str, service: str) -> tuple[str, ...]:
    """Return the ids of the findings that more servers of a service answer."""
    return tuple(
        f.id
        for f in findings
        if f.stack == stack and RULES[f.rule].servers_help and service in f.subject.split()
    )


def with_order(scenario: Scenario, requests: tuple[CapacityRequest, ...]) -> Scenario:
    """Return the scenario as it would be with every request placed."""
    services = dict(scenario.services)
    for request in requests:
        services[request.service] = services[request.service].with_instances(
            request.stack, request.instances_to
        )
    return scenario.model_copy(update={"services": services})
