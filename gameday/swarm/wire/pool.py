"""The pool of kept-alive connections to one target, bounded and with timeouts."""

from __future__ import annotations

import select
from collections import deque

from gameday.swarm.wire.connection import Connection, fault_of
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.heads import WHOLE, BadReply, read_head
from gameday.swarm.wire.opening import Opening, PoolLimits
from gameday.swarm.wire.reading import Reading

__all__ = ["Pool", "PoolLimits"]

_READ = 1 << 16
_BLANK = b"\r\n\r\n"
_QUEUE_SWEEP_S = 0.5


class Pool(Opening):
    """Carries flights to a target; calls `on_reply` or `on_fault` once for each."""

    def send(self, flight: Flight, now: float) -> None:
        """Send `flight` now if a socket can be had, else as soon as one is."""
        if self.idle:
            flight.sent = now
            self._issue(self.idle.pop(), flight, now)
            return
        if self.count < self.max_sockets:
            flight.sent = now
        else:
            self.held += 1
            flight.held_at = now
        self.queue.append(flight)
        if self._opening < len(self.queue) and not self._open(now):
            flight.sent, flight.held_at = 0.0, now  # we had no socket: our wait, not the target's

    def send_alone(self, flight: Flight, now: float) -> None:
        """Send `flight` on a connection opened for it, if there is room for one."""
        if self.count >= self.max_sockets and self.idle:
            self.drop(self.idle.pop(0))
        flight.sent = now
        if not self._open(now, flight):
            flight.sent = 0.0
            self.send(flight, now)

    def _issue(self, connection: Connection, flight: Flight, now: float) -> None:
        connection.flight = flight
        self.issued += 1
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
        if connection.rest:  # a reply that comes before all is sent is not to be taken whole
            connection.reading = self._reading(flight)
            self.sockets.expect(connection, writable=True)

    @staticmethod
    def _reading(flight: Flight) -> Reading:
        exchange = flight.exchange
        return Reading(head_only=exchange.head_only, keeps_body=exchange.keeps_body)

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
            if head is None and blank and not flight.exchange.head_only:
                try:
                    head = read_head(raw + blank)
                except BadReply as fault:
                    self._broke(connection, str(fault), now)
                    return
                head = head if head.keeps_alive and head.status >= 200 else None
            if (
                head is not None
                and head.length == len(body)
                and blank
                and not (body and flight.exchange.head_only)
                and (connection.tls is None or not connection.tls.closed)
            ):
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
        why: str | None = None
        try:
            if data:
                reading.feed(data)
            is_over = not data or (connection.tls is not None and connection.tls.closed)
            if is_over and not reading.ended:
                why = reading.close()
        except BadReply as fault:
            why = str(fault)
        if why is not None:
            self._broke(connection, why, now)
            return
        if reading.ended:
            head = reading.head
            assert head is not None
            self._settle(connection, head.keeps_alive and reading.clean and not is_over, now)
            self._on_reply(flight, head, reading.body, reading.received, now)

    def _settle(self, connection: Connection, keeps_alive: bool, now: float) -> None:
        """End the exchange on a connection: use the connection again, or close it."""
        connection.flight = connection.reading = None
        if not keeps_alive or connection.rest:
            self.drop(connection)
            self._make_up(now)
            return
        connection.last = now
        self.use(connection, None, now)

    def use(self, connection: Connection, flight: Flight | None, now: float) -> None:
        """Send on a connection that is free: `flight`, else the next that waits."""
        if flight is not None:
            self._issue(connection, flight, now)
        elif self.queue:
            self._issue_next(connection, now)
        else:
            self.idle.append(connection)

    def _issue_next(self, connection: Connection, now: float) -> None:
        flight = self.queue.popleft()
        if flight.sent == 0.0:
            flight.sent = now
            if flight.patient_since:  # patience does not run while we hold it back
                flight.patient_since += now - flight.held_at
        self._issue(connection, flight, now)

    def on_event(self, connection: Connection, event: int, now: float) -> None:
        """Handle an epoll event that is more than a reply's bytes."""
        try:
            if not connection.ready:
                self.go_on_opening(connection, event, now)
                return
            if event & ~select.EPOLLOUT:  # a reply that came before we had sent all is heard first
                self.take(connection, now)
            goes_on = connection.flight is not None and connection.rest
            if event & select.EPOLLOUT and goes_on and connection.send_rest():
                self.sockets.expect(connection, writable=False)
        except OSError as error:
            self._broke(connection, fault_of(error), now)

    def _broke(self, connection: Connection, fault: str, now: float) -> None:
        """Close a broken connection; its flight fails, or goes again where the connection proved stale."""
        flight, was_ready = connection.flight, connection.ready
        reading = connection.reading
        waited = flight is not None and connection.opened_at < flight.sent
        is_stale = waited and (reading is None or not reading.received)
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
        self.drop(connection)

    def sweep(self, now: float) -> None:
        """End what has timed out; close idle connections; open some for flights that wait."""
        limits = self.limits
        for connection in [c for c in self.sockets.open.values() if c.pool is self]:
            flight = connection.flight
            if flight is not None and flight.has_left(now):
                self._give_up(connection, flight, "patience", now)
            elif not connection.ready:
                if connection.deadline < now:
                    phase = "connect" if connection.tls is None else "handshake"
                    self._broke(connection, f"timeout_{phase}", now)
            elif flight is None:
                if now - (connection.last or connection.opened_at) > limits.idle_s:
                    self._drop_idle(connection)
            elif connection.reading is None or not connection.reading.received:
                if now - flight.sent > limits.first_byte_s:
                    self._give_up(connection, flight, "timeout_first_byte", now)
            elif now - flight.sent > limits.reply_s:
                self._give_up(connection, flight, "timeout_reply", now)
        if self.queue:
            self._sweep_queue(now)

    def _sweep_queue(self, now: float) -> None:
        """Fail the flights whose customers lost patience while waiting for a connection."""
        if now > self._queue_swept + _QUEUE_SWEEP_S:
            self._queue_swept = now
            left = [flight for flight in self.queue if flight.sent and flight.has_left(now)]
            if left:
                gone = set(map(id, left))
                self.queue = deque(f for f in self.queue if id(f) not in gone)
            for flight in left:
                self._on_fault(flight, "patience", now)
        self._make_up(now)

    _queue_swept = 0.0

    def _give_up(self, connection: Connection, flight: Flight, why: str, now: float) -> None:
        self.drop(connection)
        self._on_fault(flight, why, now)
        self._make_up(now)


def _may_go_again(flight: Flight, fault: str) -> bool:
    """Return whether a request that met a closed connection may be sent on another."""
    may = flight.exchange.resend or flight.became_get
    return may and not flight.resent and fault.startswith("connection_")
