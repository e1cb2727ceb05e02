"""Small plays: a shop whose customers react, one where every kind of step occurs, one session alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gameday.findings import validity
from gameday.record.run_record import STEPS, RunRecord
from gameday.scenario import Scenario
from gameday.swarm import Health
from gameday.swarm.tally.assemble import Assembly
from gameday.swarm.tally.observe import Observer
from gameday.swarm.tally.reports import WorkerReport
from gameday.traffic import LoadPlan
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.virtual_customers import Run, Target, play

__all__ = [
    "EVERYTHING",
    "REACTIONS",
    "alone",
    "assembled",
    "assembly_of",
    "faults_of",
    "lone_step",
    "one_session",
    "recorded",
    "total",
]

REACTIONS: dict[str, Any] = {
    "journeys": {
        "shopper": {
            "on_failure": {"again": 0.6, "after": "4s", "most": 3},
            "on_sold_out": {"again": 0.5, "after": "2s"},
        }
    },
    "steps": {"home": {"exchanges": [{"path": "/", "check": {"latency": "2s"}}]}},
    "observe": {"orders": "/orders"},
}
"""Customers who try again."""

TOKEN: dict[str, Any] = {"extract": {"token": {"jsonpath": "$.token"}}}

EVERYTHING: dict[str, Any] = {
    "journeys": {
        "shopper": REACTIONS["journeys"]["shopper"] | {"think": {"product": "0s", "other": "15s"}},
        "hasty": {
            "start": {"product": 0.5, "checkout": 0.5},
            "think": {"other": "2s"},
            "next": {
                "home": {"exit": 1.0},
                "product": {"checkout": 0.5, "exit": 0.5},
                "checkout": {"home": 1.0},
            },
            "patience": "1500ms",
        },
    },
    "steps": {
        "home": {
            "exchanges": [
                [
                    {"path": "/", "check": {"body_contains": "token"}},
                    {"path": "/banner/{product}", "required": False, "check": {"latency": "1s"}},
                    {"path": "/basket", "method": "HEAD"},
                ],
                {"path": "/seen", "required": False},
            ]
        },
        "product": {"exchanges": [{"path": "/product/{product}", **TOKEN}]},
        "checkout": {
            "exchanges": [
                {"path": "/token", **TOKEN},
                [
                    {
                        "path": "/checkout",
                        "method": "POST",
                        "json": {"token": "{token}"},
                        "headers": {"Idempotency-Key": "{order_key}"},
                        "check": {"status": [201], "sold_out": 409},
                        "action": "place_order",
                    },
                    {"path": "/ads", "required": False},
                ],
            ]
        },
    },
    "observe": {"orders": "/orders"},
}
"""Groups together and in sequence, optional exchanges, values found, orders, no pause to think."""


def one_session(scenario: Scenario, *, slots: int = 4) -> LoadPlan:
    """Return a plan of a single session, of the first journey, in the first of the slots."""
    plan = flat_plan(scenario, 1.0, slots=slots, speed=20.0)
    played = np.zeros_like(plan.played)
    played[0, 0, 0] = 1
    return replace(plan, played=played)


def lone_step(folder: Path, *exchanges: Any, **journey: Any) -> Scenario:
    """Return a shop whose customers do one step, `home`, and go."""
    changes = {
        "steps": {"home": {"exchanges": list(exchanges)}},
        "journeys": {"shopper": {"next": {"home": {"exit": 1.0, "product": 0.0}}} | journey},
    }
    return busy_shop(folder, changes)


def assembly_of(scenario: Scenario, plan: LoadPlan, reports: list[WorkerReport]) -> Assembly:
    """Return an assembly that has heard these reports."""
    assembly = Assembly(scenario, plan)
    for report in reports:
        assembly.add(report)
    return assembly


def assembled(scenario: Scenario, plan: LoadPlan, reports: list[WorkerReport]) -> RunRecord:
    """Return what these reports come to."""
    return assembly_of(scenario, plan, reports).record(Observer(scenario, {}), None)


def recorded(scenario: Scenario, plan: LoadPlan, run: Run) -> RunRecord:
    """Return what a run comes to."""
    return assembled(scenario, plan, run.reports)


def total(record: RunRecord, what: str) -> int:
    """Return a count of steps over everything."""
    return int(record.step_counts[:, :, STEPS.index(what)].sum())


def faults_of(record: RunRecord) -> tuple[str, ...]:
    """Return why a run that came to its end would not be valid."""
    return validity(record, health=Health(0.1), end="complete", why="").faults


def alone(scenario: Scenario, target: Target) -> tuple[Run, RunRecord]:
    """Let a single customer play; return the run and its record, whose books balance."""
    plan = one_session(scenario)
    run = play(scenario, plan, target, share=0.0)
    record = recorded(scenario, plan, run)
    assert record.imbalances() == []
    return run, record
