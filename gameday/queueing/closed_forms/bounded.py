"""M/M/c/K: a queue with so many waiting places and no more."""

from __future__ import annotations

__all__ = ["bounded_queue"]


def bounded_queue(
    offered: float, servers: int, places: int, service_s: float
) -> tuple[float, float]:
    """Return M/M/c/K's (share refused, mean wait of those admitted, s); K = servers + places.

    The stationary distribution of the birth and death chain, from its balance equations, relative to
    the state in which all servers are busy and nobody waits.
    """
    if offered <= 0:
        return 0.0, 0.0
    weight = total = 1.0
    waiting, rho = 0.0, offered / servers
    for queued in range(1, places + 1):
        weight *= rho
        total += weight
        waiting += queued * weight
    full, below = weight, 1.0
    for busy in range(servers, 0, -1):
        below *= busy / offered
        total += below
        if below < 1e-18 * total:  # the states below add nothing that a float could hold
            break
    refused = full / total
    admitted_per_s = offered / service_s * (1 - refused)
    return refused, waiting / total / admitted_per_s
