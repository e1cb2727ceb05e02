"""A connection pool is smaller than its concurrency: requests wait while servers are free."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from gameday.findings.evidence import SATURATED, SATURATED_SLOTS, Evidence, first_where
from gameday.findings.finding import Candidate
from gameday.findings.replication import QUANTITIES
from gameday.simulate import t_interval

__all__ = ["look_for_small_pool"]

_WAITING = 1.0
"""Mean number that waits though servers are free. Ours: where servers are free none should."""


def look_for_small_pool(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service with a pool, of the model at real speed."""
    queue, busy = QUANTITIES.index("queue"), QUANTITIES.index("utilisation")
    for runs in zip(*evidence.event, strict=True):
        for n, service in enumerate(runs[0].services):
            pool = evidence.scenario.services[service].pool
            if pool is None or len(runs) < 2:
                continue
            idle = [np.where(r.series[busy, n] < SATURATED, r.series[queue, n], 0.0) for r in runs]
            width = min(SATURATED_SLOTS, len(idle[0]))
            waits = [
                np.convolve(np.nan_to_num(row), np.ones(width) / width, "valid") for row in idle
            ]
            at = int(np.mean(waits, axis=0).argmax())
            values = [float(row[at]) for row in waits]
            band, spread = t_interval(values), float(np.std(values, ddof=1))
            far = (band.mid - _WAITING) / max(1e-9, spread / math.sqrt(len(values)))
            yield Candidate(
                rule="small_pool", stack=runs[0].stack, subject=service,
                title=f"{runs[0].stack}: the connection pool of {service} is smaller than its concurrency",
                value=band, bound=_WAITING, unit="count",
                p_value=min(1.0, len(waits[0]) / width * float(stats.t.sf(far, len(values) - 1))),
                samples=round(float(sum(r.arrived[n].sum() for r in runs))), basis="model only",
                tier=evidence.scenario.services[service].tier,
                first_slot=first_where(np.mean(waits, axis=0) > _WAITING),
                suggestion=f"more connections to {service} than its {pool.connections}, or fewer servers",
                evidence={"connections": pool.connections},
            )  # fmt: skip
