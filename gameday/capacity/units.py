"""Steps as normalised compute: busy vCPUs, what a forecast asks of machines whatever they are called."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario
from gameday.simulate import offered_erlangs
from gameday.traffic.fit import steps_by_type
from gameday.vocabulary import Array, TimeGrid

__all__ = ["vcpus_per_step"]

_DAY = 1440


def vcpus_per_step(scenario: Scenario, region: str, grid: TimeGrid) -> Array:
    """Return busy vCPUs that one step a minute keeps at work in its stack, shape (steps,), nothing waiting.

    Of the mix of product types over `grid`. A server of an instance counts as its share of the instance's vCPUs.
    """
    place, stack = scenario.region_names.index(region), scenario.regions[region].stack
    shares = [
        scenario.capacity.instances[service.stacks[stack].instance].vcpu
        / service.servers_per_instance
        if stack in service.stacks
        else 0.0
        for service in scenario.services.values()
    ]
    out = np.empty(len(scenario.steps))
    for index in range(len(scenario.steps)):
        one = np.zeros((len(scenario.steps), grid.slots))
        one[index] = 1.0
        typed = {}
        for product, rows in steps_by_type(scenario, grid, region, one).items():
            asked = np.zeros((len(scenario.regions), len(scenario.steps), 1))
            asked[place, :, 0] = rows.mean(axis=1)
            typed[product] = asked
        out[index] = float(np.array(shares) @ offered_erlangs(scenario, stack, typed)[:, 0])
    return out
