"""How long a step takes in a cell where nothing waits: the plan's clock between steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.queueing import Cell, Visit
from gameday.scenario import Scenario
from gameday.vocabulary import Draw, draw

__all__ = ["Nominal", "nominal_response"]

_SAMPLES = 400
"""Draws per step: the p99 is then within about 10 %."""


@dataclass(frozen=True, slots=True)
class Nominal:
    """Response of one step with no queue anywhere, seconds."""

    mean_s: float
    p99_s: float


def nominal_response(scenario: Scenario, cell: Cell) -> dict[str, Nominal]:
    """Return the nominal response of every step of a cell, from keyed draws of its call graph."""
    out = {}
    for index, (step, does) in enumerate(scenario.steps.items()):
        groups = [
            [(place, visit) for place, visit in enumerate(group) if exchanges[place].required]
            for group, exchanges in zip(cell.exchanges(step, None), does.exchanges, strict=True)
        ]
        samples = [
            sum(
                max((_seconds(visit, sample, index, place) for place, visit in group), default=0.0)
                for group in groups
            )
            for sample in range(_SAMPLES)
        ]
        out[step] = Nominal(float(np.mean(samples)), float(np.quantile(samples, 0.99)))
    return out


def _seconds(visit: Visit, sample: int, step: int, place: int) -> float:
    uniform = draw(0, sample, step, visit.number + 64 * place, Draw.SERVICE_TIME)
    own = visit.time.seconds(uniform) * visit.factor
    return own + sum(max(_seconds(v, sample, step, place) for v in g) for g in visit.then)
