"""A shop of another make, on loopback: forms with tokens, a page that calls its API, orders by number.

It answers 403 to a token it did not give, 404 to a basket it does not know: who takes what replies give gets on.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

__all__ = ["Site", "running_site"]


class Site(ThreadingHTTPServer):
    """What the shop remembers, and what was asked of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tokens: dict[str, str] = {}
        self.baskets: set[str] = set()
        self.orders: list[str] = []
        self.answered: Counter[tuple[str, int]] = Counter()
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        token = self._token()
        if path == "/":
            self._page('<a href="/account/login">in</a>')
        elif path == "/account/login":
            fields = (
                '<input name="email"><input name="password" type="password"><button>go</button>'
            )
            self._page(
                f'<form method="post"><input type="hidden" name="authenticity_token" value="{token}">'
                f"{fields}</form>"
            )
        elif path == "/search":
            self._page(f"results for {query.get('q', ['?'])[0]} <a href='/p/4711-lamp'>lamp</a>")
        elif path.startswith("/p/"):
            self._page("""<script>
                fetch('/api/price?sku=4711').then(r => r.json()).then(p => window.price = p)
                async function add() {
                  const r = await fetch('/api/basket', {method: 'POST', headers:
                    {'Content-Type': 'application/json', 'X-CSRF-Token': window.price.token},
                    body: JSON.stringify({sku: '4711', quantity: 1})})
                  const b = await r.json(); document.body.innerHTML +=
                    `<a id="pay" href="/basket/${b.basket.id}/pay">pay</a>`
                }</script><button id="add" onclick="add()">add</button><img src="/lamp.png">""")
        elif path == "/api/price":
            self._json(200, {"cents": 1999, "token": token})
        elif path.startswith("/basket/"):
            known = path.split("/")[2] in self.server.baskets
            self._page(
                f'<form method="post"><input type="hidden" name="authenticity_token" value="{token}">'
                "<button>order</button></form>",
                200 if known else 404,
            )
        elif path.startswith("/orders/"):
            self._page("thank you")
        else:
            self._send(404, b"", "image/png")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path, token = urlsplit(self.path).path, self._token()
        self.server.seen.append(body)
        if path == "/api/basket":
            good = self.headers.get("X-CSRF-Token") == token and json.loads(body)["quantity"] == 1
            basket = secrets.token_hex(6)
            self.server.baskets.add(basket)
            self._json(200 if good else 403, {"added": good, "basket": {"id": basket}})
            return
        form = parse_qs(body)
        if form.get("authenticity_token") != [token]:
            self._page("please try again", 403)
        elif path == "/account/login":
            self._onward("/" if form.get("password") else "/account/login")
        elif path.startswith("/basket/") and path.split("/")[2] in self.server.baskets:
            self.server.orders.append(path)
            self._onward(f"/orders/{len(self.server.orders)}")
        else:
            self._page("no such basket", 404)

    def _token(self) -> str:
        """Return the visitor's token; who has no cookie gets one with the reply."""
        cookie = SimpleCookie(self.headers.get("Cookie") or "")
        self._sid = cookie["sid"].value if "sid" in cookie else secrets.token_hex(8)
        return self.server.tokens.setdefault(self._sid, secrets.token_urlsafe(18))

    def _page(self, body: str, status: int = 200) -> None:
        self._send(
            status, f"<html><title>s</title><body>{body}</body></html>".encode(), "text/html"
        )

    def _json(self, status: int, data: object) -> None:
        self._send(status, json.dumps(data).encode(), "application/json")

    def _onward(self, to: str) -> None:
        self.send_response(303)
        self.send_header("Location", to)
        self._end(b"", 303)

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self._end(data, status)

    def _end(self, data: bytes, status: int) -> None:
        self.send_header("Set-Cookie", f"sid={self._sid}; Path=/")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.server.answered[urlsplit(self.path).path.split("/")[1], status] += 1


@contextmanager
def running_site() -> Iterator[Site]:
    """Open the shop on a free port of loopback; close it behind."""
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()
