"""One non-blocking socket to a target."""

from __future__ import annotations

import _socket
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any

from gameday.safety import Target
from gameday.swarm.wire.flight import Flight
from gameday.swarm.wire.reading import Reading
from gameday.swarm.wire.tls import Tls

__all__ = ["Connection", "fault_of"]

_FAULTS = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_reset",
    errno.EPIPE: "connection_reset",
    errno.ETIMEDOUT: "timeout_connect",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}


def fault_of(error: OSError) -> str:
    """Return the outcome's name for what a socket or TLS raised."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls_certificate_refused"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "error").lower()
        if "no application protocol" in str(error).lower().replace("_", " "):
            return "target_speaks_only_http2"
        return f"tls_{reason}"
    return _FAULTS.get(error.errno or 0, f"socket_error_{error.errno}")


class Connection:
    """A socket and the exchange on it. States: connecting, TLS handshake, idle, busy, closed."""

    __slots__ = (
        "deadline",
        "flight",
        "last",
        "opened_at",
        "pool",
        "reading",
        "ready",
        "receive",
        "rest",
        "sock",
        "tls",
        "transmit",
    )

    def __init__(self, pool: Any, target: Target, deadline: float) -> None:
        """Begin to connect; OSError where not even that can be begun."""
        family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
        self.sock = _socket.socket(family, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = self.sock.connect_ex((target.address, target.port))
        if error not in (0, errno.EINPROGRESS):
            self.sock.close()
            raise OSError(error, "connect")
        self.pool = pool
        """Who hears of what comes in."""
        self.flight: Flight | None = None
        self.reading: Reading | None = None
        """The reply so far, where it did not come in one piece."""
        self.ready = False
        """Whether requests may be sent: connected, and the handshake done."""
        self.tls: Tls | None = None
        self.receive: Callable[[int], bytes] = self.sock.recv
        self.rest = b""
        """Bytes that the socket has not taken yet."""
        self.opened_at = 0.0
        self.last = 0.0
        """When its last reply ended; 0 = none came yet."""
        self.deadline = deadline
        """When connecting, or the handshake, has taken too long."""
        self.transmit: Callable[[bytes], int] = self.sock.send
        """Sends what it can; returns how many of the bytes given are taken care of."""

    def connected(self) -> None:
        """Check the connection that was begun; OSError says why there is none."""
        if error := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, "connect")

    def shake(self, tls: Tls) -> None:
        """Begin the handshake."""
        self.tls = tls
        self.rest, _ = tls.handshake(b"")

    def shaken(self) -> bool:
        """Go on with the handshake; return whether it is done. OSError where it fails."""
        assert self.tls is not None
        records = self.sock.recv(1 << 16)
        if not records:
            raise OSError(errno.ECONNRESET, "handshake")
        answer, done = self.tls.handshake(records)
        self.rest += answer
        if done:
            tls, receive = self.tls, self.sock.recv
            self.receive = lambda most: tls.opened(receive)
            self.transmit = self._seal_and_send
        return done

    def _seal_and_send(self, data: bytes) -> int:
        assert self.tls is not None
        records = self.tls.sealed(data)
        try:
            taken = self.sock.send(records)
        except BlockingIOError:
            taken = 0
        self.rest = records[taken:]
        return len(data)

    def send_rest(self) -> bool:
        """Send what is left; return whether nothing is."""
        try:
            self.rest = self.rest[self.sock.send(self.rest) :]
        except BlockingIOError:
            return False
        return not self.rest
