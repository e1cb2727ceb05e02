"""Outage: a service with servers lost, slowed or down; what is left, and how long each visit holds it."""

from __future__ import annotations

__all__ = ["servers_left", "stretched"]


def servers_left(servers: int, share: float) -> int:
    """Return the servers left when `share` (0-1) of them works: at least one while the share is above 0.

    A visit in service at a server that is lost is served to the end.
    """
    return max(1, round(servers * share)) if share > 0 else 0


def stretched(servers: int, left: int, share: float) -> float:
    """Return the factor on service times in an outage that leaves `left` of `servers` servers.

    `left` is a whole number: visits hold it longer or shorter, so that the capacity left is exactly the share. A
    scaled-down system is rounded in the same way.
    """
    return left / (servers * share) if share > 0 and servers > 0 else 1.0
