"""The seam to the wire: one request in, one reply out. A faster client takes this file's place."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

import gevent
from geventhttpclient import HTTPClient

from gameday.safety import allowed_target

__all__ = ["Client", "Reply", "Request"]

_MOST_HOPS = 5
_MOST_BODY = 4 << 20
"""Bytes of a body that are read; a reply without end is cut off here."""
_SOCKETS = 4000
"""Open sockets a worker may hold. Bounded by the usual file-descriptor limit."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, templates filled."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = None
    json_body: object = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, or why nothing did."""

    status: int
    """0 = no reply."""
    headers: Mapping[str, str]
    body: bytes
    fault: str | None
    """Name of the transport's fault, or None."""


class Client:
    """Speaks to one allowed target with a pool of kept-alive connections."""

    def __init__(self, target: str, fixed_headers: Mapping[str, str]) -> None:
        self.base = allowed_target(target)
        self._fixed = dict(fixed_headers)
        self._http = HTTPClient.from_url(
            self.base, concurrency=_SOCKETS, connection_timeout=5.0, network_timeout=60.0
        )
        # The library sends again `size + 1` times on a closed connection; a stale one needs one.
        self._http._connection_pool.size = 0

    def send(self, request: Request, cookies: dict[str, str]) -> Reply:
        """Send and wait for the last byte of the last redirect; update the customer's cookies."""
        method, path, body, headers = request.method, request.path, b"", dict(request.headers)
        if request.form is not None:
            body = urlencode(request.form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif request.json_body is not None:
            body = json.dumps(request.json_body).encode()
            headers["Content-Type"] = "application/json"
        for _ in range(_MOST_HOPS):
            reply = self._hop(method, path, body, headers, cookies)
            if reply.status not in (301, 302, 303, 307, 308) or "location" not in reply.headers:
                return reply
            onward = self._onward(path, reply.headers["location"])
            if onward is None:
                return Reply(reply.status, reply.headers, b"", "redirect_refused")
            path = onward
            if reply.status in (301, 302, 303) and method != "HEAD":
                method, body = "GET", b""
                headers.pop("Content-Type", None)
        return Reply(reply.status, reply.headers, b"", "too_many_redirects")

    def _hop(
        self, method: str, path: str, body: bytes, headers: dict[str, str], cookies: dict[str, str]
    ) -> Reply:
        sent = self._fixed | headers
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        try:
            response = self._http.request(method, path, body=body, headers=sent)
            content = response.read(_MOST_BODY)
            if len(content) >= _MOST_BODY:
                response.release()
                return Reply(response.status_code, {}, b"", "body_too_long")
        except gevent.Timeout:
            raise
        except Exception as error:  # the library lets any kind of error through; each is counted
            return Reply(0, {}, b"", _fault_name(error))
        found = {str(k).lower(): str(v) for k, v in response.items()}
        for name, value in response.items():
            if str(name).lower() == "set-cookie":
                _keep_cookie(str(value), cookies)
        return Reply(response.status_code, found, bytes(content), None)

    def _onward(self, path: str, location: str) -> str | None:
        """Return the path of a redirect inside the target; None when it leads elsewhere."""
        try:
            parts, own = urlsplit(urljoin(self.base + path, location)), urlsplit(self.base)
        except ValueError:
            return None  # no address at all
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            return None
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


def _fault_name(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection_refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, (ConnectionError, BrokenPipeError)) or "Closed" in type(error).__name__:
        return "connection_closed"
    if isinstance(error, OSError):
        return f"socket_error_{error.errno}"
    return f"bad_reply_{type(error).__name__}"


def _keep_cookie(header: str, cookies: dict[str, str]) -> None:
    try:
        parsed = SimpleCookie(header)
    except CookieError:
        return  # a malformed cookie is not kept, as in a browser
    for name, morsel in parsed.items():
        age = morsel["max-age"]
        if int(age) <= 0 if re.fullmatch(r"-?\d{1,9}", age) else _is_past(morsel["expires"]):
            cookies.pop(name, None)
        else:
            cookies[name] = morsel.value


def _is_past(expires: str) -> bool:
    if not expires:
        return False
    try:
        return parsedate_to_datetime(expires).timestamp() < time.time()
    except (ValueError, TypeError):
        return False
