"""Callers ask again more often than declared: a retry storm."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"callers of {cause.candidate.service} ask again about {row.measured.mid:.0f} times where "
        f"{row.declared:.0f} is declared: a retry storm"
    )


RULE = cause_rule(
    "more_retries",
    _words,
    remedy="give callers of {service} a retry budget (retry.budget) and longer back-off",
)
