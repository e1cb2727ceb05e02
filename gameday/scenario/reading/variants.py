"""What-ifs: `checkout.instances = 40, checkout.timeout = 2s`, or `forecast = 1.3x`.

SERVICE.FIELD = VALUE    a field of a service, as the scenario writes it; nested ones by dots
SERVICE.instances = N    in every stack; SERVICE.STACK.instances = N in one
forecast = FACTORx       more customers, or fewer
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gameday.errors import UsageError
from gameday.scenario.conversion_drift import with_drift
from gameday.scenario.faults import did_you_mean, fault_path, fault_text
from gameday.scenario.model import Scenario
from gameday.scenario.reading.cross_checks import cross_faults
from gameday.scenario.reading.loaded import LoadedScenario, scenario_of

__all__ = ["WhatIf", "what_if"]

_CHANGE = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=\s*(.+?)\s*")
_FACTOR = re.compile(r"(\d+(?:\.\d+)?)x")
_MOST_FACTOR = 100.0
_NOT_IN_THE_MODEL = ("tier",)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A scenario as it would be, and how many times the forecast comes."""

    text: str
    scenario: Scenario
    """As it is played: conversion drift is in its journeys."""
    factor: float
    """Customers as a multiple of the forecast."""


def what_if(loaded: LoadedScenario, text: str) -> WhatIf:
    """Return a scenario changed as `text` says; UsageError says what is wrong with it."""
    data: dict[str, Any] = json.loads(loaded.text)
    factor = 1.0
    for part in text.split(","):
        found = _CHANGE.fullmatch(part)
        if not found:
            raise _fault(text, "must read SERVICE.FIELD = VALUE, as in 'checkout.instances = 40'")
        name, value = found[1], found[2]
        if name == "forecast":
            factor *= _factor(text, value)
        else:
            _change(data, text, name.split("."), _value(value))
    try:
        scenario = scenario_of(json.dumps(data))
    except ValidationError as error:
        lines = [
            f"{_dotted(fault_path(e, data))}: {fault_text(e, Scenario)}" for e in error.errors()
        ]
        raise _fault(text, "; ".join(lines)) from None
    if faults := [f"{_dotted(path)}: {said}" for path, said in cross_faults(scenario)]:
        raise _fault(text, "; ".join(faults))
    return WhatIf(text, with_drift(scenario), factor)


def _change(data: dict[str, Any], text: str, names: list[str], value: Any) -> None:
    services = data.get("services", {})
    if names[0] not in services:
        raise _fault(text, f"no service '{names[0]}'{did_you_mean(names[0], services)}")
    if len(names) < 2:
        raise _fault(text, f"say which field of {names[0]}: a change reads SERVICE.FIELD = VALUE")
    if names[-1] in _NOT_IN_THE_MODEL:
        raise _fault(text, f"the model does not see {names[-1]}: they count in sizing alone")
    service = services[names[0]]
    if names[1] in ("instances", "zones") and len(names) == 2:
        for fleet in service.get("stacks", {}).values():
            fleet[names[1]] = value
        return
    place, names = (
        service,
        ["stacks", *names[1:]] if names[1] in service.get("stacks", {}) else names[1:],
    )
    for name in names[:-1]:
        if not isinstance(place.setdefault(name, {}), dict):
            raise _fault(text, f"'{name}' has no fields of its own")
        place = place[name]
    place[names[-1]] = value


def _value(text: str) -> Any:
    """Return a JSON scalar, or the text itself; `none` takes a field away."""
    if text == "none":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if not isinstance(value, float) or abs(value) < float("inf") else text


def _factor(text: str, value: str) -> float:
    found = _FACTOR.fullmatch(value)
    if not found or not 0 < float(found[1]) <= _MOST_FACTOR:
        raise _fault(text, f"the forecast's factor is written as 1.3x, up to {_MOST_FACTOR:g}x")
    return float(found[1])


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _fault(text: str, said: str) -> UsageError:
    return UsageError(f"--what-if '{text}': {said}")
