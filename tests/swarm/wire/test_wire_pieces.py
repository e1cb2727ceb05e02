"""A reply means the same however its bytes are cut: through sockets, a pool, and both its paths.

A reply that comes whole, with a head seen before, takes the pool's short path; else the long one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings

from tests.support import examples
from tests.support.wire_lab import Heard, Lab
from tests.support.wire_replies import SMALL, Written, cuts, pieces, replies


class Seen(NamedTuple):
    status: int
    body: bytes
    size: int
    headers: object
    stays_open: bool


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def seen(lab: Lab, reply: Written, parts: list[bytes]) -> Seen:
    """Return what comes of a reply in parts."""
    heard = lab.play(parts, close=reply.until_close, head_only=reply.head_only)
    assert isinstance(heard, Heard)
    assert heard.fault == ""
    assert heard.head is not None
    stays_open = lab.desk.pool.count == 1
    assert stays_open == (len(lab.desk.pool.idle) == 1)
    lab.desk.heard.clear()
    lab.desk.sent.clear()
    return Seen(heard.status, heard.body, heard.size, heard.head.headers, stays_open)


@pytest.mark.parametrize("reply", SMALL.values(), ids=SMALL)
def test_a_small_reply_cut_at_any_byte_is_heard_as_if_whole(lab: Lab, reply: Written) -> None:
    raw = reply.raw
    first = seen(lab, reply, [raw])
    assert (first.status, first.body, first.size) == (reply.status, reply.body, len(raw))
    assert seen(lab, reply, [raw]) == first, "the short path"
    assert seen(lab, reply, [raw[i : i + 1] for i in range(len(raw))]) == first
    for place in range(1, len(raw)):
        assert seen(lab, reply, [raw[:place], raw[place:]]) == first, raw[:place]


@settings(max_examples=examples(250), deadline=None)
@given(reply=replies(), cut=cuts)
def test_any_reply_cut_anywhere_is_heard_as_written(
    lab: Lab, reply: Written, cut: list[int]
) -> None:
    first = seen(lab, reply, [reply.raw])
    assert (first.status, first.body, first.size) == (reply.status, reply.body, len(reply.raw))
    assert seen(lab, reply, [reply.raw]) == first, "the short path"
    assert seen(lab, reply, pieces(reply.raw, cut)) == first


@pytest.mark.parametrize("known", [False, True], ids=["long path", "short path"])
def test_a_reply_to_head_has_no_body_even_where_the_target_sends_one(known: bool) -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-Head: body\r\nContent-Length: 5\r\n\r\nhello"
    with Lab() as lab:
        for _ in range(known):
            assert lab.play([raw]) is not None
        heard = lab.play([raw], head_only=True)
        assert heard is not None
        assert (heard.status, heard.body) == (200, b"")
        assert lab.desk.pool.count == 0, "bytes beyond the reply's end: not to be used again"
        lab.check_works()
