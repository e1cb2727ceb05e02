"""More wait than the queue has places for."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"the queue of {cause.candidate.service} is not bounded as declared: at least {row.measured.low:.0f} "
        f"waited per server, {row.declared:g} places are declared"
    )


RULE = cause_rule(
    "unbounded_queue",
    _words,
    remedy="bound the queue of {service} to what is served within its callers' time-out",
)
