"""One word and one exit code for a run: the worst of what happened wins, and never a false green."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from gameday.errors import ScenarioError
from gameday.findings import (
    Finding,
    find,
    judge,
    judge_ladder,
    run_rules,
    unmeasured_objectives,
    validity,
    worst_code,
)
from gameday.findings.finding import Severity
from gameday.findings.tables.objectives import objective_rows
from gameday.record.histograms import bin_of
from gameday.record.run_record import LATENCIES, SESSIONS, STEPS, RunRecord, blank_record
from gameday.swarm import End, Health
from gameday.vocabulary import Band, TimeGrid
from tests.support.small_runs import as_measured, busy_shop, evidence_of, played, record_of

ENDS = ("complete", "guardrail", "person", "worker_lost", "shop_lost")
RANK = (9, 8, 3, 4, 7, 1, 10, 0)
"""Worst first; 3 and 4 never meet."""
NAMES = {0: "PASS", 1: "FAIL", 3: "ABORTED", 4: "ABORTED", 7: "INVALID", 9: "ERROR", 10: "WARN"}


def finding(rule: str, severity: Severity = "S2") -> Finding:
    return Finding(
        id=f"{rule}-main-pay",
        rule=rule,
        severity=severity,
        title=f"{rule}!",
        stack="main",
        subject="pay",
        value=Band(0.5, 0.4, 0.6),
        bound=0.1,
        unit="share",
        basis="measured",
        p_value=0.001,
        samples=100,
        first_breach=None,
        load_share=None,
        suggestion="",
        evidence={},
    )


@pytest.mark.parametrize(
    ("end", "faulty", "unmeasured", "found"),
    list(product(ENDS, (False, True), (False, True), ("", "saturation", "missed_objective"))),
)
def test_the_worst_of_what_happened_is_the_verdict(
    end: End, faulty: bool, unmeasured: bool, found: str
) -> None:
    missed = found == "missed_objective"
    happened = {
        9: end == "shop_lost",
        3: end == "guardrail",
        4: end == "person",
        1: missed,
        10: bool(found),
        7: faulty or end == "worker_lost" or (unmeasured and end == "complete" and not missed),
    }
    expected = next((code for code in RANK if happened.get(code)), 0)
    verdict = judge(
        (finding(found),) if found else (),
        end=end,
        why="so it ended",
        faults=("the generator was late",) if faulty else (),
        unmeasured=("p99 of checkout",) if unmeasured else (),
    )
    assert (verdict.exit_code, verdict.name) == (expected, NAMES[expected])
    assert bool(verdict.reasons) == (expected != 0)


@pytest.mark.parametrize(
    ("rule", "severity", "code"),
    [
        ("missed_objective", "S2", 1),
        ("lost_orders", "S1", 1),
        ("saturation", "S2", 10),
        ("turned_away", "S3", 0),
        ("displaced", "S1", 10),
        ("saturation", "S4", 0),
    ],
)
def test_a_missed_objective_or_a_lost_order_fails_a_run_and_no_other_s1_or_s2_passes_it(
    rule: str, severity: Severity, code: int
) -> None:
    verdict = judge((finding(rule, severity),), end="complete", why="", faults=(), unmeasured=())
    assert verdict.exit_code == code
    assert code == 0 or f"{rule}!" in verdict.reasons[0]


def test_the_reason_of_the_worst_code_comes_first() -> None:
    verdict = judge(
        (finding("missed_objective"),),
        end="guardrail",
        why="guardrail crossed",
        faults=("the generator was late",),
        unmeasured=(),
    )
    assert verdict.reasons == (
        "guardrail crossed",
        "the generator was late",
        "missed_objective!",
    )


def test_of_any_set_of_exit_codes_the_worst_wins() -> None:
    for size in range(len(RANK) + 1):
        for codes in combinations(RANK, size):
            assert worst_code(list(reversed(codes))) == next(iter(codes), 0)


def run_of(replies: int, *, ended: str = "done", latency_of: float | None = 0.05) -> RunRecord:
    """Return a run of `replies` checkouts in its only slot, everything else empty."""
    record = blank_record(
        "swarm",
        TimeGrid(datetime(2026, 3, 10, tzinfo=UTC), 4),
        0,
        3.0,
        (("main",), ("home", "product", "checkout"), ("edge", "stock", "pay")),
    )
    for what in ("planned", "sent", "achieved", ended):
        record.step_counts[0, :, STEPS.index(what), 1] = replies
    for what in ("planned", "started", "finished" if ended == "done" else "lost"):
        record.session_counts[0, SESSIONS.index(what), 1] = replies
    if latency_of is not None:
        for kind in range(len(LATENCIES)):
            seconds = 0.001 if LATENCIES[kind] == "lateness" else latency_of
            record.latency[0, :, kind, 1, int(bin_of(seconds))] = replies
    record.loads[0, :, 2] = 5
    return record


@pytest.mark.parametrize(
    ("replies", "code"), [(0, 7), (1, 7), (29, 7), (99, 7), (100, 0), (500, 0)]
)
def test_an_objective_with_too_few_replies_is_never_passed(
    replies: int, code: int, tmp_path: Path
) -> None:
    scenario = busy_shop(tmp_path)
    run = run_of(replies)
    # `all steps` has three times as many replies as checkout alone: speak of checkout only
    scenario = scenario.model_copy(update={"objectives": scenario.objectives[:1]})
    evidence = evidence_of(scenario, played(scenario), run, ())
    valid = validity(run, health=Health(0.1), end="complete", why="")
    assert valid.faults == ()
    verdict = judge(
        find(evidence),
        end="complete",
        why="",
        faults=valid.faults,
        unmeasured=unmeasured_objectives(evidence),
    )
    assert verdict.exit_code == code
    row = next(iter(objective_rows(evidence, (), run_rules(evidence))))
    assert row.measured == (code == 0)


@pytest.mark.parametrize(
    ("objective", "slow", "failed", "missed"),
    [
        ("p95 of checkout < 800ms", 11, 0, True),
        ("p95 of checkout < 800ms", 1, 0, False),
        ("p99 of checkout < 800ms", 9, 0, True),
        ("p50 of checkout < 800ms", 12, 0, False),
        ("error rate of checkout < 1%", 0, 15, True),
        ("error rate of checkout < 1%", 0, 1, False),
        ("abandonment rate of checkout < 1%", 0, 0, False),
    ],
)
def test_a_miss_that_chance_does_not_explain_is_a_miss_from_however_few_replies(
    objective: str, slow: int, failed: int, missed: bool, tmp_path: Path
) -> None:
    """Of 20 checkouts: eleven above a p95 bound come about by chance once in 2 billion."""
    scenario = busy_shop(tmp_path, {"objectives": [objective]})
    run = run_of(20)
    run.latency[0, 2, 0, 1] = 0
    run.latency[0, 2, 0, 1, int(bin_of(0.05))] = 20 - slow
    run.latency[0, 2, 0, 1, int(bin_of(2.0))] = slow
    run.step_counts[0, 2, STEPS.index("done"), 1] -= failed
    run.step_counts[0, 2, STEPS.index("failed"), 1] += failed
    evidence = evidence_of(scenario, played(scenario), run, ())
    findings = find(evidence)
    unmeasured = unmeasured_objectives(evidence, findings)
    verdict = judge(findings, end="complete", why="", faults=(), unmeasured=unmeasured)
    [row] = objective_rows(evidence, findings, run_rules(evidence))
    assert (verdict.exit_code, row.missed) == ((1, True) if missed else (7, False))
    assert (unmeasured == ()) == missed
    assert ("too few replies: 20" in row.said) == (not missed)


def test_an_objective_without_a_single_latency_is_unmeasured(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    run = run_of(400, ended="unfinished", latency_of=None)
    missing = unmeasured_objectives(evidence_of(scenario, played(scenario), run, ()))
    assert any("p99 of checkout" in text for text in missing)


def test_a_complete_run_whose_steps_never_ended_is_not_valid() -> None:
    run = run_of(400, ended="unfinished", latency_of=0.05)
    assert validity(run, health=Health(0.1), end="complete", why="").faults != ()


def test_a_service_objective_that_was_not_observed_is_unmeasured(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path, {"objectives": ["utilisation of pay < 80%"]})
    run = run_of(400)
    run.loads[0, 2] = np.nan
    missing = unmeasured_objectives(evidence_of(scenario, played(scenario), run, ()))
    assert len(missing) == 1
    assert "not observed" in missing[0]


def test_a_utilisation_objective_is_missed_where_the_service_is_busier(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path, {"objectives": ["utilisation of pay < 80%"]})
    plan = played(scenario, slots=42)
    run = as_measured(record_of(scenario, plan, 1))
    run.loads[0, 2, 0] = 0.95 * run.loads[0, 2, 2] * plan.slot_wall_s
    found = find(evidence_of(scenario, plan, run, ()))
    assert ("missed_objective", "utilisation of pay") in {(f.rule, f.subject) for f in found}


def test_a_utilisation_objective_is_not_passed_because_the_window_is_short(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path, {"objectives": ["utilisation of pay < 80%"]})
    plan = played(scenario, slots=12)
    run = as_measured(record_of(scenario, plan, 1))
    run.loads[0, 2, 0] = 0.95 * run.loads[0, 2, 2] * plan.slot_wall_s
    evidence = evidence_of(scenario, plan, run, ())
    missed = [f for f in find(evidence) if f.rule == "missed_objective"]
    assert missed or unmeasured_objectives(evidence), "95 % busy, and the objective passes"


def test_a_queue_objective_is_not_judged_by_utilisation(tmp_path: Path) -> None:
    """The door may refuse it, the judge may call it unmeasured; a pass would be a false green."""
    try:
        scenario = busy_shop(tmp_path, {"objectives": ["queue of pay < 5"]})
    except ScenarioError:
        return
    plan = played(scenario, slots=42)
    run = as_measured(record_of(scenario, plan, 1))
    run.loads[0, 2, 1] = 40 * plan.slot_wall_s
    evidence = evidence_of(scenario, plan, run, ())
    missed = [f for f in find(evidence) if f.rule == "missed_objective"]
    assert missed or unmeasured_objectives(evidence), "40 in the queue, and the objective passes"


def test_an_objective_that_is_a_lower_bound_is_never_passed_unjudged(tmp_path: Path) -> None:
    """The door may refuse it, the judge may call it unmeasured; silence would be a false green."""
    try:
        scenario = busy_shop(tmp_path, {"objectives": ["error rate of checkout > 90%"]})
    except ScenarioError:
        return
    evidence = evidence_of(scenario, played(scenario), run_of(400), ())
    assert objective_rows(evidence, (), run_rules(evidence)) or unmeasured_objectives(evidence)


def test_a_sound_run_has_no_fault(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    run = as_measured(record_of(scenario, played(scenario), 1))
    valid = validity(run, health=Health(0.3), end="complete", why="")
    assert valid.faults == ()
    assert valid.sessions_planned == valid.sessions_started


def test_what_the_generator_lost_or_sent_late_or_broke_is_a_fault_with_its_number() -> None:
    late = run_of(400)
    late.latency[0, :, 2] = 0
    late.latency[0, :, 2, 1, int(bin_of(0.2))] = 400
    assert any(
        "late: p99" in f for f in validity(late, health=Health(1), end="complete", why="").faults
    )
    lost = run_of(400)
    lost.step_counts[0, 0, STEPS.index("planned"), 1] += 5
    lost.step_counts[0, 0, STEPS.index("lost"), 1] += 5
    faults = validity(lost, health=Health(0), end="complete", why="").faults
    assert faults == ("5 planned steps were lost by the generator: never sent, or never told of",)
    broken = validity(run_of(400), health=Health(0), end="worker_lost", why="worker 1 died").faults
    assert broken == ("the generator broke: worker 1 died",)


@pytest.mark.parametrize("end", ["guardrail", "person"])
def test_a_stopped_run_is_not_blamed_for_what_it_did_not_come_to(end: str) -> None:
    run = run_of(400)
    run.step_counts[0, 0, [STEPS.index("planned"), STEPS.index("lost")], 2] += 50
    run.session_counts[0, SESSIONS.index("planned"), 2] += 50
    assert validity(run, health=Health(0), end=end, why="").faults == ()  # type: ignore[arg-type]


def test_a_book_that_does_not_balance_is_a_fault() -> None:
    run = run_of(400)
    run.step_counts[0, 0, STEPS.index("done"), 1] -= 1
    valid = validity(run, health=Health(0), end="complete", why="")
    assert valid.imbalances
    assert any("do not balance" in fault for fault in valid.faults)


def test_what_the_target_displaced_never_makes_a_run_invalid() -> None:
    run = run_of(400)
    run.step_counts[0, 1, STEPS.index("planned"), 2] += 90
    run.step_counts[0, 1, STEPS.index("after_failed"), 2] += 50
    run.step_counts[0, 1, STEPS.index("delayed"), 2] += 40
    assert validity(replace(run), health=Health(0), end="complete", why="").faults == ()


def test_what_only_the_model_could_tell_and_did_not_is_never_a_pass() -> None:
    missing = ("the event at real speed: its model has no replications: stopped",)
    verdict = judge((), end="complete", why="", faults=(), unmeasured=(), unjudged=missing)
    assert (verdict.name, verdict.exit_code) == ("WARN", 10)
    assert verdict.reasons == (f"not judged: {missing[0]}",)
    worse = judge((), end="person", why="stopped", faults=(), unmeasured=(), unjudged=missing)
    assert worse.exit_code == 4


@pytest.mark.parametrize("code", [0, 1, 10])
def test_warn_exits_as_it_is_asked_to_and_no_other_verdict_does(code: int) -> None:
    warn, fail = (
        judge((finding(rule),), end="complete", why="", faults=(), unmeasured=())
        for rule in ("saturation", "missed_objective")
    )
    assert warn.warning_as(code) == replace(warn, exit_code=code)
    assert fail.warning_as(code) == fail


@pytest.mark.parametrize(
    ("end", "faults", "code"),
    [
        ("complete", (), 0),
        ("guardrail", (), 3),
        ("person", (), 4),
        ("shop_lost", (), 9),
        ("worker_lost", (), 7),
        ("complete", ("the generator was late",), 7),
    ],
)
def test_a_ladder_has_no_verdict_but_how_it_ended(
    end: End, faults: tuple[str, ...], code: int
) -> None:
    verdict = judge_ladder(end, "so it ended", faults)
    assert verdict.exit_code == code
    assert verdict.name == (NAMES[code] if code else "NO VERDICT")
    assert bool(verdict.reasons) == bool(code)
