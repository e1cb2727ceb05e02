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
    stack = scenario.regions[region].stack
    vcpus = _vcpus_per_server(scenario, stack)
    out = np.empty(len(scenario.steps))
    for index in range(len(scenario.steps)):
        steps = np.zeros((len(scenario.steps), grid.slots))
        steps[index] = 1.0
        by_type = {
            product: _in_region(scenario, region, rows.mean(axis=1))
            for product, rows in steps_by_type(scenario, grid, region, steps).items()
        }
        out[index] = float(vcpus @ offered_erlangs(scenario, stack, by_type)[:, 0])
    return out


def _vcpus_per_server(scenario: Scenario, stack: str) -> Array:
    """Return each service's vCPUs a server in a stack, shape (services,); 0 where it is not in the stack."""
    return np.array(
        [
            scenario.capacity.instances[service.stacks[stack].instance].vcpu
            / service.servers_per_instance
            if stack in service.stacks
            else 0.0
            for service in scenario.services.values()
        ]
    )


def _in_region(scenario: Scenario, region: str, steps_per_min: Array) -> Array:
    """Return one region's steps with none in the others, shape (regions, steps, 1)."""
    out = np.zeros((len(scenario.regions), len(scenario.steps), 1))
    out[scenario.region_names.index(region), :, 0] = steps_per_min
    return out
