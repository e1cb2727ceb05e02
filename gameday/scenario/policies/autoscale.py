"""Autoscale: target tracking on utilisation, with a delay before new servers work."""

from __future__ import annotations

import math

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["Autoscale", "servers_wanted"]


class Autoscale(Block):
    """Adds servers when the last interval's utilisation was above target; never removes any."""

    target: float = Field(gt=0, lt=1)
    """Utilisation to steer for, 0-1."""
    interval: Duration = Field(gt=0)
    """How often utilisation is read, s (wall time at any speed)."""
    delay: Duration
    """From the decision to servers at work, s (wall time at any speed)."""
    max_factor: float = Field(gt=1, le=20)
    """Most servers, as a multiple of those provisioned."""


def servers_wanted(
    servers: int, utilisation: float, target: float, provisioned: int, most: int
) -> int:
    """Return the servers that would have run at `target`, within provisioned..most.

    Source: target tracking as in AWS Application Auto Scaling: capacity x metric / target.
    """
    wanted = math.ceil(servers * utilisation / target - 1e-9)
    return max(provisioned, min(wanted, most))
