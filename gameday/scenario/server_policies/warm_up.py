"""Warm-up: servers that are new or come back work slower at first."""

from __future__ import annotations

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["WarmUp", "cold_factor", "cold_share"]


class WarmUp(Block):
    """How cold a new server is, and for how long."""

    last: Duration = Field(gt=0)
    """Until it is as quick as the others, s (wall time at any speed)."""
    factor: float = Field(gt=1, le=100)
    """Times as long as its work takes at first; it falls in a straight line to 1."""


def cold_share(since_s: float, share: float, last_s: float, before: int, servers: int) -> float:
    """Return the share of cold servers once there are more of them than before: those are still half warm.

    `share` and `since_s` are those of the servers there were.
    """
    still = share * max(0.0, 1.0 - since_s / last_s) * before
    return (servers - before + still) / servers


def cold_factor(since_s: float, share: float, last_s: float, factor: float) -> float:
    """Return how many times as long work takes where `share` (0-1) of the servers came so long ago."""
    return 1.0 + share * (factor - 1.0) * max(0.0, 1.0 - since_s / last_s)
