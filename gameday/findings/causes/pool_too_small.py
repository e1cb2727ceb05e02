"""The connection pool lets fewer through than declared."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"the connection pool of {cause.candidate.service} lets {row.measured.mid:.0f} through at once, "
        f"where {row.declared:.0f} connections are declared"
    )


RULE = cause_rule(
    "pool_too_small",
    _words,
    remedy="give callers of {service} the connections that are declared",
)
