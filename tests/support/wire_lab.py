"""A pool and its target, both moved by the test: no thread, no wait, every piece of a reply its own.

`Desk` is the client: a pool, and what it said of each flight (twice is an error). `Shop` is a
listener on loopback that answers only when the test says so.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple
from unittest import mock

from gameday.safety import Target
from gameday.swarm.wire import sockets
from gameday.swarm.wire.connection import Connection
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.heads import Head
from gameday.swarm.wire.pool import Pool, PoolLimits
from gameday.swarm.wire.sockets import Sockets

__all__ = ["FINE", "Asked", "Desk", "Heard", "Lab", "Peer", "Shop", "get"]

_LONGEST_S = 5.0
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


def get(path: str = "/", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode()


class Asked(NamedTuple):
    """What a flight's line says of it."""

    head_only: bool = False
    keeps_body: bool = True
    resend: bool = False


class Heard(NamedTuple):
    """What the pool said of a flight."""

    status: int
    body: bytes
    size: int
    fault: str
    head: Head | None


class _Clock:
    """The machine's clock, put forward by the test; it never goes back."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def perf_counter(self) -> float:
        return time.perf_counter() + self.ahead_s

    def forward_to(self, instant: float) -> None:
        self.ahead_s = max(self.ahead_s, instant - time.perf_counter())


class _CountedSockets(Sockets):
    """Goes by the test's clock, and knows the most descriptors that were open at once."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock
        self._ever: list[Any] = []
        self.most_at_once = 0

    def turn(self, wait_s: float = 0.0) -> None:
        with mock.patch.object(sockets, "time", self._clock):
            super().turn(wait_s)

    def add(self, connection: Connection) -> None:
        super().add(connection)
        self._ever = [sock for sock in self._ever if sock.fileno() >= 0] + [connection.sock]
        self.most_at_once = max(self.most_at_once, len(self._ever))


class Desk:
    """A pool, and what it said of each flight."""

    def __init__(self, target: Target, *, tls: Any = None, most: int = 8, **bounds: float) -> None:
        self.clock = _Clock()
        self.now = self.clock.perf_counter
        self.sockets = _CountedSockets(self.clock)
        self.pool = Pool(target, PoolLimits(most, **bounds), self.sockets, tls=tls)
        self.pool.connect_to(self._on_reply, self._on_fault)
        self.heard: dict[Flight, Heard] = {}
        self.sent: list[Flight] = []

    def _on_reply(self, flight: Flight, head: Head, body: bytes, size: int, now: float) -> None:
        self._book(flight, Heard(head.status, body, size, "", head))

    def _on_fault(self, flight: Flight, fault: str, now: float) -> None:
        self._book(flight, Heard(0, b"", 0, fault, None))

    def _book(self, flight: Flight, heard: Heard) -> None:
        assert flight in self.sent
        assert flight not in self.heard, f"heard twice: {self.heard[flight]}, then {heard}"
        self.heard[flight] = heard

    def send(
        self,
        request: bytes = b"",
        *,
        alone: bool = False,
        patience: float = 600.0,
        now: float | None = None,
        **asked: bool,
    ) -> Flight:
        now = self.now() if now is None else now
        flight = Flight(Asked(**asked), request or get(), now, patience, 0.0)
        self.sent.append(flight)
        (self.pool.send_alone if alone else self.pool.send)(flight, now)
        return flight

    def turn(self, wait_s: float = 0.5) -> None:
        """Hear the news; wait for some only where a socket is open that may have any."""
        self.sockets.turn(wait_s if self.sockets.open else 0.0)

    def wait(self, *flights: Flight) -> list[Heard]:
        """Turn until all of `flights` (by default: all) were heard of."""
        until = time.perf_counter() + _LONGEST_S
        while missing := [f for f in flights or self.sent if f not in self.heard]:
            assert time.perf_counter() < until, f"{len(missing)} flights were never heard of"
            self.turn(0.02)
        return [self.heard[flight] for flight in flights or self.sent]

    def sweep(self, ahead_s: float = 0.0) -> None:
        """Put the clock `ahead_s` before the machine's, if it is not yet, and sweep."""
        self.sweep_at(time.perf_counter() + ahead_s)

    def sweep_at(self, instant: float) -> None:
        """Let it be `instant`, if that is not past, and sweep."""
        self.clock.forward_to(instant)
        self.pool.sweep(self.now())

    def check_books(self) -> None:
        """Every connection is counted once and either idle or has something to do."""
        pool, open_ = self.pool, [*self.sockets.open.values()]
        assert pool.count == len(open_) <= pool.limits.max_sockets
        assert len({id(c) for c in pool.idle}) == len(pool.idle)
        assert all(any(c is o for o in open_) and c.flight is None for c in pool.idle)
        busy = [c.flight for c in open_ if c.flight is not None]
        waiting = [*busy, *pool.queue]
        assert len({id(f) for f in waiting}) == len(waiting)
        assert {id(f) for f in waiting} == {id(f) for f in self.sent if f not in self.heard}


class Peer:
    """The target's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(_LONGEST_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.ended = False

    def hear(self) -> None:
        """Take what has come in."""
        try:
            data = self.sock.recv(1 << 16)
        except OSError:
            data = b""
        self.got, self.ended = self.got + data, not data

    def request(self) -> bytes:
        """Return and forget the whole request that has come in; empty while it has not."""
        head, blank, body = self.got.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")),
            0,
        )
        if not blank or len(body) < length:
            return b""
        self.got = body[length:]
        return head + blank + body[:length]

    def send(self, data: bytes) -> None:
        with suppress(ConnectionError):  # the client may have hung up
            self.sock.sendall(data)

    def close(self) -> None:
        self.sock.close()
        self.ended = True

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class Shop:
    """A listener whose connections the test answers."""

    def __init__(self, host: str = "127.0.0.1", backlog: int = 128) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=backlog)
        self.listener.setblocking(False)
        self.target = Target("http", host, host, self.listener.getsockname()[1])
        self.peers: list[Peer] = []
        self.accepted = self.most_at_once = 0
        self._deaf: list[Peer] = []

    def deafen(self, peer: Peer) -> None:
        """Read nothing more on this connection."""
        self.peers.remove(peer)
        self._deaf.append(peer)

    def look(self, wait_s: float = 0.0) -> None:
        """Accept who knocks, hear who speaks, forget who has gone."""
        self.peers = [peer for peer in self.peers if not peer.ended]
        ends = {peer.sock: peer for peer in self.peers}
        readable, _, _ = select.select([self.listener, *ends], [], [], wait_s)
        for sock in readable:
            if sock in ends:
                ends[sock].hear()
        for peer in [p for p in self.peers if p.ended]:
            peer.close()
        self.peers = [peer for peer in self.peers if not peer.ended]
        if self.listener in readable:
            with suppress(BlockingIOError):
                while True:
                    self.peers.append(Peer(self.listener.accept()[0]))
                    self.accepted += 1
        self.most_at_once = max(self.most_at_once, len(self.peers))

    def asked(self, desk: Desk, count: int = 1) -> list[tuple[Peer, bytes]]:
        """Let the desk send until `count` whole requests are in."""
        out: list[tuple[Peer, bytes]] = []
        until = time.perf_counter() + _LONGEST_S
        while len(out) < count:
            missing = count - len(out)
            assert time.perf_counter() < until, f"{missing} of {count} requests never came in"
            assert len(desk.sent) - len(desk.heard) >= missing, [*desk.heard.values()]
            desk.turn(0.0)
            self.look(0.001)
            out += [(peer, request) for peer in self.peers if (request := peer.request())]
        return out

    def close(self) -> None:
        for peer in [*self.peers, *self._deaf]:
            peer.close()
        self.listener.close()


class Lab:
    """A desk and a shop in lock step."""

    def __init__(self, host: str = "127.0.0.1", **bounds: Any) -> None:
        self.shop = Shop(host)
        self.desk = Desk(self.shop.target, **bounds)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.desk.sockets.close()
        self.shop.close()

    def play(
        self, pieces: Iterable[bytes], *, close: bool = False, reset: bool = False, **asked: Any
    ) -> Heard | None:
        """Send a request, answer with `pieces`, each heard alone; return what was heard, if any."""
        flight = self.desk.send(**asked)
        [(peer, _)] = self.shop.asked(self.desk)
        for piece in pieces:
            peer.send(piece)
            self.desk.turn()
        if close or reset:
            (peer.reset if reset else peer.close)()
            self.desk.turn()
        self.desk.check_books()
        return self.desk.heard.get(flight)

    def check_works(self) -> None:
        """The pool still carries a flight, and its own reply comes back."""
        heard = self.play([FINE])
        assert heard is not None
        assert (heard.status, heard.body, heard.fault) == (200, b"fine", "")
