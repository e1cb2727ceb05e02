"""A service is asked more often than its callers are declared to ask: a query for each item, a redirect."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    return (
        f"{cause.candidate.service} is asked {row.measured.mid / row.declared:.2g} times as often "
        "as its callers are declared to ask"
    )


RULE = cause_rule(
    "more_visits",
    _words,
    remedy="look in a trace for calls to {service} that one request repeats (a query for each item of a list, a "
    "redirect, a cache that is left out), and ask once; or declare them in `calls`",
)
