"""Conversion drift: each journey that orders becomes two, of lower and higher conversion.

The fit of session starts mixes the two hour by hour.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.scenario.blocks.journeys import Journey
from gameday.scenario.faults import Fault
from gameday.scenario.model import Scenario

__all__ = ["drift_faults", "with_drift"]

_KEPT_LETTERS = 35
"""Letters of a journey's name that its forms keep: a name has at most 40, the ending needs five."""


def drift_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield journeys whose conversion cannot drift: observed sessions are played as they were."""
    for name, journey in scenario.journeys.items():
        if scenario.replay.conversion_drift and journey.sessions is not None:
            yield (
                ("journeys", name, "walks"),
                "plays observed sessions, whose conversion cannot drift (`replay.conversion_drift`); "
                "take `walks: chain`",
            )


def with_drift(scenario: Scenario) -> Scenario:
    """Return the scenario with each journey that orders as two, `NAME-less` and `NAME-more`, if it allows drift.

    In one, every chance to go on to a step that orders is lower by the share `replay.conversion_drift`, in the
    other higher; the other chances of the row make up for it. The mean of the two is the chance as written, unless
    it was raised to 1. Plans and runs use this form; the past is that of the journeys as they were written.
    """
    drift = scenario.replay.conversion_drift
    if not drift:
        return scenario
    orders = {name for name, step in scenario.steps.items() if step.places_order}
    journeys = dict[str, Journey]()
    for name, journey in _with_shares(scenario).items():
        forms = [journey] if journey.launch is not None else _forms(journey, orders, drift)
        for ending, form in zip(("less", "more") if len(forms) > 1 else ("",), forms, strict=True):
            journeys[_free(name, ending, {*journeys, *scenario.journeys} - {name})] = form
    replay = scenario.replay.model_copy(update={"conversion_drift": 0.0})
    return scenario.model_copy(update={"journeys": journeys, "replay": replay})


def _with_shares(scenario: Scenario) -> dict[str, Journey]:
    """Return the journeys, those of the day with an even share where they have none of their own."""
    daily = [name for name, journey in scenario.journeys.items() if journey.launch is None]
    even = {"share": dict.fromkeys(scenario.regions, 1 / max(1, len(daily)))}
    return {
        name: journey.model_copy(update=even)
        if name in daily and journey.share is None
        else journey
        for name, journey in scenario.journeys.items()
    }


def _free(name: str, ending: str, taken: set[str]) -> str:
    """Return a name for a form that no other journey has."""
    if not ending:
        return name
    tried, number = f"{name[:_KEPT_LETTERS]}-{ending}", 1
    while tried in taken:
        number += 1
        tried = f"{name[: _KEPT_LETTERS - 3]}-{number}-{ending}"
    return tried


def _forms(journey: Journey, orders: set[str], drift: float) -> list[Journey]:
    """Return the journey's two forms, or itself where no chance of ordering can change."""
    rows = [journey.start, *journey.next.values()]
    if not any(0 < sum(row.get(step, 0.0) for step in orders) < 1 for row in rows):
        return [journey]
    return [_form(journey, orders, factor) for factor in (1 - drift, 1 + drift)]


def _form(journey: Journey, orders: set[str], factor: float) -> Journey:
    """Return the journey of half as many sessions, its chances of ordering times `factor`."""
    start = _scaled(journey.start, orders, factor)
    rows_after = {step: _scaled(row, orders, factor) for step, row in journey.next.items()}
    half = {region: share / 2 for region, share in (journey.share or {}).items()}
    return journey.model_copy(update={"start": start, "share": half, "next": rows_after})


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
