"""Fewer servers are there than declared."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    word = "has" if row.by == "capacity" else "uses"
    return (
        f"{cause.candidate.service} {word} {row.measured.mid:.0f} servers where "
        f"{row.declared:.0f} are declared"
    )


RULE = cause_rule(
    "fewer_servers",
    _words,
    remedy="start what is missing of {service}, or declare the fleet it has",
)
