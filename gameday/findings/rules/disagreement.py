"""Model and measurement disagree beyond the model's own interval: do not trust the model there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence, service_number, visit_count
from gameday.findings.finding import Candidate
from gameday.run_record import STEPS, RunRecord
from gameday.vocabulary import Band

__all__ = ["look_for_disagreement"]

_TOLERANCE = {"utilisation": 0.05, "p50": 0.25, "p99": 0.35}
"""Differences that are no matter: points of utilisation, shares of a latency.

Ours: a scraped histogram's buckets are 15 % wide, and HTTP itself adds a millisecond or two.
"""

_LEAST_VISITS = 100
"""Visits below which a latency is not compared: a p99 needs so many."""
_NOISE = 0.01
"""Share of planned steps that may be lost by us before the comparison says nothing."""


def look_for_disagreement(evidence: Evidence) -> Iterator[Candidate]:
    """Yield tests of utilisation, p50 and p99 per stack and service: measured against predicted."""
    run = evidence.measured
    if run is None or len(evidence.predicted) < 2:
        return
    planned = run.step_counts[:, :, STEPS.index("planned")].sum()
    if run.step_counts[:, :, STEPS.index("lost")].sum() > _NOISE * planned:
        return  # what we lost ourselves is no news of the model
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            for metric in _TOLERANCE:
                seen = _metric(run, stack, service, metric)
                said = np.array([_metric(r, stack, service, metric) for r in evidence.predicted])
                if not np.isnan(seen) and not np.isnan(said).any():
                    yield _compare(evidence, stack, service, metric, seen, said)


def _metric(run: RunRecord, stack: str, service: str, metric: str) -> float:
    if metric != "utilisation" and visit_count(run, stack, service) < _LEAST_VISITS:
        return float("nan")
    return service_number(run, stack, service, metric)


def _compare(
    evidence: Evidence, stack: str, service: str, metric: str, seen: float, said: np.ndarray
) -> Candidate:
    n, mean = len(said), float(said.mean())
    spread = max(float(said.std(ddof=1)) * float(np.sqrt(1 + 1 / n)), 1e-6)
    away = abs(seen - mean)
    half = float(scipy.stats.t.ppf(0.975, n - 1)) * spread
    bound = _TOLERANCE[metric] * (1.0 if metric == "utilisation" else mean)
    return Candidate(
        rule="disagreement", stack=stack, subject=f"{metric} of {service}",
        title=f"{stack}: model and measurement disagree on {metric} of {service}",
        value=Band(away, away - half, away + half), bound=bound,
        unit="share" if metric == "utilisation" else "s",
        p_value=float(2 * scipy.stats.t.sf(max(0.0, away - bound) / spread, n - 1)), samples=n * 100,
        basis="measured", tier=3, first_slot=None,
        suggestion=f"measure {service} alone and mend its service time or calls in the scenario",
        evidence={"predicted": mean, "measured": seen},
    )  # fmt: skip
