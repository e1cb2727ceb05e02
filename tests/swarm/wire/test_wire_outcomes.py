"""Whatever the target does has a name, is told once, and leaves a pool that works."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.safety import Target
from gameday.swarm.wire.heads import MOST_HEAD
from gameday.swarm.wire.reading import MOST_BODY
from tests.support import examples
from tests.support.wire_lab import FINE, Desk, Lab

OK = b"HTTP/1.1 200 OK\r\n"
SETTINGS = b"\0\0\x12\4\0\0\0\0\0" + b"\0\3\0\0\0\x64\0\4\0\0\xff\xff\0\5\0\0\x40\0"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


CLOSING = {
    "nothing": (b"", "connection_closed"),
    "cut in the status line": (b"HTTP/1.1 20", "reply_cut"),
    "cut in the head": (OK + b"X: ", "reply_cut"),
    "cut in the body": (OK + b"Content-Length: 10\r\n\r\nhello", "reply_cut"),
    "cut before the body": (OK + b"Content-Length: 10\r\n\r\n", "reply_cut"),
    "cut in a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe", "reply_cut"),
    "cut before the last chunk": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
        "reply_cut",
    ),
    "cut in the trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", "reply_cut"),
    "only an interim": (b"HTTP/1.1 100 Continue\r\n\r\n", "reply_cut"),
}


@pytest.mark.parametrize(("raw", "fault"), CLOSING.values(), ids=CLOSING)
def test_a_reply_that_breaks_off_is_named(lab: Lab, raw: bytes, fault: str) -> None:
    heard = lab.play([raw] if raw else [], close=True)
    assert heard is not None
    assert heard.fault == fault
    lab.check_works()


NO_REPLY = {
    "an open header": (OK + b"No colon here\r\n\r\n", "malformed_reply"),
    "a folded header": (OK + b"X: a\r\n b\r\n\r\n", "malformed_reply"),
    "a space before the colon": (OK + b"Content-Length : 5\r\n\r\nhello", "malformed_reply"),
    "a NUL": (OK + b"X: a\0b\r\n\r\n", "malformed_reply"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "malformed_reply"),
    "a long status": (b"HTTP/1.1 2000 OK\r\n\r\n", "malformed_reply"),
    "two lengths": (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "malformed_reply"),
    "a list of lengths": (OK + b"Content-Length: 5, 5\r\n\r\nhello", "malformed_reply"),
    "a negative length": (OK + b"Content-Length: -5\r\n\r\nhello", "malformed_reply"),
    "a length in words": (OK + b"Content-Length: five\r\n\r\nhello", "malformed_reply"),
    "a length beyond 64 bits": (OK + b"Content-Length: %d\r\n\r\n" % 2**70, "malformed_reply"),
    "length and coding": (
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "malformed_reply",
    ),
    "coding and length": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "malformed_reply",
    ),
    "a transfer coding": (OK + b"Transfer-Encoding: gzip\r\n\r\n", "unknown_transfer_coding"),
    "two transfer codings": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "unknown_transfer_coding",
    ),
    "two coding lines": (
        OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        "unknown_transfer_coding",
    ),
    "no chunk size": (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed_reply"),
    "a chunk too long": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n",
        "malformed_reply",
    ),
    "a huge chunk size": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n",
        "malformed_reply",
    ),
    "a switch to h2c": (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        + SETTINGS,
        "unexpected_upgrade",
    ),
    "a bare switch": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "unexpected_upgrade"),
    "HTTP/2": (SETTINGS, "target_speaks_only_http2"),
    "HTTP/2, nothing to set": (b"\0\0\0\4\0\0\0\0\0", "target_speaks_only_http2"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed_reply"),
    "mail": (b"220 mail.example ESMTP\r\n", "malformed_reply"),
    "TLS": (b"\x15\3\3\0\2\2\x46", "malformed_reply"),
    "zeros": (b"\0" * 30, "malformed_reply"),
    "HTML": (b"<html><body>502 Bad Gateway</body></html>", "malformed_reply"),
}


@pytest.mark.parametrize(("raw", "fault"), NO_REPLY.values(), ids=NO_REPLY)
@pytest.mark.parametrize("by_the_byte", [False, True], ids=["whole", "by the byte"])
def test_what_is_no_reply_is_named_and_the_connection_given_up(
    lab: Lab, raw: bytes, fault: str, by_the_byte: bool
) -> None:
    heard = lab.play([raw[i : i + 1] for i in range(len(raw))] if by_the_byte else [raw])
    assert heard is not None
    assert heard.fault == fault
    assert lab.desk.pool.count == 0
    lab.check_works()


@settings(max_examples=examples(100), deadline=None)
@given(raw=st.binary(min_size=9, max_size=40).filter(lambda raw: raw[:1] not in b"H\r\n"))
def test_any_garbage_is_named_at_once(raw: bytes) -> None:
    with Lab() as lab:
        heard = lab.play([raw])
        assert heard is not None
        assert heard.fault in ("malformed_reply", "target_speaks_only_http2")


def test_a_reset_is_named_with_or_without_a_start_of_the_reply(lab: Lab) -> None:
    for start in ([], [b"HTTP/1.1 200 OK\r\n"], [OK + b"Content-Length: 9\r\n\r\nhello"]):
        heard = lab.play(start, reset=True)
        assert heard is not None
        assert heard.fault == "connection_reset"
        lab.check_works()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_refused_connection_is_named_for_each_flight(host: str) -> None:
    with socket.create_server(
        (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
    ) as sock:
        port = sock.getsockname()[1]
    desk = Desk(Target("http", host, host, port))
    for alone in (False, True, False):
        desk.send(alone=alone)
    assert {heard.fault for heard in desk.wait()} == {"connection_refused"}
    desk.check_books()
    desk.sockets.close()


def test_a_refused_flight_keeps_the_instant_it_was_sent() -> None:
    """Whoever hears of the fault may send it again at once: nothing may touch it after that."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    desk = Desk(Target("http", "127.0.0.1", "127.0.0.1", port))
    for alone in (False, True):
        now = time.perf_counter()
        flight = desk.send(alone=alone, now=now)
        desk.wait(flight)
        assert flight.sent == now
    desk.sockets.close()


def test_held_back_flights_are_all_named_when_the_target_has_gone() -> None:
    lab = Lab(most=1)
    flights = [lab.desk.send() for _ in range(6)]
    [(peer, _)] = lab.shop.asked(lab.desk)
    lab.shop.close()
    for _ in range(20):
        lab.desk.turn(0.01)
        lab.desk.sweep()
    peer.close()
    faults = [heard.fault for heard in lab.desk.wait(*flights)]
    assert faults[0] in ("connection_closed", "connection_reset")
    assert set(faults[1:]) == {"connection_refused"}
    lab.close()


# Pieces are a quarter of what the pool reads at once, lest they pile up between the two.
ENDLESS = {
    "head": (OK, b"X: " + b"y" * 1000 + b"\r\n", "head_too_long", 2 * MOST_HEAD),
    "status line": (b"HTTP/1.1 200 ", b"O" * 1000, "head_too_long", 2 * MOST_HEAD),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, "head_too_long", 2 * MOST_HEAD),
    "body": (OK + b"\r\n", b"z" * 16384, "body_too_long", 2 * MOST_BODY),
    "chunked body": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        b"4000\r\n" + b"z" * 16384 + b"\r\n",
        "body_too_long",
        2 * MOST_BODY,
    ),
    "trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
        (b"X: " + b"y" * 1000 + b"\r\n") * 16,
        "body_too_long",
        2 * MOST_BODY,
    ),
    "chunk extension": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n1;",
        b"a" * 16384,
        "body_too_long",
        2 * MOST_BODY,
    ),
    "declared body": (
        OK + b"Content-Length: 99999999999\r\n\r\n",
        b"z" * 16384,
        "body_too_long",
        2 * MOST_BODY,
    ),
}


@pytest.mark.parametrize(("start", "more", "fault", "most"), ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("keeps_body", [False, True], ids=["unread", "read"])
def test_a_reply_without_end_is_cut_off_and_named(
    lab: Lab, start: bytes, more: bytes, fault: str, most: int, keeps_body: bool
) -> None:
    began = time.process_time()
    flight = lab.desk.send(keeps_body=keeps_body)
    [(peer, _)] = lab.shop.asked(lab.desk)
    peer.send(start)
    sent = 0
    while flight not in lab.desk.heard:
        assert sent < most
        peer.send(more)
        sent += len(more)
        lab.desk.turn()
    assert lab.desk.heard[flight].fault == fault
    assert time.process_time() - began < 5.0
    lab.check_works()


@pytest.mark.parametrize("known", [False, True], ids=["long path", "short path"])
@pytest.mark.parametrize(
    "raw",
    [FINE, OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"],
    ids=["length", "chunks"],
)
@pytest.mark.parametrize(
    "extra",
    [b"x", b"extra bytes", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"],
    ids=["a byte", "bytes", "a reply"],
)
def test_bytes_beyond_the_reply_leak_into_no_other(raw: bytes, extra: bytes, known: bool) -> None:
    with Lab(most=1) as lab:
        for _ in range(known):
            assert lab.play([raw]) is not None
        first, second = lab.desk.send(), lab.desk.send()
        [(peer, _)] = lab.shop.asked(lab.desk)
        peer.send(raw + extra)
        [(other, _)] = lab.shop.asked(lab.desk)
        assert other is not peer, "used again"
        other.send(FINE)
        heard = lab.desk.wait(first, second)
        assert [(h.status, h.body) for h in heard] == [(200, b"fine")] * 2
        lab.desk.check_books()


def test_bytes_that_come_while_nobody_asked_end_the_connection(lab: Lab) -> None:
    lab.check_works()
    assert len(lab.desk.pool.idle) == 1
    lab.shop.peers[0].send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    lab.desk.turn()
    assert lab.desk.pool.count == 0
    lab.desk.check_books()
    lab.check_works()
