"""A service has no server left: its busiest three minutes are beyond what a queue can bear."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.record.measures import SATURATED, SATURATED_SLOTS, first_where
from gameday.vocabulary import Band

__all__ = ["look_for_saturation"]

_UNCOUNTED = 30.0
"""Visits assumed where the target counts none: the fewest that may speak at all."""


def look_for_saturation(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service that was observed."""
    run = evidence.measured
    if run is None:
        return
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            busy = run.utilisation(stack, service)[run.judged]
            if (~np.isnan(busy)).sum() < SATURATED_SLOTS:
                continue
            # a drowning target is the one that misses scrapes: judge what was seen
            seen = np.flatnonzero(~np.isnan(busy))
            runs = np.convolve(busy[seen], np.ones(SATURATED_SLOTS) / SATURATED_SLOTS, mode="valid")
            at = int(runs.argmax())
            done = run.attempts[run.stacks.index(stack), run.services.index(service), 1, run.judged]
            counted = done[seen[at : at + SATURATED_SLOTS]]
            visits = float(np.nansum(counted)) if not np.isnan(counted).all() else _UNCOUNTED
            half = _spread(evidence, stack, service, visits, float(runs[at]))
            above = float(scipy.stats.norm.sf((float(runs[at]) - SATURATED) / half))
            yield Candidate(
                rule="saturation",
                stack=stack,
                subject=service,
                title=f"{stack}: {service} is saturated",
                unit="share",
                bound=SATURATED,
                value=Band(
                    float(runs[at]),
                    float(runs[at]) - 1.96 * half,
                    min(1.0, float(runs[at]) + 1.96 * half),
                ),
                p_value=min(1.0, len(runs) / SATURATED_SLOTS * above),
                samples=int(visits),
                basis="measured",
                tier=evidence.scenario.services[service].tier,
                first_slot=first_where(np.nan_to_num(busy) > SATURATED),
                suggestion=f"more servers for {service}; see its capacity request",
                evidence={
                    "slots": SATURATED_SLOTS,
                    "mean_utilisation": round(float(np.nanmean(busy)), 4),
                },
            )


def _spread(evidence: Evidence, stack: str, service: str, visits: float, busy: float) -> float:
    """Return the deviation of the busy share: a sum of `visits` service times, and none when full.

    Servers that are all busy all the time have no spread: the share is then what it is.
    """
    scv = evidence.scenario.services[service].time.scv
    idle = max(0.0, 1.0 - busy)
    return max(1e-4, float(busy * np.sqrt((1 + scv) / max(visits, 1.0)) * min(1.0, 10 * idle)))
