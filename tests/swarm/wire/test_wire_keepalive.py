"""Connections are used again, given up when stale, opened ahead, and large requests get through."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from gameday.swarm.wire.flight import Flight
from tests.support.wire_lab import FINE, Lab, Peer, get

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


KEEPING = {
    "length": (FINE, False),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", False),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n", False),
    "not found": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", False),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False),
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", False),
    "no chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
    "interim": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + FINE, False),
    "1.0 that keeps": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        False,
    ),
    "offers h2c": (
        OK + b"Connection: Upgrade, Keep-Alive\r\nUpgrade: h2,h2c\r\nContent-Length: 2\r\n\r\nhi",
        False,
    ),
    "head": (OK + b"Content-Length: 5\r\n\r\n", True),
    "head, empty": (OK + b"Content-Length: 0\r\n\r\n", True),
    "head, chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n", True),
    "head, no length": (OK + b"X: y\r\n\r\n", True),
}


@pytest.mark.parametrize(("raw", "head_only"), KEEPING.values(), ids=KEEPING)
def test_a_connection_is_used_again_after_a_reply_that_allows_it(
    lab: Lab, raw: bytes, head_only: bool
) -> None:
    for _ in range(4):
        heard = lab.play([raw], head_only=head_only)
        assert heard is not None
        assert heard.fault == ""
    assert lab.shop.accepted == 1


CLOSING = {
    "close": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
    "close, empty": OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
    "close, among others": OK + b"Connection: foo, Close\r\nContent-Length: 2\r\n\r\nhi",
    "close, chunked": OK
    + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "close, no content": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "close, not modified": b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
    "1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "1.0, no content": b"HTTP/1.0 204 No Content\r\n\r\n",
}


@pytest.mark.parametrize("raw", CLOSING.values(), ids=CLOSING)
def test_a_connection_is_closed_after_a_reply_that_says_so(lab: Lab, raw: bytes) -> None:
    for times in range(1, 4):
        heard = lab.play([raw])
        assert heard is not None
        assert heard.fault == ""
        assert lab.desk.pool.count == 0
        assert lab.shop.accepted == times


def test_a_connection_that_the_target_closed_is_not_used_again(lab: Lab) -> None:
    for times in range(1, 4):
        lab.check_works()
        assert lab.shop.accepted == times
        lab.shop.peers[0].close()
        lab.desk.turn()
        assert lab.desk.pool.count == 0
        lab.desk.check_books()


def resetting(peer: Peer) -> None:
    peer.reset()


def closing(peer: Peer) -> None:
    """Close before the request: the target's kernel answers it with RST."""
    peer.close()


def ending(peer: Peer) -> None:
    """Send FIN as the request is on its way: the client reads the stream's end, no error."""
    peer.sock.shutdown(socket.SHUT_WR)


STALE = pytest.mark.parametrize("end", [resetting, closing, ending])
BIG = b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (4 << 20) + b"x" * (4 << 20)


def stale(lab: Lab, end: Callable[[Peer], None]) -> None:
    """Have an idle connection that the target has ended, unheard."""
    lab.check_works()
    [peer] = lab.shop.peers
    lab.shop.deafen(peer)
    end(peer)
    assert len(lab.desk.pool.idle) == 1


@STALE
@pytest.mark.parametrize("request_", [get(), BIG], ids=["small", "large"])
def test_a_request_that_may_is_sent_again_on_another_connection(
    lab: Lab, end: Callable[[Peer], None], request_: bytes
) -> None:
    stale(lab, end)
    flight = lab.desk.send(request_, resend=True)
    [(peer, got)] = lab.shop.asked(lab.desk)
    assert got == request_
    peer.send(FINE)
    [heard] = lab.desk.wait(flight)
    assert (heard.fault, heard.body) == ("", b"fine")
    assert lab.shop.accepted == 2
    lab.desk.check_books()


@STALE
def test_a_request_that_may_not_go_again_is_a_named_fault(
    lab: Lab, end: Callable[[Peer], None]
) -> None:
    stale(lab, end)
    flight = lab.desk.send(get("/order", "POST"))
    [heard] = lab.desk.wait(flight)
    assert heard.fault in ("connection_closed", "connection_reset")
    assert lab.shop.accepted == 1
    lab.check_works()


def test_a_redirect_turned_get_may_go_again(lab: Lab) -> None:
    stale(lab, closing)
    flight = lab.desk.send()
    flight.became_get = True
    assert lab.desk.pool.idle == []
    [(peer, _)] = lab.shop.asked(lab.desk)
    peer.send(FINE)
    assert lab.desk.wait(flight)[0].status == 200


def test_a_request_is_sent_again_only_once(lab: Lab) -> None:
    stale(lab, closing)
    flight = lab.desk.send(resend=True)
    [(peer, _)] = lab.shop.asked(lab.desk)
    peer.close()
    [heard] = lab.desk.wait(flight)
    assert heard.fault in ("connection_closed", "connection_reset")
    lab.desk.turn(0.0)
    lab.shop.look()
    assert lab.shop.accepted == 2


def stale_beside_busy(lab: Lab) -> tuple[Flight, Peer]:
    """Have one connection at work, and the only other one idle and ended by the target, unheard."""
    lab.check_works()
    [idle] = lab.shop.peers
    busy = lab.desk.send(get("/busy"), alone=True)
    [(working, _)] = lab.shop.asked(lab.desk)
    lab.shop.deafen(idle)
    idle.close()
    return busy, working


def test_a_request_goes_over_stale_connections_only_once(lab: Lab) -> None:
    busy, working = stale_beside_busy(lab)
    flight = lab.desk.send(get("/again"), resend=True)
    working.send(FINE)  # free again before a new connection is: it takes the request
    lab.desk.wait(busy)
    [(peer, request)] = lab.shop.asked(lab.desk)
    assert (peer, request) == (working, get("/again"))
    working.close()
    [heard] = lab.desk.wait(flight)
    assert heard.fault in ("connection_closed", "connection_reset")
    lab.desk.turn(0.0)
    lab.shop.look()
    assert not any(peer.request() for peer in lab.shop.peers)


def test_a_request_sent_again_goes_before_those_that_came_later() -> None:
    with Lab(most=2) as lab:
        busy, working = stale_beside_busy(lab)
        flights = [lab.desk.send(get(f"/{n}"), resend=True) for n in range(3)]
        for n in range(3):
            [(peer, request)] = lab.shop.asked(lab.desk)
            assert request == get(f"/{n}")
            peer.send(FINE)
        working.send(FINE)
        assert [h.status for h in lab.desk.wait(busy, *flights)] == [200] * 4


def test_a_fresh_connection_that_fails_is_no_reason_to_send_again(lab: Lab) -> None:
    heard = lab.play([], close=True, resend=True)
    assert heard is not None
    assert heard.fault == "connection_closed"
    assert lab.shop.accepted == 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_reply_that_began_is_no_reason_to_send_again(lab: Lab, reset: bool) -> None:
    lab.check_works()
    heard = lab.play([b"HTTP/1.1 200"], close=not reset, reset=reset, resend=True)
    assert heard is not None
    assert heard.fault == ("connection_reset" if reset else "reply_cut")
    assert lab.shop.accepted == 1


def test_a_large_request_gets_through_to_a_target_that_reads_slowly(lab: Lab) -> None:
    body = bytes(range(256)) * (24 << 10)
    request = b"POST /upload HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for _ in range(2):
        flight = lab.desk.send(request)
        [(peer, got)] = lab.shop.asked(lab.desk)
        assert got == request
        peer.send(FINE)
        assert lab.desk.wait(flight)[0].body == b"fine"
    assert lab.shop.accepted == 1


@pytest.mark.parametrize("wave", [b"", b"Connection: close\r\n"], ids=["keeps", "closes"])
def test_a_reply_before_the_request_is_all_sent_counts_and_ends_the_connection(
    lab: Lab, wave: bytes
) -> None:
    flight = lab.desk.send(BIG * 4)
    lab.desk.turn()
    lab.shop.look()
    [peer] = lab.shop.peers
    peer.send(b"HTTP/1.1 413 Too Large\r\n" + wave + b"Content-Length: 2\r\n\r\nno")
    [heard] = lab.desk.wait(flight)
    assert (heard.status, heard.body) == (413, b"no")
    assert lab.desk.pool.count == 0
    peer.close()
    lab.check_works()


@pytest.mark.parametrize("moment", range(3))
def test_a_reply_is_heard_though_the_target_reset_before_the_request_was_all_sent(
    lab: Lab, moment: int
) -> None:
    flight = lab.desk.send(BIG * 4)
    lab.desk.turn()
    lab.shop.look()
    [peer] = lab.shop.peers
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    peer.reset()
    time.sleep(0.01 * moment)
    [heard] = lab.desk.wait(flight)
    assert (heard.status, heard.body) == (413, b"no")
    lab.check_works()


def test_a_target_that_hangs_up_on_a_large_request_is_named(lab: Lab) -> None:
    flight = lab.desk.send(BIG * 4, resend=True)
    lab.desk.turn()
    lab.shop.look()
    lab.shop.peers[0].reset()
    [heard] = lab.desk.wait(flight)
    assert heard.fault == "connection_reset"
    lab.check_works()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_families_of_addresses_are_served(host: str) -> None:
    with Lab(host) as lab:
        lab.check_works()
        lab.check_works()
        assert lab.shop.accepted == 1
