"""What must hold between objectives, guardrails and the steps and services that they speak of."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.scenario.criteria import Criterion
from gameday.scenario.faults import Fault, unknown
from gameday.scenario.model import Scenario

__all__ = ["criterion_faults"]


def criterion_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield which objectives and guardrails could not be judged as they are written."""
    items: list[tuple[tuple[str | int, ...], Criterion]] = [
        (("objectives", i), c) for i, c in enumerate(scenario.objectives)
    ]
    items += [(("guardrails", i, "when"), g.when) for i, g in enumerate(scenario.guardrails)]
    for path, criterion in items:
        if path[0] == "objectives" and criterion.op.startswith(">"):
            yield path, f"an objective is an upper bound: write < or <= (got '{criterion.text}')"
        if path[0] == "objectives" and criterion.for_s:
            yield path, f"an objective is judged over the window: no `for` (got '{criterion.text}')"
        if path[0] == "guardrails" and criterion.op.startswith("<"):
            yield path, f"a guardrail acts above a bound: write > or >= (got '{criterion.text}')"
        if criterion.is_of_service:
            yield from unknown(path, "service", criterion.subject, scenario.services)
            if path[0] == "guardrails" and (why := _unreadable(scenario, criterion)):
                yield path, f"{why}: it could never be read (got '{criterion.text}')"
        else:
            known = [*scenario.steps, "all steps"]
            yield from unknown(path, "step", criterion.subject, known)


def _unreadable(scenario: Scenario, criterion: Criterion) -> str:
    """Return why `observe` cannot tell a service's number; empty where it can."""
    observe, name = scenario.observe, criterion.subject
    if observe.services is not None and name not in observe.services:
        return f"observe.services leaves '{name}' out; add it"
    if criterion.metric == "queue" and "queue" not in observe.series:
        return "observe.series lacks queue; add it"
    busy = {"busy_seconds", "in_use"} & set(observe.series)
    if criterion.metric == "utilisation" and not (busy and "capacity" in observe.series):
        return "observe.series lacks capacity, or busy_seconds and in_use both; add them"
    return ""
