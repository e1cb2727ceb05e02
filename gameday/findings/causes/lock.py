"""Work is done one by one, as behind a lock."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"{cause.candidate.service} works on one request at a time, as behind a lock, where "
        f"{row.declared:.0f} servers are declared"
    )


RULE = cause_rule(
    "lock",
    _words,
    remedy="find what {service} does under one lock or in one worker, and let it work on several at once",
)
