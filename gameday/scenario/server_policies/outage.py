"""Outage: a service with servers lost, slowed, or down; what is left of it and how long that is held."""

from __future__ import annotations

__all__ = ["servers_left", "stretched"]


def servers_left(servers: int, share: float) -> int:
    """Return the servers that work when `share` (0-1) of them does: one at least, while any is left.

    Who is served by one that is lost is served to the end.
    """
    return max(1, round(servers * share)) if share > 0 else 0


def stretched(servers: int, left: int, share: float) -> float:
    """Return how many times as long a server is held in an outage that leaves so many of them.

    Where servers do not divide, those left are held longer or shorter so that the capacity left is
    exact, as a cell's are (DESIGN §7.3).
    """
    return left / (servers * share) if share > 0 and servers > 0 else 1.0
