"""A scenario's steps prepared for one target: requests as bytes with holes for words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from gameday import __version__
from gameday.safety import Target
from gameday.scenario import Scenario
from gameday.scenario.blocks import TEMPLATE_WORD, Exchange
from gameday.swarm.engine.replies import Verdict, verdict_of
from gameday.swarm.script.template_variables import Words

__all__ = ["Line", "Scene", "written"]

_RESENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods a client may send again when a connection proves stale (RFC 9110 §9.2.2)."""

Text = Callable[[Any], str]
"""A template, ready to be said for a customer."""


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange, ready to be sent."""

    number: int
    """Its index in the scenario, over all steps."""
    step: str
    step_number: int
    method: str
    verb: bytes
    path: Text
    head: Text
    """Everything between the path and the cookies."""
    cookie: Text | None
    """The scenario's own Cookie header, which the customer's cookies follow."""
    after: bytes | None
    """The same as bytes, where no word stands in it."""
    tail: Callable[[Any], bytes]
    """Everything after the cookies: body headers, empty line, body."""
    fixed: bytes | None
    """Path and head where no word stands in them."""
    constant: bytes | None
    """The whole request, where no word stands in it either; without cookies."""
    head_only: bool
    resend: bool
    keeps_body: bool
    verdict: Verdict
    required: bool
    follow: bytes
    """Head of the GET that follows a redirect, from the version on."""

    def request(self, who: Any, cookies: bytes) -> bytes:
        """Return the request's bytes for a customer and the Cookie header's value."""
        start = self.fixed
        if start is None:
            after = self.head(who).encode(errors="replace") if self.after is None else self.after
            start = b"%b %b %b" % (self.verb, self.path(who).encode(), after)
        return start + self._cookie_line(who, cookies) + self.tail(who)

    def _cookie_line(self, who: Any, cookies: bytes) -> bytes:
        if self.cookie is not None:
            own = self.cookie(who).encode(errors="replace")
            cookies = own + b"; " + cookies if cookies else own
        return b"Cookie: " + cookies + b"\r\n" if cookies else b""

    def onward(self, who: Any, path: str, cookies: bytes, *, as_get: bool) -> bytes:
        """Return the request of a redirect's next hop."""
        cookie = self._cookie_line(who, cookies)
        if as_get:
            return f"GET {path} ".encode() + self.follow + cookie + b"\r\n"
        return f"{self.method} {path} {self.head(who)}".encode() + cookie + self.tail(who)


@dataclass(frozen=True, slots=True)
class Scene:
    """One step: groups of exchanges in sequence, those of a group together."""

    name: str
    groups: tuple[tuple[Line, ...], ...]
    places_order: bool
    order_key: Text
    """What names the order it places."""


def written(
    scenario: Scenario, target: Target, words: Words, run_id: str
) -> dict[tuple[str, str | None], Scene]:
    """Return every step of `scenario` prepared for `target`, and as some product types do it in its place."""
    fixed = {
        "Host": target.authority,
        "X-Gameday-Run": run_id,
        "X-Synthetic": "1",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate, br",
        "User-Agent": f"gameday/{__version__} (load test; run {run_id})",
    }
    number, out, order_key = 0, dict[tuple[str, str | None], Scene](), words.getter("order_key")
    forms: list[tuple[str, str | None]] = [(step, None) for step in scenario.steps]
    forms += [(step, name) for name, block in scenario.products.items() for step in block.exchanges]
    for name, product in forms:
        own = fixed | {"X-Gameday-Step": name}
        if scenario.depends_on_type(name):
            own |= {"X-Gameday-Product": product or "{product_type}"}
        groups, step_number = [], scenario.step_names.index(name)
        for group in scenario.exchanges(name, product):
            lines = []
            for exchange in group:
                lines.append(_line((number, name, step_number), exchange, words, own))
                number += 1
            groups.append(tuple(lines))
        places_order = scenario.steps[name].places_order
        out[name, product] = Scene(name, tuple(groups), places_order, order_key)
    return out


def _line(
    place: tuple[int, str, int], exchange: Exchange, words: Words, fixed: dict[str, str]
) -> Line:
    """Return an exchange ready to be sent; `place`: its number, its step and that one's number."""
    path, head = _path(exchange, words), _head(exchange, words, fixed)
    names = {name.lower() for name in exchange.headers}
    said = {name for name, value in fixed.items() if TEMPLATE_WORD.search(value)}
    is_constant = not said and not any(
        field in ("path", "query", "headers") for field, _ in exchange.template_words()
    )
    start = f"{exchange.method} {path(None)} {head(None)}".encode() if is_constant else None
    plain = "".join(f"{name}: {value}\r\n" for name, value in fixed.items() if name not in said)
    verdict, tail = verdict_of(exchange), _tail(exchange, words, names)
    has_words = said or any(True for _ in exchange.template_words())
    own = next((v for name, v in exchange.headers.items() if name.lower() == "cookie"), None)
    cookie = None if own is None else _text(own, words, _one_line)
    constant = None
    if start is not None and not has_words:
        constant = start + (f"Cookie: {own}\r\n".encode() if own else b"") + tail(None)
    has_head_words = said or any(field == "headers" for field, _ in exchange.template_words())
    return Line(
        *place,
        exchange.method,
        exchange.method.encode(),
        path,
        head,
        cookie,
        None if has_head_words else head(None).encode(),
        tail,
        start,
        constant,
        head_only=exchange.method == "HEAD",
        resend=exchange.method in _RESENT or "idempotency-key" in names,
        keeps_body=verdict.reads_body,
        verdict=verdict,
        required=exchange.required,
        follow=f"HTTP/1.1\r\n{plain}".encode(),
    )


def _text(template: str, words: Words, encode: Callable[[str], str]) -> Text:
    """Return `template` with each word said through `encode`."""
    parts = TEMPLATE_WORD.split(template)
    if len(parts) == 1:
        return lambda who: template
    getters = [words.getter(word) for word in parts[1::2]]
    plain = parts[::2]
    if len(getters) == 1:
        [getter], before, after = getters, plain[0], plain[1]
        return lambda who: before + encode(getter(who)) + after

    def said(who: Any) -> str:
        pieces = [plain[0]]
        for getter, text in zip(getters, plain[1:], strict=True):
            pieces.append(encode(getter(who)))
            pieces.append(text)
        return "".join(pieces)

    return said


def _quoted(text: str) -> str:
    return (
        text
        if text.isascii() and text.replace("-", "").isalnum()
        else quote(text, errors="replace")
    )


def _plus_quoted(text: str) -> str:
    return (
        text
        if text.isascii() and text.replace("-", "").isalnum()
        else quote_plus(text, errors="replace")
    )


def _one_line(text: str) -> str:
    """A header's value from a reply must not end the header."""
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def _path(exchange: Exchange, words: Words) -> Text:
    path = _text(_escaped(exchange.path), words, _quoted)
    if not exchange.query:
        return path
    query = _fields(exchange.query, words)
    return lambda who: f"{path(who)}?{query(who)}"


def _escaped(path: str) -> str:
    """Return a path template whose own characters may stand in a request line."""
    return "".join(c if c.isascii() and c.isprintable() and c != " " else quote(c) for c in path)


def _fields(fields: Mapping[str, str], words: Words) -> Text:
    """Return fields as a query or a form is written."""
    texts = []
    for name, value in fields.items():
        parts = TEMPLATE_WORD.split(value)
        parts[::2] = [quote_plus(part) for part in parts[::2]]
        parts[1::2] = ["{" + word + "}" for word in parts[1::2]]
        texts.append(_text(f"{quote_plus(name)}=" + "".join(parts), words, _plus_quoted))
    if len(texts) == 1:
        return texts[0]
    return lambda who: "&".join(text(who) for text in texts)


def _head(exchange: Exchange, words: Words, fixed: dict[str, str]) -> Text:
    own = {name.lower() for name in exchange.headers}
    lines = {name: value for name, value in fixed.items() if name.lower() not in own}
    lines |= {name: value for name, value in exchange.headers.items() if name.lower() != "cookie"}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return _text("HTTP/1.1\r\n" + text, words, _one_line)


def _tail(exchange: Exchange, words: Words, names: set[str]) -> Callable[[Any], bytes]:
    body, kind = _body(exchange, words)
    if body is None:
        empty = b"" if exchange.method in ("GET", "HEAD", "OPTIONS") else b"Content-Length: 0\r\n"
        return lambda who, out=empty + b"\r\n": out  # type: ignore[misc]
    said = body
    typed = f"Content-Type: {kind}\r\n" if kind and "content-type" not in names else ""

    def tail(who: Any) -> bytes:
        data = said(who).encode(errors="replace")
        return f"{typed}Content-Length: {len(data)}\r\n\r\n".encode() + data

    if not any(field in ("form", "json", "body") for field, _ in exchange.template_words()):
        whole = tail(None)
        return lambda who: whole
    return tail


def _body(exchange: Exchange, words: Words) -> tuple[Text | None, str]:
    """Return the body's text and its type."""
    if exchange.form is not None:
        return _fields(exchange.form, words) if exchange.form else _text("", words, str), (
            "application/x-www-form-urlencoded"
        )
    if exchange.json_body is not None:
        text = json.dumps(exchange.json_body, ensure_ascii=False)
        return _text(text, words, lambda value: json.dumps(value)[1:-1]), "application/json"
    if exchange.body is not None:
        return _text(exchange.body, words, str), ""
    return None, ""
