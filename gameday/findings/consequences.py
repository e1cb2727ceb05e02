"""One cause, one finding: what follows from a cause stands under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gameday.findings.cause_rule import EXPLAINS
from gameday.findings.finding import Finding
from gameday.findings.rules import RULES
from gameday.queueing import build_cell, visited_services
from gameday.scenario import Scenario

__all__ = ["follow_causes"]


def follow_causes(scenario: Scenario, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, each that speaks of what a cause reaches with the id of that cause.

    A cause reaches its service, those that call it, and the steps that visit it. Of several that reach what a
    finding speaks of, it is the one that explains most. A finding of steps follows where one of them is reached,
    whatever services it names; one of all steps, where every step is or, of those that were played, any.
    """
    causes = [f for f in findings if RULES[f.rule].is_cause and f.severity != "S4"]
    causes.sort(key=lambda cause: -float(cause.evidence.get(EXPLAINS, 0.0)))
    if not causes:
        return list(findings)
    steps = frozenset(scenario.steps)
    reach = {cause.id: _reach(scenario, cause) for cause in causes}
    return [_with_cause(finding, causes, reach, steps) for finding in findings]


def _with_cause(
    finding: Finding,
    causes: list[Finding],
    reach: dict[str, frozenset[str]],
    steps: frozenset[str],
) -> Finding:
    if RULES[finding.rule].is_cause:
        return finding
    for cause in causes:
        if cause.stack == finding.stack and _is_reached(finding, reach[cause.id], steps):
            return replace(finding, cause=cause.id)
    return finding


def _is_reached(finding: Finding, reach: frozenset[str], steps: frozenset[str]) -> bool:
    """Return whether a finding speaks of what a cause may reach."""
    words = frozenset(finding.subject.replace("<", " ").split())
    if named := words & steps:
        return bool(named & reach)
    if "all" in words and finding.basis == "model only":
        return steps <= reach
    return "all" in words or bool((words | frozenset(finding.services)) & reach)


def _reach(scenario: Scenario, cause: Finding) -> frozenset[str]:
    """Return the services and steps that a cause may reach: its service's callers and steps."""
    reached = {cause.subject}
    for visit in build_cell(scenario, cause.stack, scale=1.0).walk():
        if any(below.service == cause.subject for below in visit.walk()):
            reached.add(visit.service)
    visited = visited_services(scenario, cause.stack)
    reached |= {step for step, services in visited.items() if cause.subject in services}
    return frozenset(reached)
