"""Opens connections to a target: paced, connected, TLS handshake done; and closes them."""

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
from gameday.swarm.wire.heads import Head
from gameday.swarm.wire.sockets import Sockets
from gameday.swarm.wire.tls import Tls

__all__ = ["Opening", "PoolLimits"]

_OPENED_PER_S, _BURST = 4000.0, 512.0
"""Connections opened a second, and at once: a target that hesitates for a moment must not be met
by thousands more (each costs both sides as much as several requests)."""
_RETRANSMITTED_S = 0.9
"""A connection that takes this long had its SYN dropped: the first retransmission is after 1 s."""
_OURS = {
    errno.EMFILE: "file descriptors",
    errno.ENFILE: "file descriptors",
    errno.EADDRNOTAVAIL: "local ports",
    errno.ENOBUFS: "socket buffers",
}


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of a pool."""

    max_sockets: int
    """Sockets that may be open."""
    connect_s: float = 5.0
    """Longest time to connect."""
    handshake_s: float = 5.0
    """Longest TLS handshake."""
    first_byte_s: float = 60.0
    """Longest time from sending a request to its reply's first byte."""
    reply_s: float = 120.0
    """Longest time from sending a request to its reply's last byte."""
    idle_s: float = 55.0
    """After so long without a request a connection is closed."""
    reuse_share: float = 1.0
    """Chance that a session's first exchange may take a connection that is open."""


class Opening:
    """The connections of a pool from being opened to the moment they may be used."""

    def __init__(
        self,
        target: Target,
        limits: PoolLimits,
        sockets: Sockets,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.target, self.limits, self.sockets = target, limits, sockets
        self.is_secure, self.reuse_share = target.scheme == "https", limits.reuse_share
        self._tls = tls
        self.idle: list[Connection] = []
        self.queue: deque[Flight] = deque()
        """Flights that wait for a connection to open, or for our own bound on them."""
        self.count = self._opening = 0
        self.max_sockets = limits.max_sockets
        self.issued = 0
        """Requests that went out: redirects followed and second tries are each one."""
        self.held = 0
        """How often our own bound on sockets held a flight back."""
        self.hindrances: dict[str, int] = {}
        """What else of ours held flights back, and how often."""
        self._allowed, self._paced_at = _BURST, 0.0
        self.slow_connects = 0
        """Connections whose first SYN the target dropped: its listen backlog was full."""

    _on_reply: Callable[[Any, Head, bytes, int, float], None]
    _on_fault: Callable[[Any, str, float], None]

    def connect_to(
        self,
        on_reply: Callable[[Any, Head, bytes, int, float], None],
        on_fault: Callable[[Any, str, float], None],
    ) -> None:
        """Say who hears of replies (flight, head, body, bytes received, instant) and of faults."""
        self._on_reply, self._on_fault = on_reply, on_fault

    def open_ahead(self, wanted: int, now: float) -> None:
        """See that `wanted` connections are open or opening."""
        for _ in range(min(wanted, self.max_sockets) - self.count):
            if not self._open(now):
                return

    def _held_back(self, by: str) -> None:
        self.hindrances[by] = self.hindrances.get(by, 0) + 1

    def _may_open(self, now: float) -> bool:
        """Return whether a token bucket allows one more new connection, and take its token."""
        self._allowed = min(_BURST, self._allowed + max(0.0, now - self._paced_at) * _OPENED_PER_S)
        self._paced_at = now
        if self._allowed < 1.0:
            self._held_back("the pace of new connections")
            return False
        self._allowed -= 1.0
        return True

    def _open(self, now: float, flight: Flight | None = None) -> bool:
        """Begin to open a connection, for `flight` or the next that waits; False where none may be opened."""
        if self.count >= self.max_sockets or not self._may_open(now):
            return False
        try:
            connection = Connection(self, self.target, now + self.limits.connect_s)
        except OSError as error:
            if error.errno in _OURS:  # not the target's fault: wait until something closes
                self._held_back(_OURS[error.errno])
                self.max_sockets = max(1, self.count)
                return False
            self._fail_one(flight, fault_of(error), now)
            return True
        connection.flight, connection.opened_at = flight, now
        self.count += 1
        self._opening += 1
        self.sockets.add(connection)
        return True

    def _fail_one(self, flight: Flight | None, fault: str, now: float) -> None:
        """Report a connection that could not be had to whoever waited for it."""
        if flight is None and self.queue:
            flight = self.queue.popleft()
        if flight is not None:
            self._on_fault(flight, fault, now)

    def _make_up(self, now: float) -> None:
        """Open connections for the flights that wait, as far as there is room."""
        while self._opening < len(self.queue) and self._open(now):
            pass

    def go_on_opening(self, connection: Connection, event: int, now: float) -> None:
        """Finish connecting, then the TLS handshake where there is one; OSError where that fails."""
        if connection.tls is None:
            connection.connected()
            if now - connection.opened_at > _RETRANSMITTED_S:
                self.slow_connects += 1
            if self._tls is not None:
                connection.deadline = now + self.limits.handshake_s
                connection.shake(Tls(self._tls, self.target.host))
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
            self.use(connection, flight, now)

    def drop(self, connection: Connection) -> None:
        """Close a connection that is not among the idle ones."""
        if connection.sock.fileno() < 0:
            return  # dropped already, by what another's end led to
        if not connection.ready:
            self._opening -= 1
        connection.flight = connection.reading = None
        self.count -= 1
        self.max_sockets = self.limits.max_sockets  # what we lacked may have become free
        self.sockets.drop(connection)

    def use(self, connection: Connection, flight: Flight | None, now: float) -> None:
        """Send on a connection that is free: `flight`, else the next that waits."""
        raise NotImplementedError
