"""Conversion that may drift: journeys that order are walked in two forms, which the fit mixes hour by hour."""

from __future__ import annotations

from typing import Any

from gameday.scenario.blocks.journeys import Journey
from gameday.scenario.model import Scenario

__all__ = ["with_drift"]

_ROOM = 35
"""Letters of a journey's name that are kept."""


def with_drift(scenario: Scenario) -> Scenario:
    """Return the scenario with each journey that orders as two, `NAME-less` and `NAME-more`, if it allows drift.

    In one every chance to go on to a step that orders is lower by `replay.conversion_drift`, in the other higher,
    what else may follow making room: of each chance the two have the mean that was written, unless it came to 1.
    It is for plans and who plays them; the past was that of the journeys as they were written.
    """
    drift = scenario.replay.conversion_drift
    if not drift:
        return scenario
    orders = {name for name, step in scenario.steps.items() if step.places_order}
    daily = [name for name, journey in scenario.journeys.items() if journey.launch is None]
    journeys = dict[str, Journey]()
    for name, journey in scenario.journeys.items():
        if name in daily and journey.share is None:
            even = dict.fromkeys(scenario.regions, 1 / len(daily))
            journey = journey.model_copy(update={"share": even})
        forms = [journey] if name not in daily else _forms(journey, orders, drift)
        for ending, form in zip(("less", "more") if len(forms) > 1 else ("",), forms, strict=True):
            journeys[_free(name, ending, {*journeys, *scenario.journeys} - {name})] = form
    replay = scenario.replay.model_copy(update={"conversion_drift": 0.0})
    return scenario.model_copy(update={"journeys": journeys, "replay": replay})


def _free(name: str, ending: str, taken: set[str]) -> str:
    """Return a name for a form that no other journey has."""
    if not ending:
        return name
    tried, number = f"{name[:_ROOM]}-{ending}", 1
    while tried in taken:
        number += 1
        tried = f"{name[: _ROOM - 3]}-{number}-{ending}"
    return tried


def _forms(journey: Journey, orders: set[str], drift: float) -> list[Journey]:
    """Return the journey's two forms, or itself where no chance of ordering can change."""
    rows = [journey.start, *journey.next.values()]
    if not any(0 < sum(row.get(step, 0.0) for step in orders) < 1 for row in rows):
        return [journey]
    half = {region: share / 2 for region, share in (journey.share or {}).items()}
    out = []
    for factor in (1 - drift, 1 + drift):
        changed: dict[str, Any] = {
            "start": _scaled(journey.start, orders, factor),
            "share": half,
            "next": {step: _scaled(row, orders, factor) for step, row in journey.next.items()},
        }
        out.append(journey.model_copy(update=changed))
    return out


def _scaled(row: dict[str, float], orders: set[str], factor: float) -> dict[str, float]:
    """Return a row whose chances of ordering are `factor` times as high, at most 1 together."""
    now = sum(row.get(step, 0.0) for step in orders)
    if not 0 < now < 1:
        return row
    then = min(1.0, now * factor)
    return {
        to: chance * (then / now if to in orders else (1 - then) / (1 - now))
        for to, chance in row.items()
    }
