"""Targets that behave badly: each a small socket server on loopback, polite to its first guest."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

__all__ = ["ERRORS", "HOSTILE", "counting", "falling_silent", "hostile"]

_GREETING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_LIVES_S = 60.0
Manners = Callable[[socket.socket, bytes], None]


def _answer(body: bytes, kind: str = "text/html", status: str = "200 OK", *more: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _closes(guest: socket.socket, asked: bytes) -> None:
    """Close without a word."""


def _answers_garbage(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(b"\x00\xff\xfe not HTTP at all \r\n\r\n\x00")


def _never_answers(guest: socket.socket, asked: bytes) -> None:
    guest.settimeout(_LIVES_S)
    while guest.recv(4096):
        pass


def _never_ends(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    end = time.monotonic() + _LIVES_S
    while time.monotonic() < end:
        guest.sendall(b"# nothing\n" * 100)
        time.sleep(0.05)


def _continues(guest: socket.socket, asked: bytes) -> None:
    end = time.monotonic() + _LIVES_S
    while time.monotonic() < end:
        guest.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def _says_lists(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(_answer(b"[]", "application/json"))


def _nests(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(_answer(b"[" * 100_000 + b"]" * 100_000, "application/json"))


def _redirects_nowhere(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(_answer(b"", "text/html", "302 Found", "Location: http://[bad/"))


def _redirects_outside(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(_answer(b"", "text/html", "302 Found", "Location: http://10.0.0.1/"))


def _fails(guest: socket.socket, asked: bytes) -> None:
    guest.sendall(_answer(b"oh no", "text/html", "500 Internal Server Error"))


def _tells_strange_numbers(guest: socket.socket, asked: bytes) -> None:
    if b" /metrics" in asked:
        text = _NUMBERS[len(_told) % len(_NUMBERS)]
        _told.append(text)
        guest.sendall(_answer(text, "text/plain"))
    else:
        guest.sendall(_answer(b"[]" if b" /orders" in asked else b"hello"))


def _in_turn(*all_: Manners) -> Manners:
    number = iter(range(1 << 30))
    return lambda guest, asked: all_[next(number) % len(all_)](guest, asked)


_told: list[bytes] = []
_BUCKET = b'shop_visit_seconds_bucket{service="edge",le="%s"} %s\n'
_NUMBERS = (
    b'shop_visit_seconds_bucket{service="edge"} 5\n',
    _BUCKET % (b"abc", b"5"),
    _BUCKET % (b"NaN", b"NaN"),
    _BUCKET % (b"0.1", b"-7") + _BUCKET % (b"+Inf", b"+Inf"),
    b"".join(b'shop_in_use{service="%d"} Inf\n' % i for i in range(20_000)),
    b'shop_attempts_total{service="edge",outcome="arrived"} -1e308\n{{{\n',
)
ERRORS = "answers every question with an error"
HOSTILE: dict[str, Manners] = {
    "closes, talks garbage, or never answers": _in_turn(_closes, _answers_garbage, _never_answers),
    "never comes to the end of an answer": _in_turn(_never_ends, _continues),
    "redirects to no address and to other hosts": _in_turn(_redirects_nowhere, _redirects_outside),
    ERRORS: _fails,
    "answers every question with a JSON list, or nests it without end": _in_turn(
        _says_lists, _nests
    ),
    "tells its numbers in strange forms": _tells_strange_numbers,
}
"""What it does to every guest but the first -> how."""


@contextlib.contextmanager
def _listening(serve: Callable[[socket.socket, int], None]) -> Iterator[tuple[str, list[int]]]:
    """Yield an address and the count of its guests so far; each guest has a thread."""
    guests: list[int] = []
    open_: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def one(guest: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), guest:
            serve(guest, number)

    def all_() -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = listener.accept()
                guests.append(len(guests))
                open_.append(guest)
                threading.Thread(target=one, args=(guest, guests[-1]), daemon=True).start()

    threading.Thread(target=all_, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", guests
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for guest in open_:
            with contextlib.suppress(OSError):
                guest.shutdown(socket.SHUT_RDWR)
            guest.close()


@contextlib.contextmanager
def hostile(how: str) -> Iterator[str]:
    """Yield the address of a target that answers once as it should, then never again."""

    def serve(guest: socket.socket, number: int) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            part = guest.recv(65536)
            if not part:
                return
            asked += part
        if number == 0:
            guest.sendall(_GREETING)
        else:
            HOSTILE[how](guest, asked)

    with _listening(serve) as (url, _):
        yield url


@contextlib.contextmanager
def counting() -> Iterator[tuple[str, list[int]]]:
    """Yield a polite target and the list that grows by one a connection."""
    with _listening(lambda guest, _: guest.sendall(_GREETING)) as place:
        yield place


@contextlib.contextmanager
def falling_silent(after_s: float) -> Iterator[str]:
    """Yield the address of a target that answers, and from so long after its third guest on never."""
    began: list[float] = []

    def serve(guest: socket.socket, number: int) -> None:
        asked = guest.recv(65536)
        if number >= 2 and not began:
            began.append(time.monotonic())
        if began and time.monotonic() > began[0] + after_s:
            _never_answers(guest, asked)
        else:
            guest.sendall(_GREETING)

    with _listening(serve) as (url, _):
        yield url
