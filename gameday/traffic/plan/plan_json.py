"""A load plan as JSON, and back: how it travels to the swarm's processes and into a run's folder."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.reading import parse_injections
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.traffic.plan.nominal import Nominal
from gameday.vocabulary import SLOT_S, Seed, TimeGrid

__all__ = ["plan_of_json", "plan_to_json"]

_ARRAYS = ("starts", "forecast", "caused", "played")
_NAMES = ("regions", "steps", "journeys")
_AS_THEY_ARE = (
    "lead_in",
    "half_life_slots",
    "released",
    "speed",
    "scale",
    "quantile",
    "spacing",
    "dispersion",
)


def plan_to_json(plan: LoadPlan) -> dict[str, Any]:
    """Return a plan as JSON's own types."""
    return {
        "start": plan.grid.start.isoformat(),
        "slots": plan.grid.slots,
        "seed": plan.seed.root,
        **{name: list(getattr(plan, name)) for name in _NAMES},
        **{name: getattr(plan, name) for name in _AS_THEY_ARE},
        **{name: getattr(plan, name).tolist() for name in _ARRAYS},
        "nominal": {s: {k: asdict(v) for k, v in n.items()} for s, n in plan.nominal.items()},
        "injections": [injection.text for injection in plan.injections],
    }


def plan_of_json(data: dict[str, Any], scenario: Scenario | None = None) -> LoadPlan:
    """Return the plan that `plan_to_json` made `data` of; KeyError, TypeError or ValueError where it is none.

    Without the `scenario` its injections are left out; what they change of the traffic is in its numbers.
    """
    grid = TimeGrid(datetime.fromisoformat(data["start"]), int(data["slots"]))
    window_s = (grid.slots - int(data["lead_in"])) * SLOT_S
    fields: dict[str, Any] = {name: data[name] for name in _AS_THEY_ARE}
    fields |= {name: tuple(data[name]) for name in _NAMES}
    fields |= {name: np.array(data[name]) for name in _ARRAYS}
    return LoadPlan(
        grid=grid,
        seed=Seed(data["seed"]),
        nominal={
            stack: {step: Nominal(**values) for step, values in steps.items()}
            for stack, steps in data["nominal"].items()
        },
        injections=()
        if scenario is None
        else parse_injections(data["injections"], scenario, window_s),
        **fields,
    )
