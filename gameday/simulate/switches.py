"""Injected outages as the engines play them: who loses how many servers from when to when."""

from __future__ import annotations

from dataclasses import dataclass

from gameday.scenario import Cell, Scenario
from gameday.scenario.injections import outages
from gameday.scenario.policies import servers_left, slowed
from gameday.traffic import LoadPlan

__all__ = ["Switch", "switches"]


@dataclass(frozen=True, slots=True)
class Switch:
    """One outage of one service, in wall seconds from the run's start, lead-in included."""

    service: str
    at_s: float
    until_s: float
    """inf = it does not end."""
    lost: int
    """Servers of the cell that go."""
    slow: float
    """Times as long as work takes that begins in it."""
    is_down: bool


def switches(scenario: Scenario, plan: LoadPlan, cell: Cell) -> tuple[Switch, ...]:
    """Return the outages of a cell in the order in which they were written."""
    out = []
    for one in outages(plan.injections, scenario, cell.stack):
        servers = cell.stations[one.service].servers
        out.append(
            Switch(
                one.service, plan.lead_in_s + one.at_s / plan.speed, plan.lead_in_s + one.until_s / plan.speed,
                servers - servers_left(servers, one.share), slowed(servers, one.share, one.slow), one.is_down,
            )
        )  # fmt: skip
    return tuple(out)
