"""Reading a reply: each check and each place a value may stand, whatever bytes came."""

from __future__ import annotations

import gzip
import zlib
from typing import Any, NamedTuple

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.scenario.blocks.steps import Exchange
from gameday.swarm.engine.replies import Verdict, verdict_of
from tests.support.virtual_customers import head_of


class Seen(NamedTuple):
    """A reply."""

    status: int
    body: bytes
    headers: tuple[str, ...]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> Seen:
    return Seen(status, body, tuple(f"{n.replace('_', '-')}: {v}" for n, v in headers.items()))


def verdict(check: dict[str, Any], **extract: dict[str, str]) -> Verdict:
    return verdict_of(Exchange.model_validate({"path": "/", "check": check, "extract": extract}))


def judged(
    by: Verdict, seen: Seen, seconds: float = 0.1, memory: dict[str, str] | None = None
) -> tuple[str, str]:
    head = head_of(seen.status, *seen.headers, length=len(seen.body))
    return by(head, seen.body, seconds, {} if memory is None else memory)


CASES: list[tuple[dict[str, Any], Seen, float, tuple[str, str]]] = [
    ({}, reply(), 0.1, ("done", "")),
    ({}, reply(201), 0.1, ("check_failed", "status_201")),
    ({"status": [200, 201]}, reply(201), 0.1, ("done", "")),
    ({}, reply(404), 0.1, ("check_failed", "status_404")),
    ({}, reply(302), 0.1, ("check_failed", "status_302")),
    ({}, reply(500), 0.1, ("failed", "status_500")),
    ({}, reply(503), 0.1, ("failed", "status_503")),
    ({}, reply(429), 0.1, ("failed", "status_429")),
    ({"status": [503]}, reply(503), 0.1, ("done", "")),
    ({"sold_out": 409}, reply(409), 0.1, ("sold_out", "")),
    ({"sold_out": 409}, reply(200), 0.1, ("done", "")),
    ({}, reply(409), 0.1, ("check_failed", "status_409")),
    ({"header": {"X-Shop": "open"}}, reply(x_shop="open"), 0.1, ("done", "")),
    ({"header": {"X-Shop": "open"}}, reply(x_shop="shut"), 0.1, ("check_failed", "header_X-Shop")),
    ({"header": {"X-Shop": "open"}}, reply(), 0.1, ("check_failed", "header_X-Shop")),
    ({"body_contains": "grün"}, reply(body="so grün".encode()), 0.1, ("done", "")),
    ({"body_contains": "grün"}, reply(body=b"red"), 0.1, ("check_failed", "body")),
    ({"jsonpath": {"$.ok": True}}, reply(body=b'{"ok": true}'), 0.1, ("done", "")),
    (
        {"jsonpath": {"$.ok": True}},
        reply(body=b'{"ok": 0}'),
        0.1,
        ("check_failed", "jsonpath_$.ok"),
    ),
    ({"jsonpath": {"$.ok": True}}, reply(body=b"<html>"), 0.1, ("check_failed", "jsonpath_$.ok")),
    ({"jsonpath": {"$.ok": True}}, reply(body=b"\xff\xfe"), 0.1, ("check_failed", "jsonpath_$.ok")),
    ({"jsonpath": {"$.x": None}}, reply(body=b'{"x": null}'), 0.1, ("done", "")),
    ({"jsonpath": {"$.x": None}}, reply(body=b"{}"), 0.1, ("check_failed", "jsonpath_$.x")),
    ({"latency": "300ms"}, reply(), 0.29, ("done", "")),
    ({"latency": "300ms"}, reply(), 0.31, ("check_failed", "latency")),
]


@pytest.mark.parametrize(("rules", "seen", "seconds", "expected"), CASES)
def test_a_reply_is_what_its_checks_make_of_it(
    rules: dict[str, Any], seen: Seen, seconds: float, expected: tuple[str, str]
) -> None:
    assert judged(verdict(rules), seen, seconds) == expected


@pytest.mark.parametrize(("rules", "seen", "seconds", "expected"), CASES)
def test_where_the_status_alone_decides_a_good_status_is_done(
    rules: dict[str, Any], seen: Seen, seconds: float, expected: tuple[str, str]
) -> None:
    by = verdict(rules)
    if by.is_simple:
        assert (seen.status in by.good) == (expected == ("done", ""))
        assert not by.reads_body


def test_a_status_that_means_sold_out_is_never_done_even_if_it_is_called_good_too() -> None:
    by = verdict({"status": [201, 409], "sold_out": 409})
    assert judged(by, reply(409)) == ("sold_out", "")
    assert not (by.is_simple and 409 in by.good)


PAGE = b"""<html><form><input name="csrf" value="t0k"><input name="bare"></form>
<a class="next" href="/p/2">two</a></html>"""


@pytest.mark.parametrize(
    ("rule", "seen", "expected"),
    [
        ({"header": "X-Token"}, reply(x_token="abc"), "abc"),
        ({"header": "X-Token"}, reply(), None),
        ({"regex": r"id=(\d+)"}, reply(body=b"id=17;id=18"), "17"),
        ({"regex": r"\d+"}, reply(body=b"id=17"), "17"),
        ({"regex": r"(a)|b"}, reply(body=b"b"), None),
        ({"regex": r"id=(\d+)"}, reply(body=b"\xff none"), None),
        ({"jsonpath": "$.items[*].sku"}, reply(body=b'{"items": [{"sku": 7}, {"sku": 8}]}'), "7"),
        ({"jsonpath": "$.items[*].sku"}, reply(body=b'{"items": []}'), None),
        ({"jsonpath": "$.sku"}, reply(body=b"no json"), None),
        ({"jsonpath": "$.sku"}, reply(body=b'"text"'), None),
        ({"css": "input[name=csrf]@value"}, reply(body=PAGE), "t0k"),
        ({"css": "input[name=bare]@value"}, reply(body=PAGE), None),
        ({"css": "a.next"}, reply(body=PAGE), "two"),
        ({"css": "a.next@href"}, reply(body=PAGE), "/p/2"),
        ({"css": "table"}, reply(body=PAGE), None),
        ({"css": "a"}, reply(body=b"\x00\xff"), None),
        ({"css": "a"}, reply(), None),
    ],
)
def test_a_value_is_found_where_its_rule_says_or_the_check_fails(
    rule: dict[str, str], seen: Seen, expected: str | None
) -> None:
    memory: dict[str, str] = {}
    outcome = judged(verdict({}, found=rule), seen, memory=memory)
    if expected is None:
        assert (outcome, memory) == (("check_failed", "extract_found"), {})
    else:
        assert (outcome, memory) == (("done", ""), {"found": expected})


def test_a_reply_that_fails_a_check_teaches_nothing() -> None:
    memory = {"token": "old"}
    by = verdict({"body_contains": "fine"}, token={"header": "X-Token"})
    assert judged(by, reply(body=b"bad", x_token="new"), memory=memory)[0] == "check_failed"
    assert judged(by, reply(500, x_token="new"), memory=memory)[0] == "failed"
    assert memory == {"token": "old"}


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_a_document_too_deep_to_read_is_a_failed_check_and_no_crash(body: bytes) -> None:
    by = verdict({"jsonpath": {"$.ok": True}})
    assert judged(by, reply(body=body)) == ("check_failed", "jsonpath_$.ok")
    assert judged(verdict({}, ok={"jsonpath": "$.ok"}), reply(body=body))[0] == "check_failed"


ALL = verdict({"jsonpath": {"$.a": 1}, "body_contains": "x", "status": list(range(100, 599))})
FINDERS = [
    verdict({}, word=rule)
    for rule in ({"jsonpath": "$..a"}, {"regex": "(a+)"}, {"css": "a@href"}, {"header": "X-A"})
]


@given(
    body=st.binary(max_size=300),
    status=st.integers(200, 599),
    coding=st.sampled_from(["", "gzip", "deflate", "br", "gzip, br", "zstd", "none"]),
)
def test_no_body_whatever_it_is_makes_reading_it_fail(
    body: bytes, status: int, coding: str
) -> None:
    seen = reply(status, body, content_encoding=coding) if coding else reply(status, body)
    for by in (ALL, *FINDERS):
        memory: dict[str, str] = {}
        outcome, why = judged(by, seen, memory=memory)
        assert outcome in ("done", "failed", "check_failed")
        assert (why == "") == (outcome == "done")
        assert all(isinstance(value, str) for value in memory.values())


CODED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "identity": lambda body: body,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("coding", CODED)
def test_checks_and_rules_read_the_body_as_it_was_before_it_was_coded(coding: str) -> None:
    memory: dict[str, str] = {}
    by = verdict({"body_contains": "id="}, word={"regex": r"id=(\d+)"})
    seen = reply(body=CODED[coding](b"my id=17"), content_encoding=coding)
    assert judged(by, seen, memory=memory) == ("done", "")
    assert memory == {"word": "17"}


def test_a_body_nobody_reads_may_be_coded_badly_and_one_that_is_read_may_not() -> None:
    seen = reply(body=b"no gzip", content_encoding="gzip")
    assert judged(verdict({}), seen) == ("done", "")
    assert judged(verdict({"body_contains": "no"}), seen) == ("failed", "malformed_body")
