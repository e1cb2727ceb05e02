"""How long a step takes in a cell where nothing waits: the plan's clock between steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.queueing import Cell, Visit
from gameday.scenario import Scenario
from gameday.vocabulary import Clock, Draw, draw

__all__ = ["Nominal", "StackResponses", "event_response_s", "nominal_response"]

_SAMPLES = 400
"""Draws per step: the p99 is then within about 10 %."""


@dataclass(frozen=True, slots=True)
class Nominal:
    """Response of one step with no queue anywhere, seconds."""

    mean_s: float
    p99_s: float


StackResponses = dict[str, dict[str, Nominal]]
"""Stack -> step -> its response with no queue."""


def nominal_response(scenario: Scenario, cell: Cell) -> dict[str, Nominal]:
    """Return the nominal response of every step of a cell, from keyed draws of its call graph."""
    out = {}
    for index, (name, step) in enumerate(scenario.steps.items()):
        groups = [
            [(n, visit) for n, visit in enumerate(visits) if exchanges[n].required]
            for visits, exchanges in zip(cell.exchanges(name, None), step.exchanges, strict=True)
        ]
        samples = [_response_s(groups, sample, index) for sample in range(_SAMPLES)]
        out[name] = Nominal(float(np.mean(samples)), float(np.quantile(samples, 0.99)))
    return out


def event_response_s(responses: dict[str, Nominal], *, speed: float) -> dict[str, float]:
    """Return each step's mean response in event time, s: in faster play a reply takes more of the event."""
    return {step: Clock(speed).event_s(nominal.mean_s) for step, nominal in responses.items()}


def _response_s(groups: list[list[tuple[int, Visit]]], sample: int, step: int) -> float:
    """Return one draw of a step's response, s: its groups of parallel exchanges, one after another."""
    return sum(
        max((_visit_s(visit, sample, step, exchange) for exchange, visit in group), default=0.0)
        for group in groups
    )


def _visit_s(visit: Visit, sample: int, step: int, exchange: int) -> float:
    """Return one draw of a visit's service time with that of the calls it makes, s."""
    uniform = draw(0, sample, step, visit.number + 64 * exchange, Draw.SERVICE_TIME)
    own = visit.time.seconds(uniform) * visit.factor
    return own + sum(max(_call_s(v, sample, step, exchange) for v in g) for g in visit.then)


def _call_s(visit: Visit, sample: int, step: int, exchange: int) -> float:
    """Return one draw of a call's time, s: nothing where it is not made."""
    if visit.chance < 1.0:
        uniform = draw(0, sample, step, visit.number + 64 * exchange, Draw.CACHE)
        if uniform >= visit.chance:
            return 0.0
    return _visit_s(visit, sample, step, exchange)
