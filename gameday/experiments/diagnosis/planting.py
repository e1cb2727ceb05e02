"""Faults planted in the model: the system as it would be with one thing wrong, all else as declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gameday.calibrate import with_measured
from gameday.experiments.diagnosis.candidates import Kind
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.scenario.blocks import Measured, MeasuredFields, Service, Spread
from gameday.scenario.queue_policies import Pool
from gameday.scenario.server_policies import Degraded, Load

__all__ = ["Fault", "plant"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a stack."""

    kind: Kind
    stack: str
    service: str
    step: str | None
    """The step it is about; None: all."""
    fields: MeasuredFields
    """Of `Measured`."""

    @property
    def block(self) -> Measured:
        """What the service is, where it is not as declared."""
        return Measured().model_copy(update=dict(self.fields))

    def planted(self, scenario: Scenario) -> Scenario:
        """Return the scenario as it is with the fault."""
        fleet = scenario.services[self.service].stacks[self.stack]
        block = (fleet.measured or Measured()).told(self.fields)
        return with_measured(scenario, self.stack, self.service, block)


@dataclass(frozen=True, slots=True)
class _Place:
    """A service of a stack in which a fault may be."""

    scenario: Scenario
    stack: str
    name: str
    rng: np.random.Generator

    @property
    def service(self) -> Service:
        """As declared."""
        return self.scenario.services[self.name].as_measured(self.stack)

    @property
    def servers(self) -> int:
        """At full scale."""
        return self.scenario.services[self.name].servers(self.stack)

    def between(self, low: float, high: float) -> float:
        """Return a uniform number."""
        return float(self.rng.uniform(low, high))


_Plant = Callable[[_Place], MeasuredFields | None]
"""Returns the fields of `Measured` that a fault of a kind changes; None: it cannot be in this service."""


def plant(
    scenario: Scenario, stack: str, service: str, kind: Kind, rng: np.random.Generator
) -> Fault | None:
    """Return a fault of a kind in a service; None where it cannot have one."""
    fields = _PLANTS[kind](_Place(scenario, stack, service, rng))
    if fields is None:
        return None
    step = next(iter(Measured().model_copy(update=dict(fields)).step_factors), None)
    return Fault(kind, stack, service, step, fields)


def _fewer_servers(place: _Place) -> MeasuredFields | None:
    left = max(2, round(place.servers * place.between(0.35, 0.65)))
    return {"servers": Spread.exactly(left)} if left < place.servers else None


def _lock(place: _Place) -> MeasuredFields | None:
    return {"servers": Spread.exactly(1)} if place.servers >= 5 else None


def _thread_limit(place: _Place) -> MeasuredFields | None:
    if place.servers < 5 or place.service.pool is not None:
        return None
    return {"pool": Pool(connections=max(2, round(0.35 * place.servers)))}


def _pool_too_small(place: _Place) -> MeasuredFields | None:
    pool = place.service.pool
    if pool is None or place.servers < 4:
        return None
    return {"pool": Pool(connections=max(1, round(0.3 * min(pool.connections, place.servers))))}


def _contention(place: _Place) -> MeasuredFields | None:
    if place.service.servers_per_instance < 2 or place.service.load is not None:
        return None
    return {"load": Load(contention=place.between(0.3, 1.0))}


def _slower_service(place: _Place) -> MeasuredFields:
    return {"time_factor": Spread.exactly(place.between(1.4, 4.0))}


def _slow_endpoint(place: _Place) -> MeasuredFields | None:
    cell = build_cell(place.scenario, place.stack, scale=1.0)
    steps = [
        step
        for (step, product), groups in cell.visits.items()
        if product is None
        and any(v.service == place.name for g in groups for entry in g for v in entry.walk())
    ]
    if len(steps) < 2:
        return None
    step = steps[int(place.rng.integers(0, len(steps)))]
    return {"step_factors": {step: Spread.exactly(place.between(2.5, 6.0))}}


def _slow_instances(place: _Place) -> MeasuredFields | None:
    fleet = place.scenario.services[place.name].stacks[place.stack]
    zones = min(fleet.zones, fleet.instances)
    if zones < 2:
        return None
    return {"degraded": Degraded(share=1 / zones, slowed=place.between(3.0, 8.0))}


def _heavier_tail(place: _Place) -> MeasuredFields:
    return {"cv": Spread.exactly(place.between(2.5, 5.0))}


def _failing_dependency(place: _Place) -> MeasuredFields:
    return {"degraded": Degraded(share=place.between(0.04, 0.4), refuses=True)}


def _unbounded_queue(place: _Place) -> MeasuredFields:
    return {"queue_per_server": 100.0 * max(1.0, place.service.queue_per_server)}


def _more_retries(place: _Place) -> MeasuredFields | None:
    retry = place.service.retry
    if retry is None:
        return None
    more = {"attempts": int(place.rng.integers(5, 9)), "backoff": 0.01, "budget": None}
    return {"retry": retry.model_copy(update=more)}


def _more_visits(place: _Place) -> MeasuredFields | None:
    """Return more calls from the services that call it: what customers send themselves is the plan's."""
    cell = build_cell(place.scenario, place.stack, scale=1.0)
    called = {v.service for visit in cell.walk() for group in visit.then for v in group}
    if place.name not in called:
        return None
    return {"visits_factor": Spread.exactly(place.between(1.6, 4.0))}


def _cache_cold(place: _Place) -> MeasuredFields | None:
    cache = place.service.cache
    if cache is None:
        return None
    changed: MeasuredFields = {"begins": "empty"}
    if place.rng.random() < 0.5:
        changed = {"entries": max(1, round(place.between(0.002, 0.1) * cache.entries))}
    return {"cache": cache.model_copy(update=changed)}


def _autoscaling_late(place: _Place) -> MeasuredFields | None:
    policy = place.service.autoscale
    if policy is None:
        return None
    late = {"delay": policy.delay * place.between(6.0, 15.0)}
    return {"autoscale": policy.model_copy(update=late)}


_PLANTS: dict[Kind, _Plant] = {
    "fewer_servers": _fewer_servers,
    "lock": _lock,
    "thread_limit": _thread_limit,
    "pool_too_small": _pool_too_small,
    "contention": _contention,
    "slower_service": _slower_service,
    "slow_endpoint": _slow_endpoint,
    "slow_instances": _slow_instances,
    "heavier_tail": _heavier_tail,
    "failing_dependency": _failing_dependency,
    "unbounded_queue": _unbounded_queue,
    "more_retries": _more_retries,
    "more_visits": _more_visits,
    "cache_cold": _cache_cold,
    "autoscaling_late": _autoscaling_late,
}
