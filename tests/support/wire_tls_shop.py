"""A certificate authority of the tests' own, and targets that speak TLS in a thread."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gameday.safety import Target

__all__ = ["Authority", "TlsShop", "read_request"]

_LONGEST_S = 5.0


class Authority:
    """Signs certificates with openssl's command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "2",
            "-subj",
            "/CN=gameday tests",
        )
        self.pem = (folder / "ca.pem").read_text()

    def _run(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self._folder, check=True, capture_output=True)

    def context(self, *names: str, days: int = 2) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names, as openssl writes them."""
        stem = names[0].replace(":", "_")
        (self._folder / f"{stem}.ext").write_text(f"subjectAltName={','.join(names)}\n")
        self._run(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            f"{stem}.key",
            "-out",
            f"{stem}.csr",
            "-subj",
            "/CN=shop",
        )
        self._run(
            "x509",
            "-req",
            "-in",
            f"{stem}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            str(days),
            "-extfile",
            f"{stem}.ext",
            "-out",
            f"{stem}.pem",
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        return context


def read_request(conn: ssl.SSLSocket | socket.socket) -> bytes:
    """Return one whole request; empty at the end of the stream."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = conn.recv(1 << 16)
        if not data:
            return b""
        got += data
    head, _, body = got.partition(b"\r\n\r\n")
    parts = [body]
    missing = sum(
        int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")
    ) - len(body)
    while missing > 0:
        parts.append(conn.recv(1 << 16))
        missing -= len(parts[-1])
    return head + b"\r\n\r\n" + b"".join(parts)


Act = Callable[[ssl.SSLSocket, "TlsShop"], None]


class TlsShop:
    """Accepts in a thread and lets `act` serve each connection in one of its own."""

    def __init__(
        self, context: ssl.SSLContext, act: Act, *, host: str = "127.0.0.1", name: str = ""
    ) -> None:
        self.context, self.act = context, act
        self.context.sni_callback = self._on_name
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        self.target = Target("https", name or host, host, self.listener.getsockname()[1])
        self.names: list[str | None] = []
        self.resumed: list[bool | None] = []
        self.faults: list[str] = []
        self.over = threading.Event()
        self._socks: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def _on_name(self, sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        self.names.append(name)

    def __enter__(self) -> TlsShop:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._threads[0].join(_LONGEST_S)
        for sock in self._socks:
            with suppress(OSError):  # beneath TLS, whose state is the thread's
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_LONGEST_S)
            assert not thread.is_alive()
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self.over.is_set():
                sock, _ = self.listener.accept()
                sock.settimeout(_LONGEST_S)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socks.append(sock)
                thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                conn = self.context.wrap_socket(sock, server_side=True)
            except OSError as error:
                self.faults.append(str(error))
                return
            self._socks.append(conn)
            with conn, suppress(OSError):
                self.resumed.append(conn.session_reused)
                self.act(conn, self)
