"""A small site of HTML forms with CSRF tokens: what the example scenario is played against.

Every form has a token that is good once, for the session that got it. Strict: a wrong token, a
wrong password or a stranger's basket is a 403, and counted.
"""

from __future__ import annotations

import contextlib
import secrets
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Site", "running_site"]


@dataclass
class Site:
    """What the site knows, and what it saw."""

    url: str = ""
    people: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, set[str]] = field(default_factory=dict)
    """Session -> tokens that are still good."""
    signed_in: dict[str, str] = field(default_factory=dict)
    baskets: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Basket -> session and quantity."""
    orders: dict[str, str] = field(default_factory=dict)
    """Idempotency key -> order number."""
    refused: list[str] = field(default_factory=list)
    """Why something was refused; empty when the client did all that a browser does."""
    deliveries: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, session: str) -> str:
        """Return a new token for a form of this session."""
        token = secrets.token_urlsafe(12) + "+/="
        self.tokens.setdefault(session, set()).add(token)
        return token


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(30)

    def _session(self) -> str:
        cookie = SimpleCookie(self.headers.get("Cookie", ""))
        return cookie["sid"].value if "sid" in cookie else ""

    def _answer(self, status: int, body: str, **headers: str) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _refuse(self, why: str) -> None:
        self.site.refused.append(why)
        self._answer(403, why)

    def _form(self, name: str, action: str) -> str:
        token = self.site.token(self._session())
        return f'<form id="{name}" action="{action}"><input name="csrf" value="{token}"></form>'

    def do_GET(self) -> None:
        with self.site.lock:
            self._get()

    def _get(self) -> None:
        site, session = self.site, self._session()
        if self.path == "/":
            self._answer(200, f"<h1>Signed in as {site.signed_in.get(session, 'nobody')}</h1>")
        elif self.path == "/login":
            session = session or secrets.token_hex(8)
            token = site.token(session)
            form = f'<form id="login"><input name="csrf" value="{token}"></form>'
            self._answer(200, form, Set_Cookie=f"sid={session}; Path=/; HttpOnly")
        elif self.path.startswith("/product/") and session in site.signed_in:
            self._answer(200, self._form("add", "/basket") + "Add to basket")
        elif self.path.startswith("/order/") or self.path == "/banner.css":
            self._answer(200, "fine")
        else:
            self._refuse(f"GET {self.path} by a stranger")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
        with self.site.lock:
            good = self.site.tokens.get(self._session(), set())
            if form.get("csrf") not in good:
                self._refuse(f"POST {self.path}: token {form.get('csrf')!r} is not good")
                return
            good.discard(form["csrf"])
            self._post(form)

    def _post(self, form: dict[str, str]) -> None:
        site, session = self.site, self._session()
        if self.path == "/login":
            if site.people.get(form["email"]) != form["password"]:
                self._refuse(f"{form['email']}: wrong password")
                return
            site.signed_in[session] = form["email"]
            self._answer(303, "", Location="/")
        elif session not in site.signed_in:
            self._refuse(f"POST {self.path} by a stranger")
        elif self.path == "/basket":
            basket = secrets.token_hex(6)
            site.baskets[basket] = (session, int(form["quantity"]))
            self._answer(200, f"<p>Basket {basket}</p>" + self._form("checkout", "/order"))
        else:
            basket = self.path.split("/")[2]
            if site.baskets.get(basket, ("", 0))[0] != session:
                self._refuse(f"basket {basket} is not this customer's")
                return
            key = self.headers["Idempotency-Key"]
            order = site.orders.setdefault(key, str(100_000 + len(site.orders)))
            site.deliveries.append(form["delivery"])
            self._answer(201, "thanks", X_Order_Number=order)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle is no news."""


@contextlib.contextmanager
def running_site(people: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Site]:
    """Yield the site on loopback, over TLS with a (certificate, key)."""
    site = Site()
    for line in people.read_text().splitlines()[1:]:
        email, _, password = line.partition(",")
        site.people[email] = password
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    site.url = f"{scheme}://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
