"""What is injected or scheduled, as model and shop play it: what changes of a service, from when to when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gameday.queueing.cell import Cell
from gameday.scenario import Scenario
from gameday.scenario.reading import Injection, outages
from gameday.scenario.server_policies import servers_left
from gameday.vocabulary import Clock

__all__ = ["Switch", "servers_lost", "switches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One change of a service, in wall seconds of the run's own clock."""

    service: str
    at_s: float
    until_s: float = math.inf
    """inf = it does not end."""
    share: float = 1.0
    """Of its servers at that instant that is left, 0-1."""
    zone: int = -1
    """Where it balances: the zone whose instances go; -1 = the first so many."""
    slow: float = 1.0
    """Times as long as own work takes that begins in it."""
    is_down: bool = False
    is_flush: bool = False
    """Its callers' cache is emptied, and that is all."""
    least: int = 0
    """Above 0: from now on autoscaling keeps so many servers at least, and that is all."""


def switches(
    scenario: Scenario, cell: Cell, injections: tuple[Injection, ...], clock: Clock
) -> tuple[Switch, ...]:
    """Return the outages of a cell in the order in which they were written, then what is scheduled.

    Times are wall seconds of the run that the clock keeps.
    """
    out = []
    for one in outages(injections, scenario, cell.stack):
        begins, ends = (clock.run_s(at_s) for at_s in (one.at_s, one.until_s))
        if one.is_flush:
            out.append(Switch(service=one.service, at_s=begins, is_flush=True))
            continue
        zone = -1 if one.zone is None else one.zone
        out.append(
            Switch(
                service=one.service,
                at_s=begins,
                until_s=ends,
                share=one.share,
                zone=zone,
                slow=one.slow,
                is_down=one.is_down,
            )
        )
    for name, station in cell.stations.items():
        policy = scenario.services[name].autoscale
        for step in policy.schedule if policy is not None else ():
            begins = max(0.0, clock.run_s(step.at))
            least = max(1, min(station.most, round(station.servers * step.factor)))
            out.append(Switch(service=name, at_s=begins, least=least))
    return tuple(out)


def servers_lost(one: Switch, sized: list[int], zones: list[int] | None) -> list[int]:
    """Return the servers that each lane of so many loses.

    Of a service that balances (`zones`: of its lanes) whole instances go, those of the zone or the first so many,
    and never the last.
    """
    if zones is None:
        return [sized[0] - servers_left(sized[0], one.share)]
    there = sum(servers > 0 for servers in sized)
    go = min(round(there * (1 - one.share)) if one.zone < 0 else there, there - 1)
    out = []
    for servers, zone in zip(sized, zones, strict=True):
        is_gone = go > 0 and servers > 0 and one.zone in (-1, zone) and one.share < 1
        go -= is_gone
        out.append(servers if is_gone else 0)
    return out
