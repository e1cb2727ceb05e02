"""Each phase has its bound, and a customer patience; the clock is the test's own."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest

from gameday.safety import Target
from gameday.swarm.wire.connection import Connection
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.pool import PoolLimits
from tests.support.wire_lab import FINE, Desk, Lab, Peer, get

LIMITS = PoolLimits(8)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def check_bound(lab: Lab, flight: Flight, bound_s: float, fault: str) -> None:
    """Nothing happens just before the bound; just after it, the fault."""
    since = flight.sent
    lab.desk.sweep_at(since + bound_s - 0.01)
    lab.desk.check_books()
    assert flight not in lab.desk.heard
    lab.desk.sweep_at(since + bound_s + 0.01)
    assert lab.desk.heard[flight].fault == fault
    lab.desk.check_books()


@pytest.fixture
def full() -> Iterator[Target]:
    """A target whose backlog of connections is full: what else is sent to it goes unheard."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield Target("http", "127.0.0.1", "127.0.0.1", port)
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("alone", [False, True])
def test_a_target_that_does_not_accept_is_timeout_connect(full: Target, alone: bool) -> None:
    desk = Desk(full)
    flight = desk.send(alone=alone)
    desk.sockets.turn(0.01)
    desk.sweep_at(flight.sent + LIMITS.connect_s - 0.1)
    assert not desk.heard
    desk.sweep_at(desk.now() + LIMITS.connect_s + 0.1)
    assert desk.heard[flight].fault == "timeout_connect"
    desk.check_books()
    desk.sockets.close()


def test_every_flight_that_waits_for_connections_is_told(full: Target) -> None:
    desk = Desk(full, most=3)
    flights = [desk.send() for _ in range(5)]
    for ahead in range(1, 6):
        desk.sweep(ahead * (LIMITS.connect_s + 0.1))
        desk.check_books()
    assert {desk.heard[flight].fault for flight in flights} == {"timeout_connect"}
    desk.sockets.close()


def test_patience_ends_while_the_target_does_not_accept(full: Target) -> None:
    desk = Desk(full, most=1)
    flights = [desk.send(patience=2.0, alone=alone) for alone in (True, False)]
    desk.sweep(1.9)
    assert not desk.heard
    desk.sweep(2.1)
    assert desk.heard[flights[0]].fault == "patience"
    assert flights[1] not in desk.heard, "it has not been sent: nobody is waiting for it yet"
    desk.sockets.close()


def test_a_connection_slower_than_a_retransmission_is_counted(lab: Lab) -> None:
    for took_s, slow in ((0.5, 0), (1.05, 1)):
        lab.desk.send()
        [connection] = [c for c in lab.desk.sockets.open.values() if not c.ready]
        lab.desk.pool.on_event(connection, select.EPOLLOUT, connection.opened_at + took_s)
        assert lab.desk.pool.slow_connects == slow


def test_a_target_that_is_silent_in_the_handshake_is_timeout_handshake() -> None:
    with Lab(tls=ssl.create_default_context()) as lab:
        flight = lab.desk.send()
        for _ in range(3):
            lab.desk.sockets.turn(0.01)
            lab.shop.look()
        [connection] = lab.desk.sockets.open.values()
        assert connection.tls is not None
        since = connection.deadline - LIMITS.handshake_s
        lab.desk.sweep_at(since + LIMITS.handshake_s - 0.1)
        assert not lab.desk.heard
        lab.desk.sweep_at(since + LIMITS.handshake_s + 0.1)
        assert lab.desk.heard[flight].fault == "timeout_handshake"
        lab.desk.check_books()


def test_a_target_that_does_not_answer_is_timeout_first_byte(lab: Lab) -> None:
    flight = lab.desk.send()
    lab.shop.asked(lab.desk)
    check_bound(lab, flight, LIMITS.first_byte_s, "timeout_first_byte")
    lab.check_works()


PARTS = {
    "status line": b"HTTP/1.1 2",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n",
    "head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
    "until close": b"HTTP/1.1 200 OK\r\n\r\nhel",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_target_that_stops_in_a_reply_is_timeout_reply(lab: Lab, part: bytes) -> None:
    flight = lab.desk.send()
    [(peer, _)] = lab.shop.asked(lab.desk)
    peer.send(part)
    lab.desk.turn()
    check_bound(lab, flight, LIMITS.reply_s, "timeout_reply")
    lab.check_works()


def test_a_target_that_does_not_take_the_request_is_timeout_first_byte(lab: Lab) -> None:
    body = b"x" * (16 << 20)
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    flight = lab.desk.send(head + body)
    for _ in range(3):
        lab.desk.turn(0.01)
    assert next(iter(lab.desk.sockets.open.values())).rest
    check_bound(lab, flight, LIMITS.first_byte_s, "timeout_first_byte")


def nothing(peer: Peer) -> None:
    pass


def half(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")


@pytest.mark.parametrize("act", [nothing, half])
def test_patience_ends_while_the_target_answers_slowly(
    lab: Lab, act: Callable[[Peer], None]
) -> None:
    flight = lab.desk.send(patience=3.0)
    [(peer, _)] = lab.shop.asked(lab.desk)
    act(peer)
    lab.desk.sockets.turn(0.01)
    check_bound(lab, flight, 3.0, "patience")
    peer.send(FINE)  # too late: nobody hears it
    lab.desk.turn(0.0)
    lab.check_works()


def test_patience_counts_from_the_step_where_that_began_earlier(lab: Lab) -> None:
    flight = lab.desk.send(patience=3.0)
    flight.patient_since = flight.sent - 2.0
    lab.shop.asked(lab.desk)
    check_bound(lab, flight, 1.0, "patience")


def test_nobody_loses_patience_with_a_flight_that_our_own_bound_holds_back() -> None:
    with Lab(most=1) as lab:
        busy, held = lab.desk.send(), lab.desk.send(patience=3.0)
        [(peer, _)] = lab.shop.asked(lab.desk)
        for ahead in (4.0, 8.0, 12.0):
            lab.desk.sweep(ahead)
        assert not lab.desk.heard
        peer.send(FINE)
        lab.desk.wait(busy)
        check_bound(lab, held, 3.0, "patience")


def test_one_that_gives_up_makes_room_for_one_that_waits() -> None:
    with Lab(most=1) as lab:
        lab.desk.send(get("/slow"), patience=3.0)
        [(_, request)] = lab.shop.asked(lab.desk)
        second = lab.desk.send(get("/next"))
        lab.desk.sweep(3.1)
        [(peer, request)] = lab.shop.asked(lab.desk)
        assert request == get("/next")
        peer.send(FINE)
        lab.desk.wait(second)


def test_a_connection_that_idles_too_long_is_closed(lab: Lab) -> None:
    lab.check_works()
    last = next(iter(lab.desk.sockets.open.values())).last
    lab.desk.pool.open_ahead(2, last)
    lab.desk.sockets.turn(0.01)
    lab.desk.sweep_at(last + LIMITS.idle_s - 0.5)
    assert lab.desk.pool.count == 2
    lab.desk.sweep_at(last + LIMITS.idle_s + 0.5)
    assert lab.desk.pool.count == 0
    lab.desk.check_books()
    lab.check_works()


def test_one_sweep_tells_of_many_and_each_once() -> None:
    with Lab(most=20) as lab:
        flights = [lab.desk.send(get(f"/{n}"), patience=2.0 + n) for n in range(20)]
        lab.shop.asked(lab.desk, 20)
        for ahead in (1.0, 11.9, 11.95, 30.0, 31.0):
            lab.desk.sweep_at(flights[0].sent + ahead)
            lab.desk.check_books()
        assert {lab.desk.heard[flight].fault for flight in flights} == {"patience"}


def test_a_fault_told_in_a_sweep_may_send_again_at_once(lab: Lab) -> None:
    again: list[Flight] = []

    def on_fault(flight: Flight, fault: str, now: float) -> None:
        lab.desk._on_fault(flight, fault, now)
        if len(again) < 3:
            again.append(lab.desk.send(get("/again"), now=now))

    lab.desk.pool.connect_to(lab.desk._on_reply, on_fault)
    for _ in range(3):
        lab.desk.send(patience=1.0)
    lab.shop.asked(lab.desk, 3)
    lab.desk.sweep(1.5)
    lab.desk.check_books()
    for peer, request in lab.shop.asked(lab.desk, 3):
        assert request == get("/again")
        peer.send(FINE)
    assert [heard.status for heard in lab.desk.wait(*again)] == [200] * 3


def test_a_connection_says_no_more_once_it_is_dropped(lab: Lab) -> None:
    flight = lab.desk.send(patience=1.0)
    [(peer, _)] = lab.shop.asked(lab.desk)
    peer.send(FINE)
    connections: list[Connection] = [*lab.desk.sockets.open.values()]
    lab.desk.sweep(2.0)  # the reply is there, unheard
    lab.desk.sockets.turn(0.0)
    assert lab.desk.heard[flight].fault == "patience"
    assert connections[0].sock.fileno() < 0
