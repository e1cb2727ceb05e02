"""Requests at once stand in each other's way: they share a core, a lock, a connection."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"{cause.candidate.service} takes longer, the more it works on at once: each further request adds "
        f"{row.measured.mid:.0%} of a request's time ({row.declared:.0%} declared)"
    )


RULE = cause_rule(
    "contention",
    _words,
    remedy="find what requests of {service} share (cores, a lock, a connection), or declare it as `load`",
)
