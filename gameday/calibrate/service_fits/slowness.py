"""Of what kind a service's slowness is: all visits alike, one step's, a heavy tail, or some of its instances.

Each kind is put into the model with as much work as was measured; the one whose visits and whose customers' waits
look most like those that were measured is it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.calibrate.compared.discrepancy import law_distance
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.contest import Hypothesis, winner
from gameday.calibrate.service_fits.instances import are_told_apart
from gameday.scenario.blocks import Spread
from gameday.scenario.queue_policies import Pool
from gameday.scenario.server_policies import Degraded

__all__ = ["fit"]

_SLOWER = 0.08
"""Log of the factor on a service's work from which on its kind is asked. Ours: less is told apart by nothing."""
_LEAST_VISITS = 300
_UNLIKE = 30.0
"""Distance of the visits' law from the model's from which on it is asked too. Ours: healthy
services stay below."""
_ALIKE = 15.0
"""Distance up to which visits that all take longer look as the model's do. Ours: some ten counts are compared."""
_WAITS_MORE = 3.0
"""Times as many that wait as in the model, and one more, from which on idle servers are asked for. Ours."""
_TAILS = (2.0, 2.8, 4.0, 5.6)
"""Coefficients of variation that are tried: so many times the declared one, and so many."""
_MOST_CV = 8.0
_HEAVIER = 1.6
"""Times the declared coefficient of variation that a heavier tail has at least. Ours."""
_LEAST_SHARE = 0.02
"""Of a service's work that a step must make to be told apart."""


def fit(case: ServiceCase) -> Found | None:
    """Return the kind of slowness, where it is not that all visits take longer alike."""
    seen = case.seen
    if seen.histogram.sum() < _LEAST_VISITS or case.hidden_calls or _is_told(case):
        return None
    slower = float(case.before.time_factor.mid / case.declared.time_factor.mid)
    unlike = law_distance(seen.histogram, case.expected.histogram)
    is_slower = abs(np.log(slower)) > _SLOWER and unlike > _ALIKE
    is_unlike = unlike > _UNLIKE
    tried = list[Hypothesis]()
    if is_slower:
        tried += _steps(case, slower)
    if is_slower and slower > 1.0 and not are_told_apart(case):
        tried += _instances(case, slower)
    if is_slower or is_unlike:
        tried += _tails(case)
    if is_unlike or _waits_more(case):
        tried += _idle_servers(case)
    return winner(case, tried)


def _is_told(case: ServiceCase) -> bool:
    """Return whether its instances' own metrics say already that some of them are slow."""
    degraded = case.model.measured(case.name).degraded
    return degraded is not None and degraded != case.declared.degraded


def _steps(case: ServiceCase, slower: float) -> Iterator[Hypothesis]:
    """Yield that one step's visits alone take another time."""
    busy = case.executions * case.work.visits * case.work.own_s
    known = case.before.step_factors
    for step, share in zip(case.model.scenario.steps, busy / busy.sum(), strict=True):
        factor = 1.0 + (slower - 1.0) / max(float(share), _LEAST_SHARE)
        if _LEAST_SHARE < share < 1 - _LEAST_SHARE and factor > _LEAST_SHARE and not known:
            spread = Spread.around(factor, 0.1)
            fields = {"time_factor": _as_declared(case), "step_factors": {step: spread}}
            yield Hypothesis(f"step_factors.{step}", fields, 1.0, spread)


def _instances(case: ServiceCase, slower: float) -> Iterator[Hypothesis]:
    """Yield that a zone's instances alone, or one instance, work slowly."""
    fleet = case.model.scenario.services[case.name].stacks[case.model.stack]
    for share in sorted({1 / fleet.zones, 1 / min(fleet.instances, 10)} - {1.0}):
        slowed = 1.0 + (slower - 1.0) / share
        degraded = Degraded(share=share, slowed=slowed)
        fields = {"time_factor": _as_declared(case), "degraded": degraded}
        spread = Spread.around(slowed, case.before.time_factor.log_sd + 0.02)
        yield Hypothesis(f"slow share {share:.3g}", fields, 1.0, spread)


def _as_declared(case: ServiceCase) -> Spread:
    """Return the declared factor on all visits, as surely as the measured one is known."""
    return Spread.around(case.declared.time_factor.mid, case.before.time_factor.log_sd)


def _tails(case: ServiceCase) -> Iterator[Hypothesis]:
    """Yield that visits differ more from one another."""
    cv = float(case.model.service(case.name).time.scv ** 0.5)
    for wanted in sorted({min(_MOST_CV, times * base) for times in _TAILS for base in (cv, 1.0)}):
        if wanted > _HEAVIER * cv:
            spread = Spread.around(wanted, 0.15)
            yield Hypothesis("cv", {"cv": spread}, cv, spread)


def _waits_more(case: ServiceCase) -> bool:
    waiting, expected = (float(np.nansum(o.queue)) for o in (case.seen, case.expected))
    return waiting > _WAITS_MORE * expected + len(case.seen.queue)


def _idle_servers(case: ServiceCase) -> Iterator[Hypothesis]:
    """Yield that some servers are never used: a pool of connections, a limit of threads, a lock."""
    servers = case.model.station(case.name).servers
    most = int(np.ceil(np.nanmax(case.seen.concurrency, initial=0.0)))
    used = {n for n in (1, 2, 3, most - 1, most, most + 1) if most - 1 <= n < servers and n > 0}
    pool = case.model.service(case.name).pool
    for number in sorted(used):
        if pool is not None:
            yield _fewer_connections(pool, max(1, round(number / case.model.scale)))
        else:
            yield _fewer_servers(case, number / servers)


def _fewer_connections(pool: Pool, connections: int) -> Hypothesis:
    fields = {"pool": pool.model_copy(update={"connections": connections})}
    return Hypothesis("pool.connections", fields, pool.connections, Spread.exactly(connections))


def _fewer_servers(case: ServiceCase, share: float) -> Hypothesis:
    declared = float(case.model.scenario.services[case.name].servers(case.model.stack))
    servers = Spread.exactly(max(1.0, declared * share))
    return Hypothesis("servers", {"servers": servers}, declared, servers)
