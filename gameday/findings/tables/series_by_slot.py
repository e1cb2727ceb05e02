"""A run slot by slot, as its charts draw it: rates are of wall seconds of the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.record import RunRecord, percentile
from gameday.record.intervals import plain_number, rounded
from gameday.record.measures import BAD
from gameday.scenario.reading import Injection
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S

__all__ = ["ServiceSlots", "SlotSeries", "StackSlots", "StepSlots", "slot_series"]

Numbers = list[float | None]
"""One a slot of the window; None = not observed."""


@dataclass(frozen=True, slots=True)
class ServiceSlots:
    """A service slot by slot."""

    measured: Numbers
    """Utilisation, 0 to 1."""
    predicted: Numbers | None
    """The same in the model of the run as played, mean of its replications."""
    queue: Numbers
    """Mean number waiting."""
    attempts_per_s: Numbers
    first_per_s: Numbers
    """Attempts that repeat none before."""


@dataclass(frozen=True, slots=True)
class StepSlots:
    """Response times of a step slot by slot, seconds."""

    p50: Numbers
    p99: Numbers


@dataclass(frozen=True, slots=True)
class StackSlots:
    """A stack slot by slot, all steps together but where they are named."""

    forecast_per_s: Numbers
    planned_per_s: Numbers
    sent_per_s: Numbers
    bad_per_s: Numbers
    sessions_planned: list[int]
    sessions_started: list[int]
    services: dict[str, ServiceSlots]
    steps: dict[str, StepSlots]


@dataclass(frozen=True, slots=True)
class SlotSeries:
    """The window of a run."""

    slot_utc: tuple[str, ...]
    injected: tuple[tuple[str, str], ...]
    """From when to when each thing was injected."""
    stacks: dict[str, StackSlots]


def slot_series(evidence: Evidence, run: RunRecord) -> SlotSeries:
    """Return what charts draw of a run."""
    plan = evidence.plan
    return SlotSeries(
        tuple(plan.window.instant(slot).isoformat() for slot in range(plan.window.slots)),
        tuple(_span(plan, injection) for injection in plan.injections),
        {stack: _stack(evidence, run, stack) for stack in run.stacks},
    )


def _span(plan: LoadPlan, injection: Injection) -> tuple[str, str]:
    """Return from when to when something is injected, within the window."""
    until_s = min(injection.until_s, plan.window.slots * SLOT_S)
    begins, ends = (
        (plan.window.start + timedelta(seconds=at_s)).isoformat()
        for at_s in (injection.at_s, until_s)
    )
    return begins, ends


def _stack(evidence: Evidence, run: RunRecord, stack: str) -> StackSlots:
    plan, wall_s = evidence.plan, run.slot_wall_s
    steps, sessions = run.steps_by_slot(stack), run.sessions_by_slot(stack)
    regions = [plan.regions.index(region) for region in evidence.scenario.stack_regions(stack)]
    forecast = plan.forecast[regions][:, :, plan.lead_in :].sum(axis=(0, 1))
    return StackSlots(
        forecast_per_s=rounded(plan.clock.played(forecast) / wall_s),
        planned_per_s=rounded(steps["planned"] / wall_s),
        sent_per_s=rounded(steps["achieved"] / wall_s),
        bad_per_s=rounded(steps.together(*BAD) / wall_s),
        sessions_planned=sessions["planned"].tolist(),
        sessions_started=sessions["started"].tolist(),
        services={
            name: _service(evidence, run, stack, name)
            for name in evidence.scenario.stack_services(stack)
        },
        steps={step: _step(run, stack, step) for step in run.steps},
    )


def _step(run: RunRecord, stack: str, step: str) -> StepSlots:
    longest_s, rows = run.longest_response_s([step]), run.latency_by_slot(stack, [step])
    p50, p99 = (
        [plain_number(percentile(row, level, longest_s)) for row in rows] for level in (0.5, 0.99)
    )
    return StepSlots(p50, p99)


def _service(evidence: Evidence, run: RunRecord, stack: str, name: str) -> ServiceSlots:
    predicted = [r.utilisation(stack, name)[r.judged] for r in evidence.predicted]
    loads, wall_s = run.loads_by_slot(stack, name), run.slot_wall_s
    attempts = run.attempts_by_slot(stack, name)["arrived"]
    return ServiceSlots(
        measured=rounded(run.utilisation(stack, name)[run.judged]),
        predicted=rounded(np.mean(predicted, axis=0)) if predicted else None,
        queue=rounded(loads["queue_s"] / wall_s),
        attempts_per_s=rounded(attempts / wall_s),
        first_per_s=rounded((attempts - loads["repeats"]) / wall_s),
    )
