"""How long a service works on a visit: the utilisation law, slot by slot, robustly.

Utilisation law: busy seconds = served x seconds of a visit. Of servers that wait with their
callers the calls below are taken off first. Source: Denning and Buzen, 1978; regression over
classes of work as in Cremonesi and Sansottera, 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gameday.calibrate.compared.call_levels import Work, calls_of
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.robust import Estimate, huber_mean
from gameday.scenario.blocks import Spread
from gameday.vocabulary import Array

__all__ = ["Demand", "demand_of", "fit"]

_LEAST_SLOTS = 3
"""Slots of which a mean has an interval."""
_SAME_SHARE = 0.02
"""A time that is so near to the declared one is the same. Ours: a scrape and a clock are not better."""
_SURE = 3.0
"""Standard errors by which it must differ: dozens of times are looked at in a run. Ours. What
differs by less stays as it is, in an interval that is wide enough for what was seen."""
_LOST = 0.3
"""Standard error of a factor, a share, beyond which nothing is said of it. Ours."""
_CALM = 0.02
"""Of the calls below that go wrong in a slot that is calm. Ours."""
_LEAST_CALM = 6
"""Calm slots that are enough. Ours."""
_CALLS_KNOWN = 0.01
"""Standard error, a share, of the time that servers wait for calls: how long several at once last together is
reckoned from the model. Ours: seen on random graphs."""


def fit(case: ServiceCase) -> Found | None:
    """Return the factor on own work of all steps."""
    name = case.name
    if not case.seen.is_observed:
        why, add = "its busy time was not observed", f"busy_seconds (or in_use) and done of {name}"
        return case.unknown("how long it works on a visit", why, add)
    if not case.expected.is_observed:
        return None
    if hidden := case.hidden_calls:
        why = f"it holds a server while it calls {', '.join(hidden)}, of which nothing is observed"
        return case.unknown("its own work", why, f"busy_seconds and done of {hidden[0]}")
    demand = demand_of(case)
    if len(demand.served) < _LEAST_SLOTS:
        return None
    if demand.is_lost_among_calls:
        why = "it is little beside the calls that it holds a server for"
        return case.unknown("its own work", why, f"traces of {name}, or its CPU seconds")
    return _found(case, demand.factor)


def _found(case: ServiceCase, factor: Spread) -> Found:
    """Return the factor; where it differs by too little, the declaration, in an interval wide enough for both."""
    before = case.before.time_factor
    away, error = abs(math.log(factor.mid)), math.hypot(before.log_sd, factor.log_sd)
    agrees = away < max(_SAME_SHARE, _SURE * error)
    whole = factor.times(before.mid)
    kept = Spread.around(before.mid, math.hypot(_together(before.log_sd, factor.log_sd), away / 2))
    row = case.parameter(
        "time_factor",
        before.mid,
        whole,
        agrees=agrees,
        by="utilisation law",
        samples=np.nansum(case.seen.served),
    )
    return Found({"time_factor": kept if agrees else whole}, (row,))


def _together(before: float, now: float) -> float:
    """Return the standard deviation of two independent measurements together; 0 = not measured before."""
    return now if before == 0 else float((before**-2 + now**-2) ** -0.5)


@dataclass(frozen=True)
class Demand:
    """Own work of a service, as it was seen and as the model has it."""

    work: Work
    slope_s: Array
    """By how many seconds own work of each step grows where `time_factor` doubles, shape (steps,).
    In a scaled-down system own work also makes up for calls that are not scaled, so it is not proportional."""
    busy_s: Array
    """Own busy seconds, measured, shape (slots,)."""
    waiting_s: Array
    """Busy seconds that its servers waited for those below, as reckoned, same shape."""
    expected_s: Array
    """What each step's visits would make of own work as the model has it, shape (steps, slots)."""
    served: Array
    """Visits, shape (slots,)."""

    @cached_property
    def estimate(self) -> Estimate:
        """By what the time factor must be multiplied so that the model is as busy as what was seen."""
        expected_s = self.expected_s.sum(axis=0)
        ratio, gain = huber_mean(self.busy_s / expected_s, self.served), self._gain()
        of_calls = _CALLS_KNOWN * float(self.waiting_s.sum() / expected_s.sum())
        return Estimate(
            1.0 + (ratio.mid - 1.0) / gain, float(np.hypot(ratio.error, of_calls)) / gain
        )

    @property
    def is_lost_among_calls(self) -> bool:
        """Whether the estimate is no better than none."""
        if not self.expected_s.sum() > 0:
            return True
        return not (self.estimate.mid > 0 and self.estimate.error <= _LOST * self.estimate.mid)

    @property
    def factor(self) -> Spread:
        """The estimate as a spread."""
        return Spread.around(self.estimate.mid, self.estimate.error / self.estimate.mid)

    def _gain(self) -> float:
        """Return by what share own work grows where the time factor doubles: 1 at full scale."""
        weights, known = self.expected_s.sum(axis=1), self.work.own_s > 0
        growth = weights[known] * self.slope_s[known] / self.work.own_s[known]
        return float(growth.sum() / weights.sum())


def demand_of(case: ServiceCase) -> Demand:
    """Return a service's own busy seconds, and what they would be as the model stands."""
    seen, model = case.seen, case.model
    work = case.work
    executions = model.seen.achieved * work.visits[:, None]
    known = _calm(case, seen.known & (executions.sum(axis=0) > 0))
    visits = executions[:, known] * (seen.served[known] / executions[:, known].sum(axis=0))
    waiting_s = _calls_longer(case) * (work.calls_s @ visits)
    twice = case.before.model_copy(update={"time_factor": case.before.time_factor.times(2.0)})
    return Demand(
        work=work,
        slope_s=model.work(case.name, twice).own_s - work.own_s,
        busy_s=seen.load("busy_s")[known] - waiting_s,
        waiting_s=waiting_s,
        expected_s=_changed_by_policies(case) * visits * work.own_s[:, None],
        served=seen.served[known],
    )


def _changed_by_policies(case: ServiceCase) -> float:
    """Return how many times as long the model's servers work as where no policy (contention, pauses) slows them.

    Of a service that holds servers while it calls, `_calls_longer` has it.
    """
    work, policies = case.work, case.model.service(case.name).policies()
    is_alone = not work.mean(work.calls_s, case.executions) > 0
    if not is_alone or not any(policy.changes_work for _, policy in policies):
        return 1.0
    ratio = case.expected.hold_s() / work.mean(work.own_s, case.executions)
    return ratio if ratio > 0 else 1.0


def _calm(case: ServiceCase, known: Array) -> Array:
    """Return the slots in which calls below ended well, where there are enough of them; else all that are known.

    Calls that time out or are refused tell little of how long their caller works.
    """
    calls = calls_of(case.model.scenario, case.model.stack, case.model.scale, case.name)
    calm = known.copy()
    for name in calls:
        below = case.model.seen.services[name]
        arrived = np.nan_to_num(below.arrived)
        lost = np.nan_to_num(below.counted("failed", "shed", "timed_out", "orphaned"))
        calm &= lost <= _CALM * arrived
    return calm if calm.sum() >= _LEAST_CALM else known


def _calls_longer(case: ServiceCase) -> float:
    """Return how long a service waits for its calls as a multiple of what it would if nothing queued.

    The model says how calls at once overlap; this run's own visits below are better than the model's mean of them.
    """
    work = case.work
    calls_s = work.mean(work.calls_s, case.executions)
    if not calls_s > 0:
        return 1.0
    in_model = (case.expected.hold_s() - work.mean(work.own_s, case.executions)) / calls_s
    weights = calls_of(case.model.scenario, case.model.stack, case.model.scale, case.name)
    seen_s, model_s = (
        sum(n * stack.services[name].visit_mean_s for name, n in weights.items())
        for stack in (case.model.seen, case.predicted)
    )
    ratio = seen_s / model_s
    return in_model * (ratio if ratio == ratio else 1.0)
