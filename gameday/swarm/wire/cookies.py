"""One customer's cookies, as a browser keeps them (RFC 6265 §5)."""

from __future__ import annotations

import ipaddress
import re
import time
from calendar import timegm
from collections.abc import Callable, Iterable
from email.utils import parsedate
from typing import NamedTuple

__all__ = ["CookieJar"]

_MOST_COOKIES = 180
_MOST_BYTES = 4096
"""A customer keeps so many cookies, each so long; RFC 6265 §6.1 asks for no fewer a domain."""
_MOST_REMEMBERED = 512
_NEVER = float("inf")


class _Attributes(NamedTuple):
    """What stands after a cookie's value."""

    domain: str = ""
    path: str = ""
    """Empty = the directory of the request's path."""
    lives_s: float | None = None
    """Max-Age."""
    expires_at: float | None = None
    """Expires."""
    secure: bool = False

    def ends_at(self) -> float:
        """Return when the cookie expires: Max-Age goes before Expires (RFC 6265 §5.3, step 3)."""
        if self.lives_s is not None:
            return time.time() + self.lives_s
        return _NEVER if self.expires_at is None else self.expires_at


class _Cookie(NamedTuple):
    value: bytes
    expires_at: float
    secure: bool


_Key = tuple[bytes, str, str]
"""Name, path, and the domain where it is not the host's own (RFC 6265 §5.3, step 11)."""


class CookieJar:
    """The cookies of one customer at one target: of its host, or of a domain above it."""

    __slots__ = ("_cookies", "plain")

    def __init__(self) -> None:
        self._cookies: dict[_Key, _Cookie] = {}
        self.plain: bytes | None = b""
        """What every request carries, where path, time and scheme make no difference."""

    def keep(
        self, values: tuple[bytes, ...], *, host: str, path: Callable[[], str], secure: bool
    ) -> None:
        """Take the Set-Cookie headers of a reply to a request for `path()`."""
        is_simple = self.plain is not None
        for value in values:
            is_simple = self._keep(value, host, path, secure) and is_simple
        self.plain = self._joined(self._cookies.items()) if is_simple else None

    def _keep(self, raw: bytes, host: str, path: Callable[[], str], secure: bool) -> bool:
        """Take one cookie; return whether path, time and scheme make no difference to it."""
        pair, _, rest = raw.partition(b";")
        name, equals, value = pair.partition(b"=")
        name, value = name.strip(b" \t"), value.strip(b" \t")
        if not equals or not name or len(name) + len(value) > _MOST_BYTES:
            return True
        attributes = _attributes(rest)
        if attributes == _PLAIN:
            self._put((name, "/", ""), _Cookie(value, _NEVER, secure=False))
            return True
        if not _covers(attributes.domain, host) or (attributes.secure and not secure):
            return True
        domain = "" if attributes.domain == host else attributes.domain
        key = (name, attributes.path or _directory(path()), domain)
        return self._keep_until(key, _Cookie(value, attributes.ends_at(), attributes.secure))

    def _keep_until(self, key: _Key, cookie: _Cookie) -> bool:
        """Keep a cookie, or remove one that has expired; return as `_keep` does."""
        if cookie.expires_at != _NEVER and cookie.expires_at <= time.time():
            self._cookies.pop(key, None)
            return True
        self._put(key, cookie)
        return key[1] == "/" and cookie.expires_at == _NEVER and not cookie.secure

    def _put(self, key: _Key, cookie: _Cookie) -> None:
        if key not in self._cookies and len(self._cookies) >= _MOST_COOKIES:
            now = time.time()
            self._cookies = {k: c for k, c in self._cookies.items() if c.expires_at > now}
            if len(self._cookies) >= _MOST_COOKIES:
                del self._cookies[next(iter(self._cookies))]
        self._cookies[key] = cookie

    def header(self, path: str, *, secure: bool) -> bytes:
        """Return the Cookie header's value for a request; empty if none applies."""
        if self.plain is not None:
            return self.plain
        now = time.time()
        path = path.partition("?")[0]
        fitting = [
            item
            for item in self._cookies.items()
            if item[1].expires_at > now
            and (secure or not item[1].secure)
            and _within(path, item[0][1])
        ]
        return self._joined(sorted(fitting, key=lambda item: -len(item[0][1])))

    @staticmethod
    def _joined(cookies: Iterable[tuple[_Key, _Cookie]]) -> bytes:
        return b"; ".join(name + b"=" + cookie.value for (name, *_), cookie in cookies)


_PLAIN = _Attributes(path="/")
_remembered: dict[bytes, _Attributes] = {}


def _attributes(rest: bytes) -> _Attributes:
    found = _remembered.get(rest)
    if found is None:
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        found = _remembered[rest] = _read_attributes(rest.decode("latin-1"))
    return found


def _read_attributes(rest: str) -> _Attributes:
    attributes = _Attributes()
    for part in rest.split(";"):
        name, _, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if name == "domain":
            attributes = attributes._replace(domain=value.removeprefix(".").lower())
        elif name == "path":
            attributes = attributes._replace(path=value if value.startswith("/") else "")
        elif name == "secure":
            attributes = attributes._replace(secure=True)
        elif name == "max-age" and re.fullmatch(r"-?\d{1,15}", value):
            attributes = attributes._replace(lives_s=float(value))
        elif name == "expires" and (instant := _instant(value)) is not None:
            attributes = attributes._replace(expires_at=instant)
    return attributes


def _instant(text: str) -> float | None:
    """Return seconds since the epoch; every date is universal time, whatever zone it names."""
    try:
        parsed = parsedate(text)
        return None if parsed is None else float(timegm(parsed))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _covers(domain: str, host: str) -> bool:
    """Return whether a cookie for `domain` may be set by `host`; both in lower case."""
    if not domain or domain == host:
        return True
    if "." not in domain or not host.endswith("." + domain):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _directory(path: str) -> str:
    path = path.partition("?")[0]
    return path[: path.rfind("/")] or "/"


def _within(path: str, scope: str) -> bool:
    return path == scope or (
        path.startswith(scope) and (scope.endswith("/") or path[len(scope)] == "/")
    )
