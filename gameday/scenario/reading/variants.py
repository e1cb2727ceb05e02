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
    """A changed scenario, and the factor on the forecast."""

    text: str
    scenario: Scenario
    """As it is simulated: conversion drift is in its journeys."""
    factor: float
    """Customers as a multiple of the forecast."""


def what_if(loaded: LoadedScenario, text: str) -> WhatIf:
    """Return a scenario changed as `text` says; UsageError says what is wrong with it."""
    data: dict[str, Any] = json.loads(loaded.text)
    factor = 1.0
    try:
        for part in text.split(","):
            found = _CHANGE.fullmatch(part)
            if not found:
                raise ValueError("must read SERVICE.FIELD = VALUE, as in 'checkout.instances = 40'")
            name, value = found[1], found[2]
            if name == "forecast":
                factor *= _factor(value)
            else:
                service, *names = name.split(".")
                _change(_service(data, service, names), names, _value(value))
        scenario = _checked(data)
    except ValueError as error:
        raise UsageError(f"--what-if '{text}': {error}") from None
    return WhatIf(text, with_drift(scenario), factor)


def _checked(data: dict[str, Any]) -> Scenario:
    """Return the scenario that `data` says; ValueError says everything that is wrong with it."""
    try:
        scenario = scenario_of(json.dumps(data))
    except ValidationError as error:
        lines = [
            f"{_dotted(fault_path(e, data))}: {fault_text(e, Scenario)}" for e in error.errors()
        ]
        raise ValueError("; ".join(lines)) from None
    if faults := [f"{_dotted(path)}: {fault}" for path, fault in cross_faults(scenario)]:
        raise ValueError("; ".join(faults))
    return scenario


def _service(data: dict[str, Any], service: str, names: list[str]) -> Any:
    """Return a service's block; ValueError where there is none, or the field is none to change."""
    services = data.get("services", {})
    if service not in services:
        raise ValueError(f"no service '{service}'{did_you_mean(service, services)}")
    if not names:
        raise ValueError(f"say which field of {service}: a change reads SERVICE.FIELD = VALUE")
    if names[-1] in _NOT_IN_THE_MODEL:
        raise ValueError(f"the model does not see {names[-1]}: they count in sizing alone")
    return services[service]


def _change(service: Any, names: list[str], value: Any) -> None:
    """Set a field of a service's block; `instances` and `zones` alone are those of every stack."""
    stacks = service.get("stacks", {})
    if names in (["instances"], ["zones"]):
        for fleet in stacks.values():
            fleet[names[0]] = value
        return
    *outer, field = ["stacks", *names] if names[0] in stacks else names
    block = service
    for name in outer:
        if not isinstance(block.setdefault(name, {}), dict):
            raise ValueError(f"'{name}' has no fields of its own")
        block = block[name]
    block[field] = value


def _value(text: str) -> Any:
    """Return a JSON scalar, or the text itself; `none` takes a field away."""
    if text == "none":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if not isinstance(value, float) or abs(value) < float("inf") else text


def _factor(value: str) -> float:
    found = _FACTOR.fullmatch(value)
    if not found or not 0 < float(found[1]) <= _MOST_FACTOR:
        raise ValueError(f"the forecast's factor is written as 1.3x, up to {_MOST_FACTOR:g}x")
    return float(found[1])


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
