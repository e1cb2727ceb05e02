"""The cache was cold from the start, or keeps less than declared."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    if row.name == "cache.begins":
        return f"the cache before {cause.candidate.service} was cold from the start"
    return (
        f"the cache before {cause.candidate.service} hits as if it kept {row.measured.mid:.0f} answers, "
        f"{row.declared:.0f} are declared"
    )


RULE = cause_rule(
    "cache_cold",
    _words,
    remedy="warm the cache before {service} before it takes traffic, or give it the size declared",
)
