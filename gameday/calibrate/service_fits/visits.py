"""How often a service is asked: its visits beside those of the services that call it, slot by slot, robustly.

The forced flow law: visits to a service = visits of its callers x calls that each makes. What customers' steps
send is counted as sent, so redirects and second requests show at the service that receives them. Source: Denning
and Buzen, 1978.
"""

from __future__ import annotations

import math

import numpy as np

from gameday.calibrate.compared.call_levels import CUSTOMERS, calls_of, visits_from
from gameday.calibrate.compared.observed import Observed, StackObserved
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.robust import huber_mean
from gameday.scenario.blocks import Spread
from gameday.vocabulary import Array

__all__ = ["fit"]

_APART = 0.06
"""Log of the factor from which on it is asked more often. Ours: slots of scrapes and of the model are not the same
seconds."""
_SURE = 4.0
"""Standard errors by which it must differ: every service is looked at. Ours."""
_LEAST_ASKED = 200
"""Visits, and slots, below which nothing is said. Ours."""
_LEAST_SLOTS = 6
_CALM = 0.02
"""Of its visits, of its callers' and of all that those call, and of steps, that go wrong in a calm slot: a call
that fails spares those after it. Ours."""
_MOST = 12.0
"""Factor beyond which no model is made: an exchange would come to more visits than draws have keys for. Ours."""
_BY = "its visits beside those of its callers, or customers' steps (forced flow law)"


def fit(case: ServiceCase) -> Found | None:
    """Return how many times as often it is visited as the scenario's calls say."""
    if case.model.service(case.name).hedge is not None:
        return None  # which of two attempts was the second is not observed
    seen, expected = _flows(case)
    if len(seen) < _LEAST_SLOTS or seen.sum() < _LEAST_ASKED:
        return None
    ratio = huber_mean(seen / expected, expected)
    if not ratio.mid > 0:
        return None
    return _found(case, Spread.around(ratio.mid, ratio.error / ratio.mid), float(seen.sum()))


def _found(case: ServiceCase, more: Spread, asked: float) -> Found:
    """Return a factor on visits that is told, borne out as it was, or too large for a model."""
    before, whole = case.before.visits_factor, more.times(case.before.visits_factor.mid)
    if abs(math.log(more.mid)) < max(_APART, _SURE * more.log_sd):
        return case.agrees("visits_factor", before.mid, whole, _BY, asked)
    if not 1 / _MOST < whole.mid < _MOST:
        why = f"it is asked {whole.mid:.2g} times as often as the scenario's calls say"
        return case.unknown("how it is called", why, f"`calls` to {case.name} as they are")
    return case.differs({"visits_factor": whole}, "visits_factor", before.mid, whole, _BY, asked)


def _flows(case: ServiceCase) -> tuple[Array, Array]:
    """Return how often it was asked in each calm slot, and how often it should have been: (calm slots,) each."""
    model = case.model
    callers = visits_from(model.scenario, model.stack, model.scale, model.shares, case.executions)[
        case.name
    ]
    seen = _asked(case, case.seen)
    expected = _asked(case, case.expected) * _busier(case, callers)
    slots = _calm(case, callers) & (expected > 0) & ~np.isnan(seen)
    return seen[slots], expected[slots]


def _asked(case: ServiceCase, observed: Observed) -> Array:
    """Return how often it was asked, shape (slots,): lookups of its cache, or attempts that repeat none.

    Where nobody counted which attempts of the run repeat others, those of the model count too.
    """
    if case.model.service(case.name).cache is not None:
        return observed.load("lookups")
    is_counted = ~np.isnan(case.seen.load("repeats"))
    return np.asarray(observed.arrived - np.where(is_counted, observed.load("repeats"), 0.0))


def _busier(case: ServiceCase, callers: dict[str, float]) -> Array:
    """Return how many times as often its callers were at work as in the model, shape (slots,)."""
    seen, model = case.model.seen, case.predicted
    steps = _ratio(_entries(case, seen), _entries(case, model))
    busier, whole = np.zeros(len(steps)), sum(callers.values())
    for name, often in callers.items():
        ratio = steps
        if name != CUSTOMERS:
            of_caller = _ratio(seen.services[name].served, model.services[name].served)
            ratio = np.where(np.isnan(of_caller), steps, of_caller)
        busier += often / whole * ratio
    return busier


def _entries(case: ServiceCase, stack: StackObserved) -> Array:
    """Return visits that the steps which went out cause as the scenario has it, shape (slots,)."""
    return np.asarray(case.work.visits @ stack.achieved)


def _ratio(seen: Array, model: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(model > 0, seen / model, np.nan))


def _calm(case: ServiceCase, callers: dict[str, float]) -> Array:
    """Return the slots in which steps, its visits, its callers' and their calls ended well, shape (slots,)."""
    model, names = case.model, {case.name}
    for name in callers.keys() - {CUSTOMERS}:
        names |= {name, *calls_of(model.scenario, model.stack, model.scale, name)}
    calm = np.ones(case.seen.arrived.shape, dtype=bool)
    for stack in (model.seen, case.predicted):
        calm &= stack.bad.sum(axis=0) <= _CALM * stack.achieved.sum(axis=0)
        for name in names:
            calm &= ~(_lost(stack.services[name]) > _CALM)
    return calm


def _lost(service: Observed) -> Array:
    """Return the share of attempts that were not answered well, shape (slots,); NaN where it is not known."""
    lost = service.counted("failed", "shed", "timed_out", "orphaned")
    return _ratio(lost, service.arrived)
