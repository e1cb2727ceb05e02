"""A model that the run refutes judges nothing: what rests on it is marked, fails no run and orders nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.capacity import request_capacity
from gameday.capacity.order import withhold
from gameday.findings import (
    Evidence,
    Finding,
    find,
    judge,
    run_rules,
    unmeasured_objectives,
)
from gameday.findings.finding import Model, Severity
from gameday.findings.standing import standing_of
from gameday.findings.tables.objectives import objective_rows
from gameday.findings.verdict import Verdict
from gameday.vocabulary import Band
from tests.support.small_runs import (
    as_measured,
    busy_shop,
    evidence_of,
    played,
    record_of,
    records_of,
)
from tests.support.small_shop import flat_demand, service

OBJECTIVE = "error rate of checkout < 1%"
GUESSED = {"services": {"pay": service("900ms", servers=3, queue_per_server=1)}}
"""Nine times what a visit to pay really takes, for three servers: the model turns most orders away."""


def verdict_of(evidence: Evidence, findings: tuple[Finding, ...]) -> Verdict:
    unmeasured = unmeasured_objectives(evidence, findings)
    return judge(findings, end="complete", why="", faults=(), unmeasured=unmeasured)


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return a healthy run, observed, and the model of a scenario that guessed one service time wrong."""
    objectives = {"objectives": [OBJECTIVE]}
    real = busy_shop(tmp_path_factory.mktemp("real"), objectives)
    declared = busy_shop(tmp_path_factory.mktemp("declared"), GUESSED | objectives)
    plan = played(declared)
    measured = as_measured(record_of(real, played(real), 1))
    modelled = records_of(declared, plan, range(2, 7))
    return evidence_of(declared, plan, measured, modelled, modelled)


def test_a_refuted_model_fails_nothing_and_what_rests_on_it_is_marked(guessed: Evidence) -> None:
    findings = find(guessed)
    of_model = [f for f in findings if f.basis == "model only"]
    assert of_model, "the model as declared misses the objective"
    for finding in of_model:
        assert (finding.model, finding.severity) == ("refuted", "S4")
        assert finding.doubt == "model refuted by this run"
        assert any("utilisation of pay: predicted" in line for line in finding.refuted_by)
    verdict = verdict_of(guessed, findings)
    assert (verdict.name, verdict.exit_code) == ("WARN", 10)
    assert "model refuted by this run: main edge, main pay" in verdict.reasons
    [row] = objective_rows(guessed, findings, run_rules(guessed))
    assert (row.missed, row.measured) == (False, True)
    assert row.said.endswith("in the model at real speed (model refuted by this run)")


def test_the_request_of_a_refuted_service_is_withheld_and_the_others_are_not(
    guessed: Evidence,
) -> None:
    scenario, findings = guessed.scenario, find(guessed)
    demand = flat_demand(scenario, guessed.plan.forecast[:, :, 2:3].repeat(120, axis=2))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    wanted = request_capacity(scenario, demand, findings, run="r", now=now)
    kept, withheld = withhold(wanted, standing_of(findings, run_rules(guessed)))
    assert {r.service for r in wanted} >= {"pay", "stock"}
    assert {(w.stack, w.service) for w in withheld} == {("main", "pay"), ("main", "edge")}
    assert all(w.why for w in withheld), "the edge holds a server while it waits for pay"
    assert {r.service: r.model for r in kept} == {"stock": "agrees"}


def test_a_model_that_the_run_bears_out_fails_the_run(tmp_path: Path) -> None:
    """As played, model and measurement agree and hold; what only shows at real speed misses."""
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    runs = records_of(scenario, plan, range(1, 7))
    slow = [replace(run, latency=np.roll(run.latency, 200, axis=-1)) for run in runs[1:]]
    evidence = evidence_of(scenario, plan, as_measured(runs[0]), runs[1:], tuple(slow))
    findings = find(evidence)
    missed = [f for f in findings if f.rule == "missed_objective"]
    assert [(f.basis, f.model, f.doubt) for f in missed] == [("model only", "agrees", "")]
    assert verdict_of(evidence, findings).name == "FAIL"


def test_a_model_that_nothing_was_compared_with_warns(guessed: Evidence) -> None:
    findings = find(replace(guessed, predicted=()))
    missed = [f for f in findings if f.rule == "missed_objective"]
    assert [f.model for f in missed] == ["not compared"]
    verdict = verdict_of(guessed, findings)
    assert verdict.name == "WARN"
    assert verdict.reasons[0].endswith("(model not compared with this run)")


def test_where_no_service_is_observed_what_customers_met_refutes_the_model(
    guessed: Evidence,
) -> None:
    assert guessed.measured is not None
    blind = replace(
        guessed.measured,
        attempts=np.full_like(guessed.measured.attempts, np.nan),
        loads=np.full_like(guessed.measured.loads, np.nan),
        visits=np.zeros_like(guessed.measured.visits),
    )
    evidence = replace(guessed, measured=blind)
    findings = find(evidence)
    assert any(f.subject.endswith("of step checkout") for f in findings)
    assert ("main", "pay") in standing_of(findings, run_rules(evidence)).refuted
    assert verdict_of(evidence, findings).exit_code == 10


def test_a_healthy_run_of_the_shop_that_was_declared_refutes_no_model(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    runs = records_of(scenario, plan, range(1, 7))
    evidence = evidence_of(scenario, plan, as_measured(runs[0]), runs[1:])
    standing = standing_of(find(evidence), run_rules(evidence))
    assert standing.refuted == {}
    assert standing.compared >= {("main", name) for name in scenario.stack_services("main")}


def finding(rule: str, severity: Severity, model: Model) -> Finding:
    return Finding(
        id=f"{rule}-{severity}-{model}",
        rule=rule,
        severity=severity,
        title=f"{rule}!",
        stack="main",
        subject="pay",
        value=Band(0.5, 0.4, 0.6),
        bound=0.1,
        unit="share",
        basis="model only" if model else "measured",
        p_value=0.001,
        samples=100,
        first_breach=None,
        load_share=None,
        suggestion="",
        evidence={"predicted": 0.1, "measured": 0.5},
        services=("pay",),
        model=model,
    )


RULES = ("missed_objective", "lost_orders", "saturation", "lost_zone", "disagreement")
FINDINGS = st.builds(
    finding,
    st.sampled_from(RULES),
    st.sampled_from(("S1", "S2", "S3", "S4")),
    st.sampled_from(("", "agrees", "refuted", "not compared")),
)


@given(st.lists(FINDINGS, max_size=4))
def test_of_any_findings_the_verdict_is_the_table_s(findings: list[Finding]) -> None:
    verdict = judge(tuple(findings), end="complete", why="", faults=(), unmeasured=())
    fails = any(f.rule in RULES[:2] and f.model in ("", "agrees") for f in findings)
    warns = any(f.severity in ("S1", "S2") or f.rule == "disagreement" for f in findings)
    assert verdict.name == ("FAIL" if fails else "WARN" if warns else "PASS")
    assert bool(verdict.reasons) == (verdict.name != "PASS")
    if verdict.name == "WARN":
        worst = [f.title for f in findings if f.severity in ("S1", "S2")]
        first = worst[0] if worst else "model refuted by this run"
        assert first in verdict.reasons[0]
