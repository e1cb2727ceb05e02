"""Queues that have an answer on paper: they size services and check the engines."""

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "bounded_queue",
    "erlang_b",
    "erlang_c",
    "impatient_queue",
    "mean_wait_s",
    "servers_for",
    "wait_quantile_s",
]

_GRID = 200_001
"""Points of an integral over the wait: it is exact to about 1e-6."""


def erlang_b(offered: float, servers: int) -> float:
    """Return the chance that all `servers` are busy when nobody waits (Erlang B, recursion)."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """Return the chance that an arrival must wait in M/M/c (Erlang C); 1 at or above capacity.

    `offered` is arrival rate x mean service time, erlangs.
    """
    if offered <= 0:
        return 0.0
    if offered >= servers:
        return 1.0
    blocked = erlang_b(offered, servers)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait_s(offered: float, servers: int, service_s: float, scv: float = 1.0) -> float:
    """Return the mean wait, s; with `scv` != 1 by Allen and Cunneen's approximation (M/G/c)."""
    if offered >= servers:
        return math.inf
    return erlang_c(offered, servers) * service_s / (servers - offered) * (1 + scv) / 2


def wait_quantile_s(offered: float, servers: int, service_s: float, level: float) -> float:
    """Return the `level` quantile of the wait in M/M/c, s: 0 when fewer than 1-level wait."""
    waiting = erlang_c(offered, servers)
    if offered >= servers:
        return math.inf
    if waiting <= 1 - level:
        return 0.0
    return math.log(waiting / (1 - level)) * service_s / (servers - offered)


def servers_for(offered: float, *, max_wait_probability: float, max_utilisation: float) -> int:
    """Return the fewest servers that keep both bounds at this offered load (M/M/c)."""
    servers = max(1, math.ceil(offered / max_utilisation - 1e-9))
    while erlang_c(offered, servers) > max_wait_probability:
        servers += 1
    return servers


def bounded_queue(
    offered: float, servers: int, places: int, service_s: float
) -> tuple[float, float]:
    """Return M/M/c/K's (share refused, mean wait of who is admitted, s); K = servers + places.

    Source: the birth and death chain's own balance, summed from the full state downwards.
    """
    if offered <= 0:
        return 0.0, 0.0
    weight = total = 1.0  # of the state in which all servers are busy and nobody waits
    waiting, rho = 0.0, offered / servers
    for place in range(1, places + 1):
        weight *= rho
        total += weight
        waiting += place * weight
    full, below = weight, 1.0
    for busy in range(servers, 0, -1):
        below *= busy / offered
        total += below
        if below < 1e-18 * total:
            break
    refused = full / total
    admitted_per_s = offered / service_s * (1 - refused)
    return refused, waiting / total / admitted_per_s


def impatient_queue(
    offered: float, servers: int, service_s: float, patience_s: float, *, fixed: bool
) -> tuple[float, float]:
    """Return (share that leaves unserved, mean wait of all, s) of M/M/c with patience in the queue.

    `fixed`: everybody waits `patience_s` and no longer (M/M/c+D); else patience is exponential with
    that mean (Erlang A). Source: Baccelli & Hebuterne (1981): the offered wait has density
    ~ exp(rate x int(1 - G) - servers x).
    """
    rate, mu = offered / service_s, servers / service_s
    steep = 60.0 / max(abs(mu - rate), 1e-9 * mu)
    if fixed:
        parts = [
            np.linspace(0.0, min(patience_s, steep), _GRID),
            np.linspace(patience_s, patience_s + 60.0 / mu, _GRID),
        ]
        at = np.unique(np.concatenate(parts))
    else:
        at = np.linspace(0.0, min(steep, 60.0 / mu) + 60.0 * patience_s, 2 * _GRID)
    gone = (at >= patience_s).astype(float) if fixed else -np.expm1(-at / patience_s)
    lasted = np.minimum(at, patience_s) if fixed else gone * patience_s
    exponent = rate * lasted - mu * at
    top = exponent.max()
    density = np.exp(exponent - top)
    whole = float(np.trapezoid(density, at))
    idle = 1.0 / erlang_b(offered, servers - 1) if servers > 1 else 1.0
    scale = rate / (idle * math.exp(-top) + rate * whole)
    leaves = (
        float(np.trapezoid(density[at >= patience_s], at[at >= patience_s]))
        if fixed
        else float(np.trapezoid(density * gone, at))
    )
    return scale * leaves, scale * float(np.trapezoid(density * lasted, at))
