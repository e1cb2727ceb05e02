"""Some of the instances, a zone's for instance, are slow."""

from __future__ import annotations

from gameday.experiments.diagnosis import Cause
from gameday.findings.cause_rule import cause_rule
from gameday.scenario import Scenario

__all__ = ["RULE"]


def _words(scenario: Scenario, cause: Cause) -> str:
    found = cause.candidate
    degraded = found.block.degraded
    if degraded is None:
        return f"some instances of {found.service} are slow"
    place = found.parameter.name.partition(" at ")[2]
    if place:
        return f"{found.service} works {degraded.slowed:.2g} times as long at {place} as elsewhere"
    return (
        f"{100 * degraded.share:.0f} % of the instances of {found.service} work "
        f"{degraded.slowed:.2g} times as long as the others: a slow zone, or slow instances"
    )


RULE = cause_rule(
    "slow_instances",
    _words,
    remedy="compare the instances of {service} by zone and host, and replace those that are slow",
)
