"""What must hold between journeys and the rest of a scenario: steps, regions and launches that exist."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.scenario.blocks.journeys import EXIT, Journey
from gameday.scenario.faults import Fault, FaultPath, unknown
from gameday.scenario.model import Scenario
from gameday.scenario.reading.long_walks import long_walk_faults
from gameday.scenario.units import sums_to_one

__all__ = ["journey_faults"]


def journey_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield what a journey names that is not there, cannot be reached, or does not sum to 1."""
    yield from _share_faults(scenario)
    for name, journey in scenario.journeys.items():
        path = ("journeys", name)
        yield from _step_name_faults(scenario, journey, path)
        yield from _reach_faults(scenario, journey, path)
        for product in journey.products or ():
            yield from unknown((*path, "products", product), "product", product, scenario.products)
        yield from _think_faults(scenario, journey, path)
        if journey.launch is not None:
            yield from unknown((*path, "launch"), "launch", journey.launch, scenario.launches)
    yield from long_walk_faults(scenario)


def _step_name_faults(scenario: Scenario, journey: Journey, path: FaultPath) -> Iterator[Fault]:
    for step in journey.start:
        yield from unknown((*path, "start", step), "step", step, scenario.steps)
    known = [*scenario.steps, EXIT]
    for step, row in journey.next.items():
        yield from unknown((*path, "next", step), "step", step, scenario.steps)
        for to in row:
            yield from unknown((*path, "next", step, to), "step", to, known)


def _reach_faults(scenario: Scenario, journey: Journey, path: FaultPath) -> Iterator[Fault]:
    """Yield rows of the chain that no session reaches, and steps that are reached but have no row."""
    for step in sorted((set(journey.next) & set(scenario.steps)) - journey.reached()):
        yield (*path, "next", step), "no session ever comes here: lead to it, or take it out"
    named = {step for step, chance in journey.start.items() if chance > 0}
    for row in journey.next.values():
        named |= {to for to, chance in row.items() if to != EXIT and chance > 0}
    for step in sorted(named - set(journey.next)):
        yield (*path, "next"), f"lacks a row for step '{step}', which the journey can reach"


def _share_faults(scenario: Scenario) -> Iterator[Fault]:
    daily = {name: j for name, j in scenario.journeys.items() if j.launch is None}
    if all(journey.share is None for journey in daily.values()):
        return
    for name, journey in daily.items():
        if journey.share is None:
            yield ("journeys", name), "lacks its `share`: other journeys of the day have one"
        for region in journey.share or ():
            yield from unknown(
                ("journeys", name, "share", region), "region", region, scenario.regions
            )
    for region in scenario.regions:
        total = sum((journey.share or {}).get(region, 0.0) for journey in daily.values())
        if not sums_to_one(total):
            yield ("journeys",), f"shares in region '{region}' sum to {total:g}, not 1"


def _think_faults(scenario: Scenario, journey: Journey, path: FaultPath) -> Iterator[Fault]:
    """Yield pauses of steps that do not exist, and steps without a pause."""
    known = [*scenario.steps, "other"]
    for step, pause in journey.think.items():
        yield from unknown((*path, "think", step), "step", step, known)
        for to in pause if isinstance(pause, dict) else ():
            yield from unknown((*path, "think", step, to), "step", to, [*known, EXIT])
    for step, row in journey.next.items():
        key = step if step in journey.think else "other"
        if key not in journey.think:
            yield (*path, "think"), f"lacks step '{step}'; name it, or give `other`"
            continue
        after = journey.think[key]
        if isinstance(after, dict) and "other" not in after:
            for to in sorted(set(row) - set(after)):
                fault = f"lacks what follows as '{to}'; name it, or give `other`"
                yield (*path, "think", key), fault
