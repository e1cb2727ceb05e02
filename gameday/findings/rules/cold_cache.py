"""A cache is cold, and the service behind it cannot bear what it no longer answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from gameday.findings.evidence import TURNED_AWAY, Evidence, binomial_band, first_where
from gameday.findings.finding import Basis, Candidate
from gameday.run_record import ATTEMPTS, LOADS
from gameday.vocabulary import Array

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
            lost = rows[_LOST].sum(axis=0)
            yield from _of(evidence, stack, service, [(lookups, hits, rows[0], lost)], "measured")
    for runs in zip(*evidence.event, strict=True):
        for n, service in enumerate(runs[0].services):
            if service in cached:
                rows4 = [(r.lookups[n], r.hits[n], r.arrived[n], r.lost[n]) for r in runs]
                yield from _of(evidence, runs[0].stack, service, rows4, "model only")


def _of(
    evidence: Evidence, stack: str, service: str, runs: list[tuple[Array, Array, Array, Array]],
    basis: Basis,
) -> Iterator[Candidate]:  # fmt: skip
    lookups, hits, arrived, lost = (np.nan_to_num(sum(rows)) for rows in zip(*runs, strict=True))
    if not lookups.sum():
        return
    share = hits / np.maximum(lookups, 1.0)
    width = min(3, len(share))
    best = float(np.convolve(share, np.ones(width) / width, "valid").max())
    cold = (share < _COLD * best) & (lookups > 0)
    bad, all_ = round(float(lost[cold].sum())), round(float(arrived[cold].sum()))
    if not all_:
        return
    yield Candidate(
        rule="cold_cache", stack=stack, subject=service,
        title=f"{stack}: with its cache cold {service} cannot bear its callers", unit="share",
        value=binomial_band(min(bad, all_), all_), bound=TURNED_AWAY, samples=all_, basis=basis,
        p_value=float(stats.binom.sf(bad - 1, all_, TURNED_AWAY)), first_slot=first_where(cold),
        tier=evidence.scenario.services[service].tier,
        suggestion=f"warm the cache of {service} before it takes traffic; a short queue lets it warm by itself",
        evidence={"hits_at_best": round(best, 4), "hits_when_cold": round(float(share[cold].mean()), 4)},
    )  # fmt: skip
