"""What a cell has too few servers to show: said beside the numbers it gives."""

from __future__ import annotations

from gameday.queueing import build_cell
from gameday.scenario import Scenario

__all__ = ["FEW_SERVERS", "small_stations", "unseen"]

FEW_SERVERS = 4
"""Below so many servers a station's waits are its cell's own: at 90 % busy the p99 wait is 10.9 service times of
4 servers, 0.02 of 400 (Erlang C)."""


def small_stations(scenario: Scenario, scale: float) -> dict[str, list[str]]:
    """Return stack -> services with few servers in the cell that have more at full scale."""
    out = {}
    for stack in scenario.stack_names:
        few = [
            name
            for name, station in build_cell(scenario, stack, scale=scale).stations.items()
            if station.servers < FEW_SERVERS <= scenario.services[name].servers(stack)
        ]
        if few:
            out[stack] = few
    return out


def unseen(scenario: Scenario, variant: Scenario, scale: float) -> dict[str, list[str]]:
    """Return stack -> what a variant of a scenario changes that a cell of this size cannot show."""
    out: dict[str, list[str]] = {}
    for stack in scenario.stack_names:
        before, after = (build_cell(s, stack, scale=scale).stations for s in (scenario, variant))
        for name, station in after.items():
            whole = [s.services[name].servers(stack) for s in (scenario, variant)]
            if whole[0] != whole[1] and before[name].servers == station.servers:
                out.setdefault(stack, []).append(
                    f"{name} has {station.servers} server(s) in this cell before and after, for "
                    f"{whole[0]} and {whole[1]}: only its times change; take a larger --budget"
                )
    return out
