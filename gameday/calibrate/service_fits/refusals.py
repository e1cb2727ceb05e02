"""Whether a service fails or refuses a share of its visits whatever its load: some of its instances are sick."""

from __future__ import annotations

import numpy as np

from gameday.calibrate.compared.observed import Observed
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.record.intervals import binomial_band
from gameday.scenario.blocks import Spread
from gameday.scenario.server_policies import Degraded
from gameday.vocabulary import Array

__all__ = ["fit"]

_CALM = 0.7
"""Busy share of the servers below which no healthy service turns work away for want of one. Ours."""
_LEAST_SHARE = 0.005
"""Of visits that fail beyond the model's: half of the usual 1 % objective. Ours."""
_LEAST_ATTEMPTS = 200


def fit(case: ServiceCase) -> Found | None:
    """Return the share of visits that fail while servers are free, beyond what the model explains."""
    calm = _calm_slots(case)
    arrived = float(case.seen.arrived[calm].sum())
    if arrived < _LEAST_ATTEMPTS:
        return None
    share = binomial_band(round(float(_failed(case.seen)[calm].sum())), round(arrived))
    known, explained = _known(case), _explained(case, calm)
    if share.low - explained < _LEAST_SHARE:
        return None
    low, mid, high = (
        min(1.0, known.share + x - explained) for x in (share.low, share.mid, share.high)
    )
    return case.differs(
        {"degraded": known.model_copy(update={"share": mid, "refuses": True})},
        "failing share",
        known.share,
        Spread(mid=mid, low=low, high=high),
        by="visits that fail while servers are free",
        samples=arrived,
    )


def _known(case: ServiceCase) -> Degraded:
    """Return the instances that are known to refuse; a share of 0 where none are."""
    known = case.model.measured(case.name).degraded
    if known is not None and known.refuses:
        return known
    return Degraded.model_construct(share=0.0, slowed=1.0, refuses=True)


def _explained(case: ServiceCase, calm: Array) -> float:
    """Return the share of visits that fail in the model in these slots."""
    came = float(case.expected.arrived[calm].sum())
    failed = float(np.nan_to_num(_failed(case.expected)[calm]).sum())
    return failed / came if came else 0.0


def _failed(observed: Observed) -> Array:
    """Return attempts that failed or were refused, shape (slots,)."""
    return np.asarray(observed.attempt("failed") + np.nan_to_num(observed.attempt("shed")))


def _calm_slots(case: ServiceCase) -> Array:
    """Return the slots in which servers were free, shape (slots,); where nobody counted them, the model's."""
    seen, station = case.seen, case.model.station(case.name)
    busy, servers = (
        np.where(np.isnan(measured), modelled, measured)
        for measured, modelled in (
            (seen.concurrency, case.expected.concurrency),
            (seen.load("servers"), float(station.servers)),
        )
    )
    is_known = ~np.isnan(_failed(seen)) & ~np.isnan(seen.arrived)
    return np.asarray(is_known & (busy <= _CALM * servers))
