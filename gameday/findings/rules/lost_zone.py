"""A zone that is lost at the peak takes an objective with it."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.experiments.failures import LossAnswer, ObjectiveTest, StackLosses
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.queueing import services_behind
from gameday.record.intervals import band_of

__all__ = ["RULE"]


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and objective that holds with nothing lost, of the model at its peak."""
    for stack, losses in evidence.n_minus_one.items():
        for loss in losses.rows:
            for test in loss.tests if loss.kind == "zone" else ():
                yield _candidate(evidence, stack, losses, loss, test)


def _candidate(
    evidence: Evidence, stack: str, losses: StackLosses, loss: LossAnswer, test: ObjectiveTest
) -> Candidate:
    criteria = {criterion.text: criterion for criterion in evidence.scenario.objectives}
    return Candidate(
        stack=stack,
        subject=test.text,
        title=f"{stack}: no headroom for a lost zone: {test.text} fails at the peak",
        value=band_of(test.value),
        bound=test.bound,
        unit=test.unit,
        p_value=test.p_value,
        samples=test.samples,
        basis="model only",
        tier=test.tier,
        first_slot=None,
        suggestion=f"size every service for the loss of {loss.what}: see the capacity requests; "
        "`gameday simulate --what-if 'SERVICE.instances = N'` says what helps",
        evidence={"lost": loss.what, "from_utc": losses.from_utc},
        services=services_behind(evidence.scenario, stack, criteria[test.text]),
    )


RULE = Rule(name="lost_zone", look=_look)
