"""How many servers a service has: as it says itself, or as many as were ever in use while others waited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.calibrate.calibration import CAPACITY, IN_USE, KNEE
from gameday.calibrate.compared.observed import Observed
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.widening import HOW_MANY
from gameday.scenario.blocks import Spread
from gameday.scenario.queue_policies import Pool
from gameday.vocabulary import Array

__all__ = ["fit", "most_in_use"]

_LEAST_SLOTS = 3
"""Slots in which a queue stood before the servers in use there count as all there are. Ours."""
_FULL = 0.9
"""Servers in use while many wait, a share of those there are, below which some are not used. Ours: a slot that is
full for nine tenths of its time is full."""


@dataclass(frozen=True, slots=True)
class _Servers:
    """Servers of the target, and by what they were told."""

    number: float
    by: str


def fit(case: ServiceCase) -> Found | None:
    """Return the servers at full scale."""
    is_scaled = case.model.service(case.name).autoscale is not None
    expected, told = (
        _typical(one.load("servers"), is_scaled=is_scaled) for one in (case.expected, case.seen)
    )
    found = _from_knee(case, expected) if np.isnan(told) else _from_capacity(case, told)
    if found is None:
        return case.unknown(
            HOW_MANY,
            "its capacity was not observed, and it was never full",
            f"capacity of {case.name}",
        )
    declared = _declared(case)
    if abs(found.number - expected) < 0.5:
        as_told = Spread.exactly(declared)
        return case.agrees("servers", declared, as_told, found.by, _visits(case))
    pool = case.model.service(case.name).pool
    if found.by == IN_USE and pool is not None:
        return _of_pool(case, found, pool)
    number = _at_full_scale(found, declared / expected)
    return case.differs({"servers": number}, "servers", declared, number, found.by, _visits(case))


def _at_full_scale(found: _Servers, factor: float) -> Spread:
    """Return the servers at full scale, `factor` times the target's; those that were not told, to the half."""
    half = 0.0 if found.by == CAPACITY else 0.5
    low, mid, high = (max(1.0, factor * (found.number + away)) for away in (-half, 0.0, half))
    return Spread(mid=mid, low=low, high=high)


def _of_pool(case: ServiceCase, found: _Servers, pool: Pool) -> Found:
    """Return that callers share fewer connections than declared: they are what keeps servers idle."""
    connections = max(1, round(found.number / case.model.scale))
    fields = {"pool": pool.model_copy(update={"connections": connections})}
    now = Spread.exactly(connections)
    return case.differs(fields, "pool.connections", pool.connections, now, found.by, _visits(case))


def _declared(case: ServiceCase) -> float:
    return float(case.model.scenario.services[case.name].servers(case.model.stack))


def _visits(case: ServiceCase) -> float:
    return float(np.nansum(case.seen.served))


def _from_knee(case: ServiceCase, expected: float) -> _Servers | None:
    used = most_in_use(case.seen, expected)
    return None if used is None else _Servers(max(1.0, round(used)), KNEE)


def _from_capacity(case: ServiceCase, told: float) -> _Servers:
    """Return the servers that it says it has, or those that it uses where some stay idle while others wait."""
    used = most_in_use(case.seen, told)
    if used is not None and used < _FULL * told and round(used) < round(told):
        modelled = most_in_use(case.expected, told)  # a pool of connections leaves servers idle too
        if modelled is None or abs(modelled - used) >= max(0.5, 0.1 * used):
            return _Servers(max(1.0, round(used)), IN_USE)
    return _Servers(told, CAPACITY)


def most_in_use(seen: Observed, servers: float) -> float | None:
    """Return the servers in use while so many wait that all must be; None where never so many did.

    `servers`: those there are thought to be. So many wait by chance alone where nearly all are busy.
    """
    standing = np.nan_to_num(seen.queue) > 0.5 * servers + 2.0
    if standing.sum() < _LEAST_SLOTS:
        return None
    used = seen.concurrency[standing]
    known = used[~np.isnan(used)]
    return float(np.median(known)) if len(known) >= _LEAST_SLOTS else None


def _typical(servers: Array, *, is_scaled: bool) -> float:
    """Return the servers of a run: the median of its slots, or the fewest of those that autoscaling changes."""
    known = servers[~np.isnan(servers) & (servers > 0)]
    if not len(known):
        return float("nan")
    return float(np.min(known) if is_scaled else np.median(known))
