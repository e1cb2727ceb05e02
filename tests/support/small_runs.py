"""Small runs to judge: a busy small shop, SimPy's records of it used as if they were measured."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gameday.experiments.replications import Look
from gameday.findings import Evidence
from gameday.record.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.reference.engine import run_reference
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed
from tests.support.small_shop import flat_plan, load_small, merged, service, small_shop

__all__ = [
    "OBJECTIVES",
    "as_measured",
    "busy_shop",
    "evidence_of",
    "played",
    "record_of",
    "records_of",
]

OBJECTIVES = ["p99 of checkout < 2s", "error rate of all steps < 1%"]


def busy_shop(folder: Path, changes: dict[str, Any] | None = None) -> Scenario:
    """Return a shop whose services are about half busy under `played`'s load."""
    shop = merged(
        small_shop(),
        {
            "services": {
                "edge": service("10ms", servers=8),
                "stock": service("50ms", servers=5),
                "pay": service("100ms", servers=3),
            },
            "objectives": OBJECTIVES,
        },
    )
    return load_small(folder, shop, changes)


def played(scenario: Scenario, per_s: float = 30.0, *, seed: int = 7, slots: int = 12) -> LoadPlan:
    """Return a plan at 20x, two slots of it lead-in, its forecast what its starts cause."""
    plan = flat_plan(scenario, per_s, slots=slots, seed=seed, speed=20.0, lead_in=2)
    visits = np.stack(
        [j.visits_per_session(scenario.step_names) for j in scenario.journeys.values()]
    )
    steps = np.einsum("rjt,js->rst", plan.starts, visits)
    return replace(plan, forecast=steps, caused=steps)


def record_of(scenario: Scenario, plan: LoadPlan, seed: int) -> RunRecord:
    """Return one replication of the stack `main`."""
    return run_reference(scenario, plan, "main", seed=Seed(seed))


def records_of(scenario: Scenario, plan: LoadPlan, seeds: range) -> tuple[RunRecord, ...]:
    """Return one replication a seed."""
    return tuple(map(partial(record_of, scenario, plan), seeds))


def as_measured(record: RunRecord) -> RunRecord:
    """Return the record with the latencies that only a swarm sees: service time and lateness."""
    latency = record.latency.copy()
    latency[:, :, 1] = latency[:, :, 0]
    latency[:, :, 2, :, 232] = latency[:, :, 0].sum(axis=-1)  # about 1 ms late
    return replace(record, source="swarm", latency=latency)


def evidence_of(
    scenario: Scenario,
    plan: LoadPlan,
    measured: RunRecord | None,
    predicted: tuple[RunRecord, ...],
    event: tuple[RunRecord, ...] = (),
) -> Evidence:
    """Return what rules look at."""
    look = Look.at(scenario, plan)
    seen = tuple((look(run),) for run in event)
    return Evidence(scenario, plan, measured, predicted, seen, plan.scale if event else None)
