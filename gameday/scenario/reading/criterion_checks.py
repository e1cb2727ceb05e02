"""What must hold between objectives, guardrails and the steps and services that they name."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.scenario.criteria import Criterion
from gameday.scenario.faults import Fault, FaultPath, unknown
from gameday.scenario.model import Scenario

__all__ = ["criterion_faults"]


def criterion_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield which objectives and guardrails could not be judged as they are written."""
    for i, objective in enumerate(scenario.objectives):
        yield from _objective_faults(scenario, ("objectives", i), objective)
    for i, guardrail in enumerate(scenario.guardrails):
        yield from _guardrail_faults(scenario, ("guardrails", i, "when"), guardrail.when)


def _objective_faults(scenario: Scenario, path: FaultPath, objective: Criterion) -> Iterator[Fault]:
    if objective.op.startswith(">"):
        yield path, f"an objective is an upper bound: write < or <= (got '{objective.text}')"
    if objective.for_s:
        yield path, f"an objective is judged over the window: no `for` (got '{objective.text}')"
    yield from _subject_faults(scenario, path, objective)


def _guardrail_faults(scenario: Scenario, path: FaultPath, criterion: Criterion) -> Iterator[Fault]:
    if criterion.op.startswith("<"):
        yield path, f"a guardrail acts above a bound: write > or >= (got '{criterion.text}')"
    yield from _subject_faults(scenario, path, criterion)
    if criterion.is_of_service and (why := _unreadable(scenario, criterion)):
        yield path, f"{why}: it could never be read (got '{criterion.text}')"


def _subject_faults(scenario: Scenario, path: FaultPath, criterion: Criterion) -> list[Fault]:
    """Return the fault of a subject that is no service, or no step, of the scenario."""
    if criterion.is_of_service:
        return unknown(path, "service", criterion.subject, scenario.services)
    return unknown(path, "step", criterion.subject, [*scenario.steps, "all steps"])


def _unreadable(scenario: Scenario, criterion: Criterion) -> str:
    """Return why `observe` cannot read a service's metric; empty where it can."""
    observe, name = scenario.observe, criterion.subject
    if observe.services is not None and name not in observe.services:
        return f"observe.services leaves '{name}' out; add it"
    if criterion.metric == "queue" and "queue" not in observe.series:
        return "observe.series lacks queue; add it"
    busy = {"busy_seconds", "in_use"} & set(observe.series)
    if criterion.metric == "utilisation" and not (busy and "capacity" in observe.series):
        return "observe.series lacks capacity, or busy_seconds and in_use both; add them"
    return ""
