"""Visits differ more from one another than declared."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"visits to {cause.candidate.service} differ more than declared, a heavier tail: coefficient of "
        f"variation {row.measured.mid:.2g}, declared {row.declared:.2g}"
    )


RULE = cause_rule(
    "heavier_tail",
    _words,
    remedy="look for what a few visits to {service} wait for: locks, pauses, cold data",
)
