"""TLS on the same epoll: records through memory, a full handshake for every connection.

No session ticket is resumed: connections are shared by customers, and a customer who is new to the
target has none. So the target pays for as many full handshakes as connections are opened; a real
customer who opens a second connection would resume the first one's session and cost it less.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from gameday.errors import UsageError

__all__ = ["Tls", "tls_context"]

_MOST = 1 << 16


def tls_context(ca_pem: str | None, *, verify: bool) -> ssl.SSLContext:
    """Return the context of all connections to a target; UsageError if the CA file holds none."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_pem is not None:
        try:
            context.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise UsageError(f"ca_file: holds no certificate in PEM form ({error})") from None
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Tls:
    """The TLS layer of one connection: plain bytes on one side, records on the other."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.closed = False
        """Whether the target has said that nothing more comes."""
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)

    def handshake(self, received: bytes) -> tuple[bytes, bool]:
        """Take records; return records to send and whether the handshake is done."""
        if received:
            self._in.write(received)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._out.read(), False
        return self._out.read(), True

    def sealed(self, data: bytes) -> bytes:
        """Return `data` as records."""
        self._tls.write(data)
        return self._out.read()

    def opened(self, receive: Callable[[int], bytes]) -> bytes:
        """Return the plain bytes of what `receive` gives; empty at the end of the stream.

        Raises BlockingIOError where no whole record has come in, as a socket would.
        """
        records = receive(_MOST)
        if not records:
            return b""
        self._in.write(records)
        parts = []
        try:
            while True:
                part = self._tls.read(_MOST)
                if not part:
                    self.closed = True
                    break
                parts.append(part)
                if not self._in.pending and not self._tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        if not parts and not self.closed:
            raise BlockingIOError
        return b"".join(parts)
