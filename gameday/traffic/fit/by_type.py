"""Steps of each product type: the parts of a forecast and of a plan, which sum to the whole."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.traffic.fit.crowds import move_waiting_to_release
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.traffic.plan.products import mix_of_journeys, type_shares_by_slot
from gameday.vocabulary import Array, TimeGrid

__all__ = ["caused_by_type", "steps_by_type"]

_NO_JOURNEY = 1e-12
"""Weight of every journey at every step: a step that no journey visits is shared evenly among them."""
_BEFORE_PLAN = 1e-300
"""Steps of every type in every slot: what only sessions from before the plan cause is shared evenly."""


def steps_by_type(
    scenario: Scenario, grid: TimeGrid, region: str, steps: Array
) -> dict[str | None, Array]:
    """Return product type -> its part of a region's ordinary steps a minute; shapes (steps, slots).

    A type's part of a step is its share of the sessions that visit the step. The parts sum to the whole. Without
    products the whole is under None.
    """
    if not scenario.products:
        return {None: steps}
    daily = [j for j in scenario.journeys.values() if j.launch is None]
    if not daily:
        return {
            name: steps * block.share.get(region, 0.0) for name, block in scenario.products.items()
        }
    parts = _type_shares_of_steps(scenario, grid, region, daily)
    return {name: part * steps for name, part in zip(scenario.products, parts, strict=True)}


def _type_shares_of_steps(
    scenario: Scenario, grid: TimeGrid, region: str, daily: list[Journey]
) -> Array:
    """Return each product type's share of the visits to each step, shape (types, steps, slots)."""
    weights = _journey_weights(scenario, grid, region, daily)
    shares = np.stack([type_shares_by_slot(scenario, region, j, grid) for j in daily])
    return np.asarray(np.einsum("jst,jkt->kst", weights, shares))


def _journey_weights(
    scenario: Scenario, grid: TimeGrid, region: str, daily: list[Journey]
) -> Array:
    """Return each journey's share of the visits to each step, shape (journeys, steps, slots)."""
    visits = np.stack([journey.visits_per_session(scenario.step_names) for journey in daily])
    weights = np.einsum("jt,js->jst", mix_of_journeys(scenario, grid, region), visits)
    weights += _NO_JOURNEY
    weights /= weights.sum(axis=0)
    return np.asarray(weights)


def caused_by_type(scenario: Scenario, plan: LoadPlan) -> dict[str | None, Array]:
    """Return product type -> its part of `plan.caused`, launches included; shapes (regions, steps, slots)."""
    if not scenario.products:
        return {None: plan.caused}
    out: dict[str | None, Array] = {name: np.zeros_like(plan.caused) for name in scenario.products}
    for r in range(len(plan.regions)):
        for name, part in zip(scenario.products, _region_parts(scenario, plan, r), strict=True):
            out[name][r] = part
    return out


def _region_parts(scenario: Scenario, plan: LoadPlan, r: int) -> Array:
    """Return the part of each product type in region `r` of `plan.caused`, shape (types, steps, slots)."""
    region = plan.regions[r]
    response_s = plan.event_response_s(scenario.regions[region].stack)
    parts = np.zeros((len(scenario.products), *plan.caused[r].shape))
    for name, starts in zip(plan.journeys, plan.starts[r], strict=True):
        journey = scenario.journeys[name]
        kernel = lag_kernel(journey, plan.steps, response_s)
        buying = move_waiting_to_release(scenario, journey, region, plan.grid, starts)
        shares = type_shares_by_slot(scenario, region, journey, plan.grid)
        for part, share in zip(parts, shares, strict=True):
            if share.any():
                part += caused_steps((share * buying)[None], [kernel])
    return _summing_to(plan.caused[r], parts)


def _summing_to(total: Array, parts: Array) -> Array:
    """Return the parts (types, steps, slots) in proportion, so that they sum to `total` (steps, slots)."""
    parts = np.maximum(parts, _BEFORE_PLAN)
    return np.asarray(parts * (total / parts.sum(axis=0)))
