"""Replies drawn by chance, with what they mean; and small ones to be cut at every byte."""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import NamedTuple

from hypothesis import strategies as st

__all__ = ["SMALL", "Written", "cuts", "pieces", "raw_deflate", "replies"]


class Written(NamedTuple):
    """A reply as bytes, and what it means."""

    raw: bytes
    status: int
    body: bytes
    until_close: bool = False
    """Whether only the connection's end ends it."""
    head_only: bool = False


def raw_deflate(body: bytes) -> bytes:
    """Pack without zlib's frame, as some servers do for `deflate`."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def pieces(raw: bytes, cut: list[int]) -> list[bytes]:
    """Return `raw` cut at these places; no piece is empty."""
    places = sorted({0, len(raw), *(place % (len(raw) + 1) for place in cut)})
    return [raw[start:end] for start, end in pairwise(places)]


cuts = st.lists(st.integers(0, 10_000), max_size=12)

_NAMES = st.text("abcxyzABC-", min_size=1, max_size=6).map(lambda name: f"X-{name}".encode())
_VALUES = st.binary(max_size=12).map(
    lambda raw: bytes(c for c in raw if 0x20 <= c != 0x7F).strip(b" ")
)
_FIELDS = st.lists(st.tuples(_NAMES, _VALUES), max_size=4)
_BODIES = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            [b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK", b"x" * 300, b"\0"]
        ),
        max_size=6,
    ).map(b"".join),
)
_EXTENSIONS = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b"', b";a=1;b=2"])


@st.composite
def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    parts = pieces(body, draw(cuts)) if body else []
    out = b""
    for part in parts:
        size = draw(st.sampled_from(["{:x}", "{:X}", "{:04x}"])).format(len(part)).encode()
        out += size + draw(_EXTENSIONS) + b"\r\n" + part + b"\r\n"
    trailers = b"".join(b"%s: %s\r\n" % field for field in draw(_FIELDS))
    return out + b"0" + draw(_EXTENSIONS) + b"\r\n" + trailers + b"\r\n"


@st.composite
def _fields(draw: st.DrawFn, *framing: bytes) -> bytes:
    """Draw the lines of a head with those of its framing anywhere among them, in any case."""
    lines = [b"%s: %s" % field for field in draw(_FIELDS)]
    end = draw(st.sampled_from([b"", b"", b"", b"Connection: close", b"Connection: keep-alive"]))
    for line in (*framing, end):
        if line:
            name, _, value = line.partition(b": ")
            name = draw(st.sampled_from([name, name.lower(), name.upper()]))
            space = draw(st.sampled_from([b" ", b"", b"  ", b"\t"]))
            lines.insert(draw(st.integers(0, len(lines))), name + b":" + space + value)
    return b"".join(line + b"\r\n" for line in lines)


@st.composite
def _interims(draw: st.DrawFn) -> bytes:
    heads = st.sampled_from(
        [
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n",
        ]
    )
    return b"".join(draw(st.lists(heads, max_size=3)))


@st.composite
def replies(draw: st.DrawFn) -> Written:
    """Draw a reply that keeps to the protocol."""
    before = draw(_interims())
    head_only = draw(st.integers(0, 5)) == 0
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 302, 304, 404, 500, 599]))
    phrase = draw(st.sampled_from([b"OK", b"Not Found At All", b"\xc3\xa9"]))
    start = before + b"HTTP/1.1 %d %s\r\n" % (status, phrase)
    body = draw(_BODIES)
    length, chunked = b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked"
    if status == 204 or (status == 304 and not head_only) or head_only:
        said = [b""] if status == 204 else [b"", length] + [chunked] * head_only
        raw = start + draw(_fields(draw(st.sampled_from(said)))) + b"\r\n"
        return Written(raw, status, b"", head_only=head_only)
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        return Written(start + draw(_fields(length)) + b"\r\n" + body, status, body)
    if framing == "chunked":
        raw = start + draw(_fields(chunked)) + b"\r\n" + draw(_chunked(body))
        return Written(raw, status, body)
    return Written(start + draw(_fields()) + b"\r\n" + body, status, body, until_close=True)


_OK = b"HTTP/1.1 200 OK\r\n"
SMALL = {
    "length": Written(_OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello"),
    "empty": Written(_OK + b"Content-Length: 0\r\n\r\n", 200, b""),
    "blank body": Written(_OK + b"Content-Length: 4\r\n\r\n\r\n\r\n", 200, b"\r\n\r\n"),
    "reply in body": Written(
        _OK + b"Content-Length: 38\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n",
        200,
        _OK + b"Content-Length: 0\r\n\r\n",
    ),
    "chunked": Written(
        _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 200, b"hello!"
    ),
    "extensions, trailers": Written(
        _OK
        + b'Transfer-Encoding: chunked\r\n\r\n2;a=b;c="d"\r\nhi\r\n0;e\r\nX-A: 1\r\nX-B:\r\n\r\n',
        200,
        b"hi",
    ),
    "no chunks": Written(_OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b""),
    "until close": Written(_OK + b"X: y\r\n\r\nhello", 200, b"hello", until_close=True),
    "until close, empty": Written(_OK + b"\r\n", 200, b"", until_close=True),
    "closing": Written(_OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
    "1.0": Written(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
    "head": Written(_OK + b"Content-Length: 5\r\n\r\n", 200, b"", head_only=True),
    "head, chunked": Written(_OK + b"Transfer-Encoding: chunked\r\n\r\n", 200, b"", head_only=True),
    "204": Written(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "304": Written(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    "interim": Written(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nhi",
        201,
        b"hi",
    ),
    "no phrase": Written(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
}
