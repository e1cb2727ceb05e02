"""Which services a step visits, and which steps sell: what a scenario says of them."""

from __future__ import annotations

from gameday.queueing.cell import build_cell
from gameday.scenario import Criterion, Scenario

__all__ = ["services_behind", "step_tier", "visited_services"]


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


def step_tier(scenario: Scenario, step: str) -> int:
    """Return the criticality tier of a step: 0 if it puts goods in a cart or orders them, else 1."""
    if step not in scenario.steps:
        return 1
    actions = {exchange.action for exchange in scenario.steps[step].each_exchange()}
    return 0 if actions & {"add_to_cart", "place_order"} else 1
