"""The simulation against queues that have an answer on paper, service by service, in the peak hour.

The paper's answer is taken minute by minute at that minute's arrivals, as if each lasted for ever; so a
service is compared only where its load stays clear of its capacity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.experiments.replication import QUANTITIES, SPANS, Replication
from gameday.queueing import Cell, build_cell
from gameday.queueing.closed_forms import bounded_queue, erlang_b, impatient_queue, mean_wait_s
from gameday.record.intervals import band_of, t_interval
from gameday.scenario import Scenario

__all__ = ["check_against_queues"]

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
class _Work:
    """What the visits to a service hold a server for."""

    mean_s: float
    scv: float
    is_exponential: bool
    calls_held: bool


def check_against_queues(
    scenario: Scenario, scale: float, runs: list[Replication], *, is_struck: bool = False
) -> list[dict[str, Any]]:
    """Return per service of a stack: the queue it is on paper, its answer, and what was simulated.

    `said`: agrees; DISAGREES (beyond the interval of an exact form); near, or far (from an
    approximation); or why it is not compared.
    """
    if is_struck:
        return [{"service": n} | _not("something is injected") for n in runs[0].services]
    cell = build_cell(scenario, runs[0].stack, scale=scale)
    return [
        {"service": name} | _row(scenario, cell, name, n, runs)
        for n, name in enumerate(runs[0].services)
    ]


def _row(
    scenario: Scenario, cell: Cell, name: str, n: int, runs: list[Replication]
) -> dict[str, Any]:
    servers, work = cell.stations[name].servers, _work(scenario, cell, name)
    hour = runs[0].hour
    per_s = np.mean([run.arrived[n, hour] for run in runs], axis=0) / 60.0
    busy_s = sum(float(run.busy_s[n, hour].sum()) for run in runs)
    hold_s = busy_s / max(1.0, sum(float(run.served[n, hour].sum()) for run in runs))
    loads = per_s * hold_s / servers
    away = float(np.mean([run.spans[_HOUR, _AWAY, n] for run in runs]))
    if (why := scenario.services[name].off_paper) is not None:
        return _not(why)
    bound = cell.stations[name].queue_bound
    is_loss = bound == 0 and not work.calls_held
    quantity = _AWAY if is_loss else _WAIT
    band = t_interval([float(run.spans[_HOUR, quantity, n]) for run in runs], _LEVEL)
    if not is_loss and not _settles_s(float(loads.max()), servers, hold_s) < _SETTLES_S:
        return _not(f"too near its capacity for minutes of their own ({loads.max():.0%})")
    if np.isnan(band.mid) or not per_s.sum():
        return _not("nobody came")
    callers = _held_callers(scenario, cell, name)
    if callers is not None and callers < _FEW * servers:
        return _not(f"at most {callers} callers at a time: no open queue")
    form, exact, answers = _paper(
        work, per_s * hold_s, servers, bound, hold_s, scenario.services[name].timeout, away
    )
    paper = float(np.average(answers, weights=per_s))
    if exact and callers is None:
        slack = 1e-6 + 0.02 * paper  # a minute's counts are given, a Poisson minute's are not
        said = "agrees" if band.low - slack <= paper <= band.high + slack else "DISAGREES"
    else:
        is_near = abs(paper - band.mid) <= _NEAR * band.mid + 1e-4
        said = "near" if is_near or band.low <= paper <= band.high else "far"
    return {
        "form": form,
        "exact": exact and callers is None,
        "paper": paper,
        "simulated": band_of(band),
        "unit": "share" if is_loss else "s",
        "said": said,
    }


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


def _paper(
    work: _Work,
    offered: Any,
    servers: int,
    bound: int,
    hold_s: float,
    timeout_s: float,
    away: float,
) -> tuple[str, bool, list[float]]:
    """Return the queue's name, whether its answer is exact, and the answer of each minute."""
    if bound == 0 and not work.calls_held:
        return "Erlang B", True, [erlang_b(float(a), servers) for a in offered]
    if work.is_exponential:
        if away > 1e-4 and timeout_s < bound / servers * hold_s:
            return (
                "M/M/c+D",
                True,
                [
                    impatient_queue(float(a), servers, hold_s, timeout_s, fixed=True)[1]
                    for a in offered
                ],
            )
        form = "Erlang C" if away == 0 else "M/M/c/K"
        return form, True, [bounded_queue(float(a), servers, bound, hold_s)[1] for a in offered]
    answers = [mean_wait_s(float(a), servers, hold_s, work.scv) for a in offered]
    if servers == 1 and not work.calls_held and away == 0:
        return "M/G/1", True, answers
    return "M/G/c, Allen and Cunneen", False, answers


def _work(scenario: Scenario, cell: Cell, name: str) -> _Work:
    """Return what a service's visits are like, all entries of the cell counted alike."""
    visits = cell.visits_to(name)
    means = [v.time.mean * v.factor for v in visits]
    seconds = [(v.time.scv + 1) * (v.time.mean * v.factor) ** 2 for v in visits]
    mean = float(np.mean(means)) if means else 0.0
    scv = float(np.mean(seconds)) / mean**2 - 1 if mean else 0.0
    held = any(v.then for v in visits) and not scenario.services[name].is_asynchronous
    alike = bool(means) and max(means) - min(means) < 1e-9
    laws = {v.time.law for v in visits}
    return _Work(mean, scv, laws == {"exponential"} and alike and not held, held)


def _not(why: str) -> dict[str, Any]:
    return {
        "form": None,
        "exact": False,
        "paper": None,
        "simulated": None,
        "unit": "s",
        "said": f"not compared: {why}",
    }
