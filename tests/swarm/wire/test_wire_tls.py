"""TLS: who is believed, what is asked for, a full handshake each, and the same laws inside."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from gameday.errors import UsageError
from gameday.swarm.wire.tls import tls_context
from tests.support.wire_lab import FINE, Desk, Lab, get
from tests.support.wire_tls_shop import Authority, TlsShop, read_request

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
OK = b"HTTP/1.1 200 OK\r\n"


def fine(conn: ssl.SSLSocket, shop: TlsShop) -> None:
    while read_request(conn):
        conn.sendall(FINE)


def once(*parts: bytes) -> Callable[[ssl.SSLSocket, TlsShop], None]:
    """Answer the first request with these records, then end TLS as one should, and close."""

    def act(conn: ssl.SSLSocket, shop: TlsShop) -> None:
        read_request(conn)
        for part in parts:
            conn.sendall(part)
        conn.settimeout(0.0)
        conn.unwrap()  # sends close_notify, and does not wait for the client's

    return act


Desks = Callable[..., Desk]


@pytest.mark.parametrize(
    ("host", "name", "sent"),
    [
        ("127.0.0.1", "shop.test", "shop.test"),
        ("::1", "shop.test", "shop.test"),
        ("127.0.0.1", "", None),
        ("::1", "", None),
    ],
)
def test_the_target_is_asked_for_by_its_name(
    certified: ssl.SSLContext,
    trusting: ssl.SSLContext,
    desks: Desks,
    host: str,
    name: str,
    sent: str | None,
) -> None:
    with TlsShop(certified, fine, host=host, name=name) as shop:
        desk = desks(shop.target, tls=trusting)
        for _ in range(5):
            [heard] = desk.wait(desk.send())
            assert (heard.status, heard.body, heard.fault) == (200, b"fine", "")
        assert shop.names == [sent]  # one connection; an address is no name (RFC 6066)


@pytest.mark.parametrize("case", ["other name", "unknown authority", "expired"])
def test_a_certificate_that_proves_nothing_is_refused_by_name(
    authority: Authority,
    certified: ssl.SSLContext,
    trusting: ssl.SSLContext,
    desks: Desks,
    case: str,
) -> None:
    name = "other.test" if case == "other name" else "shop.test"
    served = authority.context("DNS:shop.test", days=-1) if case == "expired" else certified
    believing = tls_context(None, verify=True) if case == "unknown authority" else trusting
    with TlsShop(served, fine, name=name) as shop:
        desk = desks(shop.target, tls=believing)
        flights = [desk.send(resend=True) for _ in range(3)]
        assert {heard.fault for heard in desk.wait(*flights)} == {"tls_certificate_refused"}
        unbelieving = desks(shop.target, tls=tls_context(None, verify=False))
        assert unbelieving.wait(unbelieving.send())[0].body == b"fine"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_new_customer_makes_a_full_handshake_in_the_targets_own_count(
    authority: Authority, trusting: ssl.SSLContext, desks: Desks, version: ssl.TLSVersion
) -> None:
    context = authority.context("DNS:shop.test")
    context.maximum_version = version
    customers = 24
    with TlsShop(context, fine, name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting, most=customers)
        for number in range(customers):  # one after the other: each could know of the one before
            assert desk.wait(desk.send(alone=number % 2 == 0))[0].body == b"fine"
        opened = customers // 2
        assert shop.resumed == [False] * opened, "those who reuse an open connection shake no hands"
    counted = context.session_stats()
    assert (counted["accept_good"], counted["hits"]) == (opened, 0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_connection_that_replaces_a_closed_one_makes_a_full_handshake(
    authority: Authority, trusting: ssl.SSLContext, desks: Desks, version: ssl.TLSVersion
) -> None:
    """Whoever comes next may be another customer: nothing is known of the connection before."""
    context = authority.context("DNS:shop.test")
    context.maximum_version = version
    with TlsShop(context, once(FINE), name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting, most=1)
        for _ in range(4):
            assert desk.wait(desk.send(resend=True))[0].body == b"fine"
        assert shop.resumed == [False] * 4


def test_a_target_that_offers_only_http2_is_named(desks: Desks, trusting: ssl.SSLContext) -> None:
    with Lab(tls=trusting) as lab:
        flight = lab.desk.send()
        until = 100
        while not lab.shop.peers or not lab.shop.peers[0].got:
            lab.desk.sockets.turn(0.01)
            lab.shop.look()
            until -= 1
            assert until
        lab.shop.peers[0].send(b"\x15\x03\x03\x00\x02\x02\x78")  # alert: no application protocol
        assert lab.desk.wait(flight)[0].fault == "target_speaks_only_http2"


def test_a_target_that_speaks_http2_unasked_is_named(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    frame = b"\0\0\x12\4\0\0\0\0\0" + b"\0\3\0\0\0\x64" * 3
    with TlsShop(certified, once(frame), name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting)
        assert desk.wait(desk.send())[0].fault == "target_speaks_only_http2"


def test_only_http_1_1_is_offered(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    chosen: list[str | None] = []

    def act(conn: ssl.SSLSocket, shop: TlsShop) -> None:
        chosen.append(conn.selected_alpn_protocol())
        fine(conn, shop)

    certified.set_alpn_protocols(["h2", "http/1.1"])
    with TlsShop(certified, act, name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting)
        desk.wait(desk.send())
        assert chosen == ["http/1.1"]


def test_a_target_that_speaks_no_tls_is_named(desks: Desks, trusting: ssl.SSLContext) -> None:
    with Lab(tls=trusting) as lab:
        flight = lab.desk.send()
        for _ in range(3):
            lab.desk.sockets.turn(0.01)
            lab.shop.look()
        lab.shop.peers[0].send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        [heard] = lab.desk.wait(flight)
        assert re.fullmatch(r"tls_[a-z0-9_]+", heard.fault)
        lab.desk.check_books()


@pytest.mark.parametrize("reset", [False, True])
def test_a_target_that_hangs_up_in_the_handshake_is_named(
    desks: Desks, trusting: ssl.SSLContext, reset: bool
) -> None:
    with Lab(tls=trusting) as lab:
        for _ in range(2):
            flight = lab.desk.send(resend=True)
            while not lab.shop.peers:
                lab.desk.sockets.turn(0.01)
                lab.shop.look()
            peer = lab.shop.peers.pop()
            (peer.reset if reset else peer.close)()
            assert lab.desk.wait(flight)[0].fault == "connection_reset"
            lab.desk.check_books()


BIG = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(160_000))
REPLIES = {
    "length": (OK + b"Content-Length: %d\r\n\r\n" % len(BIG) + BIG,),
    "chunked": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BIG) + BIG,
        b"\r\n0\r\n",
        b"\r\n",
    ),
    "until close": (OK + b"\r\n", BIG),
    "one record a byte": tuple(bytes([byte]) for byte in FINE),
    "interims": (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", FINE),
}


@pytest.mark.parametrize("parts", REPLIES.values(), ids=REPLIES)
def test_a_reply_means_the_same_in_records_of_any_size(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks, parts: tuple[bytes, ...]
) -> None:
    with TlsShop(certified, once(*parts), name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting)
        [heard] = desk.wait(desk.send())
        assert heard.fault == ""
        assert heard.body in (BIG, b"fine")


def test_the_end_of_tls_ends_a_body_even_where_the_socket_stays_open(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    def act(conn: ssl.SSLSocket, shop: TlsShop) -> None:
        read_request(conn)
        conn.sendall(OK + b"\r\nall of it")
        conn.settimeout(1.0)
        conn.unwrap()  # sends close_notify, and waits for the client's, as many servers do

    with TlsShop(certified, act, name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting)
        flight = desk.send()
        until = time.perf_counter() + 0.7
        while flight not in desk.heard and time.perf_counter() < until:
            desk.turn(0.02)
        assert flight in desk.heard, "close_notify was not heard"
        assert desk.heard[flight].body == b"all of it"


def test_a_cut_reply_over_tls_is_named(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    for raw, fault in (
        (b"", "connection_closed"),
        (OK + b"Content-Length: 9\r\n\r\nhalf", "reply_cut"),
    ):
        with TlsShop(certified, once(raw) if raw else once(), name="shop.test") as shop:
            desk = desks(shop.target, tls=trusting)
            assert desk.wait(desk.send(resend=True))[0].fault == fault


def test_a_large_request_gets_through_over_tls(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    def act(conn: ssl.SSLSocket, shop: TlsShop) -> None:
        while request := read_request(conn):
            digest = hashlib.sha256(request).hexdigest().encode()
            conn.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(digest) + digest)

    request = b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG
    with TlsShop(certified, act, name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting)
        for each in (request, get(), request):
            [heard] = desk.wait(desk.send(each))
            assert heard.body == hashlib.sha256(each).hexdigest().encode()
        assert len(shop.resumed) == 1


def test_a_reply_before_the_request_is_all_sent_spoils_the_connection_over_tls(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    reading = threading.Event()

    def act(conn: ssl.SSLSocket, shop: TlsShop) -> None:
        conn.recv(1000)
        conn.sendall(FINE)
        if len(shop.resumed) == 1:
            reading.wait(3.0)
        else:
            fine(conn, shop)

    with TlsShop(certified, act, name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting, most=1)
        request = b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG
        with Lab() as lab:  # its head is known: the short path
            lab.check_works()
        assert desk.wait(desk.send(request))[0].body == b"fine"
        assert desk.pool.count == 0
        reading.set()
        assert desk.wait(desk.send())[0].body == b"fine"


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "no certificate",
        "grün",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_ca_file_without_a_certificate_is_refused_at_the_door(pem: str) -> None:
    with pytest.raises(UsageError, match="ca_file"):
        tls_context(pem, verify=True)


def test_a_connection_whose_tls_has_ended_with_the_reply_is_not_used_again(
    certified: ssl.SSLContext, trusting: ssl.SSLContext, desks: Desks
) -> None:
    asked, go, ended = threading.Event(), threading.Event(), threading.Event()

    def act(conn: ssl.SSLSocket, shop: TlsShop) -> None:
        read_request(conn)
        asked.set()
        go.wait(3.0)
        conn.sendall(FINE)
        with suppress(OSError):
            conn.settimeout(0.0)
            conn.unwrap()  # sends close_notify, right behind the reply
        ended.set()
        shop.over.wait(3.0)

    with TlsShop(certified, act, name="shop.test") as shop:
        desk = desks(shop.target, tls=trusting, most=1)
        flights = [desk.send(get(f"/{n}", "POST")) for n in range(2)]
        while not asked.is_set():
            desk.turn(0.02)
        go.set()
        assert ended.wait(3.0)
        assert [heard.fault for heard in desk.wait(*flights)] == ["", ""]
        assert len(shop.resumed) == 2
