"""A reply means the same however its bytes are cut: at the level of `Reading`."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gameday.swarm.wire.heads import MOST_HEAD, BadReply
from gameday.swarm.wire.reading import MOST_BODY, Reading
from tests.support import examples
from tests.support.wire_replies import SMALL, Written, cuts, pieces, replies

OK = b"HTTP/1.1 200 OK\r\n"


def read(parts: list[bytes], *, head_only: bool = False) -> tuple[int, object, bytes, str]:
    """Return (status, headers, body, fault) of a reply that comes in parts, then a close."""
    reading = Reading(head_only=head_only, keeps_body=True)
    try:
        if not any(reading.feed(part) for part in parts):
            fault = reading.close()
            if fault is not None:
                return 0, (), b"", fault
    except BadReply as fault:
        return 0, (), b"", str(fault)
    assert reading.ended
    assert reading.head is not None
    return reading.head.status, reading.head.headers, reading.body, ""


@pytest.mark.parametrize("reply", SMALL.values(), ids=SMALL)
def test_a_small_reply_cut_at_any_byte_means_what_it_means_whole(reply: Written) -> None:
    raw, head_only = reply.raw, reply.head_only
    whole = read([raw], head_only=head_only)
    assert (whole[0], whole[2], whole[3]) == (reply.status, reply.body, "")
    assert read([raw[i : i + 1] for i in range(len(raw))], head_only=head_only) == whole
    for place in range(1, len(raw)):
        assert read([raw[:place], raw[place:]], head_only=head_only) == whole, raw[:place]


@settings(max_examples=examples(400), deadline=None)
@given(reply=replies(), cut=cuts)
def test_any_reply_cut_anywhere_means_what_was_written(reply: Written, cut: list[int]) -> None:
    for parts in ([reply.raw], pieces(reply.raw, cut)):
        reading = Reading(head_only=reply.head_only, keeps_body=True)
        for part in parts:
            assert not reading.ended
            reading.feed(part)
        assert reading.ended is not reply.until_close
        assert reading.clean
        assert reading.received == len(reply.raw)
        if reply.until_close:
            assert reading.close() is None
        assert reading.head is not None
        assert (reading.head.status, reading.body) == (reply.status, reply.body)


@settings(max_examples=examples(200), deadline=None)
@given(reply=replies(), cut=cuts, end=st.integers(0, 10_000))
def test_a_reply_that_ends_early_is_cut_or_closed_before_a_byte_and_never_whole(
    reply: Written, cut: list[int], end: int
) -> None:
    end %= len(reply.raw)
    if reply.until_close:
        end %= reply.raw.rindex(b"\r\n\r\n", 0, len(reply.raw) - len(reply.body)) + 4
    start = reply.raw[:end]
    fault = "reply_cut" if start else "connection_closed"
    assert read([start], head_only=reply.head_only) == (0, (), b"", fault)
    assert read(pieces(start, cut), head_only=reply.head_only) == (0, (), b"", fault)


@settings(max_examples=examples(400), deadline=None)
@given(
    reply=replies(),
    cut=cuts,
    place=st.integers(7, 10_000),
    put=st.binary(max_size=3),
    drop=st.integers(0, 3),
)
@example(SMALL["chunked"], [50], 49, b"z", 1)
def test_a_damaged_reply_meets_the_same_fate_however_it_is_cut(
    reply: Written, cut: list[int], place: int, put: bytes, drop: int
) -> None:
    place = 7 + place % max(len(reply.raw) - 7, 1)  # "HTTP/1." stays: see the test below
    raw = reply.raw[:place] + put + reply.raw[place + drop :]
    assert read(pieces(raw, cut), head_only=reply.head_only) == read(
        [raw], head_only=reply.head_only
    )


ODD = {
    "empty lines first": b"\r\n" + OK + b"Content-Length: 0\r\n\r\n",
    "a blank first": b"\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
    "only a blank": b"\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICE": b"ICE/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a frame": b"\0\0\x12\4\0\0\0\0\0" + b"\0\3\0\0\0\x64" * 3,
    "an empty frame": b"\0\0\0\4\0\0\0\0\0",
    "zeros": b"\0" * 20,
    "a few zeros": b"\0" * 4,
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a TLS alert": b"\x15\3\3\0\2\2\x46",
    "status 000": b"HTTP/1.1 000 OK\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_an_odd_beginning_meets_the_same_fate_however_it_is_cut(raw: bytes) -> None:
    whole = read([raw])
    fates = {place: read([raw[:place], raw[place:]]) for place in range(1, len(raw))}
    assert {place: fate for place, fate in fates.items() if fate != whole} == {}


@pytest.mark.parametrize("status", ["000", "007", "099"])
def test_a_status_below_100_is_no_reply(status: str) -> None:
    raw = f"HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n\r\n".encode()
    assert read([raw])[3] == "malformed_reply"


@pytest.mark.parametrize("over", range(-4, 4))
def test_a_head_about_as_long_as_the_bound_meets_the_same_fate_however_it_is_cut(over: int) -> None:
    line = OK + b"Content-Length: 0\r\nX: "
    raw = line + b"x" * (MOST_HEAD + over - len(line)) + b"\r\n\r\n"
    assert read([raw])[3] == ("head_too_long" if over > 0 else "")
    fates = {back: read([raw[:-back], raw[-back:]])[3] for back in range(1, 6)}
    assert set(fates.values()) == {read([raw])[3]}, fates


def test_a_head_that_dribbles_in_costs_little() -> None:
    raw = OK + b"X: " + b"x" * (MOST_HEAD - 100) + b"\r\n\r\n"
    began = time.process_time()
    read([raw[i : i + 8] for i in range(0, len(raw), 8)])
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("framing", [b"Content-Length: 99999999", b"X: y"])
def test_a_body_nobody_reads_is_not_kept(framing: bytes) -> None:
    reading = Reading(head_only=False, keeps_body=False)
    reading.feed(OK + framing + b"\r\n\r\n")
    part = b"x" * 65536
    tracemalloc.start()
    try:
        for _ in range(MOST_BODY // len(part)):
            reading.feed(part)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert reading.body == b""


@settings(max_examples=examples(150), deadline=None)
@given(first=replies(), second=replies(), cut=cuts)
def test_bytes_after_the_end_are_no_part_of_the_reply_and_spoil_the_connection(
    first: Written, second: Written, cut: list[int]
) -> None:
    if first.until_close:
        return
    for parts in ([first.raw + second.raw], pieces(first.raw + second.raw, cut)):
        reading = Reading(head_only=first.head_only, keeps_body=True)
        for part in parts:
            reading.feed(part)
        assert reading.ended
        assert not reading.clean
        assert reading.head is not None
        assert (reading.head.status, reading.body) == (first.status, first.body)
