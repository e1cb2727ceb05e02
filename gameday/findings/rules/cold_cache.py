"""A cache is cold, and the service behind it cannot bear what it no longer answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Basis, Candidate
from gameday.record import ATTEMPTS, LOADS
from gameday.record.intervals import binomial_band, level_interval, p_above
from gameday.record.measures import TURNED_AWAY, first_where
from gameday.vocabulary import Array, Band

__all__ = ["look_for_cold_cache"]

_COLD = 0.8
"""Of the cache's best three minutes' hits: below it counts as cold. Ours."""
_LOST = [ATTEMPTS.index(name) for name in ("shed", "timed_out", "orphaned")]


def look_for_cold_cache(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service with a cache, of the measurement and the model at real speed."""
    run = evidence.measured
    cached = [name for name, s in evidence.scenario.services.items() if s.cache is not None]
    for stack in evidence.scenario.stack_names:
        for service in set(cached) & set(evidence.scenario.stack_services(stack)):
            if run is None:
                continue
            at = run.stacks.index(stack), run.services.index(service)
            rows, loads = run.attempts[at][:, run.judged], run.loads[at][:, run.judged]
            lookups, hits = (loads[LOADS.index(name)] for name in ("lookups", "hits"))
            seen = _Cold.of(lookups, hits, rows[0], rows[_LOST].sum(axis=0))
            if seen.all_:
                p_value = float(scipy.stats.binom.sf(seen.bad - 1, seen.all_, TURNED_AWAY))
                value = binomial_band(seen.bad, seen.all_)
                yield _candidate(evidence, stack, service, [seen], value, p_value, "measured")
    for runs in zip(*evidence.event_judged, strict=True):
        for n, service in enumerate(runs[0].services):
            each = [_Cold.of(r.lookups[n], r.hits[n], r.arrived[n], r.lost[n]) for r in runs]
            shares = [one.bad / one.all_ for one in each if one.all_]
            if service in cached and len(shares) > 1:
                value, p_value = level_interval(shares, "share"), p_above(shares, TURNED_AWAY)
                yield _candidate(
                    evidence, runs[0].stack, service, each, value, p_value, "model only"
                )


@dataclass(frozen=True, slots=True)
class _Cold:
    """What one run saw of a service while its cache was cold."""

    cold: Array
    """Whether it was, shape (slots,)."""
    share: Array
    """Share of lookups that hit, same shape."""
    all_: int
    """Attempts while it was cold."""
    bad: int
    """Those of them that were lost."""

    @staticmethod
    def of(*rows: Array) -> _Cold:
        lookups, hits, arrived, lost = (np.nan_to_num(row) for row in rows)
        share = hits / np.maximum(lookups, 1.0)
        width = min(3, len(share))
        best = float(np.convolve(share, np.ones(width) / width, "valid").max())
        cold = (share < _COLD * best) & (lookups > 0)
        all_ = round(float(arrived[cold].sum()))
        return _Cold(cold, share, all_, min(all_, round(float(lost[cold].sum()))))


def _candidate(
    evidence: Evidence,
    stack: str,
    service: str,
    runs: list[_Cold],
    value: Band,
    p_value: float,
    basis: Basis,
) -> Candidate:
    when_cold = [float(run.share[run.cold].mean()) for run in runs if run.cold.any()]
    return Candidate(
        rule="cold_cache",
        stack=stack,
        subject=service,
        title=f"{stack}: with its cache cold {service} cannot bear its callers",
        unit="share",
        value=value,
        bound=TURNED_AWAY,
        samples=sum(run.all_ for run in runs),
        basis=basis,
        p_value=p_value,
        first_slot=first_where(np.any([run.cold for run in runs], axis=0)),
        tier=evidence.scenario.services[service].tier,
        suggestion=f"warm the cache of {service} before it takes traffic; a short queue lets it warm by itself",
        evidence={
            "hits_at_best": round(max(float(run.share.max()) for run in runs), 4),
            "hits_when_cold": round(float(np.mean(when_cold)), 4),
        },
        services=(service,) if basis == "model only" else (),
    )
