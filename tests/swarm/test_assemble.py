"""From reports to a record: its books balance, and what nobody reported was lost by us."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import busy_shop
from small_shop import flat_plan
from virtual_customers import Target, play

from gameday.findings import validity
from gameday.run_record import ATTEMPTS, LOADS, SESSIONS, STEPS, RunRecord
from gameday.scenario import Scenario
from gameday.swarm.assemble import Assembly
from gameday.swarm.client import Reply, Request
from gameday.swarm.observe import Observer, Sample
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

REACTIONS = {
    "journeys": {
        "shopper": {
            "on_failure": {"again": 0.6, "after": "4s", "most": 3},
            "on_sold_out": {"again": 0.5, "after": "2s"},
        }
    },
    "steps": {"home": {"exchanges": [{"path": "/", "check": {"latency": "2s"}}]}},
    "observe": {"orders": "/orders"},
}
quickly = settings(max_examples=40, deadline=None)


def rough(seed: int) -> Target:
    """Return a target that does anything a target may do."""
    chance = Seed(seed).stream("target")
    kinds = [(200, None), (201, None), (409, None), (500, None), (404, None), (0, "timeout")]

    def answer(request: Request) -> tuple[Reply, float]:
        good = 201 if request.method == "POST" else 200
        status, fault = kinds[chance.integers(len(kinds))]
        if chance.random() < 0.75:
            status, fault = (409 if good == 201 and chance.random() < 0.3 else good), None
        return Reply(status, {}, b"", fault), float(chance.exponential(1.2))

    return Target(answer)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("assemble"), REACTIONS)


@pytest.fixture(scope="module")
def plan(scenario: Scenario) -> LoadPlan:
    return flat_plan(scenario, 8.0, slots=8, lead_in=2, speed=20.0)


@pytest.fixture(scope="module")
def reports(scenario: Scenario, plan: LoadPlan) -> list[dict[str, Any]]:
    return play(scenario, plan, rough(1))


@pytest.fixture(scope="module")
def whole_sessions(scenario: Scenario, plan: LoadPlan) -> list[dict[str, Any]]:
    return play(scenario, plan, rough(1), whole=True)


def assembled(scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]) -> RunRecord:
    assembly = Assembly(scenario, plan)
    for report in reports:
        assembly.add(report)
    return assembly.record(Observer(scenario, {}), None)


def total(record: RunRecord, what: str) -> int:
    return int(record.step_counts[:, :, STEPS.index(what)].sum())


def test_all_reports_together_lose_nothing(
    scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    record = assembled(scenario, plan, reports)
    assert record.imbalances() == []
    assert total(record, "lost") == total(record, "unfinished") == 0
    assert record.session_counts[:, SESSIONS.index("lost")].sum() == 0
    assert validity(record, busiest=0.1, end="complete", why="").faults == ()
    for what in ("done", "failed", "check_failed", "sold_out", "abandoned", "extra",
                 "after_failed", "after_check", "after_abandoned"):  # fmt: skip
        assert total(record, what) > 0, what


@quickly
@given(seed=st.integers(0, 10**6))
def test_the_books_balance_whatever_the_target_does(
    seed: int, scenario: Scenario, plan: LoadPlan
) -> None:
    small = flat_plan(scenario, 0.7, slots=4, lead_in=1, speed=20.0, seed=seed)
    record = assembled(scenario, small, play(scenario, small, rough(seed), seed=seed))
    assert record.imbalances() == []
    assert total(record, "lost") == 0


@quickly
@given(data=st.data())
def test_without_the_last_reports_of_a_worker_the_books_balance_and_the_rest_is_lost(
    data: st.DataObject, scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    kept = reports[: data.draw(st.integers(0, len(reports)))]
    record = assembled(scenario, plan, kept)
    assert record.imbalances() == []
    counts = record.step_counts
    np.testing.assert_array_equal(counts[:, :, 0], counts[:, :, 1:8].sum(axis=2))


@quickly
@given(data=st.data())
def test_without_any_of_the_reports_on_whole_sessions_the_books_balance_and_the_rest_is_lost(
    data: st.DataObject, scenario: Scenario, plan: LoadPlan, whole_sessions: list[dict[str, Any]]
) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(whole_sessions),
                              max_size=len(whole_sessions)))  # fmt: skip
    some = [r for r, keep in zip(whole_sessions, kept, strict=True) if keep]
    record, all_ = (assembled(scenario, plan, part) for part in (some, whole_sessions))
    assert record.imbalances() == []
    assert total(record, "sent") + total(record, "lost") <= total(record, "planned")
    started = SESSIONS.index("started")
    if record.session_counts[:, started].sum() < all_.session_counts[:, started].sum():
        assert validity(record, busiest=0.1, end="complete", why="").faults != ()


UNPLANNED = ("extra", "achieved", "done", "failed", "check_failed", "sold_out", "abandoned")
"""Outcomes that no plan foresees: a report of nothing else is missed by its number alone."""


def test_a_report_that_never_came_is_counted_by_its_number(
    scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    assembly = Assembly(scenario, plan)
    numbered = [report | {"worker": 0, "number": n} for n, report in enumerate(reports)]
    for report in numbered[:1] + numbered[3:]:
        assembly.add(report)
    assert assembly.reports_lost == 2


def test_a_run_of_which_a_report_is_missing_is_never_valid(
    scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    sound = []
    for missing, report in enumerate(reports):
        planned = any(what not in UNPLANNED for _, _, what, _, _ in report["steps"])
        if planned or report["sessions"]:
            record = assembled(scenario, plan, reports[:missing] + reports[missing + 1 :])
            if not validity(record, busiest=0.1, end="complete", why="").faults:
                sound.append((report["steps"], report["sessions"]))
    assert sound == []


def test_a_customer_that_broke_down_in_its_last_step_makes_the_run_invalid(
    scenario: Scenario, plan: LoadPlan, whole_sessions: list[dict[str, Any]]
) -> None:
    """It was sent and never ended: nobody knows how, so nobody may call it good."""
    broken = [dict(report) for report in whole_sessions]
    at = next(i for i, r in enumerate(broken) if any(s[2] == "done" for s in r["steps"]))
    broken[at]["steps"] = [list(row) for row in broken[at]["steps"]]
    row = next(row for row in broken[at]["steps"] if row[2] == "done")
    row[4] -= 1
    record = assembled(scenario, plan, broken)
    assert total(record, "unfinished") == 1
    assert validity(record, busiest=0.1, end="complete", why="").faults != ()


def test_the_same_reports_in_another_order_make_the_same_record(
    scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    one, other = (assembled(scenario, plan, r) for r in (reports, reports[::-1]))
    np.testing.assert_array_equal(one.step_counts, other.step_counts)
    np.testing.assert_array_equal(one.latency, other.latency)
    assert one.orders == other.orders


def test_every_reply_has_its_three_latencies(
    scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    record = assembled(scenario, plan, reports)
    for kind in range(3):
        assert record.latency[:, :, kind].sum() == total(record, "achieved")


def test_an_order_book_holds_each_key_once(
    scenario: Scenario, plan: LoadPlan, reports: list[dict[str, Any]]
) -> None:
    assembly = Assembly(scenario, plan)
    for report in reports:
        assembly.add(report)
    said = {key for r in reports for _, key, what in r["orders"] if what == "confirmed"}
    sent = {key for r in reports for _, key, _ in r["orders"]}
    shop = {"main": (said | {"nobody's"}) - {min(said)}}
    orders = assembly.record(Observer(scenario, {}), shop).orders
    assert orders is not None
    assert (orders.confirmed, orders.unknown) == (len(said), len(sent - said))
    assert (orders.in_shop, orders.confirmed_missing, orders.never_sent) == (len(said), 1, 1)


@pytest.mark.parametrize("why", ["latency", "status", "extract"])
def test_an_order_whose_reply_did_not_pass_its_check_may_be_in_the_shop(
    why: str, plan: LoadPlan, tmp_path: Path
) -> None:
    """It was sent: in the shop, it must not be called an order that nobody sent."""
    exchange: dict[str, Any] = {"method": "POST", "path": "/checkout", "action": "place_order"}
    check: dict[str, Any] = {"status": [201]}
    if why == "latency":
        check["latency"] = "1s"
    if why == "extract":
        exchange["extract"] = {"receipt": {"header": "X-Receipt"}}
    scenario = busy_shop(
        tmp_path, {"steps": {"checkout": {"exchanges": [exchange | {"check": check}]}}}
    )
    scenario = scenario.model_copy(
        update={"observe": scenario.observe.model_copy(update={"orders": "/orders"})}
    )

    def answer(request: Request) -> tuple[Reply, float]:
        status = 200 if request.method == "GET" or why == "status" else 201
        return Reply(status, {}, b"", None), 1.5

    target = Target(answer)
    assembly = Assembly(scenario, plan)
    for report in play(scenario, plan, target):
        assembly.add(report)
    placed = sum(request.method == "POST" for request in target.asked)
    in_shop = {f"r1-{session}-{place}" for session in range(10**4) for place in range(3)}
    record = assembly.record(Observer(scenario, {}), {"main": in_shop})
    assert placed > 3
    assert record.orders is not None
    assert record.orders.confirmed + record.orders.unknown == placed


@pytest.mark.parametrize("found", ["two words", "one\ttab", "line\nbreak"])
def test_a_word_found_in_a_reply_makes_a_path_that_can_be_sent(
    found: str, plan: LoadPlan, tmp_path: Path
) -> None:
    """The client refuses such a path; booked as the target's failure, it would be our own."""
    scenario = busy_shop(
        tmp_path,
        {
            "steps": {
                "home": {"exchanges": [{"path": "/", "extract": {"sku": {"header": "x-sku"}}}]},
                "product": {"exchanges": [{"path": "/product/{sku}"}]},
            }
        },
    )
    target = Target(lambda request: (Reply(200, {"x-sku": found}, b"", None), 0.01))
    play(scenario, flat_plan(scenario, 0.5, slots=3, speed=20.0), target)
    paths = {r.path for r in target.asked if r.path.startswith("/product/")}
    assert paths
    assert not any(re.search(r"\s", path) for path in paths)


def samples_of(rows: list[dict[str, float] | None], every_s: float = 3.0) -> list[Sample]:
    """Return one sample a slot boundary; None: the target did not answer."""
    return [
        Sample(1000.0 + i * every_s, {("main", "pay", k): v for k, v in (row or {}).items()})
        for i, row in enumerate(rows)
    ]


def folded(scenario: Scenario, plan: LoadPlan, samples: list[Sample]) -> RunRecord:
    assembly = Assembly(scenario, plan)
    assembly.samples = samples
    return assembly.record(Observer(scenario, {"main": "http://127.0.0.1:9"}), None)


def row_of(record: RunRecord, what: str) -> Any:
    return record.attempts[0, record.services.index("pay"), ATTEMPTS.index(what)]


def test_counters_become_counts_a_slot(scenario: Scenario, plan: LoadPlan) -> None:
    record = folded(scenario, plan, samples_of([{"done": d} for d in (5, 15, 15, 35)]))
    np.testing.assert_array_equal(row_of(record, "done")[:3], [10, 0, 20])
    assert np.isnan(row_of(record, "done")[3:]).all()
    assert np.isnan(row_of(record, "shed")).all()


def test_a_counter_that_began_anew_counts_from_nothing(scenario: Scenario, plan: LoadPlan) -> None:
    record = folded(scenario, plan, samples_of([{"done": d} for d in (100, 110, 4, 9)]))
    np.testing.assert_array_equal(row_of(record, "done")[:3], [10, 4, 5])


def test_a_sample_that_is_missing_leaves_its_slots_unknown_and_not_zero(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        {"done": 1},
        {"done": 2},
        None,
        {"done": 9},
        {"done": 10},
    ]
    done = row_of(folded(scenario, plan, samples_of(rows)), "done")
    assert np.isnan(done[1])
    assert np.nansum(done[:4]) == 9  # what grew over the gap is counted once, at its middle


def test_utilisation_is_busy_time_over_servers_and_wall_time(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        {"busy_seconds": 3.0 * i, "capacity": 2, "queue_seconds": 6.0 * i} for i in range(9)
    ]
    record = folded(scenario, plan, samples_of(rows))
    np.testing.assert_allclose(record.utilisation("main", "pay"), 0.5)
    assert record.loads[0, 2, LOADS.index("queue_s")].tolist() == [6.0] * 8
    assert np.isnan(record.utilisation("main", "edge")).all()


def test_a_gauge_alone_is_taken_as_lasting(scenario: Scenario, plan: LoadPlan) -> None:
    rows: list[dict[str, float] | None] = [{"in_use": 1, "capacity": 2}] * 9
    np.testing.assert_allclose(
        folded(scenario, plan, samples_of(rows)).utilisation("main", "pay"), 0.5
    )


BOUNDS = (0.005, 0.02, 0.1, 0.7, 3.0, 60.0, float("inf"))
buckets = st.lists(st.integers(0, 50), min_size=len(BOUNDS), max_size=len(BOUNDS))


def cumulative(counts: list[int]) -> dict[str, float]:
    sums = np.cumsum(counts).tolist()
    return {f"le={bound}": float(n) for bound, n in zip(BOUNDS, sums, strict=True)}


@quickly
@given(slots=st.lists(buckets, min_size=1, max_size=6))
def test_a_histograms_buckets_spread_over_bins_keep_their_counts(
    slots: list[list[int]], scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [cumulative([7] * len(BOUNDS))]
    for counts in slots:
        before = [v for _, v in (rows[-1] or {}).items()]
        after = np.diff(before, prepend=0.0) + counts
        rows.append(cumulative(after.tolist()))
    record = folded(scenario, plan, samples_of(rows))
    visits = record.visits[0, record.services.index("pay")]
    np.testing.assert_allclose(visits[: len(slots)].sum(axis=1), [sum(s) for s in slots], rtol=1e-4)
    assert (visits >= 0).all()


def test_a_bucket_covers_only_the_bins_between_its_bounds(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        cumulative([0] * len(BOUNDS)), cumulative([0, 0, 0, 40, 0, 0, 0]),
    ]  # fmt: skip
    record = folded(scenario, plan, samples_of(rows))
    found = np.flatnonzero(record.visits[0, record.services.index("pay"), 0])
    assert 1e-4 * 1.01 ** found[0] == pytest.approx(0.1, rel=0.02)
    assert 1e-4 * 1.01 ** (found[-1] + 1) == pytest.approx(0.7, rel=0.02)


def test_a_histogram_that_began_anew_counts_from_nothing(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        cumulative([10, 190, 0, 0, 0, 0, 0]), cumulative([50, 10, 0, 0, 0, 0, 0]),
    ]  # fmt: skip
    record = folded(scenario, plan, samples_of(rows))
    assert record.visits[0, record.services.index("pay"), 0].sum() == pytest.approx(60)


def test_attempts_balance_with_what_is_in_flight(scenario: Scenario, plan: LoadPlan) -> None:
    names = [a for a in ATTEMPTS if a != "in_flight"]
    zero = dict.fromkeys(names, 0.0)
    rows: list[dict[str, float] | None] = [
        zero | {"in_flight": 2.0, "arrived": 2.0},
        zero | {"arrived": 30.0, "done": 20.0, "shed": 4.0, "in_flight": 6.0},
        zero | {"arrived": 31.0, "done": 25.0, "shed": 4.0, "failed": 1.0, "in_flight": 1.0},
    ]
    assert folded(scenario, plan, samples_of(rows)).imbalances() == []


def test_one_missed_scrape_does_not_unbalance_the_books(scenario: Scenario, plan: LoadPlan) -> None:
    names = [a for a in ATTEMPTS if a != "in_flight"]
    zero = dict.fromkeys(names, 0.0)
    rows: list[dict[str, float] | None] = [
        zero | {"arrived": 10.0 * i, "done": 10.0 * i - i, "in_flight": float(i)} for i in range(9)
    ]
    rows[4] = None
    assert folded(scenario, plan, samples_of(rows)).imbalances() == []
