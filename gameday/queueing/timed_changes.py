"""What is injected or scheduled, as model and shop play it: what changes of a service, from when to when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gameday.queueing.cell import Cell
from gameday.scenario import Scenario
from gameday.scenario.reading import Injection, outages
from gameday.scenario.server_policies import servers_left
from gameday.vocabulary import Clock

__all__ = ["TimedChange", "plan_timed_changes", "servers_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedChange:
    """One change of a service, in wall seconds of the run's own clock: an outage, a flush or a minimum."""

    service: str
    at_s: float
    until_s: float = math.inf
    """inf = it does not end."""
    share_left: float = 1.0
    """Of its servers at that instant, 0-1."""
    zone: int = -1
    """Where it balances: the zone whose instances are lost; -1 = the first so many."""
    slow_factor: float = 1.0
    """How many times as long own work takes that begins meanwhile."""
    is_down: bool = False
    is_flush: bool = False
    """Its callers' cache is emptied, and that is all."""
    least_servers: int = 0
    """Above 0: from now on autoscaling keeps so many servers at least, and that is all."""


def plan_timed_changes(
    scenario: Scenario, cell: Cell, injections: tuple[Injection, ...], clock: Clock
) -> tuple[TimedChange, ...]:
    """Return the outages of a cell in the order in which they were written, then what is scheduled.

    Times are wall seconds of the run that the clock keeps.
    """
    return (
        *_injected(scenario, cell, injections, clock),
        *_scheduled(scenario, cell, clock),
    )


def _injected(
    scenario: Scenario, cell: Cell, injections: tuple[Injection, ...], clock: Clock
) -> Iterator[TimedChange]:
    for outage in outages(injections, scenario, cell.stack):
        begins_s = clock.run_s(outage.at_s)
        if outage.is_flush:
            yield TimedChange(service=outage.service, at_s=begins_s, is_flush=True)
            continue
        yield TimedChange(
            service=outage.service,
            at_s=begins_s,
            until_s=clock.run_s(outage.until_s),
            share_left=outage.share,
            zone=-1 if outage.zone is None else outage.zone,
            slow_factor=outage.slow,
            is_down=outage.is_down,
        )


def _scheduled(scenario: Scenario, cell: Cell, clock: Clock) -> Iterator[TimedChange]:
    for name, station in cell.stations.items():
        policy = scenario.services[name].autoscale
        for step in policy.schedule if policy is not None else ():
            least = max(1, min(station.most, round(station.servers * step.factor)))
            yield TimedChange(
                service=name, at_s=max(0.0, clock.run_s(step.at)), least_servers=least
            )


def servers_lost(change: TimedChange, sized: list[int], zones: list[int] | None) -> list[int]:
    """Return the servers that each lane loses in an outage; `sized`: servers of each, lost ones included.

    Of a service that balances (`zones`: of its lanes) whole instances go, those of the zone or the first so many,
    and never the last.
    """
    if zones is None:
        return [sized[0] - servers_left(sized[0], change.share_left)]
    there = sum(servers > 0 for servers in sized)
    hit = round(there * (1 - change.share_left)) if change.zone < 0 else there
    to_lose = min(hit, there - 1)
    lost = []
    for servers, zone in zip(sized, zones, strict=True):
        is_in_zone = change.zone in (-1, zone)
        is_lost = to_lose > 0 and servers > 0 and is_in_zone and change.share_left < 1
        to_lose -= is_lost
        lost.append(servers * is_lost)
    return lost
