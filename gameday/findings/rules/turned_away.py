"""A service refused or timed out more of its work than noise explains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.record import ATTEMPTS
from gameday.record.intervals import binomial_band
from gameday.record.measures import TURNED_AWAY, first_where

__all__ = ["look_for_turned_away"]


def look_for_turned_away(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service that was observed."""
    run = evidence.measured
    if run is None:
        return
    lost = [ATTEMPTS.index(name) for name in ("shed", "timed_out", "orphaned")]
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            rows = run.attempts[run.stacks.index(stack), run.services.index(service)][:, run.judged]
            rows = np.where(np.isnan(rows).all(axis=1, keepdims=True), np.nan, np.nan_to_num(rows))
            if np.isnan(rows[[0, *lost]]).any():
                continue
            bad, all_ = int(rows[lost].sum()), int(rows[0].sum())
            if all_ == 0:
                continue
            parts: dict[str, float | str] = {ATTEMPTS[i]: float(rows[i].sum()) for i in lost}
            worst = max(parts, key=lambda name: float(parts[name]))
            yield Candidate(
                rule="turned_away",
                stack=stack,
                subject=service,
                title=f"{stack}: {service} turned work away ({worst.replace('_', ' ')})",
                value=binomial_band(min(bad, all_), all_),
                bound=TURNED_AWAY,
                unit="share",
                p_value=float(scipy.stats.binom.sf(bad - 1, all_, TURNED_AWAY)),
                samples=all_,
                basis="measured",
                tier=evidence.scenario.services[service].tier,
                first_slot=first_where(
                    rows[lost].sum(axis=0) > TURNED_AWAY * np.maximum(rows[0], 1)
                ),
                suggestion=f"more servers for {service}, or a longer queue if its peak is short",
                evidence=parts,
            )
