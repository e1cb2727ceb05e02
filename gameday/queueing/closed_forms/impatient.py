"""M/M/c with patience: who waits too long leaves the queue unserved."""

from __future__ import annotations

import math

import numpy as np

from gameday.queueing.closed_forms.erlang import erlang_b
from gameday.vocabulary import Array

__all__ = ["impatient_queue"]

_GRID = 200_001
"""Points of an integral over the wait: it is exact to about 1e-6."""


def impatient_queue(
    offered: float, servers: int, service_s: float, patience_s: float, *, fixed: bool
) -> tuple[float, float]:
    """Return (share that leaves unserved, mean wait of all, s) of M/M/c with patience in the queue.

    `fixed`: everybody waits `patience_s` and no longer (M/M/c+D); else patience is exponential with
    that mean (M/M/c+M, Erlang A). Source: Baccelli and Hebuterne (1981): the offered wait has a density
    proportional to exp(rate x int(1 - G) - mu x), with G the distribution of patience and mu the rate of
    all servers together.
    """
    rate, mu = offered / service_s, servers / service_s
    wait_s = _wait_grid_s(rate, mu, patience_s, fixed=fixed)
    leaving = (
        (wait_s >= patience_s).astype(float) if fixed else -np.expm1(-wait_s / patience_s)
    )  # G at each wait
    waited_s = np.minimum(wait_s, patience_s) if fixed else leaving * patience_s  # int(1 - G)
    exponent = rate * waited_s - mu * wait_s
    top = exponent.max()  # taken out, so that exp does not overflow
    density = np.exp(exponent - top)
    whole = float(np.trapezoid(density, wait_s))
    idle = 1.0 / erlang_b(offered, servers - 1) if servers > 1 else 1.0
    scale = rate / (idle * math.exp(-top) + rate * whole)
    if fixed:
        lost = float(np.trapezoid(density[wait_s >= patience_s], wait_s[wait_s >= patience_s]))
    else:
        lost = float(np.trapezoid(density * leaving, wait_s))
    return scale * lost, scale * float(np.trapezoid(density * waited_s, wait_s))


def _wait_grid_s(rate: float, mu: float, patience_s: float, *, fixed: bool) -> Array:
    """Return the waits over which the density is integrated, s: to where nothing of it is left."""
    decayed_s = 60.0 / max(abs(mu - rate), 1e-9 * mu)
    if not fixed:
        return np.linspace(0.0, min(decayed_s, 60.0 / mu) + 60.0 * patience_s, 2 * _GRID)
    before = np.linspace(0.0, min(patience_s, decayed_s), _GRID)
    after = np.linspace(patience_s, patience_s + 60.0 / mu, _GRID)
    return np.unique(np.concatenate([before, after]))
