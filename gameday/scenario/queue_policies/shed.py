"""Shedding: a service whose queue is full refuses at once, the less important requests first."""

from __future__ import annotations

import math

__all__ = ["is_shed", "places_of", "share_of"]


def is_shed(in_use: int, servers: int, queued: int, queue_bound: int) -> bool:
    """Return whether an arrival is refused: all servers are busy and the queue is at its bound."""
    return in_use >= servers and queued >= queue_bound


def places_of(before: int, servers: int, per_server: float) -> int:
    """Return a lane's waiting places; rounded so that lanes add up. `before`: servers of the lanes before it."""
    first = math.floor(before * per_server + 0.5)
    return int(math.floor((before + servers) * per_server + 0.5) - first)


def share_of(bound: float, share: float) -> int:
    """Return the part of a bound that arrivals with a share (0-1) of it may fill."""
    return int(bound * share + 1e-9)
