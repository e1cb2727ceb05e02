"""How many servers hold the bounds at the event's peak with zones lost: Erlang C, per service."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gameday.forecast import Demand
from gameday.queueing.closed_forms import servers_for
from gameday.scenario import Scenario
from gameday.simulate import offered_erlangs
from gameday.traffic import event_steps
from gameday.vocabulary import Array

__all__ = ["Size", "offered_by_quantile", "size_service"]


@dataclass(frozen=True, slots=True)
class Size:
    """What a service needs in one stack."""

    instances: int
    """With every zone up, a whole number a zone."""
    servers_needed: int
    """Servers that must be up at the peak, zones lost or not."""
    survivors_share: float
    """Share of the servers that is left when the zones are lost."""


def offered_by_quantile(
    scenario: Scenario, demand: Demand, quantiles: tuple[float, ...]
) -> dict[float, dict[str, Array]]:
    """Return quantile -> stack -> offered erlangs (services, slots); 0 outside the event of all its regions."""
    steps = {q: event_steps(scenario, demand, q) for q in quantiles}
    return {
        q: {
            stack: offered_erlangs(scenario, stack, steps[q])
            * demand.during(scenario.stack_regions(stack))
            for stack in scenario.stack_names
        }
        for q in quantiles
    }


def size_service(scenario: Scenario, stack: str, service: str, offered: float) -> Size:
    """Return the fleet that keeps the scenario's bounds at `offered` erlangs with zones lost."""
    rules, block = scenario.services[service], scenario.capacity
    fleet = rules.stacks[stack]
    servers = servers_for(
        offered,
        max_wait_probability=block.max_wait_probability,
        max_utilisation=block.max_utilisation,
    )
    left = fleet.zones - min(block.zones_lost, fleet.zones - 1)
    instances_left = math.ceil(servers / rules.servers_each(stack))
    a_zone = math.ceil(instances_left / left)
    return Size(a_zone * fleet.zones, servers, left / fleet.zones)
