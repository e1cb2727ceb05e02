"""Outage: a service with servers lost, slowed, or down; what is left of it and how fast that works."""

from __future__ import annotations

__all__ = ["servers_left", "slowed"]


def servers_left(servers: int, share: float) -> int:
    """Return the servers that work when `share` (0-1) of them does: one at least, while any is left.

    Who is served by one that is lost is served to the end.
    """
    return max(1, round(servers * share)) if share > 0 else 0


def slowed(servers: int, left: int, share: float, factor: float) -> float:
    """Return how many times as long work takes that begins in an outage that leaves so many servers.

    Where servers do not divide, those left are slower or faster so that the capacity left is exact,
    as a cell's are (DESIGN §7.3).
    """
    return factor * left / (servers * share) if share > 0 else factor
