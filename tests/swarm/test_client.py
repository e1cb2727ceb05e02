"""The client against a server on loopback: whatever comes back has a name, and nothing is raised.

The server runs in threads; importing geventhttpclient does not patch the process (held below).
"""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from geventhttpclient import HTTPClient

from gameday.errors import SafetyRefusal
from gameday.swarm.client import Client, Reply, Request

Answer = Callable[[socket.socket, "Shop"], None]


def plain(status: str, *headers: str, body: bytes = b"") -> Answer:
    """Return an answer with these header lines."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    head = "\r\n".join(lines).encode("utf-8")
    return lambda conn, shop: conn.sendall(head + body)


def raw(*parts: bytes) -> Answer:
    """Return an answer that sends these bytes and closes."""

    def answer(conn: socket.socket, shop: Shop) -> None:
        for part in parts:
            conn.sendall(part)
        shop.hang_up(conn)

    return answer


def endless(conn: socket.socket, shop: Shop) -> None:
    conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with suppress(OSError):
        while True:
            conn.sendall(chunk)


def silent(conn: socket.socket, shop: Shop) -> None:
    shop.over.wait(5)


class Shop(socketserver.ThreadingTCPServer):
    """A server that answers each path as it was told, and notes what it was asked."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[bytes] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Conversation)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def hang_up(self, conn: socket.socket) -> None:
        with suppress(OSError):
            conn.shutdown(socket.SHUT_RDWR)

    def heads(self) -> list[str]:
        return [head.split(b"\r\n")[0].decode() for head in self.asked]


class Conversation(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        shop: Any = self.server
        rest = b""
        with suppress(OSError):
            while True:
                while b"\r\n\r\n" not in rest:
                    more = self.request.recv(65536)
                    if not more:
                        return
                    rest += more
                head, rest = rest.split(b"\r\n\r\n", 1)
                length = int(dict(fields(head)).get("content-length", 0))
                while len(rest) < length:
                    rest += self.request.recv(65536)
                shop.asked.append(head + b"\r\n\r\n" + rest[:length])
                rest = rest[length:]
                path = head.split(b" ")[1].decode("latin-1")
                shop.answers.get(path, plain("404 Not Found"))(self.request, shop)


def fields(head: bytes) -> Iterator[tuple[str, str]]:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip()


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    made = Client(shop.url, {"X-Synthetic": "1"})
    yield made
    made.close()


def get(client: Client, path: str = "/", cookies: dict[str, str] | None = None) -> Reply:
    return client.send(Request("GET", path, {}), {} if cookies is None else cookies)


def test_importing_the_client_patches_nothing() -> None:
    code = "import gameday.swarm.client, gevent.monkey as m; print(m.is_module_patched('socket'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_good_reply_comes_back_whole(shop: Shop, client: Client) -> None:
    shop.answers["/"] = plain("200 OK", "X-Shop: open", body=b"welcome")
    reply = get(client)
    assert (reply.status, reply.body, reply.fault) == (200, b"welcome", None)
    assert reply.headers["x-shop"] == "open"
    assert b"\r\nX-Synthetic: 1\r\n" in shop.asked[0]


@pytest.mark.parametrize("status", [204, 304, 400, 404, 429, 500, 502, 503])
def test_a_status_is_a_reply_and_no_fault(status: int, shop: Shop, client: Client) -> None:
    shop.answers["/"] = plain(f"{status} So")
    reply = get(client)
    assert (reply.status, reply.fault) == (status, None)


def test_a_form_and_a_json_body_are_sent_as_such(shop: Shop, client: Client) -> None:
    shop.answers["/"] = plain("201 Created")
    client.send(Request("POST", "/", {}, form={"a": "ä b", "c": "&"}), {})
    client.send(Request("POST", "/", {}, json_body={"a": [1, None]}), {})
    first, second = shop.asked
    assert first.endswith(b"a=%C3%A4+b&c=%26")
    assert b"application/x-www-form-urlencoded" in first
    assert second.endswith(b'{"a": [1, null]}')
    assert b"application/json" in second


@pytest.mark.parametrize("where", ["/b", "b", "./b", "{base}/b", "//{host}/b", "/b#part"])
def test_a_redirect_inside_the_target_is_followed(where: str, shop: Shop, client: Client) -> None:
    place = where.format(base=shop.url, host=shop.url.removeprefix("http://"))
    shop.answers |= {"/a": plain("302 Found", f"Location: {place}"),
                     "/b": plain("200 OK", body=b"here")}  # fmt: skip
    assert get(client, "/a").body == b"here"


def test_a_redirect_to_the_targets_bare_address_is_followed_to_its_root(
    shop: Shop, client: Client
) -> None:
    shop.answers |= {"/a": plain("302 Found", f"Location: {shop.url}"),
                     "/": plain("200 OK", body=b"root")}  # fmt: skip
    reply = get(client, "/a")
    assert (reply.fault, reply.body) == (None, b"root")


def test_a_redirect_keeps_its_query(shop: Shop, client: Client) -> None:
    shop.answers |= {"/a": plain("302 Found", "Location: ?page=2"), "/a?page=2": plain("200 OK")}
    assert get(client, "/a").status == 200


@pytest.mark.parametrize(
    "place",
    ["http://example.com/", "https://127.0.0.1/", "//example.com/x", "http://127.0.0.1:1/",
     "http://127.0.0.2/", "ftp://127.0.0.1/", "javascript:alert(1)"],
)  # fmt: skip
def test_a_redirect_outside_the_target_is_refused(place: str, shop: Shop, client: Client) -> None:
    shop.answers["/a"] = plain("302 Found", f"Location: {place}")
    reply = get(client, "/a")
    assert (reply.status, reply.fault) == (302, "redirect_refused")
    assert len(shop.asked) == 1


@pytest.mark.parametrize("place", ["http://[::1", "http://127.0.0.1:port/", "http://[bad]/", ""])
def test_a_redirect_to_no_address_has_a_name(place: str, shop: Shop, client: Client) -> None:
    shop.answers["/a"] = plain("302 Found", f"Location: {place}")
    assert get(client, "/a").fault is not None


def test_a_loop_of_redirects_is_cut(shop: Shop, client: Client) -> None:
    shop.answers |= {"/a": plain("302 Found", "Location: /b"),
                     "/b": plain("307 Again", "Location: /a")}  # fmt: skip
    reply = get(client, "/a")
    assert reply.fault == "too_many_redirects"
    assert len(shop.asked) == 5


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_redirected_order_keeps_its_body_only_where_http_says_so(
    status: int, method: str, shop: Shop, client: Client
) -> None:
    shop.answers |= {"/a": plain(f"{status} Go", "Location: /b"), "/b": plain("200 OK")}
    client.send(Request("POST", "/a", {}, json_body={"n": 1}), {})
    assert shop.heads()[1].startswith(f"{method} /b ")
    assert shop.asked[1].endswith(b'{"n": 1}') == (method == "POST")
    assert (b"application/json" in shop.asked[1]) == (method == "POST")


def test_a_redirect_without_a_place_is_a_reply(shop: Shop, client: Client) -> None:
    shop.answers["/a"] = plain("302 Found")
    assert (get(client, "/a").status, get(client, "/a").fault) == (302, None)


PAST, FUTURE = "Thu, 01 Jan 2004 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("a=1", {"a": "1"}),
        ("a=1; Path=/; HttpOnly; Secure; SameSite=Lax", {"a": "1"}),
        ("a=1; Max-Age=3600", {"a": "1"}),
        (f"a=1; Expires={FUTURE}", {"a": "1"}),
        ("a=1; Max-Age=0", {}),
        ("a=1; Max-Age=-1", {}),
        (f"a=1; Expires={PAST}", {}),
        (f"a=1; Max-Age=3600; Expires={PAST}", {"a": "1"}),
        (f"a=1; Max-Age=0; Expires={FUTURE}", {}),
        ("a=1; Expires=soon", {"a": "1"}),
        ("a=1; Expires=Wed, 99 Foo 2004 99:99:99 GMT", {"a": "1"}),
        ("a=b==; Path=/", {"a": "b=="}),
        ("not a cookie", {"a": "0"}),
        ("=;;;=", {"a": "0"}),
        ("", {"a": "0"}),
    ],
)
def test_cookies_are_kept_deleted_and_expire_as_in_a_browser(
    header: str, kept: dict[str, str], shop: Shop, client: Client
) -> None:
    shop.answers |= {"/set": plain("200 OK", f"Set-Cookie: {header}"), "/": plain("200 OK")}
    cookies = {"a": "0"}
    assert get(client, "/set", cookies).fault is None
    assert cookies == kept
    get(client, "/", cookies)
    sent = dict(fields(shop.asked[1].split(b"\r\n\r\n")[0]))
    assert sent.get("cookie", "") == "; ".join(f"{k}={v}" for k, v in kept.items())


def test_two_cookies_of_one_reply_are_both_kept_and_ride_along_a_redirect(
    shop: Shop, client: Client
) -> None:
    shop.answers |= {
        "/a": plain("302 Found", "Set-Cookie: a=1", "Set-Cookie: b=2", "Location: /b"),
        "/b": plain("200 OK"),
    }
    cookies: dict[str, str] = {}
    get(client, "/a", cookies)
    assert cookies == {"a": "1", "b": "2"}
    assert b"Cookie: a=1; b=2\r\n" in shop.asked[1]


def test_customers_do_not_share_cookies(shop: Shop, client: Client) -> None:
    shop.answers |= {"/set": plain("200 OK", "Set-Cookie: a=1"), "/": plain("200 OK")}
    get(client, "/set", {})
    get(client, "/", {})
    assert b"ookie" not in shop.asked[1]


FAULTY: dict[str, Answer] = {
    "closed mid-body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    "closed mid-chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort"),
    "closed mid-header": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "closed at once": raw(),
    "closed after a byte": raw(b"H"),
    "endless body": endless,
    "not http": raw(b"SSH-2.0-OpenSSH_9.7\r\n\r\n"),
    "binary": raw(bytes(range(256)) * 4),
    "bad chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
    "bad status": raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "bad length": raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(FAULTY))
def test_a_broken_reply_is_a_fault_with_a_name_and_the_next_request_goes_through(
    what: str, shop: Shop, client: Client
) -> None:
    shop.answers |= {"/bad": FAULTY[what], "/": plain("200 OK", body=b"fine")}
    reply = get(client, "/bad")
    assert reply.fault, reply
    assert reply.fault.isascii()
    assert " " not in reply.fault
    assert get(client).body == b"fine"


def test_a_body_without_end_is_cut_off_by_name(shop: Shop, client: Client) -> None:
    shop.answers["/bad"] = endless
    assert get(client, "/bad").fault == "body_too_long"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_a_request_that_the_target_hangs_up_on_goes_out_at_most_twice(
    method: str, shop: Shop, client: Client
) -> None:
    """Once more on a new connection is a browser's habit; more is load that nobody planned."""
    shop.answers["/bad"] = FAULTY["closed at once"]
    assert client.send(Request(method, "/bad", {}), {}).fault == "connection_closed"
    assert len(shop.asked) <= 2


def test_a_kept_connection_that_the_target_closed_meanwhile_is_no_fault(
    shop: Shop, client: Client
) -> None:
    """A server may close an idle connection at any time; a browser asks again on a new one."""
    shop.answers["/"] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
    assert [get(client).fault for _ in range(4)] == [None] * 4


def test_a_refused_port_is_called_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}", {})
    reply = get(client)
    client.close()
    assert (reply.status, reply.fault) == (0, "connection_refused")


def test_a_customer_who_runs_out_of_patience_is_let_go(shop: Shop, client: Client) -> None:
    shop.answers["/"] = silent
    reply = None
    with gevent.Timeout(0.05, exception=False):
        reply = get(client)
    assert reply is None


def test_a_target_that_never_answers_is_a_timeout(shop: Shop, client: Client) -> None:
    shop.answers["/"] = silent
    client._http.close()
    client._http = HTTPClient.from_url(client.base, network_timeout=0.05)
    assert get(client).fault == "timeout"


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX-Evil: 1", "//x"])
def test_a_path_that_cannot_be_sent_is_a_fault_and_never_another_request(
    path: str, shop: Shop, client: Client
) -> None:
    shop.answers["/"] = plain("200 OK")
    assert get(client, path).fault
    assert get(client).fault is None
    assert not any(b"Evil" in head for head in shop.asked)


def test_a_client_of_a_target_that_is_not_allowed_is_not_made() -> None:
    with pytest.raises(SafetyRefusal):
        Client("http://192.0.2.1", {})
