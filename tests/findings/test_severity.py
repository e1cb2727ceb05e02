"""Severity is the harm at the forecast load that was played, from a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gameday.findings import Evidence, Finding, find
from gameday.findings.finding import Candidate
from gameday.vocabulary import Band
from tests.support.small_runs import busy_shop, evidence_of, played


def find_only(evidence: Evidence, *made: tuple[str, Candidate]) -> tuple[Finding, ...]:
    """Return what is found of these tests of these rules alone."""
    tests: dict[str, tuple[Candidate, ...]] = {}
    for rule, test in made:
        tests[rule] = (*tests.get(rule, ()), test)
    return find(evidence, tests)


def candidate(tier: int) -> Candidate:
    return Candidate(
        stack="main",
        subject="pay",
        title="t",
        value=Band(0.5, 0.4, 0.6),
        bound=0.1,
        unit="share",
        p_value=1e-9,
        samples=1000,
        basis="measured",
        tier=tier,
        first_slot=3,
        suggestion="s",
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    scenario = busy_shop(tmp_path_factory.mktemp("severity"))
    return evidence_of(scenario, played(scenario), None, ())


TABLE = [
    ("missed_objective", 0, 0.5, "S1"),
    ("missed_objective", 1, 0.5, "S2"),
    ("missed_objective", 0, 0.9, "S2"),
    ("missed_objective", 1, 0.9, "S2"),
    ("missed_objective", 0, 0.99, "S3"),
    ("missed_objective", 1, 0.99, "S3"),
    ("displaced", 0, 0.5, "S1"),
    ("displaced", 1, 0.5, "S2"),
    ("displaced", 0, 0.99, "S3"),
    ("lost_orders", 0, 0.5, "S1"),
    ("saturation", 0, 0.5, "S2"),
    ("saturation", 0, 0.9, "S2"),
    ("saturation", 0, 0.99, "S3"),
    ("saturation", 1, 0.5, "S3"),
    ("saturation", 1, 0.99, "S3"),
    ("saturation", 3, 0.5, "S4"),
    ("turned_away", 0, 0.5, "S2"),
    ("turned_away", 1, 0.5, "S3"),
    ("turned_away", 2, 0.5, "S4"),
    ("disagreement", 3, 0.5, "S4"),
    ("disagreement", 0, 0.5, "S4"),
]


@pytest.mark.parametrize(("rule", "tier", "quantile", "severity"), TABLE)
def test_severity_goes_by_who_is_hurt_and_at_which_forecast(
    rule: str,
    tier: int,
    quantile: float,
    severity: str,
    evidence: Evidence,
) -> None:
    plan = replace(evidence.plan, quantile=quantile)
    [finding] = find_only(replace(evidence, plan=plan), (rule, candidate(tier)))
    assert finding.severity == severity
    assert finding.evidence["played_quantile"] == quantile


@pytest.mark.parametrize(
    "change",
    [
        {"p_value": 0.06},
        {"samples": 29},
        {"value": Band(0.5, 0.1, 0.9)},
        {"value": Band(0.5, float("nan"), float("nan"))},
    ],
    ids=["not sure enough", "too few samples", "interval reaches the bound", "no interval"],
)
def test_a_breach_without_proof_is_no_finding(
    change: dict[str, object], evidence: Evidence
) -> None:
    breach = replace(candidate(0), **change)  # type: ignore[arg-type]
    assert find_only(evidence, ("saturation", breach)) == ()


def test_the_measurement_wins_over_the_model_for_the_same_breach(evidence: Evidence) -> None:
    measured = candidate(0)
    modelled = replace(measured, basis="model only")
    missed = "missed_objective"
    [finding] = find_only(evidence, (missed, measured), (missed, modelled))
    assert finding.basis == "measured"


def test_findings_come_worst_first(evidence: Evidence) -> None:
    kinds = [("disagreement", 3), ("saturation", 1), ("missed_objective", 0), ("displaced", 1)]
    found = find_only(evidence, *((rule, candidate(tier)) for rule, tier in kinds))
    assert [finding.severity for finding in found] == ["S1", "S2", "S3", "S4"]


def test_a_finding_is_called_the_same_in_every_run(evidence: Evidence) -> None:
    other = replace(evidence, plan=played(evidence.scenario, seed=99))
    names = [find_only(e, ("saturation", candidate(0)))[0].id for e in (evidence, other)]
    assert names == ["saturation-main-pay"] * 2
