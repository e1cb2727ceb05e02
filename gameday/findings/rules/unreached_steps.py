"""Customers did not get as far as they would have: the target, not the generator, displaced them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.queueing import step_tier
from gameday.record import BySlot
from gameday.record.intervals import binomial_band, p_share_above
from gameday.record.measures import first_where

__all__ = ["RULE"]

_BOUND = 0.01
"""Share of planned steps. Ours: the usual 1 % error objective."""
_BY_TARGET = ("after_failed", "after_check", "after_abandoned", "delayed")


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and step. What we lost ourselves is never counted here."""
    run = evidence.measured
    if run is None:
        return
    for stack in evidence.scenario.stack_names:
        for step in evidence.scenario.step_names:
            counts = run.steps_by_slot(stack, [step])
            if counts.count("planned"):
                yield _candidate(evidence, stack, step, counts)


def _candidate(evidence: Evidence, stack: str, step: str, counts: BySlot) -> Candidate:
    unreached, planned = counts.count(*_BY_TARGET), counts.count("planned")
    is_bad = counts.together(*_BY_TARGET) > _BOUND * np.maximum(counts["planned"], 1)
    return Candidate(
        stack=stack,
        subject=step,
        title=f"{stack}: customers did not reach {step}",
        value=binomial_band(unreached, planned),
        bound=_BOUND,
        unit="share",
        p_value=p_share_above(unreached, planned, _BOUND),
        samples=planned,
        basis="measured",
        tier=step_tier(evidence.scenario, step),
        first_slot=first_where(is_bad),
        suggestion="they left after an earlier step failed or took too long: see there",
        evidence={name: counts.total(name) for name in _BY_TARGET},
    )


RULE = Rule(name="displaced", look=_look, hurts_customers=True)
