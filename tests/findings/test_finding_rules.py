"""The family of rules: each is in the list, tests what it saw, and is silent where nothing is."""

from __future__ import annotations

import importlib
import math
import pkgutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gameday.findings.causes as causes
import gameday.findings.rules as rules
from gameday.findings import Evidence, find
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.findings.rules import RULES, retry_storm
from gameday.queueing.visited import step_tier
from gameday.record.run_record import ATTEMPTS, LOADS, STEPS, Orders, RunRecord
from gameday.vocabulary import Band
from tests.support.small_runs import (
    as_measured,
    busy_shop,
    evidence_of,
    played,
    record_of,
    records_of,
)

MODULES = [
    f"{family.__name__}.{name}"
    for family in (rules, causes)
    for _, name, _ in pkgutil.iter_modules(family.__path__)
]
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_rule_file_holds_one_rule_that_is_in_the_list(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == ["RULE"]
    assert RULES[module.RULE.name] is module.RULE


def test_the_list_holds_nothing_but_the_rule_files() -> None:
    assert len(RULES) == len(MODULES)


@every_rule
@given(tier=st.integers(0, 3), quantile=st.floats(0.01, 0.999), more=st.floats(0, 0.5))
def test_what_breaks_at_a_higher_forecast_or_hurts_less_is_never_more_severe(
    rule: Rule, tier: int, quantile: float, more: float
) -> None:
    severity = rule.severity(tier, quantile)
    assert rule.severity(min(3, tier + 1), quantile) >= severity
    assert rule.severity(tier, min(0.999, quantile + more)) >= severity
    assert severity != "S1" or rule.hurts_customers
    assert severity == "S4" or not rule.refutes_model
    assert replace(rule, worst="S3").severity(tier, quantile) >= "S3"


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return a run that a hundredth of the usual customers came to."""
    scenario = busy_shop(tmp_path_factory.mktemp("idle"))
    plan = played(scenario, 0.3)
    orders = Orders(12, 0, 12, 0, 0)
    measured = replace(as_measured(record_of(scenario, plan, 1)), orders=orders)
    records = records_of(scenario, plan, range(2, 7))
    return evidence_of(scenario, plan, measured, records, records)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return a run that nobody came to."""
    scenario = busy_shop(tmp_path_factory.mktemp("empty"))
    plan = replace(played(scenario, 30), played=played(scenario, 30).played * 0)
    records = records_of(scenario, plan, range(5))
    orders = Orders(0, 0, 0, 0, 0)
    return evidence_of(scenario, plan, replace(records[0], orders=orders), records, records)


@every_rule
def test_a_rule_makes_sound_tests_on_an_idle_run_and_none_of_them_is_bad(
    rule: Rule, idle: Evidence
) -> None:
    found = list(rule.look(idle))
    for candidate in found:
        assert isinstance(candidate, Candidate)
        assert math.isfinite(candidate.bound)
        assert 0 <= candidate.p_value <= 1
        assert not candidate.is_wholly_bad
        assert candidate.samples >= 0
        assert candidate.stack in (*idle.scenario.stack_names, "all")
        assert candidate.title
        assert candidate.suggestion
        assert candidate.unit in ("s", "share", "count")
        assert candidate.first_slot is None or 0 <= candidate.first_slot < 10


@every_rule
def test_a_rule_makes_sound_tests_on_a_run_nobody_came_to(rule: Rule, empty: Evidence) -> None:
    for candidate in rule.look(empty):
        assert math.isfinite(candidate.bound)
        assert 0 <= candidate.p_value <= 1, candidate
        assert not candidate.is_wholly_bad


@every_rule
def test_a_rule_names_the_services_whose_model_it_rests_on(rule: Rule, idle: Evidence) -> None:
    for candidate in rule.look(idle):
        rests_on_model = candidate.basis == "model only" or rule.refutes_model
        assert bool(candidate.services) == rests_on_model
        assert set(candidate.services) <= set(idle.scenario.services)


@every_rule
def test_a_rule_tests_each_thing_once_and_always_the_same_things(
    rule: Rule, idle: Evidence
) -> None:
    seen = [(c.stack, c.subject, c.basis) for c in rule.look(idle)]
    assert len(seen) == len(set(seen))
    assert seen == [(c.stack, c.subject, c.basis) for c in rule.look(idle)]


@every_rule
def test_a_rule_is_silent_where_there_was_no_run(rule: Rule, idle: Evidence) -> None:
    nothing = replace(idle, measured=None, predicted=(), event=())
    assert list(rule.look(nothing)) == []


def test_an_idle_run_and_an_empty_one_have_no_finding(idle: Evidence, empty: Evidence) -> None:
    assert find(idle) == ()
    assert find(empty) == ()


def half_lost(whole: RunRecord, share: float) -> RunRecord:
    """Return a run of which we lost the first home pages' sessions: planned, never sent."""
    counts = whole.step_counts.copy()
    lost = (counts[:, :, STEPS.index("planned")] * share / (1 - share)).astype(int)
    counts[:, :, STEPS.index("planned")] += lost
    counts[:, :, STEPS.index("lost")] += lost
    return replace(whole, step_counts=counts)


def test_steps_that_we_lost_are_not_counted_against_the_target(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    run = half_lost(as_measured(record_of(scenario, plan, 1)), 0.5)
    assert run.step_total("home", "lost") > 100
    assert find(evidence_of(scenario, plan, run, records_of(scenario, plan, range(2, 7)))) == ()


def test_a_run_of_which_we_lost_half_has_no_finding_of_any_rule(tmp_path: Path) -> None:
    """The model played everything; what is missing in the run is ours to answer for."""
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    few = replace(plan, played=plan.played // 2)
    run = half_lost(as_measured(record_of(scenario, few, 1)), 0.5)
    assert find(evidence_of(scenario, plan, run, records_of(scenario, plan, range(2, 7)))) == ()


@pytest.mark.parametrize("why", ["after_failed", "after_check", "after_abandoned", "delayed"])
def test_steps_the_target_displaced_are_a_finding(why: str, tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    run = as_measured(record_of(scenario, plan, 1))
    counts = run.step_counts.copy()
    counts[0, 1, [STEPS.index("planned"), STEPS.index(why)], 6] += 60
    [finding] = find(evidence_of(scenario, plan, replace(run, step_counts=counts), ()))
    assert (finding.rule, finding.subject) == ("displaced", "product")
    assert finding.first_breach == plan.window.instant(6 - plan.lead_in)
    assert finding.load_share == pytest.approx(1.0)


def test_what_came_after_sold_out_is_no_finding(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = played(scenario)
    run = as_measured(record_of(scenario, plan, 1))
    counts = run.step_counts.copy()
    counts[0, 1, [STEPS.index("planned"), STEPS.index("after_sold_out")], 6] += 500
    assert find(evidence_of(scenario, plan, replace(run, step_counts=counts), ())) == ()


@pytest.mark.parametrize(
    ("orders", "wrong"),
    [
        (None, None),
        (Orders(50, 2, -1, -1, -1), None),
        (Orders(50, 2, 51, 0, 0), 0),
        (Orders(50, 2, 49, 1, 0), 1),
        (Orders(50, 2, 53, 0, 1), 1),
        (Orders(3, 0, 3, 2, 2), 4),
    ],
)
def test_orders_that_do_not_balance_by_key_are_a_finding_and_unread_ones_are_none(
    orders: Orders | None, wrong: int | None, idle: Evidence
) -> None:
    assert idle.measured is not None
    evidence = replace(idle, measured=replace(idle.measured, orders=orders))
    findings = find(evidence)
    if not wrong:
        assert findings == ()
        return
    [finding] = findings
    assert (finding.rule, finding.severity) == ("lost_orders", "S1")
    assert finding.value == Band(wrong, wrong, wrong)
    assert finding.evidence["confirmed_missing"] == orders.confirmed_missing


@pytest.fixture(scope="module")
def drowned(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Return a run whose stock has one server for two servers' work, and a short queue."""
    changes = {
        "services": {
            "edge": {"stacks": {"main": {"instances": 60}}},
            "stock": {"stacks": {"main": {"instances": 1}}, "queue_per_server": 10},
        }
    }
    scenario = busy_shop(tmp_path_factory.mktemp("drowned"), changes)
    plan = played(scenario)
    return evidence_of(scenario, plan, as_measured(record_of(scenario, plan, 1)), ())


@pytest.mark.parametrize(("rule", "table"), [("saturation", "loads"), ("turned_away", "attempts")])
def test_one_scrape_that_a_drowning_target_did_not_answer_does_not_hide_it(
    rule: str, table: str, drowned: Evidence
) -> None:
    assert drowned.measured is not None
    values = getattr(drowned.measured, table).copy()
    values[0, :, :, 5] = np.nan
    evidence = replace(drowned, measured=replace(drowned.measured, **{table: values}))
    assert (rule, "stock") in {(f.rule, f.subject) for f in find(evidence)}


def test_a_service_that_was_not_observed_at_all_has_no_finding(drowned: Evidence) -> None:
    assert drowned.measured is not None
    attempts, loads = drowned.measured.attempts.copy(), drowned.measured.loads.copy()
    attempts[0, 1], loads[0, 1] = np.nan, np.nan
    evidence = replace(drowned, measured=replace(drowned.measured, attempts=attempts, loads=loads))
    assert "stock" not in {f.subject for f in find(evidence)}


def test_one_hot_minute_is_no_saturation(idle: Evidence) -> None:
    assert idle.measured is not None
    loads = idle.measured.loads.copy()
    loads[0, 2, LOADS.index("busy_s"), 5] = loads[0, 2, LOADS.index("servers"), 5] * 3.0
    found = find(replace(idle, measured=replace(idle.measured, loads=loads)))
    assert [f.title for f in found if f.rule == "saturation"] == []


def test_a_target_that_shows_only_servers_in_use_and_capacity_is_judged_by_them(
    drowned: Evidence,
) -> None:
    assert drowned.measured is not None
    attempts = np.full_like(drowned.measured.attempts, np.nan)
    found = find(replace(drowned, measured=replace(drowned.measured, attempts=attempts)))
    assert ("missed_objective", "error rate of all steps") in {(f.rule, f.subject) for f in found}


def test_failures_below_are_not_counted_as_turned_away(idle: Evidence) -> None:
    """A service whose callee failed did its own work; the finding belongs to the callee."""
    assert idle.measured is not None
    attempts = idle.measured.attempts.copy()
    attempts[0, 0, [ATTEMPTS.index("arrived"), ATTEMPTS.index("failed")], 5] += 1000
    assert find(replace(idle, measured=replace(idle.measured, attempts=attempts))) == ()


def test_a_step_that_orders_or_fills_a_cart_is_of_tier_0(idle: Evidence) -> None:
    tiers = {step: step_tier(idle.scenario, step) for step in idle.scenario.step_names}
    assert tiers == {"home": 1, "product": 1, "checkout": 0}
    assert step_tier(idle.scenario, "all steps") == 1


def test_a_storm_of_thousands_is_not_overlooked_for_a_minute_of_one_attempt() -> None:
    attempts = np.array([4000.0] * 6 + [1.0] * 3)
    worst = retry_storm._Worst.of(attempts, np.array([2400.0] * 6 + [1.0] * 3))
    assert worst.attempts > 1000
    assert worst.share > 0.5
