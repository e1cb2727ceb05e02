"""Ceilings: what a run may never exceed, planned or not."""

from __future__ import annotations

import numpy as np

from gameday.errors import SafetyRefusal
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array

__all__ = ["broken_ceiling", "check_ceilings"]


def check_ceilings(scenario: Scenario, plan: LoadPlan) -> None:
    """Raise SafetyRefusal where the plan itself is beyond a ceiling; nothing is sent then."""
    ceilings, over = scenario.replay.ceilings, []
    for name, value in _planned(scenario, plan).items():
        ceiling = getattr(ceilings, name)
        if ceiling is not None and value > ceiling:
            over.append(
                f"replay.ceilings.{name}: the plan comes to {value:.4g}, the ceiling is {ceiling:g}"
            )
    if over:
        raise SafetyRefusal(
            "; ".join(over) + "; nothing was sent: lower --scale or --window, or raise the ceiling"
        )


def _planned(scenario: Scenario, plan: LoadPlan) -> dict[str, float]:
    """Return what the plan comes to, by the names of the ceilings: peak rates, seconds, orders.

    The concurrency is that of Little's law: steps a second times the mean time of a step.
    """
    step_s = np.array(
        [max(plan.nominal[stack][step].mean_s for stack in plan.nominal) for step in plan.steps]
    )
    steps_per_s = plan.clock.played_per_s(plan.caused.sum(axis=0))
    is_order = [step.places_order for step in scenario.steps.values()]
    return {
        "requests_per_s": _peak(_requests_a_step(scenario), steps_per_s),
        "concurrency": _peak(step_s, steps_per_s),
        "duration": plan.duration_s + plan.lead_in_s,
        "orders": float(steps_per_s[is_order].sum() * plan.slot_wall_s),
    }


def _requests_a_step(scenario: Scenario) -> Array:
    """Return the most requests a step has, for customers of any product type, shape (steps,)."""
    types = (None, *scenario.products)
    most = [max(scenario.requests(step, product) for product in types) for step in scenario.steps]
    return np.array(most)


def _peak(a_step: Array, steps_per_s: Array) -> float:
    """Return the largest sum over steps of a number a step, (steps,), times its rate, (steps, slots)."""
    return float((a_step @ steps_per_s).max()) if steps_per_s.size else 0.0


def broken_ceiling(scenario: Scenario, numbers: dict[str, float]) -> str | None:
    """Return what a run exceeds, in words; `numbers` by the names of the ceilings. None if nothing."""
    for name, value in numbers.items():
        ceiling = getattr(scenario.replay.ceilings, name)
        if ceiling is not None and value > ceiling:
            return f"ceiling crossed: {name} {value:.4g} > {ceiling:g}"
    return None
