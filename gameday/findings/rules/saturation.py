"""A service has no server left: its busiest three minutes are beyond what a queue can bear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.record.measures import SATURATED, SATURATED_SLOTS, first_where, moving_mean
from gameday.vocabulary import Array, Band

__all__ = ["RULE"]

_UNCOUNTED = 30.0
"""Visits assumed where the target counts none: the fewest that may speak at all."""


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service that was observed."""
    run = evidence.measured
    if run is None:
        return
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            busy = run.utilisation(stack, service)[run.judged]
            if (~np.isnan(busy)).sum() >= SATURATED_SLOTS:
                done = run.attempts_by_slot(stack, service)["done"]
                yield _candidate(evidence, stack, service, _Busiest.of(busy, done))


@dataclass(frozen=True, slots=True)
class _Busiest:
    """The busiest minutes of a service, of those in which it was seen."""

    busy: float
    visits: float
    choices: int
    """Runs of minutes they were chosen from."""
    mean_busy: float
    """Over all minutes seen."""
    first_slot: int | None
    """First minute that is beyond the bound by itself."""

    @staticmethod
    def of(busy: Array, done: Array) -> _Busiest:
        """Return the busiest minutes of a utilisation and of visits that ended well, each (slots,)."""
        # a drowning target is the one that misses scrapes: judge what was seen
        seen = np.flatnonzero(~np.isnan(busy))
        means = moving_mean(busy[seen], SATURATED_SLOTS)
        first = int(means.argmax())
        counted = done[seen[first : first + SATURATED_SLOTS]]
        visits = _UNCOUNTED if np.isnan(counted).all() else float(np.nansum(counted))
        beyond = first_where(np.nan_to_num(busy) > SATURATED)
        return _Busiest(float(means[first]), visits, len(means), float(np.nanmean(busy)), beyond)


def _candidate(evidence: Evidence, stack: str, service: str, busiest: _Busiest) -> Candidate:
    block = evidence.scenario.services[service]
    share, p_value = _normal_test(busiest, block.time.scv)
    return Candidate(
        stack=stack,
        subject=service,
        title=f"{stack}: {service} is saturated",
        unit="share",
        bound=SATURATED,
        value=share,
        p_value=p_value,
        samples=int(busiest.visits),
        basis="measured",
        tier=block.tier,
        first_slot=busiest.first_slot,
        suggestion=f"more servers for {service}; see its capacity request",
        evidence={
            "slots": SATURATED_SLOTS,
            "mean_utilisation": round(busiest.mean_busy, 4),
        },
    )


def _normal_test(busiest: _Busiest, scv: float) -> tuple[Band, float]:
    """Return the busy share with its 95 % interval, and the p-value that it is above SATURATED.

    By the normal approximation; of the minutes chosen from, those that do not overlap count (Bonferroni).
    """
    busy, deviation = busiest.busy, _deviation(busiest, scv)
    above = float(scipy.stats.norm.sf((busy - SATURATED) / deviation))
    interval = Band(busy, busy - 1.96 * deviation, min(1.0, busy + 1.96 * deviation))
    return interval, min(1.0, busiest.choices / SATURATED_SLOTS * above)


def _deviation(busiest: _Busiest, scv: float) -> float:
    """Return the standard deviation of the busy share: a sum of so many service times, and none when full.

    Servers that are all busy all the time have no spread: the share is then what it is. `scv`: the squared
    coefficient of variation of a service time.
    """
    idle = max(0.0, 1.0 - busiest.busy)
    of_sum = np.sqrt((1 + scv) / max(busiest.visits, 1.0))
    return max(1e-4, float(busiest.busy * of_sum * min(1.0, 10 * idle)))


RULE = Rule(name="saturation", look=_look)
