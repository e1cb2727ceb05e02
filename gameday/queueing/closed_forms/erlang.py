"""Erlang's formulas for M/M/c: the chance to wait, the wait itself, and the servers that keep it short."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = [
    "erlang_b",
    "erlang_c",
    "mean_wait_s",
    "mixed_moments",
    "servers_for",
    "wait_quantile_s",
]


def erlang_b(offered: float, servers: int) -> float:
    """Return the probability that an arrival is blocked in M/M/c/c (Erlang B, by its recursion)."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """Return the probability that an arrival waits in M/M/c (Erlang C); 1 at or above capacity."""
    if offered <= 0:
        return 0.0
    if offered >= servers:
        return 1.0
    blocked = erlang_b(offered, servers)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait_s(offered: float, servers: int, service_s: float, scv: float = 1.0) -> float:
    """Return the mean wait in M/M/c, s; inf at or above capacity.

    `scv`: squared coefficient of variation of the service time; other than 1 the answer is Allen and
    Cunneen's approximation for M/G/c.
    """
    if offered >= servers:
        return math.inf
    return erlang_c(offered, servers) * service_s / (servers - offered) * (1 + scv) / 2


def mixed_moments(means: Sequence[float], scvs: Sequence[float]) -> tuple[float, float]:
    """Return mean and squared coefficient of variation of a mixture in equal parts; 0 and 0 of nothing."""
    mean = float(np.mean(means)) if means else 0.0
    if not mean:
        return mean, 0.0
    second = float(np.mean([(scv + 1) * m**2 for m, scv in zip(means, scvs, strict=True)]))
    return mean, second / mean**2 - 1


def wait_quantile_s(offered: float, servers: int, service_s: float, level: float) -> float:
    """Return the `level` quantile of the wait in M/M/c, s; 0 where fewer than 1 - level wait."""
    waiting = erlang_c(offered, servers)
    if offered >= servers:
        return math.inf
    if waiting <= 1 - level:
        return 0.0
    return math.log(waiting / (1 - level)) * service_s / (servers - offered)


def servers_for(offered: float, *, max_wait_probability: float, max_utilisation: float) -> int:
    """Return the fewest servers that keep both bounds in M/M/c."""
    servers = max(1, math.ceil(offered / max_utilisation - 1e-9))
    while erlang_c(offered, servers) > max_wait_probability:
        servers += 1
    return servers
