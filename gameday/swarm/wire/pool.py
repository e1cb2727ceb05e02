"""The kept-alive connections to one target: bounded, opened ahead, used again."""

from __future__ import annotations

import errno
import select
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gameday.safety import Target
from gameday.swarm.wire.connection import Connection, fault_of
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.heads import WHOLE, BadReply, Head
from gameday.swarm.wire.reading import Reading
from gameday.swarm.wire.sockets import Sockets
from gameday.swarm.wire.tls import Tls

__all__ = ["Pool", "Rules"]

_READ = 1 << 16
_BLANK = b"\r\n\r\n"
_RETRANSMITTED_S = 0.9
"""A connection that takes this long had its SYN dropped: the first retransmission is after 1 s."""
_OURS = {errno.EMFILE: "file descriptors", errno.ENFILE: "file descriptors",
         errno.EADDRNOTAVAIL: "local ports", errno.ENOBUFS: "socket buffers"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds of a pool; times in seconds."""

    most: int
    """Sockets that may be open."""
    connect: float = 5.0
    handshake: float = 5.0
    first_byte: float = 60.0
    reply: float = 120.0
    idle: float = 55.0
    reuse: float = 1.0
    """Chance that a session's first exchange may take a connection that is open."""


class Pool:
    """Carries flights to a target; calls `on_reply` or `on_fault` once for each."""

    def __init__(
        self, target: Target, rules: Rules, sockets: Sockets, *, tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.target, self.rules, self.sockets = target, rules, sockets
        self.is_secure, self.reuse = target.scheme == "https", rules.reuse
        self._tls = tls
        self._session: ssl.SSLSession | None = None
        self.idle: list[Connection] = []
        self.queue: deque[Flight] = deque()
        """Flights that wait for a connection to open, or for our own bound on them."""
        self.count = self._opening = 0
        self.most = rules.most
        self.limits: dict[str, int] = {}
        """What of ours held flights back, and how often."""
        self.slow_connects = 0
        """Connections whose first SYN the target dropped: its listen backlog was full."""

    _on_reply: Callable[[Any, Head, bytes, int, float], None]
    _on_fault: Callable[[Any, str, float], None]

    def connect_to(
        self, on_reply: Callable[[Any, Head, bytes, int, float], None],
        on_fault: Callable[[Any, str, float], None],
    ) -> None:  # fmt: skip
        """Say who hears of replies (flight, head, body, bytes received, instant) and of faults."""
        self._on_reply, self._on_fault = on_reply, on_fault

    def send(self, flight: Flight, now: float) -> None:
        """Send `flight` now if a socket can be had, else as soon as one is."""
        if self.idle:
            flight.sent = now
            self._issue(self.idle.pop(), flight, now)
            return
        if self.count < self.most:
            flight.sent = now
        else:
            self._held_back("sockets")
        self.queue.append(flight)
        if self._opening < len(self.queue):
            self._open(now)

    def send_alone(self, flight: Flight, now: float) -> None:
        """Send `flight` on a connection opened for it, if there is room for one."""
        if self.count >= self.most and self.idle:
            self._drop(self.idle.pop(0))
        if self.count >= self.most:
            self.send(flight, now)
        else:
            flight.sent = now
            self._open(now, flight)

    def open_ahead(self, wanted: int, now: float) -> None:
        """See that `wanted` connections are open or opening."""
        for _ in range(min(wanted, self.most) - self.count):
            if not self._open(now):
                return

    def _held_back(self, by: str) -> None:
        self.limits[by] = self.limits.get(by, 0) + 1

    def _open(self, now: float, flight: Flight | None = None) -> bool:
        if self.count >= self.most:
            return False
        try:
            connection = Connection(self, self.target, now)
        except OSError as error:
            if error.errno in _OURS:  # not the target's fault: wait until something closes
                self._held_back(_OURS[error.errno])
                self.most = max(1, self.count)
                if flight is not None:
                    self.queue.append(flight)
            else:
                self._fail_one(flight, fault_of(error), now)
            return False
        connection.flight = flight
        self.count += 1
        self._opening += 1
        self.sockets.add(connection)
        return True

    def _fail_one(self, flight: Flight | None, fault: str, now: float) -> None:
        """A connection could not be had: whoever waited for it learns so."""
        if flight is None and self.queue:
            flight = self.queue.popleft()
        if flight is not None:
            self._on_fault(flight, fault, now)

    def _issue(self, connection: Connection, flight: Flight, now: float) -> None:
        connection.flight = flight
        request = flight.request
        try:
            taken = connection.transmit(request)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            self._broke(connection, fault_of(error), now)
            return
        if taken != len(request):
            connection.rest += request[taken:]
            connection.reading = self._reading(flight)
        if connection.rest:
            self.sockets.expect(connection, writable=True)

    @staticmethod
    def _reading(flight: Flight) -> Reading:
        asked = flight.asked
        return Reading(head_only=asked.head_only, keeps_body=asked.keeps_body)

    def take(self, connection: Connection, now: float) -> None:
        """Read what has come in on a connection."""
        try:
            data = connection.receive(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(connection, fault_of(error), now)
            return
        flight = connection.flight
        if flight is None:
            self._drop_idle(connection)  # closed by the target, or bytes nobody asked for
            return
        if connection.reading is None:  # all in one piece, as most replies are
            raw, blank, body = data.partition(_BLANK)
            head = WHOLE.get(raw)
            if head is not None and head.length == len(body) and blank:
                connection.flight = None
                connection.last = now
                if self.queue:
                    self._issue_next(connection, now)
                else:
                    self.idle.append(connection)
                self._on_reply(flight, head, body, len(data), now)
                return
        self._take_part(connection, flight, data, now)

    def _take_part(self, connection: Connection, flight: Flight, data: bytes, now: float) -> None:
        """Take a reply that comes in pieces, or whose end must be looked for."""
        reading = connection.reading
        if reading is None:
            reading = connection.reading = self._reading(flight)
        try:
            if data:
                reading.feed(data)
            elif (fault := reading.close()) is not None:
                self._broke(connection, fault, now)
                return
        except BadReply as fault:
            self._broke(connection, str(fault), now)
            return
        if reading.ended:
            head = reading.head
            assert head is not None
            self._settle(connection, head.keeps_alive and reading.clean and bool(data), now)
            self._on_reply(flight, head, reading.body, reading.received, now)

    def _settle(self, connection: Connection, keeps_alive: bool, now: float) -> None:
        """The exchange on a connection is over: use it again, or not."""
        connection.flight = connection.reading = None
        if not keeps_alive or connection.rest:
            self._drop(connection)
            self._make_up(now)
            return
        if connection.tls is not None and not connection.last:
            self._session = connection.tls.session
        connection.last = now
        self._put_to_use(connection, now)

    def _put_to_use(self, connection: Connection, now: float) -> None:
        if self.queue:
            self._issue_next(connection, now)
        else:
            self.idle.append(connection)

    def _issue_next(self, connection: Connection, now: float) -> None:
        flight = self.queue.popleft()
        if flight.sent == 0.0:
            flight.sent = now
        self._issue(connection, flight, now)

    def _make_up(self, now: float) -> None:
        """A place has become free: open a connection for who waits."""
        while self._opening < len(self.queue) and self._open(now):
            pass

    def on_event(self, connection: Connection, event: int, now: float) -> None:
        """Hear news that is not simply a reply's bytes."""
        try:
            if not connection.ready:
                self._go_on_opening(connection, event, now)
                return
            if event & select.EPOLLOUT and connection.rest and connection.send_rest():
                self.sockets.expect(connection, writable=False)
        except OSError as error:
            self._broke(connection, fault_of(error), now)
            return
        if event & ~select.EPOLLOUT:
            self.take(connection, now)

    def _go_on_opening(self, connection: Connection, event: int, now: float) -> None:
        """Connect, then shake hands where TLS is spoken; OSError where that fails."""
        if connection.tls is None:
            connection.connected()
            if now - connection.opened_at > _RETRANSMITTED_S:
                self.slow_connects += 1
            if self._tls is not None:
                connection.deadline = now + self.rules.handshake
                connection.shake(Tls(self._tls, self.target.host, self._session))
        done = self._tls is None
        if connection.tls is not None:
            if event & ~select.EPOLLOUT:
                done = connection.shaken()
            if connection.rest:
                connection.send_rest()
        self.sockets.expect(connection, writable=bool(connection.rest))
        if done:
            self._opening -= 1
            connection.ready, connection.opened_at = True, now
            flight, connection.flight = connection.flight, None
            if flight is not None:
                self._issue(connection, flight, now)
            else:
                self._put_to_use(connection, now)

    def _broke(self, connection: Connection, fault: str, now: float) -> None:
        """A connection is of no more use: tell who was waiting on it, or send again."""
        flight, was_ready = connection.flight, connection.ready
        is_stale = connection.last > 0.0 and connection.reading is None
        self._drop_idle(connection)
        if not was_ready:
            self._fail_one(flight, fault, now)
        elif flight is not None and is_stale and _may_go_again(flight, fault):
            flight.resent = True
            self.queue.appendleft(flight)
        elif flight is not None:
            self._on_fault(flight, fault, now)
        self._make_up(now)

    def _drop_idle(self, connection: Connection) -> None:
        if connection.flight is None and connection in self.idle:
            self.idle.remove(connection)
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if not connection.ready:
            self._opening -= 1
        connection.flight = connection.reading = None
        self.count -= 1
        self.sockets.drop(connection)

    def sweep(self, now: float) -> None:
        """End what has taken too long; close what nobody needs; open for who waits."""
        rules = self.rules
        for connection in [c for c in self.sockets.open.values() if c.pool is self]:
            flight = connection.flight
            if flight is not None and flight.has_left(now):
                self._give_up(connection, flight, "patience", now)
            elif not connection.ready:
                if connection.deadline < now:
                    phase = "connect" if connection.tls is None else "handshake"
                    self._broke(connection, f"timeout_{phase}", now)
            elif flight is None:
                if now - (connection.last or connection.opened_at) > rules.idle:
                    self._drop_idle(connection)
            elif connection.reading is None or not connection.reading.received:
                if now - flight.sent > rules.first_byte:
                    self._give_up(connection, flight, "timeout_first_byte", now)
            elif now - flight.sent > rules.reply:
                self._give_up(connection, flight, "timeout_reply", now)
        if self.queue:
            left = [flight for flight in self.queue if flight.has_left(now)]
            if left:
                self.queue = deque(f for f in self.queue if not f.has_left(now))
            for flight in left:
                self._on_fault(flight, "patience", now)
            self._make_up(now)

    def _give_up(self, connection: Connection, flight: Flight, why: str, now: float) -> None:
        self._drop(connection)
        self._on_fault(flight, why, now)
        self._make_up(now)

    def cancel(self, flights: set[Flight]) -> None:
        """Forget these flights: their customer has gone."""
        for connection in [c for c in self.sockets.open.values() if c.flight in flights]:
            if connection.pool is self:
                self._drop(connection)
        self.queue = deque(f for f in self.queue if f not in flights)


def _may_go_again(flight: Flight, fault: str) -> bool:
    """Return whether a request that met a closed connection may be sent on another."""
    may = flight.asked.resend or flight.became_get
    return may and not flight.resent and fault.startswith("connection_")
