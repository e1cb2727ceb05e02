"""The simulation against queues that have an answer on paper, service by service, in the peak hour.

The paper's answer is taken minute by minute at that minute's arrivals, as if each lasted for ever; so a
service is compared only where its load stays clear of its capacity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications.replication import QUANTITIES, SPANS, Replication
from gameday.queueing import Cell, build_cell
from gameday.queueing.closed_forms import (
    bounded_queue,
    erlang_b,
    impatient_queue,
    mean_wait_s,
    mixed_moments,
)
from gameday.record.intervals import Interval, interval_of, t_interval
from gameday.scenario import Scenario
from gameday.vocabulary import Array, Band

__all__ = ["QueueCheck", "check_against_queues"]

_LEVEL = 0.999
"""Of the interval: over some twenty services a false alarm comes once in fifty rehearsals."""
_SETTLES_S = 3.0
"""A minute has an answer of its own where the queue settles within a twentieth of it."""
_FEW = 5
"""Callers for each server below which a queue is not open. Ours."""
_NEAR = 0.15
"""Share within which an approximation is called near. Ours: Allen and Cunneen's usual error."""
_WAIT, _AWAY = QUANTITIES.index("wait_s"), QUANTITIES.index("turned_away")
_HOUR = SPANS.index("peak_hour")


@dataclass(frozen=True, slots=True)
class QueueCheck:
    """A service's queue: its answer on paper beside what was simulated."""

    service: str
    form: str | None
    """The queue it is on paper, in Kendall's notation or by name; None: it is not compared."""
    exact: bool
    """Whether the paper's answer is exact, and not an approximation."""
    paper: float | None
    simulated: Interval | None
    unit: str
    """s: the mean wait; share: of attempts turned away."""
    said: str
    """agrees; DISAGREES (beyond the interval of an exact form); near, or far (from an approximation); or why
    it is not compared."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What the visits to a service hold a server for."""

    mean_s: float
    scv: float
    is_exponential: bool
    calls_held: bool


@dataclass(frozen=True, slots=True)
class _Hour:
    """A service's peak hour as it was simulated."""

    per_s: Array
    """Arrivals, mean of the replications, shape (slots,)."""
    hold_s: float
    """How long a visit holds a server, mean."""
    turned_away: float
    """Share of attempts, mean."""


@dataclass(frozen=True, slots=True)
class _Queue:
    """A service as a queue on paper."""

    work: _Work
    servers: int
    bound: int
    """Most that wait."""
    timeout_s: float

    @property
    def is_loss(self) -> bool:
        """Whether nobody waits: who finds all servers busy is turned away."""
        return self.bound == 0 and not self.work.calls_held


def check_against_queues(
    scenario: Scenario, scale: float, runs: list[Replication], *, is_struck: bool = False
) -> tuple[QueueCheck, ...]:
    """Return per service of a stack: the queue it is on paper, its answer, and what was simulated."""
    if is_struck:
        return tuple(_not_compared(name, "something is injected") for name in runs[0].services)
    cell = build_cell(scenario, runs[0].stack, scale=scale)
    return tuple(_check(scenario, cell, name, runs) for name in runs[0].services)


def _check(scenario: Scenario, cell: Cell, name: str, runs: list[Replication]) -> QueueCheck:
    service, station = scenario.services[name], cell.stations[name]
    queue = _Queue(
        _work(scenario, cell, name), station.servers, station.queue_bound, service.timeout
    )
    number = runs[0].services.index(name)
    hour = _hour(runs, number)
    why_not = service.why_no_closed_form or _why_not_settled(queue, hour)
    if why_not is not None:
        return _not_compared(name, why_not)
    quantity = _AWAY if queue.is_loss else _WAIT
    band = t_interval([float(run.spans[_HOUR, quantity, number]) for run in runs], _LEVEL)
    if np.isnan(band.mid) or not hour.per_s.sum():
        return _not_compared(name, "nobody came")
    callers = _held_callers(scenario, cell, name)
    if callers is not None and callers < _FEW * queue.servers:
        return _not_compared(name, f"at most {callers} callers at a time: no open queue")
    form, is_exact, answers = _paper(queue, hour)
    paper = float(np.average(answers, weights=hour.per_s))
    is_exact = is_exact and callers is None
    return QueueCheck(
        service=name,
        form=form,
        exact=is_exact,
        paper=paper,
        simulated=interval_of(band),
        unit="share" if queue.is_loss else "s",
        said=_compared(paper, band, is_exact=is_exact),
    )


def _why_not_settled(queue: _Queue, hour: _Hour) -> str | None:
    """Return why minutes of a queue are not each in their own steady state; None: they are."""
    load = float((hour.per_s * hour.hold_s / queue.servers).max())
    if queue.is_loss or _settles_s(load, queue.servers, hour.hold_s) < _SETTLES_S:
        return None
    return f"too near its capacity for minutes of their own ({load:.0%})"


def _hour(runs: list[Replication], number: int) -> _Hour:
    """Return the peak hour of the service with this number."""
    hour = runs[0].hour
    per_s = np.mean([run.arrived[number, hour] for run in runs], axis=0) / 60.0
    busy_s = sum(float(run.busy_s[number, hour].sum()) for run in runs)
    served = sum(float(run.served[number, hour].sum()) for run in runs)
    turned_away = float(np.mean([run.spans[_HOUR, _AWAY, number] for run in runs]))
    return _Hour(per_s, busy_s / max(1.0, served), turned_away)


def _compared(paper: float, band: Band, *, is_exact: bool) -> str:
    if is_exact:
        slack = 1e-6 + 0.02 * paper  # a minute's counts are given, a Poisson minute's are not
        agrees = band.low - slack <= paper <= band.high + slack
        return "agrees" if agrees else "DISAGREES"
    is_near = abs(paper - band.mid) <= _NEAR * band.mid + 1e-4
    return "near" if is_near or band.low <= paper <= band.high else "far"


def _settles_s(load: float, servers: int, hold_s: float) -> float:
    """Return the relaxation time of M/M/c, s: 1 / (c mu (1 - sqrt(load))^2); endless from 1 on."""
    return hold_s / servers / (1 - math.sqrt(load)) ** 2 if load < 1 else math.inf


def _held_callers(scenario: Scenario, cell: Cell, name: str) -> int | None:
    """Return how many servers may wait for a service at one time; None where customers alone ask.

    Who is called by servers that wait does not meet a Poisson stream: paper is then an approximation.
    """
    above = {
        caller.service
        for caller in cell.walk()
        for calls in caller.then
        for call in calls
        if call.service == name and not scenario.services[caller.service].is_asynchronous
    }
    return sum(cell.stations[service].servers for service in above) if above else None


def _paper(queue: _Queue, hour: _Hour) -> tuple[str, bool, list[float]]:
    """Return the queue's name, whether its answer is exact, and the answer of each minute."""
    work, servers, hold_s = queue.work, queue.servers, hour.hold_s
    offered = [float(erlangs) for erlangs in hour.per_s * hold_s]
    if queue.is_loss:
        return "Erlang B", True, [erlang_b(erlangs, servers) for erlangs in offered]
    if work.is_exponential:
        if hour.turned_away > 1e-4 and queue.timeout_s < queue.bound / servers * hold_s:
            patient_s = queue.timeout_s
            waits = [
                impatient_queue(erlangs, servers, hold_s, patient_s, fixed=True)[1]
                for erlangs in offered
            ]
            return "M/M/c+D", True, waits
        form = "Erlang C" if hour.turned_away == 0 else "M/M/c/K"
        waits = [bounded_queue(erlangs, servers, queue.bound, hold_s)[1] for erlangs in offered]
        return form, True, waits
    waits = [mean_wait_s(erlangs, servers, hold_s, work.scv) for erlangs in offered]
    if servers == 1 and not work.calls_held and hour.turned_away == 0:
        return "M/G/1", True, waits
    return "M/G/c, Allen and Cunneen", False, waits


def _work(scenario: Scenario, cell: Cell, name: str) -> _Work:
    """Return what a service's visits are like, all entries of the cell counted alike."""
    visits = cell.visits_to(name)
    means = [v.time.mean * v.factor for v in visits]
    mean, scv = mixed_moments(means, [v.time.scv for v in visits])
    held = any(v.then for v in visits) and not scenario.services[name].is_asynchronous
    alike = bool(means) and max(means) - min(means) < 1e-9
    laws = {v.time.law for v in visits}
    return _Work(mean, scv, laws == {"exponential"} and alike and not held, held)


def _not_compared(service: str, why: str) -> QueueCheck:
    return QueueCheck(service, None, False, None, None, "s", f"not compared: {why}")
