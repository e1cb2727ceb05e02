"""Requests as bytes: whatever a word holds, it is one request, and the value comes out as it went in."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import ScenarioError
from gameday.swarm.script.prepared_steps import PreparedExchange
from tests.support import examples
from tests.support.small_words import Who, exchange_of

OURS = {
    "host",
    "x-gameday-run",
    "x-synthetic",
    "x-gameday-step",
    "accept",
    "accept-encoding",
    "user-agent",
}
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "a\r\nX-Evil: 1",
        "\r\n\r\nGET /evil HTTP/1.1\r\n",
        "\n",
        "\0",
        "{other}",
        "{word}",
        '"}',
        "\\",
        "a&b=c",
        "?x#y",
        "%0d%0a",
        "../..",
        "a b",
        "+",
        "ü",
        "日本",
        "\u2028",
        "\x85",
        "a/b",
    ]
)


class Read:
    """A request as an HTTP server reads it; fails unless it is exactly one."""

    def __init__(self, raw: bytes) -> None:
        self.url, self.headers, self.body, self.whole = b"", [], b"", 0  # type: ignore[var-annotated]
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(raw)
        self.method = parser.get_method().decode()
        assert self.whole == 1
        assert self.url.isascii()
        head, _, body = raw.partition(b"\r\n\r\n")
        assert body == self.body
        assert len(head.split(b"\r\n")) == 1 + len(self.headers)
        assert b"\n" not in head.replace(b"\r\n", b"")

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode(), value.decode()))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole += 1

    @property
    def path(self) -> str:
        return self.url.decode().partition("?")[0]

    @property
    def query(self) -> str:
        return self.url.decode().partition("?")[2]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def sent(line: PreparedExchange, value: str = "", cookies: bytes = b"", **more: str) -> Read:
    return Read(line.request(Who(memory={"word": value, **more}), cookies))


TEMPLATES: dict[str, Any] = {
    "path": {"path": "/p/{word}/x{word}"},
    "query": {"path": "/p", "query": {"a": "{word}", "b b": "1&{word}=", "none": ""}},
    "headers": {"path": "/p", "headers": {"X-Word": "<{word}>"}},
    "form": {"path": "/p", "method": "POST", "form": {"a": "{word}", "b&b": "x={word}"}},
    "json": {
        "path": "/p",
        "method": "POST",
        "json": {
            "name": "{customer}",
            "none": None,
            "n": 1,
            "plain": "{ not }",
            "x": {"y": ["{word}", True]},
            "both": "{word}-{other}",
            'quote "': '\\ " {word}',
            "ü": "ü",
        },
    },
    "body": {
        "path": "/p",
        "method": "PUT",
        "body": "<a>{word}</a>\n",
        "headers": {"Content-Type": "text/xml"},
    },
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PreparedExchange]:
    return {
        name: exchange_of(tmp_path_factory.mktemp(name), exchange)
        for name, exchange in TEMPLATES.items()
    }


words = settings(deadline=None, max_examples=examples(150))


@given(value=values)
@words
def test_whatever_a_word_holds_a_request_is_one_request_with_the_headers_it_has(
    value: str, lines: dict[str, PreparedExchange]
) -> None:
    for name, line in lines.items():
        read, plain = sent(line, value), sent(line, "x")
        assert read.method == TEMPLATES[name].get("method", "GET")
        assert [key for key, _ in read.headers] == [key for key, _ in plain.headers]
        assert {key.lower() for key, _ in read.headers} >= OURS
        assert read.header("Host") == ["127.0.0.1:8001"]
        assert read.header("X-Gameday-Step") == ["home"]


@given(value=values)
@words
def test_a_word_in_a_path_is_quoted_and_stands_for_itself(
    value: str, lines: dict[str, PreparedExchange]
) -> None:
    assert unquote(sent(lines["path"], value).path) == f"/p/{value}/x{value}"


@given(value=values)
@words
def test_a_word_in_a_query_or_a_form_is_quoted_and_stands_for_itself(
    value: str, lines: dict[str, PreparedExchange]
) -> None:
    def fields(text: str) -> list[tuple[str, str]]:
        pairs = [pair.split("=") for pair in text.split("&")]
        return [(unquote_plus(name), unquote_plus(said)) for name, said in pairs]

    query = fields(sent(lines["query"], value).query)
    assert query == [("a", value), ("b b", f"1&{value}="), ("none", "")]
    form = sent(lines["form"], value)
    assert fields(form.body.decode()) == [("a", value), ("b&b", f"x={value}")]
    assert form.header("Content-Type") == ["application/x-www-form-urlencoded"]
    assert parse_qs(form.body.decode(), keep_blank_values=True)["a"] == [value]


@given(value=values, other=values)
@words
def test_words_in_json_are_said_however_deep_they_stand_and_never_filled_again(
    value: str, other: str, lines: dict[str, PreparedExchange]
) -> None:
    read = sent(lines["json"], value, other=other)
    said = {"word": value or "", "other": other or ""}
    assert json.loads(read.body) == {
        "name": "synthetic-7",
        "none": None,
        "n": 1,
        "plain": "{ not }",
        "x": {"y": [said["word"], True]},
        "both": f"{said['word']}-{said['other']}",
        'quote "': f'\\ " {said["word"]}',
        "ü": "ü",
    }
    assert read.header("Content-Type") == ["application/json"]


@given(value=values)
@words
def test_a_body_is_sent_as_it_stands_with_its_own_type(
    value: str, lines: dict[str, PreparedExchange]
) -> None:
    read = sent(lines["body"], value)
    assert read.body.decode() == f"<a>{value}</a>\n"
    assert read.header("Content-Type") == ["text/xml"]
    assert read.header("Content-Length") == [str(len(read.body))]


@given(value=values)
@words
def test_a_word_in_a_header_is_said_on_its_one_line(
    value: str, lines: dict[str, PreparedExchange]
) -> None:
    [said] = sent(lines["headers"], value).header("X-Word")
    assert said == "<" + "".join(c for c in value if c.isprintable()) + ">"


@pytest.mark.parametrize("where", TEMPLATES)
def test_half_a_character_that_a_reply_gave_is_no_end_of_the_run(
    where: str, lines: dict[str, PreparedExchange]
) -> None:
    r"""JSON can say `"\ud800"`, which no encoding can; a target's odd reply is the target's."""
    found = json.loads('"a\\ud800b"')
    assert sent(lines[where], found).method == TEMPLATES[where].get("method", "GET")


@pytest.mark.parametrize("where", TEMPLATES)
def test_cookies_are_one_header_more_and_change_nothing_else(
    where: str, lines: dict[str, PreparedExchange]
) -> None:
    plain, with_cookies = sent(lines[where], "x"), sent(lines[where], "x", b"a=1; b=2")
    assert with_cookies.header("Cookie") == ["a=1; b=2"]
    rest = [field for field in with_cookies.headers if field[0] != "Cookie"]
    assert (rest, with_cookies.url, with_cookies.body) == (plain.headers, plain.url, plain.body)


CONSTANT: list[dict[str, Any]] = [
    {"path": "/"},
    {"path": "/", "method": "HEAD"},
    {"path": "/", "method": "OPTIONS"},
    {"path": "/p p/ü", "query": {"a": "b c"}},
    {"path": "/", "method": "POST"},
    {"path": "/", "method": "POST", "form": {}},
    {"path": "/", "method": "PUT", "json": {"a": 1}},
    {"path": "/", "method": "DELETE"},
    {"path": "/", "method": "PATCH", "body": "ü"},
    {"path": "/", "headers": {"user-agent": "mine", "X-More": "ü"}},
]


@pytest.mark.parametrize("exchange", CONSTANT, ids=str)
def test_a_request_without_words_is_prepared_whole(
    exchange: dict[str, Any], tmp_path: Path
) -> None:
    line = exchange_of(tmp_path, exchange)
    assert line.constant == line.request(Who(), b"")
    read = Read(line.constant or b"")
    assert read.method == exchange.get("method", "GET")
    has_length = read.method not in ("GET", "HEAD", "OPTIONS")
    assert read.header("Content-Length") == ([str(len(read.body))] if has_length else [])


@pytest.mark.parametrize("where", TEMPLATES)
def test_a_request_with_words_is_prepared_for_nobody(
    where: str, lines: dict[str, PreparedExchange]
) -> None:
    assert lines[where].constant is None


@pytest.mark.parametrize("name", ["User-Agent", "user-agent", "HOST", "accept-encoding"])
def test_a_header_of_the_scenario_takes_the_place_of_ours(name: str, tmp_path: Path) -> None:
    read = Read(exchange_of(tmp_path, {"path": "/", "headers": {name: "mine"}}).request(Who(), b""))
    assert read.header(name) == ["mine"]
    assert len({key.lower() for key, _ in read.headers}) == len(read.headers)


def test_a_content_type_of_the_scenario_takes_the_place_of_ours(tmp_path: Path) -> None:
    exchange = {"method": "POST", "json": {}, "headers": {"content-type": "application/ld+json"}}
    read = Read(exchange_of(tmp_path, exchange).request(Who(), b""))
    assert read.header("Content-Type") == ["application/ld+json"]


@pytest.mark.parametrize("own", ["ends\n", "two\nlines", "a\r\nX-Evil: 1", "a\rb"])
def test_a_header_that_a_scenario_writes_over_lines_is_refused_or_sent_on_one(
    own: str, tmp_path: Path
) -> None:
    with suppress(ScenarioError):
        read = Read(exchange_of(tmp_path, {"headers": {"X-Own": own}}).request(Who(), b""))
        assert {name.lower() for name, _ in read.headers} == OURS | {"x-own"}


@pytest.mark.parametrize(
    "exchange",
    [
        {"method": "POST", "json": {"{customer}": 1}},
        {"headers": {"X-{customer}": "1"}},
        {"query": {"{customer}": "1"}},
        {"method": "POST", "form": {"{customer}": "1"}},
    ],
    ids=["json", "headers", "query", "form"],
)
def test_a_word_in_a_fields_name_stands_as_written_or_is_said_or_refused(
    exchange: dict[str, Any], tmp_path: Path
) -> None:
    with suppress(ScenarioError):
        raw = exchange_of(tmp_path, exchange).request(Who(), b"")
        read = Read(raw)
        text = unquote(raw.decode())
        assert "synthetic-7" in text or "{customer}" in text
        assert read.whole == 1


@pytest.mark.parametrize(
    ("exchange", "resend"),
    [
        ({"method": "GET"}, True),
        ({"method": "PUT"}, True),
        ({"method": "DELETE"}, True),
        ({"method": "POST"}, False),
        ({"method": "PATCH"}, False),
        ({"method": "POST", "headers": {"idempotency-KEY": "{order_key}"}}, True),
    ],
)
def test_only_what_may_come_twice_without_harm_is_sent_again_by_itself(
    exchange: dict[str, Any], resend: bool, tmp_path: Path
) -> None:
    assert exchange_of(tmp_path, exchange).resend == resend


@pytest.mark.parametrize("own", ["consent=yes", "consent={region}"])
@pytest.mark.parametrize("cookies", [b"", b"sid=1"])
def test_a_cookie_header_of_the_scenario_and_the_customers_cookies_are_one_header(
    own: str, cookies: bytes, tmp_path: Path
) -> None:
    line = exchange_of(tmp_path, {"path": "/", "headers": {"cookie": own}})
    said = own.replace("{region}", "eu") + ("; " + cookies.decode() if cookies else "")
    for raw in (line.request(Who(), cookies), line.onward(Who(), "/next", cookies, as_get=True)):
        assert [v for name, v in Read(raw).headers if name.lower() == "cookie"] == [said]
    if not cookies and line.constant is not None:
        assert line.constant == line.request(Who(), b"")
