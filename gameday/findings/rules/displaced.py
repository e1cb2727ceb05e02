"""Customers did not get as far as they would have: the target, not the generator, displaced them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.queueing import step_tier
from gameday.record import STEPS
from gameday.record.intervals import binomial_band
from gameday.record.measures import first_where

__all__ = ["look_for_displaced"]

_BOUND = 0.01
"""Share of planned steps. Ours: the usual 1 % error objective."""
_BY_TARGET = ("after_failed", "after_check", "after_abandoned", "delayed")


def look_for_displaced(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and step. What we lost ourselves is never counted here."""
    run = evidence.measured
    if run is None:
        return
    rows = [STEPS.index(name) for name in _BY_TARGET]
    for stack in evidence.scenario.stack_names:
        for step in evidence.scenario.step_names:
            s, v = run.stacks.index(stack), run.steps.index(step)
            counts = run.step_counts[s, v][:, run.judged]
            gone, planned = int(counts[rows].sum()), int(counts[0].sum())
            if planned == 0:
                continue
            slots = counts[rows].sum(axis=0) > _BOUND * np.maximum(counts[0], 1)
            yield Candidate(
                rule="displaced",
                stack=stack,
                subject=step,
                title=f"{stack}: customers did not reach {step}",
                value=binomial_band(gone, planned),
                bound=_BOUND,
                unit="share",
                p_value=float(scipy.stats.binom.sf(gone - 1, planned, _BOUND)),
                samples=planned,
                basis="measured",
                tier=step_tier(evidence.scenario, step),
                first_slot=first_where(slots),
                suggestion="they left after an earlier step failed or took too long: see there",
                evidence={name: float(counts[STEPS.index(name)].sum()) for name in _BY_TARGET},
            )
