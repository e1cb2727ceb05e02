"""Shed: a service whose queue is full refuses at once, what matters less before what matters more."""

from __future__ import annotations

import math

__all__ = ["is_shed", "places_of", "share_of"]


def is_shed(in_use: int, servers: int, queued: int, queue_bound: int) -> bool:
    """Return whether an arrival is refused: every server busy and the queue at its bound."""
    return in_use >= servers and queued >= queue_bound


def places_of(before: int, servers: int, per_server: float) -> int:
    """Return the waiting places of a lane's servers, `before` standing in the lanes before it: whole in sum."""
    first = math.floor(before * per_server + 0.5)
    return int(math.floor((before + servers) * per_server + 0.5) - first)


def share_of(bound: float, share: float) -> int:
    """Return how much of a bound an arrival may fill that is given a share (0-1) of it."""
    return int(bound * share + 1e-9)
