"""Which services a step visits, and which steps sell: what a scenario says of them."""

from __future__ import annotations

from gameday.queueing.cell import Visit, build_cell
from gameday.scenario import Criterion, Scenario

__all__ = ["call_depths", "mean_holds_s", "services_behind", "step_tier", "visited_services"]


def services_behind(scenario: Scenario, stack: str, criterion: Criterion) -> tuple[str, ...]:
    """Return the services of a stack that a criterion depends on: those that its steps visit, or itself."""
    if criterion.is_of_service:
        return (criterion.subject,)
    behind = {
        service
        for step, services in visited_services(scenario, stack).items()
        if criterion.subject in ("all steps", step)
        for service in services
    }
    return tuple(name for name in scenario.stack_services(stack) if name in behind)


def visited_services(scenario: Scenario, stack: str) -> dict[str, set[str]]:
    """Return step -> the services of a stack that it visits, for customers of any product type."""
    services_of: dict[str, set[str]] = {}
    for (step, _), groups in build_cell(scenario, stack, scale=1.0).visits.items():
        visits = (visit for group in groups for entry in group for visit in entry.walk())
        services_of.setdefault(step, set()).update(visit.service for visit in visits)
    return services_of


def call_depths(scenario: Scenario, stack: str) -> dict[str, int]:
    """Return each service of a stack -> how many calls lie at most between customers and it.

    1: it is asked first; 0: no step visits it.
    """
    depths = dict.fromkeys(scenario.stack_services(stack), 0)

    def note(visit: Visit, depth: int) -> None:
        depths[visit.service] = max(depths[visit.service], depth)
        for below in (v for group in visit.then for v in group):
            note(below, depth + 1)

    for groups in build_cell(scenario, stack, scale=1.0).visits.values():
        for visit in (v for group in groups for v in group):
            note(visit, 1)
    return depths


def mean_holds_s(scenario: Scenario, stack: str) -> dict[str, float]:
    """Return each service of a stack -> the longest mean time for which one of its visits holds a server, seconds.

    When nothing waits; NaN of those that no step visits.
    """
    holds = dict.fromkeys(scenario.stack_services(stack), float("nan"))
    for groups in build_cell(scenario, stack, scale=1.0).visits.values():
        for visit in (v for group in groups for entry in group for v in entry.walk()):
            holds[visit.service] = max(visit.mean_hold_s, holds[visit.service])
    return holds


def step_tier(scenario: Scenario, step: str) -> int:
    """Return the criticality tier of a step: 0 if it puts goods in a cart or orders them, else 1."""
    if step not in scenario.steps:
        return 1
    actions = {exchange.action for exchange in scenario.steps[step].each_exchange()}
    return 0 if actions & {"add_to_cart", "place_order"} else 1
