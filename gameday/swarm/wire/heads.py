"""The head of a reply: what its status line and headers say of the bytes that follow.

httptools reads the syntax; where a body ends is decided here (RFC 9112 §6.3), as the parser alone
cannot know that a HEAD was asked.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import httptools

__all__ = ["CHUNKED", "MOST_HEAD", "UNTIL_CLOSE", "WHOLE", "BadReply", "Head", "read_head"]

MOST_HEAD = 64 << 10
"""Bytes a head may have."""
UNTIL_CLOSE, CHUNKED = -1, -2
"""Values of `Head.length` for a body without a length."""
_MOST_REMEMBERED = 512


class BadReply(Exception):
    """The reply breaks the protocol; the text is the outcome's name."""


class Head(NamedTuple):
    """One reply's head."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case, values as sent, in order."""
    length: int
    """Bytes of body that follow, UNTIL_CLOSE or CHUNKED; what a HEAD gets is for its asker to say."""
    keeps_alive: bool
    """Whether another request may follow, if the body has an end of its own."""
    cookies: tuple[bytes, ...]
    """Values of Set-Cookie."""
    coding: bytes | None
    """Content-Encoding; None where the body stands as it is."""
    is_redirect: bool
    is_plain: bool
    """Whether it neither sets cookies nor leads elsewhere."""

    def get(self, name: bytes) -> bytes | None:
        """Return the header's value, several joined by commas; None if absent."""
        found = [value for key, value in self.headers if key == name]
        return b", ".join(found) if found else None


class _Listener:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.parser = httptools.HttpResponseParser(self)
        self.status, self.keeps_alive = 0, False

    def on_headers_complete(self) -> None:
        """Read status and version now: once a message without a body has ended, the parser knows neither.

        Whether the connection lives on is read here: the parser takes a reply without a length for
        one that ends it, though to a HEAD it does not.
        """
        self.status = self.parser.get_status_code()
        connection = b",".join(value for name, value in self.headers if name == b"connection")
        options = {option.strip() for option in connection.lower().split(b",")}
        is_old = self.parser.get_http_version() == "1.0"
        self.keeps_alive = b"keep-alive" in options if is_old else b"close" not in options

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


_remembered: dict[bytes, Head] = {}
"""Heads repeat while the second in their Date lasts: reading one anew costs ten times a look-up."""

WHOLE: dict[bytes, Head] = {}
"""Those whose body has a length and whose connection lives on, without their last four bytes."""


_SET_COOKIE = re.compile(rb"\r\nSet-Cookie:[ \t]*([\t\x20-\x7e\x80-\xff]*)(?=\r\n(?![ \t]))", re.I)
"""A header that sets a cookie, alone on its line."""


def read_head(raw: bytes) -> Head:
    """Return the head in `raw`, which ends with an empty line; BadReply if it is none.

    Cookies are as good as never the same again, what stands around them is: that is remembered.
    """
    head = _remembered.get(raw)
    if head is not None:
        return head
    values = _SET_COOKIE.findall(raw)
    if not values:
        return _remember(raw)
    around = read_head(_SET_COOKIE.sub(b"", raw))
    status, headers, length, keeps_alive, cookies, coding, is_redirect, _ = around
    return Head(
        status,
        (*headers, *((b"set-cookie", value) for value in values)),
        length,
        keeps_alive,
        cookies=(*cookies, *values),
        coding=coding,
        is_redirect=is_redirect,
        is_plain=False,
    )


def _remember(raw: bytes) -> Head:
    head = _parsed(raw)
    for book in (_remembered, WHOLE):
        if len(book) >= _MOST_REMEMBERED:
            book.clear()
    _remembered[raw] = head
    if head.keeps_alive and head.length >= 0 and head.status >= 200:
        WHOLE[raw[:-4]] = head
    return head


def _parsed(raw: bytes) -> Head:
    listener = _Listener()
    try:
        listener.parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        raise BadReply("unexpected_upgrade") from None
    except httptools.HttpParserError:
        switches = listener.status == 101
        raise BadReply("unexpected_upgrade" if switches else _not_http(raw)) from None
    finally:
        del listener.parser  # the two hold each other
    status = listener.status
    if status < 100 or not raw.startswith(b"HTTP/1."):
        raise BadReply(_not_http(raw))
    headers = tuple(listener.headers)
    length = _length(status, headers)
    cookies = tuple(value for name, value in headers if name == b"set-cookie")
    leads_on = status in (301, 302, 303, 307, 308) and any(n == b"location" for n, _ in headers)
    return Head(
        status,
        headers,
        length,
        keeps_alive=listener.keeps_alive,
        cookies=cookies,
        coding=_coding(headers),
        is_redirect=leads_on,
        is_plain=not cookies and not leads_on,
    )


def _coding(headers: tuple[tuple[bytes, bytes], ...]) -> bytes | None:
    found = b",".join(value for name, value in headers if name == b"content-encoding")
    return None if found.strip().lower() in (b"", b"identity") else found


def _length(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> int:
    if status < 200 or status in (204, 304):
        return 0
    codings = b",".join(value for name, value in headers if name == b"transfer-encoding")
    if codings:
        if codings.strip().lower() == b"chunked":
            return CHUNKED
        raise BadReply("unknown_transfer_coding")
    for name, value in headers:
        if name == b"content-length":
            return int(value)  # httptools has checked that it is a number, and only one
    return UNTIL_CLOSE


def _not_http(raw: bytes) -> str:
    """Name what came in place of a head: an HTTP/2 server begins with a SETTINGS frame."""
    is_settings = len(raw) >= 9 and raw[3] == 4 and raw[0] == 0 and not raw.startswith(b"HTTP")
    return "target_speaks_only_http2" if is_settings else "malformed_reply"
