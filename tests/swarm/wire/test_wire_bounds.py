"""The pool's bound is never passed, who is held back goes out in turn, and all are heard of once."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import examples
from tests.support.wire_lab import FINE, Lab, get

OK = b"HTTP/1.1 200 OK\r\n"
LAST = OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nlast"


@pytest.mark.parametrize("reply", [FINE, LAST], ids=["keeps", "closes"])
@pytest.mark.parametrize("most", [1, 3])
def test_flights_held_back_go_out_in_turn_and_the_bound_holds(most: int, reply: bytes) -> None:
    with Lab(most=most) as lab:
        flights = [lab.desk.send(get(f"/{n}")) for n in range(12)]
        asked: list[bytes] = []
        while len(asked) < 12:
            for peer, request in lab.shop.asked(lab.desk, min(most, 12 - len(asked))):
                asked.append(request)
                peer.send(reply)
                peer.close() if reply is LAST else None
        heard = lab.desk.wait(*flights)
        assert {h.status for h in heard} == {200}
        if most == 1:
            assert asked == [get(f"/{n}") for n in range(12)]
        assert sorted(asked) == sorted(get(f"/{n}") for n in range(12))
        assert lab.shop.most_at_once <= most
        assert lab.desk.pool.held == 12 - most
        lab.desk.check_books()


def test_no_more_descriptors_are_open_than_the_bound_even_while_some_close() -> None:
    with Lab(most=4) as lab:
        flights = [lab.desk.send(get(f"/{n}")) for n in range(12)]
        for _ in range(3):
            for peer, _ in lab.shop.asked(lab.desk, 4):
                peer.send(LAST)  # all four are heard in one turn, and four more connections opened
        lab.desk.wait(*flights)
        assert lab.desk.sockets.most_at_once <= 4


def test_the_instant_of_sending_is_when_a_place_was_free() -> None:
    with Lab(most=1) as lab:
        first, second = lab.desk.send(now=100.0), lab.desk.send(now=100.0)
        assert (first.sent, second.sent) == (100.0, 0.0)
        [(peer, _)] = lab.shop.asked(lab.desk)
        peer.send(FINE)
        lab.desk.wait(first)
        assert second.sent > 0.0
        assert second.sent != 100.0


def test_the_oldest_in_the_queue_goes_first_whoever_asks_for_a_connection_of_its_own() -> None:
    with Lab(most=2) as lab:
        busy = lab.desk.send(get("/busy"))
        [(stuck, _)] = lab.shop.asked(lab.desk)
        flights = [lab.desk.send(get(f"/{n}"), alone=n % 2 == 0) for n in range(8)]
        for n in range(8):
            [(peer, request)] = lab.shop.asked(lab.desk)
            assert request == get(f"/{n}")
            peer.send(FINE)
        stuck.send(FINE)
        lab.desk.wait(busy, *flights)
        assert lab.shop.accepted == 2


def test_one_that_wants_its_own_connection_gets_a_new_one() -> None:
    with Lab(most=4) as lab:
        lab.check_works()
        for accepted in (2, 3, 4):
            heard = lab.play([FINE], alone=True)
            assert heard is not None
            assert lab.shop.accepted == accepted
        assert lab.desk.pool.count == len(lab.desk.pool.idle) == 4
        oldest = lab.desk.pool.idle[0]
        heard = lab.play([FINE], alone=True)  # the bound: the longest idle makes room
        assert heard is not None
        assert lab.shop.accepted == 5
        assert oldest not in lab.desk.sockets.open.values()
        lab.desk.check_books()


def test_one_that_wants_its_own_connection_shares_when_there_is_no_room() -> None:
    with Lab(most=1) as lab:
        first, second = lab.desk.send(), lab.desk.send(alone=True)
        for flight in (first, second):
            [(peer, _)] = lab.shop.asked(lab.desk)
            peer.send(FINE)
            lab.desk.wait(flight)
        assert lab.shop.accepted == 1


def test_connections_are_opened_ahead_within_the_bound_and_used() -> None:
    with Lab(most=5) as lab:
        for wanted, count in ((3, 3), (2, 3), (3, 3), (9, 5)):
            lab.desk.pool.open_ahead(wanted, 1.0)
            assert lab.desk.pool.count == count
        while len(lab.desk.pool.idle) < 5:
            lab.desk.turn()
        flights = [lab.desk.send() for _ in range(5)]
        assert all(flight.sent > 0.0 for flight in flights)
        for peer, _ in lab.shop.asked(lab.desk, 5):
            peer.send(FINE)
        lab.desk.wait()
        assert lab.shop.accepted == 5
        assert lab.desk.pool.held == 0


def test_connections_opened_ahead_that_fail_harm_nobody() -> None:
    with Lab() as lab:
        lab.desk.pool.open_ahead(3, 1.0)
        while len(lab.desk.pool.idle) < 3:
            lab.desk.turn()
        lab.shop.look()
        for peer in lab.shop.peers:
            peer.reset()
        while lab.desk.pool.count:
            lab.desk.turn()
        lab.desk.check_books()
        lab.check_works()


def test_two_pools_share_their_sockets_and_keep_their_books_apart() -> None:
    with Lab() as one, Lab() as other:
        other.desk.sockets.close()
        other.desk.sockets = other.desk.pool.sockets = one.desk.sockets
        flights = [lab.desk.send(patience=1.0 + 9.0 * (lab is other)) for lab in (one, other)]
        for lab in (one, other):
            lab.shop.asked(lab.desk)
        one.desk.sweep(5.0)
        other.desk.sweep(5.0)
        assert one.desk.heard[flights[0]].fault == "patience"
        assert not other.desk.heard
        assert (one.desk.pool.count, other.desk.pool.count) == (0, 1)


@pytest.fixture
def no_descriptors() -> Iterator[Callable[[bool], None]]:
    """Give a switch: True = this process can open no more descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def switch(none_left: bool) -> None:
        limit = soft
        if none_left:
            with open(os.devnull, "rb") as lowest:
                limit = lowest.fileno()  # numbers are given from the lowest on
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))

    yield switch
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("alone", [False, True])
def test_a_lack_of_descriptors_of_ours_is_no_fault_of_the_target(
    no_descriptors: Callable[[bool], None], alone: bool
) -> None:
    with Lab() as lab:
        no_descriptors(True)
        flight = lab.desk.send(alone=alone, patience=3.0)
        lab.desk.sweep()
        lab.desk.sweep(60.0)
        no_descriptors(False)
        assert not lab.desk.heard, "the wait is ours: nobody lost patience with the target"
        assert lab.desk.pool.hindrances["file descriptors"] >= 1
        lab.desk.sweep()
        [(peer, _)] = lab.shop.asked(lab.desk)
        peer.send(FINE)
        assert lab.desk.wait(flight)[0].body == b"fine"
        lab.desk.check_books()


ACTIONS = {
    "fine": lambda peer: peer.send(FINE),
    "last": lambda peer: (peer.send(LAST), peer.close()),
    "close": lambda peer: peer.close(),
    "reset": lambda peer: peer.reset(),
    "cut": lambda peer: (peer.send(OK + b"Content-Length: 9\r\n\r\nhalf"), peer.close()),
    "start": lambda peer: peer.send(OK + b"Content-Le"),
    "garbage": lambda peer: peer.send(b"garbage\r\n\r\n"),
    "extra": lambda peer: peer.send(FINE + b"extra"),
    "chunks": lambda peer: peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    "until close": lambda peer: (peer.send(OK + b"\r\nbody"), peer.close()),
    "interim": lambda peer: peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}
STEPS = st.one_of(
    st.tuples(st.sampled_from(["send", "send", "alone", "big"]), st.booleans()),
    st.tuples(st.sampled_from([*ACTIONS]), st.integers(0, 3)),
    st.tuples(st.just("turn"), st.just(0)),
    st.tuples(st.just("ahead"), st.integers(0, 5)),
    st.tuples(st.just("sweep"), st.sampled_from([0.0, 4.0, 56.0, 61.0, 121.0])),
)
BIG = b"POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000


def act(lab: Lab, name: str, what: int) -> None:
    """Do one thing at either end."""
    if name in ACTIONS:
        lab.shop.look()
        if lab.shop.peers:
            ACTIONS[name](lab.shop.peers[what % len(lab.shop.peers)])
        lab.shop.peers = [peer for peer in lab.shop.peers if not peer.ended]
    elif name == "turn":
        lab.desk.turn(0.0)
    elif name == "sweep":
        lab.desk.sweep(what)
    elif name == "ahead":
        lab.desk.pool.open_ahead(what, lab.desk.now())
    else:
        request = BIG if name == "big" else get()
        lab.desk.send(request, resend=bool(what), alone=name == "alone", patience=5.0 + what)


@settings(max_examples=examples(250), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=40), most=st.integers(1, 3))
def test_whatever_happens_each_flight_is_heard_of_once_and_the_books_balance(
    steps: list[tuple[str, int]], most: int
) -> None:
    with Lab(most=most) as lab:
        for name, what in steps:
            act(lab, name, what)
            lab.desk.check_books()
        end_all(lab, lambda: len(lab.desk.heard) == len(lab.desk.sent))
        lab.desk.check_books()
        lab.check_works()


def end_all(lab: Lab, is_over: Callable[[], bool]) -> None:
    """Let time pass until every flight has met its end."""
    for _ in range(100):
        if is_over():
            break
        lab.desk.turn(0.0)
        lab.desk.sweep_at(lab.desk.now() + 200.0)
    assert is_over()
    for _ in range(10):  # what is idle or opening goes too
        lab.desk.sweep_at(lab.desk.now() + 60.0)
        lab.desk.turn(0.0)
        lab.shop.look()
    for peer in lab.shop.peers:
        peer.close()
    lab.shop.peers.clear()
