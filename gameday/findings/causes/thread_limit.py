"""Some servers are never used while others wait: a limit of threads."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"{cause.candidate.service} never works on more than {row.measured.mid:.0f} requests at once "
        f"while others wait, where {row.declared:.0f} servers are declared: a limit of threads or connections"
    )


RULE = cause_rule(
    "thread_limit",
    _words,
    remedy="raise the limit of threads, workers or connections of {service}",
)
