"""What is found in a random reply is what httpx and a few plain lines of code find in it."""

from __future__ import annotations

import gzip
import html
import json
import re
import zlib
from html.parser import HTMLParser
from typing import Any

import brotli
import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gameday.scenario.blocks.steps import Exchange
from gameday.swarm.engine.replies import verdict_of
from gameday.swarm.wire.reading import Reading
from tests.support import examples
from tests.support.wire_replies import cuts, pieces, raw_deflate

PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "DEFLATE": raw_deflate,
    "br": brotli.compress,
    "identity": bytes,
}
CODINGS = st.lists(st.sampled_from([*PACK]), max_size=2)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@st.composite
def sent(draw: st.DrawFn, body: bytes, kind: str) -> tuple[httpx.Response, list[bytes]]:
    """Draw a way to send a body: its codings, its framing, its pieces."""
    packed, codings = body, draw(CODINGS)
    for name in codings:
        packed = PACK[name](packed)
    headers = [("Content-Type", kind)] + [("Content-Encoding", ", ".join(codings))] * bool(codings)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    if draw(st.booleans()):
        framed = b"Content-Length: %d\r\n\r\n" % len(packed) + packed
    else:
        chunks = [
            b"%x\r\n%s\r\n" % (len(part), part) for part in pieces(packed, draw(cuts)) if part
        ]
        framed = b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"
    raw = b"HTTP/1.1 200 OK\r\n" + lines + framed
    return httpx.Response(200, headers=headers, content=packed), pieces(raw, draw(cuts))


def judged(
    parts: list[bytes], extract: dict[str, Any], **check: Any
) -> tuple[str, str, dict[str, str]]:
    """Return (outcome, why, what was found) of a reply in parts."""
    reading, memory = Reading(head_only=False, keeps_body=True), dict[str, str]()
    for part in parts:
        reading.feed(part)
    assert reading.ended
    assert reading.head is not None
    verdict = verdict_of(Exchange.model_validate({"path": "/", "extract": extract, "check": check}))
    return *verdict(reading.head, reading.body, 0.1, memory), memory


def check_found(parts: list[bytes], rule: dict[str, str], expected: str | None) -> None:
    outcome, why, memory = judged(parts, {"word": rule})
    if expected is None:
        assert (outcome, why, memory) == ("check_failed", "extract_word", {})
    else:
        assert (outcome, why, memory) == ("done", "", {"word": expected})


SCALARS = st.one_of(
    TEXT, st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c_1", "Sku"]), inner, max_size=3),
    ),
    max_leaves=12,
)
STEPS = st.lists(st.sampled_from(["a", "b", "c_1", "Sku", 0, 1, 2]), max_size=4)


def walked(document: Any, steps: list[Any]) -> Any:
    """Return what stands at these steps; LookupError where nothing does."""
    for step in steps:
        if not isinstance(document, dict if isinstance(step, str) else list):
            raise LookupError
        document = document[step]
    return document


@settings(max_examples=examples(300), deadline=None)
@given(document=DOCUMENTS, steps=STEPS, data=st.data(), indent=st.sampled_from([None, 1]))
def test_a_jsonpath_finds_what_httpx_finds(
    document: Any, steps: list[str | int], data: st.DataObject, indent: int | None
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=data.draw(st.booleans())).encode()
    theirs, parts = data.draw(sent(body, "application/json"))
    path = "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in steps)
    try:
        found = walked(theirs.json(), steps)
    except LookupError:
        check_found(parts, {"jsonpath": path}, None)
        return
    assume(not isinstance(found, dict | list))  # see below
    check_found(parts, {"jsonpath": path}, str(found))


@pytest.mark.parametrize("value", ["true", "false", '{"a": "1"}', '[1, "x"]', "[]"])
def test_what_json_calls_by_a_name_of_its_own_is_found_under_that_name(value: str) -> None:
    body = b'{"at": ' + value.encode() + b"}"
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    _, _, memory = judged([raw], {"word": {"jsonpath": "$.at"}})
    assert json.loads(memory["word"]) == json.loads(value)


def test_a_check_for_true_is_not_met_by_one() -> None:
    raw = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"ok":1}'
    assert judged([raw], {}, jsonpath={"$.ok": 1})[0] == "done"
    assert judged([raw], {}, jsonpath={"$.ok": True})[0] == "check_failed"


PATTERNS = [
    r"id=(\d+)",
    r"<b>([^<]*)</b>",
    r"\w+@\w+",
    r"(?i)token:\s*(\S+)",
    r"x*",
    r"(a)|b",
    r"^.",
    r"é(.)?",
    r"(?s)a.*b",
    r"(?P<n>\d)\d",
    r"$",
]
PHRASES = st.one_of(
    TEXT, st.sampled_from(["id=17", "<b>bold</b>", "me@shop", "Token: t0k", "é", "\n", "ab", "12"])
)


@settings(max_examples=examples(200), deadline=None)
@given(
    phrases=st.lists(PHRASES, max_size=6),
    pattern=st.sampled_from(PATTERNS),
    data=st.data(),
    kind=st.sampled_from(["text/plain; charset=utf-8", "text/html", "text/plain; charset=UTF-8"]),
)
def test_a_regex_finds_what_it_finds_in_httpxs_text(
    phrases: list[str], pattern: str, data: st.DataObject, kind: str
) -> None:
    theirs, parts = data.draw(sent("".join(phrases).encode(), kind))
    found = re.search(pattern, theirs.text)
    group = 1 if found is not None and found.re.groups else 0
    check_found(parts, {"regex": pattern}, found[group] if found else None)


class Element:
    """An element as the reference reads it."""

    def __init__(self, tag: str, attrs: dict[str, str | None]) -> None:
        self.tag, self.attrs, self.text = tag, attrs, ""

    def fits(self, selector: str) -> bool:
        """Say whether one of the few selectors below fits."""
        tag, mark, rest = re.fullmatch(r"(\w*)([.#\[]?)(.*?)\]?", selector).groups()
        if tag and tag != self.tag:
            return False
        if mark == "[":
            name, _, value = rest.partition("=")
            return self.attrs.get(name) == value
        if mark == "#":
            return self.attrs.get("id") == rest
        return not mark or rest in (self.attrs.get("class") or "").split(" ")


class Page(HTMLParser):
    """All elements of a page, in order, by the standard library."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        if tag != "input":
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


@st.composite
def markup(draw: st.DrawFn, depth: int = 2) -> str:
    """Draw elements within elements."""
    tag = draw(st.sampled_from(["div", "span", "b", "em", "input"]))
    marks = {
        "id": st.sampled_from(["x", "y"]),
        "class": st.sampled_from(["p", "p q", "q", ""]),
        "name": st.sampled_from(["csrf", "n"]),
        "value": TEXT,
        "data-v": TEXT,
    }
    chosen = draw(st.lists(st.sampled_from([*marks]), unique=True, max_size=3))
    attrs = "".join(f' {name}="{html.escape(draw(marks[name]))}"' for name in chosen)
    if tag == "input":
        return f"<input{attrs}>"
    inner = html.escape(draw(TEXT))
    if depth:
        inner += "".join(draw(st.lists(markup(depth - 1), max_size=2))) + html.escape(draw(TEXT))
    return f"<{tag}{attrs}>{inner}</{tag}>"


SELECTORS = ["div", "b", "input", ".p", ".q", "span.p", "#x", "input[name=csrf]", "div[id=y]", "em"]


@settings(max_examples=examples(200), deadline=None)
@given(
    parts=st.lists(markup(), max_size=4).map("".join),
    selector=st.sampled_from(SELECTORS),
    attribute=st.sampled_from(["", "value", "data-v", "id"]),
    data=st.data(),
)
def test_a_selector_finds_what_a_plain_reader_of_httpxs_text_finds(
    parts: str, selector: str, attribute: str, data: st.DataObject
) -> None:
    page = f"<!doctype html><html><head><title>t</title></head><body>{parts}</body></html>"
    theirs, wire = data.draw(sent(page.encode(), "text/html; charset=utf-8"))
    element = next((e for e in Page(theirs.text).elements if e.fits(selector)), None)
    expected = None
    if element is not None:
        expected = element.attrs.get(attribute) if attribute else element.text
    check_found(wire, {"css": selector + (f"@{attribute}" if attribute else "")}, expected)


HEADER = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]),
    max_size=8,
).map(lambda text: text.strip(" "))


@settings(max_examples=examples(200), deadline=None)
@given(
    headers=st.lists(
        st.tuples(st.sampled_from(["X-A", "x-a", "X-B", "X-Token"]), HEADER), max_size=4
    ),
    name=st.sampled_from(["X-A", "x-b", "X-TOKEN"]),
)
def test_a_header_is_found_as_httpx_finds_it(headers: list[tuple[str, str]], name: str) -> None:
    encoded = [(key.encode(), value.encode()) for key, value in headers]
    theirs = httpx.Response(200, headers=encoded)
    raw = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%s: %s\r\n" % field for field in encoded)
    check_found([raw + b"Content-Length: 0\r\n\r\n"], {"header": name}, theirs.headers.get(name))


@settings(max_examples=examples(100), deadline=None)
@given(text=TEXT, part=TEXT.filter(bool), token=HEADER, data=st.data())
def test_a_check_is_met_exactly_when_httpxs_reply_meets_it(
    text: str, part: str, token: str, data: st.DataObject
) -> None:
    theirs, parts = data.draw(
        sent((text + data.draw(st.sampled_from(["", part]))).encode(), "text/plain")
    )
    assert (judged(parts, {}, body_contains=part)[0] == "done") == (part in theirs.text)
    raw = b"HTTP/1.1 200 OK\r\nX-Token: %s\r\nContent-Length: 0\r\n\r\n" % token.encode()
    assert judged([raw], {}, header={"x-TOKEN": token})[0] == "done"
    assert judged([raw], {}, header={"X-Token": token + "."})[0] == "check_failed"


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"\0", b"{", b"<", b"[" * 100_000, b"1" * 5000, b"<a>\xff</a>"]
)
@pytest.mark.parametrize(
    "rule", [{"jsonpath": "$..a[0]"}, {"regex": "(z+)"}, {"css": "b@href"}, {"header": "X"}]
)
def test_in_a_body_that_makes_no_sense_nothing_is_found(body: bytes, rule: dict[str, str]) -> None:
    check_found([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body], rule, None)


@pytest.mark.parametrize(
    "rule", [{"jsonpath": "$.["}, {"jsonpath": ""}, {"css": "[["}, {"css": ""}, {"css": "@href"}]
)
def test_a_place_nobody_can_find_is_refused_when_the_scenario_is_read(rule: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Exchange.model_validate({"path": "/", "extract": {"word": rule}})


def test_an_at_sign_in_a_selector_is_not_yet_the_attribute() -> None:
    body = b'<a href="mailto:me@shop.test" rel="x">write</a>'
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    check_found([raw], {"css": 'a[href="mailto:me@shop.test"]@rel'}, "x")
    check_found([raw], {"css": 'a[href="mailto:me@shop.test"]'}, "write")
