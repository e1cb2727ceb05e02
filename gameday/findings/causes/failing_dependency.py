"""A share of the visits fails whatever the load."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return f"{cause.candidate.service} fails {100 * row.measured.mid:.1f} % of its visits while servers are free"


RULE = cause_rule(
    "failing_dependency",
    _words,
    remedy="read the errors of {service}; its callers need an answer without it",
)
