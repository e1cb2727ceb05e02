"""Ceilings: what a run may never exceed, planned or not."""

from __future__ import annotations

import numpy as np

from gameday.errors import SafetyRefusal
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan

__all__ = ["broken_ceiling", "check_ceilings"]


def check_ceilings(scenario: Scenario, plan: LoadPlan) -> None:
    """Raise SafetyRefusal where the plan itself is beyond a ceiling; nothing is sent then."""
    ceilings, over = scenario.replay.ceilings, []
    requests = np.array(
        [
            max(scenario.requests(step, product) for product in (None, *scenario.products))
            for step in scenario.steps
        ]
    )
    steps_per_s = plan.clock.played_per_s(plan.caused.sum(axis=0))
    requests_per_s = float((requests @ steps_per_s).max()) if steps_per_s.size else 0.0
    nominal = np.array(
        [max(plan.nominal[stack][step].mean_s for stack in plan.nominal) for step in plan.steps]
    )
    places = [step.places_order for step in scenario.steps.values()]
    orders = float(steps_per_s[places].sum() * plan.slot_wall_s)
    planned = {
        "requests_per_s": requests_per_s,
        "concurrency": float((nominal @ steps_per_s).max()) if steps_per_s.size else 0.0,
        "duration": plan.duration_s + plan.lead_in_s,
        "orders": orders,
    }
    for name, value in planned.items():
        ceiling = getattr(ceilings, name)
        if ceiling is not None and value > ceiling:
            over.append(
                f"replay.ceilings.{name}: the plan comes to {value:.4g}, the ceiling is {ceiling:g}"
            )
    if over:
        raise SafetyRefusal(
            "; ".join(over) + "; nothing was sent: lower --scale or --window, or raise the ceiling"
        )


def broken_ceiling(scenario: Scenario, numbers: dict[str, float]) -> str | None:
    """Return what a run exceeds, in words; `numbers` by the names of the ceilings. None if nothing."""
    for name, value in numbers.items():
        ceiling = getattr(scenario.replay.ceilings, name)
        if ceiling is not None and value > ceiling:
            return f"ceiling crossed: {name} {value:.4g} > {ceiling:g}"
    return None
