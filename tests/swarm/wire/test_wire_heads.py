"""A head that was read before, apart from its cookies, is read as one that never was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.swarm.wire import heads
from gameday.swarm.wire.heads import BadReply, Head, read_head
from tests.support import examples

NAMES = st.sampled_from(
    [
        b"Server",
        b"Set-Cookie",
        b"set-cookie",
        b"SET-COOKIE",
        b"Content-Length",
        b"Location",
        b"Vary",
        b"Connection",
        b"Set-Cookie2",
        b"Set-Cookie ",
        b"X",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [b"a=b; Path=/", b"", b" ", b"a=b\r\n c", b"12", b"close", b"/", b"a\tb", b"\xe9"]
    ),
    st.binary(max_size=6),
)
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b": ", b":", b":\t "]), VALUES), max_size=6)


def anew(raw: bytes) -> Head | str:
    """Read `raw` with nothing remembered."""
    heads._remembered.clear()
    heads.WHOLE.clear()
    try:
        return heads._parsed(raw)
    except BadReply as fault:
        return str(fault)


def again(raw: bytes) -> Head | str:
    try:
        return read_head(raw)
    except BadReply as fault:
        return str(fault)


def in_no_order(head: Head | str) -> object:
    """What is read, whatever the order of headers of different names."""
    if isinstance(head, str):
        return head
    return head._replace(headers=tuple(sorted(head.headers, key=lambda pair: pair[0])))


@settings(max_examples=examples(600), deadline=None)
@given(fields=FIELDS)
def test_a_head_is_read_alike_with_and_without_remembering(
    fields: list[tuple[bytes, bytes, bytes]],
) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + b"".join(n + c + v + b"\r\n" for n, c, v in fields) + b"\r\n"
    raw = raw[: raw.index(b"\r\n\r\n") + 4]
    wanted = in_no_order(anew(raw))
    assert [in_no_order(again(raw)) for _ in range(2)] == [wanted, wanted]
