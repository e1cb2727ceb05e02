"""Every socket of a worker under one epoll, whose own descriptor gevent's hub watches."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from gevent.monkey import get_original

from gameday.swarm.wire.connection import Connection

__all__ = ["Sockets"]

_BATCH = 1024
_MANY = 8
"""After so many events at once there are soon more: polling again costs less than the way through the hub."""
_LONGEST_TURN_S = 0.002
"""After this long the hub's other watchers (heartbeats, reports) have their turn."""


class Sockets:
    """The open connections by descriptor; `turn` handles the events of all of them."""

    def __init__(self) -> None:
        self._epoll: select.epoll = get_original("select", "epoll")()
        self.open: dict[int, Connection] = {}
        self._added: set[int] = set()
        """Descriptors opened since the last poll: an older event of the same number is not theirs."""
        self._watcher: Any = None
        self.fault: BaseException | None = None
        """What went wrong in our own code while the hub called: the engine raises it."""
        self.after_turn: Callable[[], object] = lambda: None
        """Called after each turn: replies may have made something due."""

    def watch_from(self, hub: Any) -> None:
        """Let gevent's hub call `turn` whenever a socket has an event."""
        self._watcher = hub.loop.io(self._epoll.fileno(), 1)
        self._watcher.start(self._on_news)

    def _on_news(self) -> None:
        try:
            self.turn()
            self.after_turn()
        except BaseException as error:  # noqa: BLE001 (the hub would print it and go on for ever)
            self.fault = error
            self._watcher.stop()

    def turn(self, wait_s: float = 0.0) -> None:
        """Handle the events that have come in, for some milliseconds at most."""
        clock, poll, found = time.perf_counter, self._epoll.poll, self.open.get
        until = clock() + _LONGEST_TURN_S
        while True:
            self._added.clear()
            events = poll(wait_s, _BATCH)
            for fd, event in events:
                connection = found(fd)
                if connection is None or fd in self._added:
                    continue
                if event == 1 and connection.ready:
                    connection.pool.take(connection, clock())
                else:
                    connection.pool.on_event(connection, event, clock())
            if len(events) < _MANY or clock() > until:
                return
            wait_s = 0.0

    def add(self, connection: Connection) -> None:
        """Watch a connection that has begun to connect."""
        fd = connection.sock.fileno()
        self.open[fd] = connection
        self._added.add(fd)
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)

    def expect(self, connection: Connection, *, writable: bool) -> None:
        """Say whether it matters that the socket can take bytes."""
        more = select.EPOLLOUT if writable else 0
        self._epoll.modify(connection.sock.fileno(), select.EPOLLIN | more)

    def drop(self, connection: Connection) -> None:
        """Forget a connection and close it."""
        fd = connection.sock.fileno()
        if self.open.pop(fd, None) is not None:
            self._epoll.unregister(fd)
            connection.sock.close()

    def close(self) -> None:
        """Close everything."""
        if self._watcher is not None:
            self._watcher.stop()
        for connection in self.open.values():
            connection.sock.close()
        self.open.clear()
        self._epoll.close()
