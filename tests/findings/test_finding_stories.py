"""Stories of whole runs: the healthy one, the drowned one, and the one the model did not foresee."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gameday.findings import Finding, find
from gameday.findings.search import run_rules
from gameday.findings.tables.objectives import objective_rows
from gameday.findings.tables.run_tables import machine_row
from gameday.products import to_json
from gameday.swarm.machine import BUSY_SHARE, MachineUse
from tests.support import NIGHT
from tests.support.small_runs import (
    as_measured,
    busy_shop,
    evidence_of,
    played,
    record_of,
    records_of,
)

SLOW_PAY = {"services": {"pay": {"time": {"law": "exponential", "mean": "200ms"}}}}
ONE_STOCK = {
    "services": {
        "edge": {"stacks": {"main": {"instances": 60}}},
        "stock": {"stacks": {"main": {"instances": 1}}, "queue_per_server": 10},
    }
}


def test_a_healthy_run_finds_nothing(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    predicted = records_of(scenario, plan, range(100, 105))
    found = [
        find(evidence_of(scenario, plan, as_measured(run), predicted))
        for run in records_of(scenario, plan, range(15 if NIGHT else 5))
    ]
    assert sum(bool(findings) for findings in found) <= 2, [f.title for fs in found for f in fs]


@pytest.mark.nightly
def test_other_customers_on_another_day_are_healthy_too(tmp_path: Path) -> None:
    """The measured run drew its own sessions, not the model's: still the same shop."""
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    predicted = records_of(scenario, plan, range(100, 105))
    found: list[Finding] = []
    for day in range(5 if NIGHT else 2):
        run = as_measured(record_of(scenario, replace(plan, seed=type(plan.seed)(50 + day)), day))
        found += find(evidence_of(scenario, plan, run, predicted))
    assert len(found) <= 1, [f.title for f in found]


@pytest.fixture(scope="module")
def drowned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finding, ...]:
    scenario = busy_shop(tmp_path_factory.mktemp("drowned"), ONE_STOCK)
    plan = played(scenario)
    runs = records_of(scenario, plan, range(6))
    return find(evidence_of(scenario, plan, as_measured(runs[0]), runs[1:]))


def test_an_overloaded_run_finds_the_service_its_shed_work_and_the_missed_objective(
    drowned: tuple[Finding, ...],
) -> None:
    found = {(finding.rule, finding.subject) for finding in drowned}
    assert {
        ("saturation", "stock"),
        ("turned_away", "stock"),
        ("missed_objective", "error rate of all steps"),
        ("displaced", "checkout"),
    } <= found
    shed = next(f for f in drowned if f.rule == "turned_away" and f.subject == "stock")
    assert "(shed)" in shed.title


def test_services_that_bear_the_overload_are_not_accused(drowned: tuple[Finding, ...]) -> None:
    accused = {f.subject for f in drowned if f.rule in ("saturation", "turned_away")}
    assert accused == {"stock"}


def test_the_whole_interval_of_every_finding_lies_on_the_bad_side(
    drowned: tuple[Finding, ...],
) -> None:
    for finding in drowned:
        low, mid, high = finding.value.low, finding.value.mid, finding.value.high
        assert finding.bound < low <= mid <= high + 1e-9
        assert finding.p_value < 0.05
        assert finding.samples >= 30
        assert finding.basis == "measured"


def test_a_model_that_knows_the_overload_does_not_disagree(drowned: tuple[Finding, ...]) -> None:
    assert [f.title for f in drowned if f.rule == "disagreement"] == []


def test_findings_travel_as_json(drowned: tuple[Finding, ...]) -> None:
    for finding in drowned:
        data = json.loads(json.dumps(to_json(finding), allow_nan=False))
        assert data["id"] == finding.id
        assert data["value"]["low"] == finding.value.low


def test_the_objective_rows_say_which_were_missed(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path, ONE_STOCK)
    plan = played(scenario)
    evidence = evidence_of(scenario, plan, as_measured(record_of(scenario, plan, 1)), ())
    rows = {row.text: row for row in objective_rows(evidence, find(evidence), run_rules(evidence))}
    assert rows["error rate of all steps < 1%"].missed
    assert not rows["p99 of checkout < 2s"].missed
    assert all(row.measured for row in rows.values())


def test_model_and_measurement_disagree_where_the_service_is_not_what_was_written(
    tmp_path: Path,
) -> None:
    said = busy_shop(tmp_path)
    plan = played(said)
    predicted = records_of(said, plan, range(8))
    slower = as_measured(record_of(busy_shop(tmp_path, SLOW_PAY), plan, 9))
    evidence = evidence_of(said, plan, slower, predicted)
    found = find(evidence)
    odd = {f.subject for f in found if f.rule == "disagreement"}
    assert {"utilisation of pay", "p50 of pay"} <= odd
    assert not any("of stock" in subject for subject in odd)
    assert all(f.severity == "S4" for f in found if f.rule == "disagreement")

    crowded = replace(evidence, machine=MachineUse(2, 60.0, 0.2, BUSY_SHARE + 0.01))
    assert [f for f in find(crowded) if f.rule == "disagreement"] == []
    assert str(machine_row(crowded.machine).not_compared).startswith("not compared: this machine")
    quiet = replace(evidence, machine=MachineUse(2, 60.0, 0.2, BUSY_SHARE))
    assert {f.subject for f in find(quiet) if f.rule == "disagreement"} == odd
    assert machine_row(quiet.machine).not_compared is None


def test_model_and_measurement_agree_where_the_service_is_what_was_written(tmp_path: Path) -> None:
    slow = busy_shop(tmp_path, SLOW_PAY)
    plan = played(slow)
    runs = records_of(slow, plan, range(6))
    found = find(evidence_of(slow, plan, as_measured(runs[0]), runs[1:]))
    assert [f.title for f in found if f.rule == "disagreement"] == []


def test_an_objective_that_only_the_model_at_real_speed_misses_rests_on_the_model(
    tmp_path: Path,
) -> None:
    scenario, drowning = busy_shop(tmp_path), busy_shop(tmp_path, ONE_STOCK)
    plan = played(scenario)
    healthy = as_measured(record_of(scenario, plan, 1))
    event = records_of(drowning, plan, range(5))
    found = find(evidence_of(scenario, plan, healthy, (), event))
    assert {(f.rule, f.basis) for f in found} == {("missed_objective", "model only")}
    evidence = evidence_of(scenario, plan, healthy, (), event)
    rows = objective_rows(evidence, found, run_rules(evidence))
    assert any("in the model at real speed" in row.said for row in rows)
