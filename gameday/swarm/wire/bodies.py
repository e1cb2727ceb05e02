"""Decodes content codings, up to a bound: a small reply may hold a huge body."""

from __future__ import annotations

import zlib

import brotli

from gameday.swarm.wire.heads import BadReply

__all__ = ["decoded"]

_MOST_DECODED = 16 << 20
_PART = 1 << 16
_MEMBER_PART = 1 << 12


def decoded(body: bytes, coding: bytes) -> bytes:
    """Return `body` with its Content-Encoding undone; BadReply names what is wrong with it."""
    for name in reversed([part.strip().lower() for part in coding.split(b",")]):
        if name in (b"", b"identity") or not body:
            continue
        undo = _CODINGS.get(name)
        if undo is None:
            raise BadReply("unknown_content_coding")
        body = undo(body)
    return body


def _gunzip(body: bytes) -> bytes:
    """Undo gzip, member by member, in small pieces: what follows a member is copied for it."""
    out, size, start, rest, member = [], 0, 0, b"", None
    while rest or start < len(body):
        if not rest:
            rest, start = body[start : start + _MEMBER_PART], start + _MEMBER_PART
        if member is None:
            rest = rest.lstrip(b"\0")  # padding between members
            if not rest:
                continue
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            out.append(member.decompress(rest, _MOST_DECODED - size + 1))
        except zlib.error:
            raise BadReply("malformed_body") from None
        size += len(out[-1])
        if size > _MOST_DECODED:
            raise BadReply("body_too_long")
        rest = member.unused_data if member.eof else member.unconsumed_tail
        member = None if member.eof else member
    if member is not None:
        raise BadReply("malformed_body")
    return b"".join(out)


def _inflate(body: bytes) -> bytes:
    """Undo `deflate`: zlib's format by the standard, the bare one by some servers."""
    is_zlib = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _inflated(
        zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS), body, _MOST_DECODED
    )


def _inflated(decompressor: zlib._Decompress, body: bytes, most: int) -> bytes:
    try:
        out = decompressor.decompress(body, most + 1)
    except zlib.error:
        raise BadReply("malformed_body") from None
    if len(out) > most:
        raise BadReply("body_too_long")
    if not decompressor.eof:
        raise BadReply("malformed_body")
    return out


def _unbrotli(body: bytes) -> bytes:
    decoder, out, size = brotli.Decompressor(), [], 0
    try:
        for start in range(0, len(body), _PART):
            piece = decoder.process(body[start : start + _PART], output_buffer_limit=_PART)
            while True:
                out.append(piece)
                size += len(piece)
                if size > _MOST_DECODED:
                    raise BadReply("body_too_long")
                piece = decoder.process(b"", output_buffer_limit=_PART)
                if not piece:
                    break
    except brotli.error:
        raise BadReply("malformed_body") from None
    if not decoder.is_finished():
        raise BadReply("malformed_body")
    return b"".join(out)


_CODINGS = {b"gzip": _gunzip, b"x-gzip": _gunzip, b"deflate": _inflate, b"br": _unbrotli}
