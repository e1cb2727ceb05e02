"""The room's verb: every rule looks, chance is judged over all of them, what is left is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate, Finding, Severity
from gameday.findings.rules import RULES
from gameday.findings.standing import Standing, standing_of
from gameday.record.measures import LEAST_SAMPLES

__all__ = ["find", "holm"]

_HURTS = ("missed_objective", "displaced", "lost_orders", "metastable", "peak_not_borne")
"""Rules whose findings customers feel."""
_CHANCE = 0.05
"""Of one false finding in a healthy run, over all rules and services together (Holm, 1979)."""


def find(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the findings, worst first. A healthy run has none but with a chance of 5 %."""
    candidates = [candidate for rule in RULES for candidate in rule(evidence)]
    corrected = holm([candidate.p_value for candidate in candidates])
    found: dict[str, Finding] = {}
    for candidate, p_value in zip(candidates, corrected, strict=True):
        enough = candidate.is_exact or candidate.samples >= LEAST_SAMPLES
        if p_value < _CHANCE and candidate.is_wholly_bad and enough:
            finding = _finding(evidence, candidate, p_value)
            found.setdefault(finding.id, finding)  # the measurement comes before the model
    compared = [candidate for candidate in candidates if candidate.rule == "disagreement"]
    standing = standing_of(evidence, found.values(), compared)
    findings = [_held_against(finding, standing) for finding in found.values()]
    return tuple(sorted(findings, key=lambda f: (f.severity, f.rule, f.id)))


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
    out, largest, n = [1.0] * len(p_values), 0.0, len(p_values)
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (n - rank) * p_values[index]))
        out[index] = largest
    return out


def _finding(evidence: Evidence, candidate: Candidate, p_value: float) -> Finding:
    window = evidence.plan.window
    load = evidence.plan.forecast.sum(axis=(0, 1))[evidence.plan.lead_in :]
    first = candidate.first_slot
    slug = f"{candidate.rule}-{candidate.stack}-{candidate.subject}".replace(" ", "-")
    return Finding(
        id=slug,
        rule=candidate.rule,
        severity=_severity(evidence, candidate),
        title=candidate.title,
        stack=candidate.stack,
        subject=candidate.subject,
        value=candidate.value,
        bound=candidate.bound,
        unit=candidate.unit,
        basis=candidate.basis,
        p_value=p_value,
        samples=candidate.samples,
        first_breach=window.instant(first) if first is not None else None,
        load_share=float(load[first] / load.max()) if first is not None else None,
        suggestion=candidate.suggestion,
        evidence=candidate.evidence | {"played_quantile": evidence.plan.quantile},
        services=candidate.services,
    )


def _severity(evidence: Evidence, candidate: Candidate) -> Severity:
    """Return the severity at the forecast load that was played (anchors/practice.md §1.4).

    S1: orders are lost at or below the median forecast. S2: customers are hurt at or below p90.
    S3: the same beyond p90, or a service in trouble that customers do not feel yet. S4: the rest.
    """
    if candidate.rule == "disagreement":
        return "S4"
    hurts = candidate.rule in _HURTS
    played = evidence.plan.quantile if candidate.quantile is None else candidate.quantile
    if hurts and candidate.tier == 0 and played <= 0.5:
        return "S1"
    if played <= 0.9 and (hurts or candidate.tier == 0):
        return "S2"
    return "S3" if candidate.tier <= 1 else "S4"
