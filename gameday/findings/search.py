"""The room's verb: every rule looks, chance is judged over all of them, what is left is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gameday.findings.cause_rule import EXPLAINS
from gameday.findings.consequences import follow_causes
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate, Finding
from gameday.findings.rule import Rule
from gameday.findings.rules import RULES
from gameday.findings.standing import Standing, standing_of
from gameday.record.measures import LEAST_SAMPLES

__all__ = ["Tests", "find", "finding_id", "holm", "run_rules"]

Tests = Mapping[str, tuple[Candidate, ...]]
"""Rule -> every test it made."""

_CHANCE = 0.05
"""Of one false finding in a healthy run, over all rules and services together (Holm, 1979)."""


def run_rules(evidence: Evidence) -> Tests:
    """Return every test that every rule makes."""
    return {name: tuple(rule.look(evidence)) for name, rule in RULES.items()}


def find(evidence: Evidence, tests: Tests | None = None) -> tuple[Finding, ...]:
    """Return the findings, worst first. A healthy run has none but with a chance of 5 %.

    `tests` are those of `run_rules`, where they were made already.
    """
    tests = run_rules(evidence) if tests is None else tests
    pairs = [(RULES[name], candidate) for name, made in tests.items() for candidate in made]
    p_values = holm([candidate.p_value for _, candidate in pairs])
    found: dict[str, Finding] = {}
    for (rule, candidate), p_value in zip(pairs, p_values, strict=True):
        if p_value < _CHANCE and _speaks(candidate):
            finding = _finding(evidence, rule, candidate, p_value)
            found.setdefault(finding.id, finding)  # the measurement comes before the model
    standing = standing_of(found.values(), tests)
    findings = [_held_against(finding, standing) for finding in found.values()]
    return tuple(sorted(follow_causes(evidence.scenario, findings), key=_worst_first))


def _worst_first(finding: Finding) -> tuple[object, ...]:
    """Return what findings are sorted by: severity, causes before what follows, those that explain most first."""
    explains = float(finding.evidence.get(EXPLAINS, 0.0))
    return finding.severity, bool(finding.cause), -explains, finding.rule, finding.id


def _speaks(candidate: Candidate) -> bool:
    enough = candidate.is_exact or candidate.samples >= LEAST_SAMPLES
    return candidate.is_wholly_bad and enough


def _held_against(finding: Finding, standing: Standing) -> Finding:
    """Return a finding of the model with what the run says of that model; a refuted one hurts nobody surely."""
    if finding.basis != "model only":
        return finding
    model = standing.of(finding.stack, finding.services)
    if model != "refuted":
        return replace(finding, model=model)
    lines = standing.against(finding.stack, finding.services)
    return replace(finding, model=model, severity="S4", refuted_by=lines)


def holm(p_values: list[float]) -> list[float]:
    """Return p-values corrected for how many were looked at (step-down, Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    corrected, largest, n = [1.0] * len(p_values), 0.0, len(p_values)
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (n - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _finding(evidence: Evidence, rule: Rule, candidate: Candidate, p_value: float) -> Finding:
    plan, first = evidence.plan, candidate.first_slot
    load = plan.forecast.sum(axis=(0, 1))[plan.lead_in :]
    played = plan.quantile if candidate.quantile is None else candidate.quantile
    return Finding(
        id=finding_id(rule.name, candidate),
        rule=rule.name,
        severity=rule.severity(candidate.tier, played),
        title=candidate.title,
        stack=candidate.stack,
        subject=candidate.subject,
        value=candidate.value,
        bound=candidate.bound,
        unit=candidate.unit,
        basis=candidate.basis,
        p_value=p_value,
        samples=candidate.samples,
        first_breach=None if first is None else plan.window.instant(first),
        load_share=None if first is None else float(load[first] / load.max()),
        suggestion=candidate.suggestion,
        evidence=candidate.evidence | {"played_quantile": plan.quantile},
        services=candidate.services,
        extrapolated=_extrapolated(evidence, candidate),
    )


def finding_id(rule: str, candidate: Candidate) -> str:
    """Return the id that a test's finding has: the same in every run."""
    parts = (rule, candidate.stack, candidate.subject, candidate.step)
    return "-".join(filter(None, parts)).replace(" ", "-")


def _extrapolated(evidence: Evidence, candidate: Candidate) -> str:
    """Return that the model is judged far above what was measured; empty: it is not, or nobody measured."""
    if candidate.basis == "measured" or evidence.measured is None:
        return ""
    return candidate.extrapolated or evidence.far_words
