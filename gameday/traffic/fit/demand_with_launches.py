"""The demand with launches: a crowd's sessions as the steps they cause, at full scale and real speed."""

from __future__ import annotations

import numpy as np

from gameday.forecast import Demand, EventDemand, LaunchSteps
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.traffic.fit.crowds import as_they_buy
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps
from gameday.traffic.plan.nominal import Nominal, nominal_response
from gameday.vocabulary import Array

__all__ = ["event_demand", "launch_steps", "nominal_at"]

_OVER = 1e-3
"""A launch that brings fewer steps a minute is over: its crowd halves without end. Ours."""


def event_demand(scenario: Scenario, demand: Demand) -> EventDemand:
    """Return the demand with what launches add to it; steps of other names than the scenario's get nothing."""
    crowds = {name: crowd.starts for name, crowd in demand.launches.items()}
    return EventDemand(
        demand,
        {
            name: LaunchSteps(steps, demand.launches[name].log_sigma)
            for name, steps in launch_steps(scenario, demand, crowds).items()
        },
    )


def launch_steps(scenario: Scenario, demand: Demand, crowds: dict[str, Array]) -> dict[str, Array]:
    """Return launch -> steps a minute that its crowd causes, shape (regions, steps, slots).

    `crowds`: launch -> session starts, shape (regions, slots). Who waits for the release is there at the release.
    """
    nominal = nominal_at(scenario, 1.0) if crowds else {}
    out = {name: np.zeros(demand.median.shape) for name in crowds}
    for journey in scenario.journeys.values():
        if journey.launch not in crowds:
            continue
        for r, region in enumerate(demand.regions):
            starts = crowds[journey.launch][r]
            if not starts.any():
                continue
            response = nominal[scenario.regions[region].stack]
            kernel = lag_kernel(
                journey, scenario.step_names, {s: n.mean_s for s, n in response.items()}
            )
            buying = as_they_buy(scenario, journey, region, demand.grid, starts)
            caused = caused_steps(buying[None], [kernel])
            caused[caused < _OVER] = 0.0
            for s, step in enumerate(demand.steps):
                if step in scenario.steps:
                    out[journey.launch][r, s] += caused[scenario.step_names.index(step)]
    return out


def nominal_at(scenario: Scenario, scale: float) -> dict[str, dict[str, Nominal]]:
    """Return stack -> step -> response with no queue, in the cell of a scale."""
    return {
        stack: nominal_response(scenario, build_cell(scenario, stack, scale=scale))
        for stack in scenario.stack_names
    }
