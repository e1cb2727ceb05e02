"""Customers asleep: woken in the order they are due, never early, none lost, as they lay down."""

from __future__ import annotations

import sys
import tracemalloc
from array import array
from bisect import insort
from dataclasses import dataclass
from math import inf, nextafter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.swarm.engine.customer import Customer
from gameday.swarm.engine.sleeping_sessions import SleepingSessions
from gameday.swarm.engine.timer_buckets import TimerBuckets
from gameday.swarm.wire.cookies import CookieJar
from gameday.vocabulary import Seed
from tests.support import examples
from tests.support.small_shop import flat_plan, load_small, merged, small_shop
from tests.support.small_stage import recorded
from tests.support.virtual_customers import Target, play

edges = st.tuples(st.integers(1, 400), st.sampled_from([-1, 0, 1])).map(
    lambda at: nextafter(at[0] * 0.1, at[1] * inf) if at[1] else at[0] * 0.1
)
"""Instants on, just before and just after the edges of buckets."""
instants = st.floats(0.0, 50.0) | st.floats(0.0, 2.0) | edges
moves = st.lists(
    st.tuples(st.just("sleep"), instants)
    | st.tuples(st.just("now"), instants)
    | st.tuples(st.just("later"), st.floats(0.0, 0.5))
    | st.tuples(st.just("take"), st.just(0.0)),
    min_size=5,
    max_size=200,
)
"""Sleep until, the clock jumps to (back, too), the clock goes on by, take one who is due."""


@given(moves=moves)
@settings(max_examples=examples(300), deadline=None)
def test_whoever_is_due_the_longest_is_taken_first_never_early_and_nobody_is_lost(
    moves: list[tuple[str, float]],
) -> None:
    due: array[float] = array("d")
    timers, waiting, now = TimerBuckets(due), list[float](), 0.0
    for move, number in [*moves, ("now", 100.0)]:
        if move == "sleep":
            due.append(number)
            timers.put(len(due) - 1)
            insort(waiting, number)
        elif move == "take":
            row = timers.take(now)
            if row < 0:
                assert not waiting or waiting[0] > now
            else:
                assert due[row] == waiting.pop(0) <= now
        else:
            now = number if move == "now" else now + number
        assert timers.waiting == len(waiting)
        next_s = timers.next_s()
        assert next_s <= waiting[0] + 1e-9 if waiting else next_s == inf
    rows = [timers.take(now) for _ in waiting]
    assert [due[row] for row in rows] == waiting
    assert len(set(rows)) == len(rows)
    assert (timers.take(now), timers.waiting) == (-1, 0)


@given(dues=st.lists(instants, min_size=1, max_size=50), now=instants)
def test_a_clock_that_waits_for_the_calendars_word_never_turns_in_vain_for_long(
    dues: list[float], now: float
) -> None:
    """An engine that sleeps until `next_s` wakes for somebody, or for a bucket; never for nothing."""
    timers = TimerBuckets(array("d", dues))
    for row in range(len(dues)):
        timers.put(row)
    turns = 0
    while timers.waiting:
        turns += timers.take(now) < 0
        now = max(nextafter(now, inf), timers.next_s()) if timers.waiting else now
    assert turns <= 600 + 2 * len(dues)


def cohort_of(number: int, patience: float) -> Any:
    return SimpleNamespace(number=number, journey=SimpleNamespace(patience=patience))


COHORTS = tuple(cohort_of(number, float(number + 1)) for number in range(7))
FIELDS = (
    "key",
    "session",
    "position",
    "step",
    "nominal_s",
    "start_slot",
    "tries",
    "tries_at_reason",
    "retry_reason",
    "jar",
    "memory",
)

customers = st.fixed_dictionaries(
    {
        "key": st.integers(0, 2**64 - 1),
        "session": st.integers(0, 2**32 - 1),
        "position": st.integers(0, 499),
        "step": st.integers(0, 255),
        "nominal_s": st.floats(-1e6, 1e6),
        "start_slot": st.integers(-10_000, 10_000_000),
        "tries": st.integers(0, 2000),
        "tries_at_reason": st.integers(0, 2000),
        "retry_reason": st.integers(0, 5),
        "jar": st.none() | st.builds(CookieJar),
        "memory": st.none() | st.dictionaries(st.text(), st.text()),
    }
)


def customer_of(cohort: Any, facts: dict[str, Any]) -> Customer:
    customer = Customer(cohort, facts["key"], facts["session"])
    for name in FIELDS:
        setattr(customer, name, facts[name])
    return customer


@dataclass
class Bed:
    """A customer as it lay down."""

    due: float
    cohort: int
    facts: dict[str, Any]


@given(data=st.data())
@settings(max_examples=examples(80), deadline=None)
def test_a_customer_wakes_as_it_lay_down_whoever_slept_in_its_row_before(
    data: st.DataObject,
) -> None:
    rows, beds, now = SleepingSessions(COHORTS), list[Bed](), 0.0
    for _ in range(data.draw(st.integers(1, 40))):
        if data.draw(st.booleans()):
            bed = Bed(data.draw(instants), data.draw(st.integers(0, 6)), data.draw(customers))
            rows.sleep(customer_of(COHORTS[bed.cohort], bed.facts), bed.due)
            beds.append(bed)
        now += data.draw(st.floats(0.0, 10.0))
        woken = rows.wake(now)
        due = sorted(bed.due for bed in beds if bed.due <= now)
        assert (woken is None) == (not due)
        if woken is not None:
            assert woken.due == due[0]
            mine = [bed for bed in beds if same(woken, bed)]
            assert mine
            beds.remove(mine[0])
        assert len(rows) == len(beds)
        assert bool(rows) == bool(beds)


def same(woken: Customer, bed: Bed) -> bool:
    if woken.due != bed.due or woken.cohort is not COHORTS[bed.cohort]:
        return False
    return woken.patience == bed.cohort + 1.0 and all(
        getattr(woken, name) is bed.facts[name]
        if name == "jar"
        else getattr(woken, name) == bed.facts[name]
        for name in FIELDS
    )


def test_a_customer_wakes_with_nothing_under_way() -> None:
    rows, nobody = (
        SleepingSessions(COHORTS),
        dict.fromkeys(FIELDS, 0) | {"jar": None, "memory": None},
    )
    customer = customer_of(COHORTS[0], nobody)
    customer.outcome, customer.why, customer.hops, customer.resent = 3, "status_500", 2, True
    customer.patient_since = customer.first_sent = 77.0
    rows.sleep(customer, 1.0)
    woken = rows.wake(2.0)
    assert woken is not None
    assert (woken.outcome, woken.why, woken.hops, woken.resent, woken.has_ended) == (
        0,
        "",
        0,
        False,
        False,
    )
    assert woken.patient_since == woken.first_sent == 0.0


def test_a_row_that_has_become_free_holds_on_to_nothing() -> None:
    rows, jar, memory = SleepingSessions(COHORTS), CookieJar(), {"token": "t"}
    before = sys.getrefcount(jar), sys.getrefcount(memory)
    facts = dict.fromkeys(FIELDS, 0) | {"jar": jar, "memory": memory}
    rows.sleep(customer_of(COHORTS[0], facts), 1.0)
    assert rows.wake(2.0) is not None
    del facts
    assert (sys.getrefcount(jar), sys.getrefcount(memory)) == before


def test_a_sleeper_costs_what_it_is_said_to_and_its_place_is_used_again() -> None:
    """Rows grow by the largest number asleep at one time, not by how often somebody sleeps."""
    many = 50_000
    due = (1.0 + 20.0 * Seed(1).stream("due").random(many)).tolist()
    facts = dict.fromkeys(FIELDS, 1) | {"jar": None, "memory": None}
    customer = customer_of(COHORTS[0], facts)
    tracemalloc.start()
    rows = SleepingSessions(COHORTS)
    sizes = []
    for turn in range(3):
        for at in due:
            rows.sleep(customer, 100.0 * turn + at)
        sizes.append(tracemalloc.get_traced_memory()[0] / many)
        while rows:
            rows.wake(100.0 * turn + 50.0)
    tracemalloc.stop()
    assert sizes[0] <= 1.25 * rows.bytes_each
    assert sizes[2] <= 1.25 * max(sizes[0], rows.bytes_each)


@pytest.mark.parametrize("steps", [255, 300])
def test_a_journey_may_lead_to_any_of_a_scenarios_steps(steps: int, tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(steps)]
    shop = merged(small_shop(), {"objectives": []})
    shop["steps"] = {name: {"exchanges": [{"path": f"/{name}"}]} for name in names}
    shop["journeys"] = {
        "shopper": {
            "start": {names[0]: 1.0},
            "think": {"other": "5s"},
            "patience": "8s",
            "next": {names[0]: {names[-1]: 1.0}, names[-1]: {"exit": 1.0}},
        }
    }
    scenario = load_small(tmp_path, shop)
    plan, target = flat_plan(scenario, 3.0, slots=2, speed=20.0), Target()
    record = recorded(scenario, plan, play(scenario, plan, target))
    assert {asked.step for asked in target.asked} == {names[0], names[-1]}
    assert np.count_nonzero(record.step_counts[0].sum(axis=(1, 2))) == 2
