"""What is injected or scheduled, as model and shop play it: who loses how many servers from when to when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gameday.scenario.cells import Cell
from gameday.scenario.injections import Injection, Outage, outages
from gameday.scenario.model import Scenario
from gameday.scenario.policies import servers_left, slowed
from gameday.scenario.services import Station

__all__ = ["Switch", "switches"]


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of one lane of a service, in wall seconds of the run's own clock."""

    service: str
    lane: int
    at_s: float
    until_s: float
    """inf = it does not end."""
    lost: int
    """Servers of the lane that go."""
    slow: float
    """Times as long as work takes that begins in it."""
    is_down: bool
    is_flush: bool = False
    """Its callers' cache is emptied, and that is all."""
    least: int = 0
    """Above 0: from now on autoscaling keeps so many servers at least, and that is all."""


def switches(
    scenario: Scenario, cell: Cell, injections: tuple[Injection, ...], *, begins_s: float, speed: float
) -> tuple[Switch, ...]:  # fmt: skip
    """Return the outages of a cell in the order in which they were written, then what is scheduled.

    The window begins at `begins_s`; `speed` is event time per wall time.
    """
    out = []
    for one in outages(injections, scenario, cell.stack):
        station = cell.stations[one.service]
        begins, ends = (begins_s + at_s / speed for at_s in (one.at_s, one.until_s))
        if one.is_flush:
            out.append(Switch(one.service, 0, begins, math.inf, 0, 1.0, False, is_flush=True))
            continue
        lost = _lost(station, one)
        left = station.servers - sum(lost.values())
        slow = slowed(station.servers, left, one.share, one.slow)
        out += [
            Switch(one.service, lane, begins, ends, servers, slow, one.is_down)
            for lane, servers in lost.items()
        ]
    for name, station in cell.stations.items():
        policy = scenario.services[name].autoscale
        for step in policy.schedule if policy is not None else ():
            begins = begins_s + step.at / speed
            least = max(1, min(station.most, round(station.servers * step.factor)))
            out.append(Switch(name, 0, begins, math.inf, 0, 1.0, False, least=least))
    return tuple(out)


def _lost(station: Station, one: Outage) -> dict[int, int]:
    """Return lane -> servers it loses; the first loses none where only work or answers change.

    Of a service that balances whole instances go, those of the zone or the first so many, and one at
    least stays.
    """
    numbers = [n for n, lane in enumerate(station.lanes) if lane.servers]
    if len(station.lanes) == 1:
        return {0: station.servers - servers_left(station.servers, one.share)}
    if one.zone is not None:
        gone = [n for n in numbers if station.lanes[n].zone == one.zone]
    else:
        gone = numbers[: round(len(numbers) * (1 - one.share))]
    if len(gone) == len(numbers):
        gone = gone[:-1]
    return {n: station.lanes[n].servers for n in gone} or {0: 0}
