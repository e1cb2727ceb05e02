"""Conversion that may drift: journeys that order are walked in two forms, which the fit mixes hour by hour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gameday.scenario.journeys import Journey
from gameday.scenario.model import Scenario

__all__ = ["with_drift"]

_ROOM = 35
"""Letters of a journey's name that are kept."""


def with_drift(scenario: Scenario) -> Scenario:
    """Return the scenario with each journey that orders as two, `NAME-less` and `NAME-more`, if it allows drift.

    In one every chance to go on to a step that orders is lower by `replay.conversion_drift`, in the other higher,
    what else may follow making room. Half and half they are the journey as it was written.
    """
    drift = scenario.replay.conversion_drift
    if not drift:
        return scenario
    orders = {name for name, step in scenario.steps.items() if step.places_order}
    daily = [name for name, journey in scenario.journeys.items() if journey.launch is None]
    journeys, past = dict[str, Journey](), dict[str, float]()
    block = scenario.history.synthetic
    for name, journey in scenario.journeys.items():
        if name in daily and journey.share is None:
            even = dict.fromkeys(scenario.regions, 1 / len(daily))
            journey = journey.model_copy(update={"share": even})
        forms = dict(_forms(name, journey, orders, drift)) if name in daily else {name: journey}
        journeys |= forms
        if block is not None and name in block.journeys:
            past |= dict.fromkeys(forms, block.journeys[name] / len(forms))
    history = scenario.history
    if block is not None:
        history = history.model_copy(
            update={"synthetic": block.model_copy(update={"journeys": past})}
        )
    replay = scenario.replay.model_copy(update={"conversion_drift": 0.0})
    return scenario.model_copy(update={"journeys": journeys, "history": history, "replay": replay})


def _forms(
    name: str, journey: Journey, orders: set[str], drift: float
) -> Iterator[tuple[str, Journey]]:
    """Yield the journey's two forms, or itself where no chance of ordering can change."""
    rows = [journey.start, *journey.next.values()]
    if not any(0 < sum(row.get(step, 0.0) for step in orders) < 1 for row in rows):
        yield name, journey
        return
    half = {region: share / 2 for region, share in (journey.share or {}).items()}
    for ending, factor in (("less", 1 - drift), ("more", 1 + drift)):
        changed: dict[str, Any] = {
            "start": _scaled(journey.start, orders, factor), "share": half,
            "next": {step: _scaled(row, orders, factor) for step, row in journey.next.items()},
        }  # fmt: skip
        yield f"{name[:_ROOM]}-{ending}", journey.model_copy(update=changed)


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
