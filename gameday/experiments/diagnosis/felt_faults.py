"""Faults that somebody would notice: they change visits, utilisation or failed steps by more than trifles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gameday.calibrate.compared import Look
from gameday.experiments.diagnosis.candidates import Kind
from gameday.experiments.diagnosis.planting import Fault, plant
from gameday.record import RunRecord, percentile
from gameday.record.measures import BAD
from gameday.scenario import Scenario
from gameday.simulate import RunControl, simulate
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Seed

__all__ = ["felt_fault", "is_felt"]

_TRIES = 40
"""Services and sizes in which a fault of a kind is tried until one is felt. Ours."""
_FELT = 0.15
"""Share by which a quantile of a service's visits differs, or points of its utilisation, from
which on a fault can be noticed at all. Ours."""
_FELT_BAD = 0.01
"""The same in points of failed steps."""
_FELT_RUNS = 4


def felt_fault(
    scenario: Scenario, plan: LoadPlan, kind: Kind, seed: Seed, *, scale: float | None = None
) -> Fault | None:
    """Return a fault of a kind that can be noticed somewhere in the scenario; None where none can.

    Faults that change neither a quantile of the service's visits nor its utilisation nor the share
    of failed steps by more than trifles are drawn again.
    """
    rng = seed.stream("felt fault")
    for number in range(_TRIES):
        stacks = scenario.stack_names
        stack = stacks[int(rng.integers(0, len(stacks)))]
        services = scenario.stack_services(stack)
        service = services[int(rng.integers(0, len(services)))]
        fault = plant(scenario, stack, service, kind, rng)
        if fault is not None and is_felt(scenario, plan, fault, seed.child(str(number)), scale):
            return fault
    return None


def is_felt(
    scenario: Scenario, plan: LoadPlan, fault: Fault, seed: Seed, scale: float | None = None
) -> bool:
    """Return whether anybody can notice a fault: it changes visits, utilisation or failed steps by
    more than trifles.
    """
    calm, struck = (
        _seen_of(system, plan, fault, seed, scale) for system in (scenario, fault.planted(scenario))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        is_slower = bool((np.abs(np.log(struck.visits_s / calm.visits_s)) > _FELT).any())
    fails_more = abs(struck.bad - calm.bad) > _FELT_BAD
    return is_slower or fails_more or abs(struck.busy - calm.busy) > _FELT


@dataclass(frozen=True, slots=True)
class _Felt:
    """What anybody can notice of a service."""

    bad: float
    """Failed share of all steps."""
    busy: float
    """Utilisation."""
    visits_s: Array
    """p50, p90 and p99 of its visits."""


def _seen_of(
    scenario: Scenario, plan: LoadPlan, fault: Fault, seed: Seed, scale: float | None
) -> _Felt:
    """Return what is noticed of a fault's service over a few runs."""
    control = RunControl(replications=_FELT_RUNS, workers=1)
    runs = simulate(scenario, plan, seed=seed, control=control, scale=scale)
    busy = np.mean([np.nanmean(run.utilisation(fault.stack, fault.service)) for run in runs])
    return _Felt(_bad_share(runs, fault.stack), float(busy), _visit_quantiles(runs, fault))


def _bad_share(runs: Sequence[RunRecord], stack: str) -> float:
    steps = [run.steps_by_slot(stack) for run in runs]
    bad = sum(s.together(*BAD).sum() for s in steps)
    return float(bad / max(1, sum(s["achieved"].sum() for s in steps)))


def _visit_quantiles(runs: Sequence[RunRecord], fault: Fault) -> Array:
    """Return p50, p90 and p99 of the visits to a fault's service."""
    look = Look((fault.service,))
    seen = [look.at(run, fault.stack).services[fault.service].histogram for run in runs]
    return np.array([percentile(np.sum(seen, axis=0), level) for level in (0.5, 0.9, 0.99)])
