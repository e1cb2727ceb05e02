"""The demand with launches: a crowd's sessions as the steps they cause, at full scale and real speed."""

from __future__ import annotations

import numpy as np

from gameday.forecast import Demand, EventDemand, LaunchSteps
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.traffic.fit.crowds import steps_of_crowd
from gameday.traffic.plan.nominal import StackResponses, event_response_s, nominal_response
from gameday.vocabulary import Array

__all__ = ["event_demand", "launch_steps", "nominal_at"]

_OVER = 1e-3
"""Steps a minute below which a launch is over: its crowd halves without end. Ours."""


def event_demand(scenario: Scenario, demand: Demand) -> EventDemand:
    """Return the demand with the steps that launches add to it.

    Steps of the demand that the scenario does not have get nothing.
    """
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
        if journey.launch in crowds:
            starts = crowds[journey.launch]
            out[journey.launch] += _journey_steps(scenario, demand, journey, starts, nominal)
    return out


def _journey_steps(
    scenario: Scenario, demand: Demand, journey: Journey, starts: Array, nominal: StackResponses
) -> Array:
    """Return the steps that starts (regions, slots) of a journey cause, shape (regions, steps, slots)."""
    out = np.zeros(demand.median.shape)
    for r, region in enumerate(demand.regions):
        if starts[r].any():
            response_s = event_response_s(nominal[scenario.regions[region].stack], speed=1.0)
            caused = steps_of_crowd(scenario, journey, region, demand.grid, starts[r], response_s)
            caused[caused < _OVER] = 0.0
            for s, step in enumerate(demand.steps):
                if step in scenario.steps:
                    out[r, s] = caused[scenario.step_names.index(step)]
    return out


def nominal_at(scenario: Scenario, scale: float) -> StackResponses:
    """Return stack -> step -> response with no queue, in the scaled-down system (cell) of a scale."""
    return {
        stack: nominal_response(scenario, build_cell(scenario, stack, scale=scale))
        for stack in scenario.stack_names
    }
