"""A cache is cold, and the service behind it cannot bear what it no longer answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Basis, Candidate
from gameday.findings.rule import Rule
from gameday.record import RunRecord
from gameday.record.intervals import binomial_band, level_interval, p_above, p_share_above
from gameday.record.measures import TURNED_AWAY, first_where, moving_mean
from gameday.vocabulary import Array, Band

__all__ = ["RULE"]

_COLD = 0.8
"""Of the cache's best three minutes' hits: below it counts as cold. Ours."""
_LOST = ("shed", "timed_out", "orphaned")


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service with a cache, of the measurement and the model at real speed."""
    cached = {name for name, s in evidence.scenario.services.items() if s.cache is not None}
    if evidence.measured is not None:
        yield from _measured(evidence, evidence.measured, cached)
    for runs in zip(*evidence.event_judged, strict=True):
        for n, service in enumerate(runs[0].services):
            seen = [_Cold.of(r.lookups[n], r.hits[n], r.arrived[n], r.lost[n]) for r in runs]
            shares = [cold.bad / cold.attempts for cold in seen if cold.attempts]
            if service in cached and len(shares) > 1:
                lost = _Lost(level_interval(shares, "share"), p_above(shares, TURNED_AWAY))
                yield _candidate(evidence, runs[0].stack, service, seen, lost, "model only")


def _measured(evidence: Evidence, run: RunRecord, cached: set[str]) -> Iterator[Candidate]:
    for stack in evidence.scenario.stack_names:
        for service in cached & set(evidence.scenario.stack_services(stack)):
            attempts = run.attempts_by_slot(stack, service)
            loads = run.loads_by_slot(stack, service)
            lost_attempts = attempts.together(*_LOST)
            cold = _Cold.of(loads["lookups"], loads["hits"], attempts["arrived"], lost_attempts)
            if cold.attempts:
                p_value = p_share_above(cold.bad, cold.attempts, TURNED_AWAY)
                lost = _Lost(binomial_band(cold.bad, cold.attempts), p_value)
                yield _candidate(evidence, stack, service, [cold], lost, "measured")


@dataclass(frozen=True, slots=True)
class _Lost:
    """Share of the attempts that were lost while the cache was cold, tested."""

    share: Band
    p_value: float


@dataclass(frozen=True, slots=True)
class _Cold:
    """What one run saw of a service while its cache was cold."""

    cold: Array
    """Whether it was, shape (slots,)."""
    share: Array
    """Share of lookups that hit, same shape."""
    attempts: int
    """While it was cold."""
    bad: int
    """Those of them that were lost."""

    @staticmethod
    def of(*rows: Array) -> _Cold:
        """Return this of lookups, hits, arrived and lost attempts, each (slots,)."""
        lookups, hits, arrived, lost = (np.nan_to_num(row) for row in rows)
        share = hits / np.maximum(lookups, 1.0)
        best = float(moving_mean(share, min(3, len(share))).max())
        cold = (share < _COLD * best) & (lookups > 0)
        attempts = round(float(arrived[cold].sum()))
        return _Cold(cold, share, attempts, min(attempts, round(float(lost[cold].sum()))))


def _candidate(
    evidence: Evidence, stack: str, service: str, runs: list[_Cold], lost: _Lost, basis: Basis
) -> Candidate:
    when_cold = [float(run.share[run.cold].mean()) for run in runs if run.cold.any()]
    return Candidate(
        stack=stack,
        subject=service,
        title=f"{stack}: with its cache cold {service} cannot bear its callers",
        unit="share",
        value=lost.share,
        bound=TURNED_AWAY,
        samples=sum(run.attempts for run in runs),
        basis=basis,
        p_value=lost.p_value,
        first_slot=first_where(np.any([run.cold for run in runs], axis=0)),
        tier=evidence.scenario.services[service].tier,
        suggestion=f"warm the cache of {service} before it takes traffic; a short queue lets it warm by itself",
        evidence={
            "hits_at_best": round(max(float(run.share.max()) for run in runs), 4),
            "hits_when_cold": round(float(np.mean(when_cold)), 4),
        },
        services=(service,) if basis == "model only" else (),
    )


RULE = Rule(name="cold_cache", look=_look)
