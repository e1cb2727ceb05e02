"""What waits for the target, told by its age: one entry a step under way, whatever it sends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gameday.record.histograms import bin_of
from gameday.swarm.engine.customer import Customer, ExchangeFlight
from gameday.swarm.engine.open_steps import open_steps

NOW_S = 1000.0


def customer(step: int, *, due: float, sent: float, is_single: bool = True) -> Any:
    cohort: Any = SimpleNamespace(journey=SimpleNamespace(patience=30.0))
    out = Customer(cohort, 1, 1)
    prepared: Any = SimpleNamespace(only_exchange=object() if is_single else None)
    out.step, out.due, out.sent, out.step_due, out.prepared = step, due, sent, due, prepared
    return out


def pool_of(*flights: Any, queue: tuple[Any, ...] = ()) -> Any:
    pool = SimpleNamespace(queue=queue, sockets=SimpleNamespace(open={}))
    for number, flight in enumerate(flights):
        pool.sockets.open[number] = SimpleNamespace(flight=flight, pool=pool)
    return pool


def waiting(pools: list[Any], by_hand: list[Any], now: float) -> list[Any]:
    return list(open_steps(pools, by_hand, now))


def test_a_step_waits_from_when_it_was_due_on_a_connection_or_for_one() -> None:
    sent = customer(0, due=NOW_S - 5.0, sent=NOW_S - 4.9)
    unconnected = customer(2, due=NOW_S - 1.0, sent=NOW_S - 1.0)
    pool = pool_of(sent, None, queue=(unconnected,))
    assert waiting([pool], [], NOW_S) == [(0, bin_of(5.0), 1), (2, bin_of(1.0), 1)]


def test_what_our_own_bound_on_sockets_holds_back_does_not_wait_for_the_target() -> None:
    held = customer(0, due=NOW_S - 5.0, sent=0.0)
    assert waiting([pool_of(queue=(held,))], [], NOW_S) == []


def test_a_step_of_several_exchanges_waits_once_and_one_that_has_ended_no_more() -> None:
    owner = customer(1, due=NOW_S - 3.0, sent=0.0, is_single=False)
    line: Any = SimpleNamespace(required=True)
    errands = [ExchangeFlight(owner, line, b"", NOW_S - 2.0, 0.0) for _ in range(3)]
    for errand in errands:
        errand.sent = NOW_S - 2.0
    assert waiting([pool_of(*errands)], [], NOW_S) == [(1, bin_of(3.0), 1)]
    owner.steps_ended += 1
    assert waiting([pool_of(*errands)], [], NOW_S) == []


def test_steps_played_by_python_users_wait_too() -> None:
    by_hand = [customer(0, due=NOW_S - 2.0, sent=0.0), customer(0, due=NOW_S - 2.0, sent=0.0)]
    assert waiting([], by_hand, NOW_S) == [(0, bin_of(2.0), 2)]
