"""Whether requests at once stand in each other's way: visits hold a server longer, the more there are.

Where a load rises, as on a ladder, servers are held for longer by themselves, apart from what they
wait for. The universal scalability law (N. Gunther) says how much longer; its numbers are those
with which the model's holds grow as the measured ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.calibrate.compared.observed import Observed
from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.calibrate.contest import Hypothesis, winner
from gameday.calibrate.robust import Estimate, huber_mean
from gameday.calibrate.service_fits.demand import demand_of
from gameday.scenario.blocks import Measured, Spread
from gameday.scenario.server_policies import Load
from gameday.vocabulary import Array

__all__ = ["fit"]

_GROWS = 1.08
"""Times by which holds must grow beyond the model's, from the least to the most busy slots. Ours."""
_LEAST_SLOTS = 9
_LEAST_GROWTH = 0.02
"""Of what is divided by: found before, it may have gone."""
_ROUNDS, _DAMPED = 6, 0.55
"""How often the two numbers are corrected, and by which power of what is off: each moves the other."""
_LAST = 3
"""Rounds whose numbers compete: near saturation one run is far from the model's mean."""
_FIRST = 0.3
"""Contention that the first round tries."""
_LEAST = 0.02
"""Contention below which there is none. Ours."""
_BY = "how much longer servers are held, the more there are at once"
_MOST_CORRECTED = (0.4, 2.5)
_LEAST_LOG_SD = 0.02
"""Of a time. Ours: clocks and scrapes are not better."""


@dataclass(frozen=True, slots=True)
class _Holds:
    """How long a visit holds a server in the least busy third of the slots, and in the busiest."""

    low: Estimate
    """Seconds."""
    high: Estimate

    @property
    def growth(self) -> float:
        """By how many times they are held longer."""
        return self.high.mid / self.low.mid

    @property
    def log_sd_alone(self) -> float:
        """Standard deviation of the log of the time in the least busy slots."""
        return float(np.hypot(_LEAST_LOG_SD, self.low.error / self.low.mid))

    @property
    def log_sd_of_growth(self) -> float:
        """Standard deviation of the log of what they grow by."""
        of_growth = float(np.hypot(self.log_sd_alone, self.high.error / self.high.mid))
        return of_growth * self.growth / max(_LEAST_GROWTH, self.growth - 1)

    @staticmethod
    def of(observed: Observed, low: Array, high: Array) -> _Holds:
        """Return the holds in these slots."""
        return _Holds(*(_hold(observed, slots) for slots in (low, high)))


def fit(case: ServiceCase) -> Found | None:
    """Return how much requests slow each other, where holds grow with the load beyond the model's."""
    service, known = case.model.service(case.name), case.seen.known
    if service.servers_per_instance < 2 or case.hidden_calls or known.sum() < _LEAST_SLOTS:
        return None
    demand = demand_of(case)
    if len(demand.served) < _LEAST_SLOTS or demand.is_lost_among_calls:
        return None
    low, high = _thirds(case.seen)
    seen, model = (_Holds.of(one, low, high) for one in (case.seen, case.expected))
    if not (_grows_beyond(seen, model) or _is_found(case)):
        return None
    return _fitted(case, seen, low, high)


def _grows_beyond(seen: _Holds, model: _Holds) -> bool:
    """Return whether holds grow with the load beyond the model's; not where none were seen while little came."""
    if min(seen.low.mid, model.low.mid) <= 0:
        return False
    return seen.growth > max(1.0, _GROWS * model.growth)


def _is_found(case: ServiceCase) -> bool:
    """Return whether contention was found before, when less was known of the service."""
    return case.before.load != case.declared.load


def _fitted(case: ServiceCase, seen: _Holds, low: Array, high: Array) -> Found | None:
    """Return the contention with which the model's holds are as measured, if the model is nearer with it."""
    servers = case.model.service(case.name).servers_per_instance
    alone = Spread.around(case.before.time_factor.mid, seen.log_sd_alone)
    strength = _strength(case.before, servers) or _FIRST
    tried = list[Hypothesis]()
    for _ in range(_ROUNDS):
        block = case.before.model_copy(update=_fields(alone, strength, servers))
        model = _Holds.of(case.model.simulate({case.name: block}).services[case.name], low, high)
        alone = alone.times(_bounded(seen.low.mid / model.low.mid))
        strength *= _bounded((seen.growth - 1) / max(1e-3, model.growth - 1)) ** _DAMPED
        strength = max(_LEAST, strength)
        tried.append(_hypothesis(case, seen, alone, strength))
    return tried[-1].found(case, _BY) if _is_found(case) else winner(case, tried[-_LAST:])


def _hypothesis(case: ServiceCase, seen: _Holds, alone: Spread, strength: float) -> Hypothesis:
    servers = case.model.service(case.name).servers_per_instance
    spread = Spread.around(strength, seen.log_sd_of_growth)
    fields = _fields(alone, strength, servers)
    return Hypothesis("load.contention", fields, _strength(case.declared, servers), spread)


def _fields(alone: Spread, strength: float, servers: int) -> dict[str, object]:
    """Return what the model is told. Contention is 1 at most: what is beyond adds as much where all are busy."""
    beyond = min(1.0, max(0.0, strength - 1) / servers)
    load = Load(contention=min(1.0, strength), coherency=beyond)
    return {"time_factor": alone, "load": load}


def _strength(known: Measured, servers: int) -> float:
    return 0.0 if known.load is None else known.load.contention + known.load.coherency * servers


def _thirds(seen: Observed) -> tuple[Array, Array]:
    """Return the least busy and the busiest third of the slots in which a service was seen."""
    slots = np.flatnonzero(seen.known)
    order = slots[np.argsort(seen.concurrency[slots], kind="stable")]
    third = len(order) // 3
    return order[:third], order[-third:]


def _hold(observed: Observed, slots: Array) -> Estimate:
    """Return the mean seconds that a visit holds a server in some slots."""
    served = observed.served[slots]
    return huber_mean(observed.load("busy_s")[slots] / np.maximum(served, 1e-9), served)


def _bounded(factor: float) -> float:
    low, high = _MOST_CORRECTED
    return float(min(high, max(low, factor)))
