"""Servers come later than autoscaling is declared to bring them."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule, seconds_words
from gameday.scenario import Scenario

__all__ = ["RULE"]


_NEVER = 100.0
"""Times the declared delay from which on nothing came: longer than any run."""


def _words(scenario: Scenario, cause: Cause) -> str:
    row = cause.candidate.parameter
    if row.measured.mid >= _NEVER * row.declared:
        return (
            f"autoscaling of {cause.candidate.service} brought no server within this run, declared after "
            f"{seconds_words(row.declared)}"
        )
    return (
        f"autoscaling of {cause.candidate.service} brings servers after {seconds_words(row.measured.mid)}, "
        f"declared {seconds_words(row.declared)}"
    )


RULE = cause_rule(
    "autoscaling_late",
    _words,
    remedy="scale {service} on a schedule ahead of the event; its autoscaling comes too late",
)
