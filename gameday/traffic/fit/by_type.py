"""Steps of each product type: the parts of a forecast and of a plan, which sum to the whole."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario
from gameday.traffic.fit.crowds import as_they_buy
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.traffic.plan.products import minutes_of_day, mix_of_journeys, type_shares
from gameday.vocabulary import Array, TimeGrid

__all__ = ["caused_by_type", "steps_by_type"]


def steps_by_type(
    scenario: Scenario, grid: TimeGrid, region: str, steps: Array
) -> dict[str | None, Array]:
    """Return product type -> its part of a region's ordinary steps a minute; shapes (steps, slots).

    A step's part is that of the sessions that come to it: as the day's journeys are mixed and as often as each
    visits it. The parts sum to the whole; without products all of it is of None.
    """
    if not scenario.products:
        return {None: steps}
    types, daily = scenario.products, [j for j in scenario.journeys.values() if j.launch is None]
    if not daily:
        return {name: steps * block.share.get(region, 0.0) for name, block in types.items()}
    minutes = minutes_of_day(scenario.regions[region].zone, grid)
    visits = np.stack([j.visits_per_session(scenario.step_names) for j in daily])
    weights = np.einsum("jt,js->jst", mix_of_journeys(scenario, grid, region), visits)
    weights += 1e-12  # a step that no journey comes to is dealt evenly over them
    weights /= weights.sum(axis=0)
    shares = np.stack([type_shares(scenario, region, j)[:, minutes] for j in daily])
    parts = np.einsum("jst,jkt->kst", weights, shares)
    return {name: parts[k] * steps for k, name in enumerate(scenario.products)}


def caused_by_type(scenario: Scenario, plan: LoadPlan) -> dict[str | None, Array]:
    """Return product type -> its part of `plan.caused`, launches included; shapes (regions, steps, slots)."""
    if not scenario.products:
        return {None: plan.caused}
    out: dict[str | None, Array] = {name: np.zeros_like(plan.caused) for name in scenario.products}
    for r, region in enumerate(plan.regions):
        replies = plan.nominal[scenario.regions[region].stack]
        held = {step: plan.clock.event_s(replies[step].mean_s) for step in plan.steps}
        minutes = minutes_of_day(scenario.regions[region].zone, plan.grid)
        parts = np.zeros((len(scenario.products), *plan.caused[r].shape))
        for j, name in enumerate(plan.journeys):
            journey = scenario.journeys[name]
            kernel = lag_kernel(journey, plan.steps, held)
            shares = type_shares(scenario, region, journey)[:, minutes]
            starts = as_they_buy(scenario, journey, region, plan.grid, plan.starts[r, j])
            for part, share in zip(parts, shares, strict=True):
                if share.any():
                    part += caused_steps((share * starts)[None], [kernel])
        parts = np.maximum(
            parts, 1e-300
        )  # sessions from before the plan's first slot are dealt alike
        parts *= plan.caused[r] / parts.sum(axis=0)
        for part, kind in zip(parts, scenario.products, strict=True):
            out[kind][r] = part
    return out
