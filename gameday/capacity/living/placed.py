"""What was placed: the fleets that active requests give a scenario, as a file that runs read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gameday.capacity.living.life import BAND, content_sha256
from gameday.capacity.request import CapacityRequest, instances_at
from gameday.capacity.schedule import ScheduledStep
from gameday.capacity.sizing import offered_by_quantile
from gameday.errors import UsageError
from gameday.files import write_whole
from gameday.forecast import Demand
from gameday.products import to_json
from gameday.scenario import Scenario
from gameday.scenario.reading import from_yaml, to_yaml
from gameday.vocabulary import TimeGrid

__all__ = [
    "EMBEDDED",
    "Placed",
    "PlacedFleet",
    "fallen",
    "placed_of",
    "read_placed",
    "write_placed",
]

_VERSION = 1
EMBEDDED = "embedded shop"
"""The target of a rehearsal: what a run without one of the user's is played against."""


@dataclass(frozen=True, slots=True)
class PlacedFleet:
    """A fleet that a request changed."""

    request: str
    revision: int
    content: str
    """Hash of the request's content."""
    stack: str
    service: str
    instances_from: int
    """As the scenario declares it."""
    instances_to: int
    target: str
    """Where its servers work: `embedded shop`, or `given target`."""
    offered: dict[str, float]
    """Quantile of the event's strength -> busy servers at the peak, when it was sized."""
    schedule: tuple[ScheduledStep, ...] = ()

    def instances_in(self, start: datetime, end: datetime) -> int:
        """Return the instances that are at work from `start` to `end`, the fewest of that time."""
        return instances_at(self.schedule, start, end, self.instances_from, self.instances_to)


@dataclass(frozen=True, slots=True)
class Placed:
    """All fleets that were changed, for one event."""

    event: str
    fleets: tuple[PlacedFleet, ...] = ()
    sha256: str = ""
    """Of its fleets: a file that was edited by hand does not have it."""

    def at(self, target: str) -> Placed:
        """Return what is at work in a target; what is placed for real is in the embedded shop, too."""
        own = tuple(fleet for fleet in self.fleets if target in (fleet.target, EMBEDDED))
        return replace(self, fleets=own)

    def faults(self, scenario: Scenario) -> list[str]:
        """Return why it cannot be of a scenario; empty: it is."""
        faults = [] if self.event == scenario.event.name else [f"it is of event {self.event}"]
        for fleet in self.fleets:
            service = scenario.services.get(fleet.service)
            if service is None or fleet.stack not in service.stacks:
                faults.append(f"the scenario has no {fleet.service} in {fleet.stack}")
            elif service.stacks[fleet.stack].instances != fleet.instances_from:
                faults.append(
                    f"{fleet.stack} {fleet.service} had {fleet.instances_from} instances when it was ordered, the "
                    f"scenario has {service.stacks[fleet.stack].instances} now"
                )
        return faults

    def instances_in(self, minutes: TimeGrid) -> dict[tuple[str, str], int]:
        """Return (stack, service) -> instances at work in these minutes, the fewest of that time."""
        return {
            (fleet.stack, fleet.service): fleet.instances_in(minutes.start, minutes.end)
            for fleet in self.fleets
        }

    def changes_within(self, minutes: TimeGrid) -> list[str]:
        """Return the fleets whose number changes within these minutes, of which the fewest are taken."""
        return [
            f"{fleet.stack} {fleet.service}"
            for fleet in self.fleets
            if any(minutes.start < step.start < minutes.end for step in fleet.schedule)
            or any(minutes.start < step.end < minutes.end for step in fleet.schedule)
        ]


def fallen(placed: Placed, scenario: Scenario, demand: Demand) -> tuple[str, ...]:
    """Return the placed fleets whose load at the peak has fallen out of the band of their requests, in words."""
    level = scenario.capacity.quantile
    offered = offered_by_quantile(scenario, demand, (level,))[level]
    numbers = {name: number for number, name in enumerate(scenario.services)}
    loads = (
        (
            fleet,
            fleet.offered.get(f"p{100 * level:g}", 0.0),
            float(offered[fleet.stack][numbers[fleet.service]].max()),
        )
        for fleet in placed.fleets
    )
    return tuple(
        f"{fleet.stack} {fleet.service}: {before:.3g} busy servers at the peak became {now:.3g}"
        for fleet, before, now in loads
        if now < (1 - BAND) * before
    )


def placed_of(
    event: str, requests: Iterable[CapacityRequest], still: tuple[PlacedFleet, ...] = ()
) -> Placed:
    """Return what requests place, beside fleets that are `still` at work."""
    fleets = tuple(
        PlacedFleet(
            request=r.id,
            revision=r.revision,
            content=content_sha256(r),
            stack=r.stack,
            service=r.service,
            instances_from=r.instances_from,
            instances_to=r.instances_to,
            target=r.target,
            offered=r.offered,
            schedule=r.schedule,
        )
        for r in requests
    )
    fleets += still
    return Placed(event, fleets, _sha256(fleets))


def _sha256(fleets: tuple[PlacedFleet, ...]) -> str:
    text = json.dumps([to_json(fleet) for fleet in fleets], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_placed(placed: Placed, file: Path) -> None:
    """Write the file that runs read."""
    data = {"version": _VERSION, "kind": "PlacedCapacity", **to_json(placed)}
    write_whole(file, lambda path: path.write_text(to_yaml(data), encoding="utf-8"))


def read_placed(file: Path) -> Placed:
    """Return what a file places; UsageError where it is not whole, or was edited."""
    remedy = "`gameday capacity apply` writes it"
    try:
        data = from_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read ({error}); {remedy}") from None
    if (data.pop("kind", ""), data.pop("version", 0)) != ("PlacedCapacity", _VERSION):
        raise UsageError(f"{file}: is no PlacedCapacity of version {_VERSION}; {remedy}")
    try:
        fleets = tuple(_fleet(row) for row in data["fleets"])
        placed = Placed(str(data["event"]), fleets, str(data["sha256"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file}: {type(error).__name__}: {error}; {remedy}") from None
    if placed.sha256 != _sha256(fleets):
        raise UsageError(f"{file}: was edited after it was written; {remedy}")
    return placed


def _fleet(row: dict[str, Any]) -> PlacedFleet:
    """Return the fleet that a file's row holds; KeyError, TypeError or ValueError where it holds none."""
    steps = tuple(map(ScheduledStep.of, row["schedule"]))
    return PlacedFleet(**{**row, "schedule": steps})
