"""Retries multiply the work of a service: of what it is asked, too much has been asked before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from gameday.findings.evidence import SATURATED_SLOTS, Evidence, binomial_band
from gameday.findings.finding import Candidate
from gameday.findings.first_attempts import first_attempts
from gameday.vocabulary import Array

__all__ = ["look_for_retry_storm"]

_REPEATED = 1 / 3
"""Of attempts: from there on retries make half as much work again. Ours."""


def look_for_retry_storm(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service whose callers, or their callers, ask again: of the busiest minutes."""
    run = evidence.measured
    if run is None or not any(
        s.retry is not None and s.retry.attempts for s in evidence.scenario.services.values()
    ):
        return
    for stack in evidence.scenario.stack_names:
        first = first_attempts(evidence.scenario, run, stack)
        for service in evidence.scenario.stack_services(stack):
            place = run.services.index(service)
            asked = run.attempts[run.stacks.index(stack), place, 0][run.judged]
            yield from _of(evidence, stack, service, asked, first[place])


def _of(
    evidence: Evidence, stack: str, service: str, asked: Array, first: Array
) -> Iterator[Candidate]:
    asked = np.nan_to_num(asked)
    width = min(SATURATED_SLOTS, len(asked))
    sums = [np.convolve(row, np.ones(width), "valid") for row in (asked, first)]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(sums[0] > 0, 1 - sums[1] / sums[0], 0.0)
    at = int(shares.argmax())
    attempts = round(float(sums[0][at]))
    repeated = max(0, round(float(sums[0][at] - sums[1][at])))
    if attempts == 0:
        return
    yield Candidate(
        rule="retry_storm", stack=stack, subject=service,
        title=f"{stack}: retry storm on {service}: it is asked {sums[0][at] / max(1.0, sums[1][at]):.1f} times as "
        "often as customers ask", unit="share", bound=_REPEATED,
        value=binomial_band(repeated, attempts), samples=attempts, basis="measured",
        p_value=min(1.0, len(shares) * float(stats.binom.sf(repeated - 1, attempts, _REPEATED))),
        tier=evidence.scenario.services[service].tier,
        first_slot=at if shares[at] > _REPEATED else None,
        suggestion=f"give the retries of {service} a budget (retry.budget) and it a queue that is served "
        "within its callers' time-out", evidence={"attempts": attempts, "first": round(float(sums[1][at]))},
    )  # fmt: skip
