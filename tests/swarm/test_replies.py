"""Reading a reply: each check and each place a value may stand, and templates however deep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.scenario.steps import Check, Extract
from gameday.swarm.client import Reply
from gameday.swarm.replies import extracted, filled, outcome_of


def reply(status: int = 200, body: bytes = b"", fault: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, body, fault)


CASES: list[tuple[dict[str, Any], Reply, float, tuple[str, str]]] = [
    ({}, reply(), 0.1, ("done", "")),
    ({}, reply(201), 0.1, ("check_failed", "status_201")),
    ({"status": [200, 201]}, reply(201), 0.1, ("done", "")),
    ({}, reply(404), 0.1, ("check_failed", "status_404")),
    ({}, reply(500), 0.1, ("failed", "status_500")),
    ({}, reply(503), 0.1, ("failed", "status_503")),
    ({}, reply(429), 0.1, ("failed", "status_429")),
    ({"status": [503]}, reply(503), 0.1, ("done", "")),
    ({}, reply(0, fault="connection_refused"), 0.1, ("failed", "connection_refused")),
    ({}, reply(200, fault="body_too_long"), 0.1, ("failed", "body_too_long")),
    ({"sold_out": 409}, reply(409), 0.1, ("sold_out", "")),
    ({"sold_out": 409}, reply(200), 0.1, ("done", "")),
    ({}, reply(409), 0.1, ("check_failed", "status_409")),
    ({"sold_out": 409}, reply(409, fault="timeout"), 0.1, ("failed", "timeout")),
    ({"header": {"X-Shop": "open"}}, reply(x_shop="open"), 0.1, ("done", "")),
    ({"header": {"X-Shop": "open"}}, reply(x_shop="shut"), 0.1, ("check_failed", "header_X-Shop")),
    ({"header": {"X-Shop": "open"}}, reply(), 0.1, ("check_failed", "header_X-Shop")),
    ({"body_contains": "grün"}, reply(body="so grün".encode()), 0.1, ("done", "")),
    ({"body_contains": "grün"}, reply(body=b"red"), 0.1, ("check_failed", "body")),
    ({"jsonpath": {"$.ok": True}}, reply(body=b'{"ok": true}'), 0.1, ("done", "")),
    ({"jsonpath": {"$.ok": True}}, reply(body=b'{"ok": 0}'), 0.1, ("check_failed", "jsonpath_$.ok")),
    ({"jsonpath": {"$.ok": True}}, reply(body=b"<html>"), 0.1, ("check_failed", "jsonpath_$.ok")),
    ({"jsonpath": {"$.ok": True}}, reply(body=b"\xff\xfe"), 0.1, ("check_failed", "jsonpath_$.ok")),
    ({"jsonpath": {"$.x": None}}, reply(body=b'{"x": null}'), 0.1, ("done", "")),
    ({"jsonpath": {"$.x": None}}, reply(body=b"{}"), 0.1, ("check_failed", "jsonpath_$.x")),
    ({"latency": "300ms"}, reply(), 0.29, ("done", "")),
    ({"latency": "300ms"}, reply(), 0.31, ("check_failed", "latency")),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "seen", "seconds", "expected"), CASES)
def test_a_reply_is_what_its_checks_make_of_it(
    rules: dict[str, Any], seen: Reply, seconds: float, expected: tuple[str, str]
) -> None:
    assert outcome_of(seen, Check.model_validate(rules), seconds) == expected


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
)  # fmt: skip
def test_a_value_is_found_where_its_rule_says_or_not_at_all(
    rule: dict[str, str], seen: Reply, expected: str | None
) -> None:
    assert extracted(seen, Extract.model_validate(rule)) == expected


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_a_document_too_deep_to_read_is_a_failed_check_and_no_crash(body: bytes) -> None:
    check = Check.model_validate({"jsonpath": {"$.ok": True}})
    assert outcome_of(reply(body=body), check, 0.1) == ("check_failed", "jsonpath_$.ok")
    assert extracted(reply(body=body), Extract(jsonpath="$.ok")) is None


@given(body=st.binary(max_size=300), status=st.integers(100, 599))
def test_no_body_whatever_it_is_makes_reading_it_fail(body: bytes, status: int) -> None:
    check = Check.model_validate({"jsonpath": {"$.a": 1}, "body_contains": "x"})
    assert outcome_of(reply(status, body), check, 0.1)[0] in ("done", "failed", "check_failed")
    for rule in ({"jsonpath": "$..a"}, {"regex": "(a+)"}, {"css": "a@href"}):
        assert isinstance(extracted(reply(status, body), Extract.model_validate(rule)), str | None)


def test_templates_are_filled_however_deep_they_stand() -> None:
    template = {
        "name": "{customer}", "items": [{"sku": "{product}", "n": 1, "gift": None}, "{term}"],
        "none": "{unknown}", "both": "{customer}-{product}", "plain": "{ not }",
    }  # fmt: skip
    assert filled(template, {"customer": "c", "product": "p", "term": "t"}) == {
        "name": "c", "items": [{"sku": "p", "n": 1, "gift": None}, "t"], "none": "",
        "both": "c-p", "plain": "{ not }",
    }  # fmt: skip


def test_a_filled_value_is_not_filled_again() -> None:
    assert filled("{a}", {"a": "{b}", "b": "no"}) == "{b}"
    assert filled(None, {}) is None
