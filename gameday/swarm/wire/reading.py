"""Parses a reply from its bytes, however they are cut."""

from __future__ import annotations

import httptools

from gameday.swarm.wire.heads import CHUNKED, MOST_HEAD, UNTIL_CLOSE, BadReply, Head, read_head

__all__ = ["MOST_BODY", "Reading"]

MOST_BODY = 16 << 20
"""Bytes of a body that are taken; a reply without end is cut off here."""

_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_BLANK = b"\r\n\r\n"


class _Chunks:
    """A chunked body; httptools undoes the framing."""

    def __init__(self, kept: list[bytes] | None) -> None:
        self._kept, self.size, self.ended, self.followed = kept, 0, False, False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(_CHUNKED_HEAD)

    def on_message_begin(self) -> None:
        self.followed = self.ended

    def on_body(self, part: bytes) -> None:
        if self.ended:
            return  # bytes beyond the reply
        self.size += len(part)
        if self._kept is not None and self.size <= MOST_BODY:
            self._kept.append(part)

    def on_message_complete(self) -> None:
        self.ended = True

    def feed(self, data: bytes) -> None:
        """Take more bytes; `ended` once the last chunk is in, `followed` by bytes too many."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self.ended:
                raise BadReply("malformed_reply") from None
            self.followed = True


class Reading:
    """Takes a reply's bytes as they come; `ended` once it is whole."""

    __slots__ = (
        "_chunks",
        "_head_only",
        "_kept",
        "_missing",
        "_start",
        "clean",
        "ended",
        "head",
        "received",
    )

    def __init__(self, *, head_only: bool, keeps_body: bool) -> None:
        self.head: Head | None = None
        self.ended = False
        self.clean = True
        """Whether nothing followed the end, so that the connection may be used again."""
        self.received = 0
        self._head_only = head_only
        self._kept: list[bytes] | None = [] if keeps_body else None
        self._start = b""
        self._missing = 0
        self._chunks: _Chunks | None = None

    @property
    def body(self) -> bytes:
        """The body so far, without its framing; empty if not kept."""
        return b"".join(self._kept or ())

    def feed(self, data: bytes) -> bool:
        """Take `data`; return whether the reply is whole. BadReply when it cannot be one."""
        self.received += len(data)
        while self.head is None:
            self._start += data
            end = self._start.find(_BLANK)
            if end < 0:
                self._check_start()
                return False
            if self.received - len(self._start) + end > MOST_HEAD:
                raise BadReply("head_too_long")
            head = read_head(self._start[: end + 4])
            data, self._start = self._start[end + 4 :], b""
            if head.status >= 200:
                self._begin_body(head)
            elif head.status == 101:
                raise BadReply("unexpected_upgrade")
        self._take(data)
        return self.ended

    def _check_start(self) -> None:
        """Raise BadReply where the bytes so far cannot become a head."""
        if self.received - 3 > MOST_HEAD:  # the empty line may have begun
            raise BadReply("head_too_long")
        is_settings = self._start[:1] == b"\0" and len(self._start) < 9
        if not b"HTTP/1.".startswith(self._start[:7]) and not is_settings:
            read_head(self._start)  # names what it is instead
            raise BadReply("malformed_reply")

    def _begin_body(self, head: Head) -> None:
        self.head = head
        if self._head_only or head.length == 0:
            self.ended = True
        elif head.length == CHUNKED:
            self._chunks = _Chunks(self._kept)
        else:
            self._missing = head.length

    def _take(self, data: bytes) -> None:
        if self.ended:
            self.clean = self.clean and not data
        elif self._chunks is not None:
            if data:
                self._chunks.feed(data)
            self.ended, self.clean = self._chunks.ended, not self._chunks.followed
            if self._chunks.size > MOST_BODY:
                raise BadReply("body_too_long")
        elif self._missing == UNTIL_CLOSE:
            self._keep(data)
        else:
            self._keep(data[: self._missing])
            self.clean = len(data) <= self._missing
            self._missing -= min(len(data), self._missing)
            self.ended = self._missing == 0
        if self.received > MOST_BODY + MOST_HEAD:
            raise BadReply("body_too_long")

    def _keep(self, data: bytes) -> None:
        if self._kept is not None and data:
            self._kept.append(data)

    def close(self) -> str | None:
        """Return what is wrong with a reply where the target has closed; None if closing ends it."""
        if self.head is not None and self._missing == UNTIL_CLOSE and not self.ended:
            self.ended = True
            return None
        return "reply_cut" if self.received else "connection_closed"
