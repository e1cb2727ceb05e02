"""Retries multiply the work of a service: of what it is asked, too much has been asked before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.record import LOADS
from gameday.record.intervals import binomial_band
from gameday.record.measures import SATURATED_SLOTS
from gameday.vocabulary import Array

__all__ = ["look_for_retry_storm"]

_REPEATED = 1 / 3
"""Of attempts: from there on retries make half as much work again. Ours."""


def look_for_retry_storm(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service whose repeated attempts are counted: of the worst three minutes."""
    run, rules = evidence.measured, evidence.scenario.services.values()
    if run is None or not any((r.retry and r.retry.attempts) or r.hedge for r in rules):
        return
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            at = run.stacks.index(stack), run.services.index(service)
            asked = run.attempts[*at, 0, run.judged]
            again = run.loads[*at, LOADS.index("repeats"), run.judged]
            if not (np.isnan(asked) | np.isnan(again)).all():
                yield from _of(evidence, stack, service, np.nan_to_num(asked), np.nan_to_num(again))


def _of(
    evidence: Evidence, stack: str, service: str, asked: Array, again: Array
) -> Iterator[Candidate]:
    width = min(SATURATED_SLOTS, len(asked))
    sums = [np.convolve(row, np.ones(width), "valid") for row in (asked, again)]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(sums[0] > 0, sums[1] / sums[0], 0.0)
    at = int(shares.argmax())
    attempts, repeated = (round(float(row[at])) for row in sums)
    if attempts == 0:
        return
    yield Candidate(
        rule="retry_storm",
        stack=stack,
        subject=service,
        title=f"{stack}: retry storm on {service}: {attempts / max(1, attempts - repeated):.1f} attempts for each "
        "first one",
        unit="share",
        bound=_REPEATED,
        value=binomial_band(repeated, attempts),
        samples=attempts,
        basis="measured",
        p_value=min(
            1.0, len(shares) * float(scipy.stats.binom.sf(repeated - 1, attempts, _REPEATED))
        ),
        tier=evidence.scenario.services[service].tier,
        first_slot=at if shares[at] > _REPEATED else None,
        suggestion=f"give those who ask {service}, and its own retries, a budget (retry.budget) and it a "
        "queue that is served within its callers' time-out",
        evidence={"attempts": attempts, "repeated": repeated},
    )
