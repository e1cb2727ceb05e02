"""Content codings undone: whatever was packed comes back, and never more than the bound."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib

import brotli
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.scenario.blocks.steps import Exchange, Extract
from gameday.swarm.engine.replies import verdict_of
from gameday.swarm.wire.bodies import decoded
from gameday.swarm.wire.heads import BadReply
from tests.support import examples
from tests.support.wire_lab import Lab
from tests.support.wire_replies import raw_deflate

MIB = 1 << 20
BOUND = 16 * MIB


def members(body: bytes) -> bytes:
    return b"".join(gzip.compress(body[i : i + 100]) for i in range(0, len(body) or 1, 100))


PACK = {
    "gzip": gzip.compress,
    "x-gzip": members,
    "deflate": zlib.compress,
    "GZip": gzip.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "identity": bytes,
}


def fault_in(body: bytes, name: str) -> str:
    """Return what is wrong with a body; empty where nothing is."""
    try:
        decoded(body, name.encode())
    except BadReply as fault:
        return str(fault)
    return ""


BODIES = st.one_of(st.binary(max_size=400), st.text().map(str.encode))
TIMES = st.sampled_from([1, 1, 1, 2000])
"""How often a body is repeated: large ones pack well, and come out in several pieces."""


@settings(max_examples=examples(200), deadline=None)
@given(
    body=BODIES,
    times=TIMES,
    names=st.lists(st.sampled_from([*PACK]), max_size=3),
    space=st.sampled_from(["", " "]),
)
def test_what_was_packed_comes_back(body: bytes, times: int, names: list[str], space: str) -> None:
    packed = whole = body * times
    for name in names:
        packed = PACK[name](packed)
    coding = f"{space},{space}".join(names).encode()
    assert decoded(packed, coding) == whole, (len(whole), len(packed))


@pytest.mark.parametrize("name", ["gzip", "deflate", "Deflate", "br"])
@pytest.mark.parametrize("size", [65535, 65536, 65537, 1 << 20])
def test_a_page_of_any_size_comes_back(name: str, size: int) -> None:
    page = b"".join(b"<li>%d</li>" % (n * n % 9973) for n in range(size // 8))[:size]
    for body in (page, b"x" * size):
        assert decoded(PACK[name](body), name.encode()) == body, len(body)


@settings(max_examples=examples(100), deadline=None)
@given(body=BODIES, name=st.sampled_from(["gzip", "deflate", "Deflate", "br"]))
def test_it_comes_back_as_httpx_reads_it(body: bytes, name: str) -> None:
    packed = PACK[name](body)
    theirs = httpx.Response(200, headers={"Content-Encoding": name}, content=packed).content
    assert decoded(packed, name.encode()) == theirs == body


@settings(max_examples=examples(300), deadline=None)
@given(body=BODIES, name=st.sampled_from([*PACK][:-1]), data=st.data())
def test_a_broken_body_is_named_and_nothing_else_is_raised(
    body: bytes, name: str, data: st.DataObject
) -> None:
    packed = PACK[name](body)
    place = data.draw(st.integers(0, len(packed) - 1))
    put = data.draw(st.binary(max_size=4))
    broken = packed[:place] + put + packed[place + data.draw(st.integers(0, 4)) :]
    assert fault_in(broken, name) in ("", "malformed_body", "body_too_long")


@pytest.mark.parametrize("name", ["gzip", "deflate", "Deflate", "br"])
@pytest.mark.parametrize("end", [1, 0.5, -1])
def test_a_body_cut_short_is_malformed(name: str, end: float) -> None:
    packed = PACK[name](b"a body that says this and that" * 9)
    cut = packed[: int(end) if abs(end) == 1 else len(packed) // 2]
    with pytest.raises(BadReply, match="malformed_body"):
        decoded(cut, name.encode())


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
@settings(max_examples=examples(30), deadline=None)
@given(body=st.binary(min_size=1, max_size=50))
def test_what_was_never_packed_is_named(name: str, body: bytes) -> None:
    assert fault_in(body, name) in ("", "malformed_body")


@pytest.mark.parametrize("coding", [b"compress", b"zstd", b"gzip;q=1", b"gzip, aes128gcm"])
def test_a_coding_nobody_knows_is_named(coding: bytes) -> None:
    with pytest.raises(BadReply, match="unknown_content_coding"):
        decoded(gzip.compress(b"x"), coding)


@pytest.mark.parametrize("coding", [b"", b" ", b",", b"identity", b"identity, ,"])
def test_no_coding_leaves_the_body_as_it_is(coding: bytes) -> None:
    assert decoded(b"plain", coding) == b"plain"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"gzip, br"])
def test_an_empty_body_is_empty_in_any_coding(coding: bytes) -> None:
    assert decoded(b"", coding) == b""


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """Return small bodies that hold 64 MiB, by how they were packed."""
    zeros = b"\0" * (64 * MIB)
    return {
        "gzip": gzip.compress(zeros, 1),
        "deflate": zlib.compress(zeros, 1),
        "br": brotli.compress(zeros, quality=1, lgwin=24),
        "x-gzip": gzip.compress(zeros[: 4 * MIB], 1) * 16,
        "gzip, gzip": gzip.compress(gzip.compress(zeros, 1)),
    }


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "x-gzip", "gzip, gzip"])
def test_a_bomb_is_defused_within_bounds_of_memory_and_time(
    bombs: dict[str, bytes], name: str
) -> None:
    assert len(bombs[name]) < MIB
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(BadReply, match="body_too_long"):
            decoded(bombs[name], name.encode())
        assert tracemalloc.get_traced_memory()[1] < 3 * BOUND
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("name", ["gzip", "deflate", "br"])
def test_a_body_as_large_as_the_bound_is_whole_and_a_byte_more_too_long(name: str) -> None:
    quick = {"gzip": lambda b: gzip.compress(b, 1), "deflate": lambda b: zlib.compress(b, 1)}
    pack = quick.get(name, lambda b: brotli.compress(b, quality=1))
    assert len(decoded(pack(b"\0" * BOUND), name.encode())) == BOUND
    with pytest.raises(BadReply, match="body_too_long"):
        decoded(pack(b"\0" * (BOUND + 1)), name.encode())


def test_members_without_end_cost_time_in_proportion_to_their_bytes() -> None:
    member = gzip.compress(b"", mtime=0)
    body = member * (2 * MIB // len(member))
    began = time.process_time()
    assert fault_in(body, "gzip") in ("", "malformed_body")  # to give up on so many is as good
    assert time.process_time() - began < 1.0


def test_zeros_after_a_gzip_body_are_padding() -> None:
    assert decoded(gzip.compress(b"text") + b"\0" * 512, b"gzip") == b"text"


FAULTS = {
    "bomb": (gzip.compress(b"\0" * (BOUND + 1), 1), "gzip", "body_too_long"),
    "no gzip": (b"plain text", "gzip", "malformed_body"),
    "cut": (brotli.compress(b"text" * 99)[:-3], "br", "malformed_body"),
    "unknown": (b"plain text", "zstd", "unknown_content_coding"),
}


@pytest.mark.parametrize(("body", "coding", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_reply_whose_body_cannot_be_read_fails_by_name_and_the_pool_goes_on(
    body: bytes, coding: str, fault: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    verdict = verdict_of(Exchange(path="/", extract={"word": Extract(regex="x")}))
    status_alone = verdict_of(Exchange(path="/"))
    with Lab() as lab:
        heard = lab.play([head.encode(), body[:50_000]] + [body[50_000:]] * (len(body) > 50_000))
        assert heard is not None
        assert heard.head is not None
        assert verdict(heard.head, heard.body, 0.1, {}) == ("failed", fault)
        assert status_alone(heard.head, heard.body, 0.1, {}) == ("done", "")
        lab.check_works()
        assert lab.shop.accepted == 1
