"""From reports to a record: its books balance, and what nobody reported was lost by us."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.findings import validity
from gameday.record.run_record import SESSIONS, STEPS
from gameday.scenario import Scenario
from gameday.swarm import Health
from gameday.swarm.engine.open_arrivals import Engine
from gameday.swarm.tally.reports import WorkerReport
from gameday.traffic import LoadPlan
from tests.support import examples
from tests.support.small_shop import flat_plan
from tests.support.small_stage import assembled, assembly_of, faults_of, recorded, total
from tests.support.virtual_customers import Target, play, rough

quickly = settings(max_examples=examples(25), deadline=None)
Reports = list[WorkerReport]


@pytest.fixture(scope="module")
def whole_sessions(scenario: Scenario, plan: LoadPlan) -> Reports:
    """One report of each of many workers: no session is in two of them."""
    return play(scenario, plan, rough(1), workers=24, share=0.0).reports


def test_all_reports_together_lose_nothing(
    scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    record = assembled(scenario, plan, reports)
    assert record.imbalances() == []
    assert total(record, "lost") == total(record, "unfinished") == 0
    assert record.session_counts[:, SESSIONS.index("lost")].sum() == 0
    assert faults_of(record) == ()
    for what in (
        "done",
        "failed",
        "check_failed",
        "sold_out",
        "abandoned",
        "extra",
        "delayed",
        "after_failed",
        "after_check",
        "after_abandoned",
    ):
        assert total(record, what) > 0, what


@quickly
@given(seed=st.integers(0, 10**6), bad=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_every_planned_step_has_one_outcome_whatever_the_target_does(
    seed: int, bad: float, everything: Scenario
) -> None:
    plan = flat_plan(everything, 1.5, slots=4, lead_in=1, speed=20.0, seed=seed)
    target = rough(seed, bad=bad)
    run = play(everything, plan, target, seed=seed, workers=1 + seed % 3)
    record = recorded(everything, plan, run)
    assert record.imbalances() == []
    assert total(record, "lost") == total(record, "unfinished") == run.sleepers == 0
    tries = {(asked.session, asked.place, asked.tries) for asked in target.asked}
    assert total(record, "achieved") == len(tries)
    assert total(record, "sent") == len({(session, place) for session, place, _ in tries})
    assert total(record, "extra") == sum(again > 0 for _, _, again in tries)
    started = record.session_counts[:, SESSIONS.index("started")]
    np.testing.assert_array_equal(started[0], plan.played.sum(axis=(0, 1)))
    assert record.session_counts[:, SESSIONS.index("lost")].sum() == 0


@quickly
@given(seed=st.integers(0, 10**6))
def test_what_our_own_bounds_hold_back_is_a_fault_of_ours_and_the_books_balance(
    seed: int, everything: Scenario
) -> None:
    plan = flat_plan(everything, 1.5, slots=3, speed=20.0, seed=seed)
    run = play(everything, plan, rough(seed, bad=0.5, held=0.3), seed=seed)
    record = recorded(everything, plan, run)
    assert record.imbalances() == []
    lost = total(record, "lost") + record.session_counts[:, SESSIONS.index("lost")].sum()
    assert faults_of(record) != () or not lost


@pytest.mark.parametrize("seed", [4, 7])
def test_no_exchange_fails_that_was_not_heard_of(seed: int, everything: Scenario) -> None:
    """Locust's failures are a share of its requests; above all of them it would be nonsense."""
    plan = flat_plan(everything, 1.5, slots=4, speed=20.0, seed=seed)
    run = play(everything, plan, rough(seed), seed=seed)
    ended = np.concatenate([rows[:, 0] for rows in run.exchanges]).astype(int)
    for number in {number for number, _ in run.exchange_faults}:
        failed = sum(n for (which, _), n in run.exchange_faults.items() if which == number)
        assert failed <= np.count_nonzero(ended == number)


@quickly
@given(seed=st.integers(0, 10**6), at_s=st.floats(-3.0, 14.0))
def test_a_run_that_is_stopped_sends_nothing_new_and_its_books_balance(
    seed: int, at_s: float, everything: Scenario
) -> None:
    plan = flat_plan(everything, 2.0, slots=4, lead_in=1, speed=20.0, seed=seed)
    target = rough(seed)
    run = play(everything, plan, target, seed=seed, happens={at_s: lambda e, _: e.stop()})
    record = recorded(everything, plan, run)
    assert record.imbalances() == []
    assert validity(record, health=Health(0.1), end="person", why="stopped").faults == ()
    before = {(a.session, a.place, a.tries) for a in target.asked if a.at_s <= at_s + 1e-9}
    assert {(a.session, a.place, a.tries) for a in target.asked} == before


@quickly
@given(seed=st.integers(0, 10**6), starts_per_s=st.floats(0.0, 5.0))
def test_sessions_that_a_guardrail_holds_back_are_booked_as_held_by_any_number_of_workers(
    seed: int, starts_per_s: float, everything: Scenario
) -> None:
    plan = flat_plan(everything, 2.0, slots=4, speed=20.0, seed=seed)

    def hold(engine: Engine, worker: int) -> None:
        engine.hold(starts_per_s)

    targets = [rough(seed), rough(seed)]
    one, two = (
        play(everything, plan, target, seed=seed, workers=workers, happens={3.0: hold})
        for workers, target in enumerate(targets, 1)
    )
    record = recorded(everything, plan, one)
    assert record.imbalances() == []
    assert total(record, "lost") == 0
    planned, started, held = (
        record.session_counts[:, SESSIONS.index(what)] for what in ("planned", "started", "held")
    )
    np.testing.assert_array_equal(planned, started + held)
    assert held[:, 0].sum() == 0
    other = recorded(everything, plan, two)
    np.testing.assert_array_equal(record.step_counts, other.step_counts)


def test_of_the_sessions_planned_so_many_start_as_a_hold_lets_and_a_lower_one_lets_no_others(
    scenario: Scenario, plan: LoadPlan
) -> None:
    started: dict[float, set[int]] = {}
    for starts_per_s in (1.0, 2.0, 4.0, 100.0):
        target = Target()
        hold = {-6.0: lambda engine, _, most=starts_per_s: engine.hold(most)}
        play(scenario, plan, target, share=0.0, happens=hold)
        started[starts_per_s] = {asked.session for asked in target.asked}
    assert started[1.0] < started[2.0] < started[4.0] < started[100.0]
    assert len(started[100.0]) == plan.played.sum()
    for starts_per_s in (1.0, 2.0, 4.0):
        expected = starts_per_s * plan.grid.slots * plan.slot_wall_s
        assert abs(len(started[starts_per_s]) - expected) < 4 * expected**0.5


def test_a_session_that_a_guardrail_holds_back_is_no_fault_of_the_generator(
    scenario: Scenario, plan: LoadPlan
) -> None:
    run = play(scenario, plan, Target(), happens={3.0: lambda engine, _: engine.hold(2.0)})
    record = recorded(scenario, plan, run)
    assert record.session_counts[:, SESSIONS.index("held")].sum() > 0
    assert faults_of(record) == ()


@quickly
@given(data=st.data())
def test_without_the_last_reports_of_a_worker_the_books_balance_and_the_rest_is_lost(
    data: st.DataObject, scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    kept = reports[: data.draw(st.integers(0, len(reports)))]
    record = assembled(scenario, plan, kept)
    assert record.imbalances() == []


@quickly
@given(data=st.data())
def test_without_any_of_the_reports_on_whole_sessions_the_books_balance_and_the_rest_is_lost(
    data: st.DataObject, scenario: Scenario, plan: LoadPlan, whole_sessions: Reports
) -> None:
    kept = data.draw(
        st.lists(st.booleans(), min_size=len(whole_sessions), max_size=len(whole_sessions))
    )
    some = [r for r, keep in zip(whole_sessions, kept, strict=True) if keep]
    record, all_ = (assembled(scenario, plan, part) for part in (some, whole_sessions))
    assert record.imbalances() == []
    assert total(record, "sent") + total(record, "lost") <= total(record, "planned")
    started = SESSIONS.index("started")
    if record.session_counts[:, started].sum() < all_.session_counts[:, started].sum():
        assert faults_of(record) != ()


def test_a_report_that_never_came_is_counted_by_its_number(
    scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    assert [report.counts.number for report in reports] == list(range(len(reports)))
    assert assembly_of(scenario, plan, reports).reports_lost == 0
    assert assembly_of(scenario, plan, reports[:1] + reports[3:]).reports_lost == 2


def test_reports_of_several_workers_are_numbered_apart(scenario: Scenario, plan: LoadPlan) -> None:
    reports = play(scenario, plan, rough(1), workers=3, share=0.05).reports
    mixed = sorted(reports, key=lambda report: (report.counts.number, report.counts.worker))
    assert assembly_of(scenario, plan, mixed).reports_lost == 0
    missing = [r for r in mixed if (r.counts.worker, r.counts.number) != (1, 1)]
    assert assembly_of(scenario, plan, missing).reports_lost == 1


UNPLANNED = [STEPS.index("extra"), STEPS.index("achieved"), *range(STEPS.index("done"), len(STEPS))]
"""Outcomes that no plan foresees: a report of nothing else is missed by its number alone."""


def test_a_run_of_which_a_report_is_missing_is_never_valid(
    scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    sound = []
    for missing, report in enumerate(reports):
        planned = any(what not in UNPLANNED for _, _, what, _, _ in report.counts.steps)
        if planned or report.counts.sessions:
            record = assembled(scenario, plan, reports[:missing] + reports[missing + 1 :])
            if not faults_of(record):
                sound.append((report.counts.steps, report.counts.sessions))
    assert sound == []


def test_a_customer_that_broke_down_in_its_last_step_makes_the_run_invalid(
    scenario: Scenario, plan: LoadPlan, whole_sessions: Reports
) -> None:
    """It was sent and never ended: nobody knows how, so nobody may call it good."""
    broken, done = list(whole_sessions), STEPS.index("done")
    at = next(i for i, r in enumerate(broken) if any(s[2] == done for s in r.counts.steps))
    steps = [list(row) for row in broken[at].counts.steps]
    row = next(row for row in steps if row[2] == done)
    row[4] -= 1
    broken[at] = replace(broken[at], counts=replace(broken[at].counts, steps=steps))
    record = assembled(scenario, plan, broken)
    assert total(record, "unfinished") == 1
    assert faults_of(record) != ()


def test_the_same_reports_in_another_order_make_the_same_record(
    scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    one, other = (assembled(scenario, plan, r) for r in (reports, reports[::-1]))
    np.testing.assert_array_equal(one.step_counts, other.step_counts)
    np.testing.assert_array_equal(one.latency, other.latency)
    assert one.orders == other.orders


@quickly
@given(share=st.floats(0.0, 1.0), seed=st.integers(0, 10**6))
def test_reports_taken_at_any_moment_add_up_to_the_same_record(
    share: float, seed: int, scenario: Scenario
) -> None:
    plan = flat_plan(scenario, 2.0, slots=3, lead_in=1, speed=20.0, seed=seed)
    one, other = (
        recorded(scenario, plan, play(scenario, plan, rough(seed), share=s)) for s in (0.0, share)
    )
    np.testing.assert_array_equal(one.step_counts, other.step_counts)
    np.testing.assert_array_equal(one.session_counts, other.session_counts)
    np.testing.assert_array_equal(one.latency, other.latency)
    np.testing.assert_array_equal(one.session_delay, other.session_delay)
    assert (one.orders, one.notes) == (other.orders, other.notes)


def test_a_report_is_whole_numbers_and_names_alone(reports: Reports) -> None:
    for report in reports:
        for name in ("steps", "latency", "sessions", "delay"):
            assert all(
                type(n) is int and n >= 0 for row in getattr(report.counts, name) for n in row
            )


def test_every_reply_has_its_three_latencies(
    scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    record = assembled(scenario, plan, reports)
    for kind in range(3):
        assert record.latency[:, :, kind].sum() == total(record, "achieved")
