"""Retries multiply the work of a service: of what it is asked, too much has been asked before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.record.intervals import binomial_band, p_share_above
from gameday.record.measures import SATURATED_SLOTS
from gameday.vocabulary import Array

__all__ = ["RULE"]

_REPEATED = 1 / 3
"""Of attempts: from there on retries make half as much work again. Ours."""


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service whose repeated attempts are counted: of the worst three minutes."""
    run, services = evidence.measured, evidence.scenario.services.values()
    if run is None or not any(service.may_repeat_attempts for service in services):
        return
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            attempts = run.attempts_by_slot(stack, service)["arrived"]
            repeats = run.loads_by_slot(stack, service)["repeats"]
            if not (np.isnan(attempts) | np.isnan(repeats)).all():
                worst = _Worst.of(np.nan_to_num(attempts), np.nan_to_num(repeats))
                if worst.attempts:
                    yield _candidate(evidence, stack, service, worst)


@dataclass(frozen=True, slots=True)
class _Worst:
    """The minutes in which a large share of attempts is repeated, beyond what chance explains."""

    first_slot: int
    share: float
    attempts: int
    repeated: int
    choices: int
    """Runs of minutes they were chosen from."""

    @staticmethod
    def of(attempts: Array, repeats: Array) -> _Worst:
        """Return the worst minutes of attempts and repeated attempts, each (slots,): those least due to chance."""
        width = min(SATURATED_SLOTS, len(attempts))
        sums = [np.convolve(row, np.ones(width), "valid") for row in (attempts, repeats)]
        counts = [
            (round(float(n)), round(min(float(n), float(k)))) for n, k in zip(*sums, strict=True)
        ]
        chances = [p_share_above(k, n, _REPEATED) if n else 1.0 for n, k in counts]
        shares = [k / n if n else 0.0 for n, k in counts]
        slot = min(range(len(counts)), key=lambda slot: (chances[slot], -shares[slot]))
        return _Worst(slot, shares[slot], *counts[slot], len(shares))


def _candidate(evidence: Evidence, stack: str, service: str, worst: _Worst) -> Candidate:
    attempts, repeated = worst.attempts, worst.repeated
    each = attempts / max(1, attempts - repeated)
    return Candidate(
        stack=stack,
        subject=service,
        title=f"{stack}: retry storm on {service}: {each:.1f} attempts for each first one",
        unit="share",
        bound=_REPEATED,
        value=binomial_band(repeated, attempts),
        samples=attempts,
        basis="measured",
        p_value=min(1.0, worst.choices * p_share_above(repeated, attempts, _REPEATED)),
        tier=evidence.scenario.services[service].tier,
        first_slot=worst.first_slot if worst.share > _REPEATED else None,
        suggestion=f"give those who ask {service}, and its own retries, a budget (retry.budget) and it a "
        "queue that is served within its callers' time-out",
        evidence={"attempts": attempts, "repeated": repeated},
    )


RULE = Rule(name="retry_storm", look=_look)
