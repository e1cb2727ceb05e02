"""Orders by their keys: each booked once, as confirmed or unknown, and every one that was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.scenario import Scenario
from gameday.swarm.tally.observe import Observer
from gameday.swarm.tally.reports import WorkerReport
from gameday.traffic import LoadPlan
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.small_stage import assembly_of
from tests.support.virtual_customers import Answer, Asked, Run, Target, play, rough

Reports = list[WorkerReport]


def test_an_order_book_holds_each_key_once(
    scenario: Scenario, plan: LoadPlan, reports: Reports
) -> None:
    assembly = assembly_of(scenario, plan, reports)
    said = {key for r in reports for _, key, what, *_ in r.counts.orders if what == "confirmed"}
    sent = {key for r in reports for _, key, *_ in r.counts.orders}
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
    steps = {"checkout": {"exchanges": [exchange | {"check": check}]}}
    scenario = busy_shop(tmp_path, {"steps": steps, "observe": {"orders": "/orders"}})

    def answer(asked: Asked) -> Answer:
        return Answer(200 if asked.method == "GET" or why == "status" else 201, seconds=1.5)

    target = Target(answer)
    run: Run = play(scenario, plan, target)
    placed = sum(asked.method == "POST" for asked in target.asked)
    in_shop = {f"r1-{session}-{place}" for session in range(10**4) for place in range(9)}
    orders = (
        assembly_of(scenario, plan, run.reports)
        .record(Observer(scenario, {}), {"main": in_shop})
        .orders
    )
    assert placed > 3
    assert orders is not None
    assert (orders.confirmed, orders.unknown) == (0, placed)


def test_orders_are_booked_by_the_key_that_was_sent(everything: Scenario) -> None:
    plan, target = flat_plan(everything, 6.0, slots=4, speed=20.0), rough(5)
    reports = play(everything, plan, target).reports
    sent = {a.header("Idempotency-Key") for a in target.asked if a.method == "POST"}
    booked = {key for report in reports for _, key, *_ in report.counts.orders}
    confirmed = {
        key for r in reports for _, key, what, *_ in r.counts.orders if what == "confirmed"
    }
    assert len(sent) > 20
    assert confirmed
    assert confirmed <= sent
    assert booked >= sent - {  # sold out at the last: nothing was ordered
        a.header("Idempotency-Key") for a in target.asked if target.answer(a).status == 409
    }


def test_an_order_that_went_through_at_the_second_try_is_confirmed_and_no_longer_unknown(
    everything: Scenario,
) -> None:
    plan = flat_plan(everything, 6.0, slots=4, speed=20.0)

    def answer(asked: Asked) -> Answer:
        status = 201 if asked.tries else 500
        return Answer(status if asked.method == "POST" else 200, body=b'{"token": "t"}')

    target = Target(answer)
    run = play(everything, plan, target)
    tried = {a.header("Idempotency-Key") for a in target.asked if a.method == "POST"}
    again = {a.header("Idempotency-Key") for a in target.asked if a.method == "POST" and a.tries}
    orders = (
        assembly_of(everything, plan, run.reports).record(Observer(everything, {}), None).orders
    )
    assert orders is not None
    assert again
    assert (orders.confirmed, orders.unknown) == (len(again), len(tried - again))


def test_an_order_of_a_lost_worker_may_be_in_the_shop_and_no_other_that_nobody_sent(
    everything: Scenario,
) -> None:
    plan, target = flat_plan(everything, 6.0, slots=4, speed=20.0), rough(5)
    run = play(everything, plan, target, workers=8, share=0.0)
    told = {key for report in run.reports for _, key, *_ in report.counts.orders}
    lost = max(run.reports, key=lambda report: len(report.counts.orders))
    silent = [report for report in run.reports if report is not lost]
    strange = {"r1-0-400", "r1-99999-1", "r1-x-1", "nobody's"}
    observer = Observer(everything, {})
    whole = assembly_of(everything, plan, run.reports).record(observer, {"main": told | strange})
    cut = assembly_of(everything, plan, silent).record(observer, {"main": told | strange})
    assert lost.counts.orders
    assert whole.orders is not None
    assert cut.orders is not None
    assert whole.orders.never_sent == cut.orders.never_sent == len(strange)
    assert cut.orders.confirmed_missing == 0
    assert cut.orders.unknown + cut.orders.confirmed == len(told)
