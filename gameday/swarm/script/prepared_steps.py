"""A scenario's steps prepared for one target: requests as bytes with holes for template variables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote, quote_plus

from gameday import __version__
from gameday.safety import Target
from gameday.scenario import Scenario
from gameday.scenario.blocks import TEMPLATE_WORD, Exchange
from gameday.swarm.engine.replies import Verdict, verdict_of
from gameday.swarm.script.template_variables import TemplateVariables

__all__ = ["PreparedExchange", "StepScript", "prepare_steps"]

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods a client may send again when a connection proves stale (RFC 9110 §9.2.2)."""
_BODY_FIELDS = frozenset({"form", "json", "body"})
"""Fields of an exchange whose templates stand in the body; all others stand before it."""

Text = Callable[[Any], str]
"""A template, ready to be filled in for a customer."""


@dataclass(frozen=True, slots=True)
class PreparedExchange:
    """One exchange, ready to be sent."""

    number: int
    """Its index in the scenario, over all steps."""
    step: str
    step_number: int
    method: str
    verb: bytes
    """The method as bytes."""
    path: Text
    head: Text
    """Everything between the path and the cookies."""
    cookie: Text | None
    """The scenario's own Cookie header, which the customer's cookies follow."""
    head_bytes: bytes | None
    """The head, where no variable stands in it."""
    tail: Callable[[Any], bytes]
    """Everything after the cookies: body headers, empty line, body."""
    start: bytes | None
    """Path and head, where no variable stands in them."""
    constant: bytes | None
    """The whole request, where no variable stands in it; without the customer's cookies."""
    head_only: bool
    """Whether its reply has no body."""
    resend: bool
    """Whether it may go out again on another connection."""
    keeps_body: bool
    """Whether its reply's body is read."""
    verdict: Verdict
    required: bool
    follow: bytes
    """Head of the GET that follows a redirect, from the version on."""

    def request(self, customer: Any, cookies: bytes) -> bytes:
        """Return the request's bytes for a customer and the Cookie header's value."""
        start = self.start
        if start is None:
            head = self.head_bytes
            if head is None:
                head = self.head(customer).encode(errors="replace")
            start = b"%b %b %b" % (self.verb, self.path(customer).encode(), head)
        return start + self._cookie_line(customer, cookies) + self.tail(customer)

    def _cookie_line(self, customer: Any, cookies: bytes) -> bytes:
        if self.cookie is not None:
            own = self.cookie(customer).encode(errors="replace")
            cookies = own + b"; " + cookies if cookies else own
        return b"Cookie: " + cookies + b"\r\n" if cookies else b""

    def onward(self, customer: Any, path: str, cookies: bytes, *, as_get: bool) -> bytes:
        """Return the request of a redirect's next hop."""
        cookie = self._cookie_line(customer, cookies)
        if as_get:
            return f"GET {path} ".encode() + self.follow + cookie + b"\r\n"
        head = f"{self.method} {path} {self.head(customer)}".encode()
        return head + cookie + self.tail(customer)


@dataclass(frozen=True, slots=True)
class StepScript:
    """One step: groups of exchanges in sequence, those of a group together."""

    name: str
    groups: tuple[tuple[PreparedExchange, ...], ...]
    places_order: bool
    order_key: Text
    order_number: str | None = None
    """The variable that the reply to an order is kept under: the shop's own number of it; None:
    nothing is kept.
    """
    """Names the order it places."""

    @property
    def exchanges(self) -> Iterator[PreparedExchange]:
        """Every exchange, group by group."""
        return (exchange for group in self.groups for exchange in group)

    @property
    def only_exchange(self) -> PreparedExchange | None:
        """The step's exchange where it has but one."""
        return self.groups[0][0] if len(self.groups) == len(self.groups[0]) == 1 else None


def prepare_steps(
    scenario: Scenario, target: Target, variables: TemplateVariables, run_id: str
) -> dict[tuple[str, str | None], StepScript]:
    """Return (step, product type) -> the step prepared for `target`.

    Under the type None it is the step of all types but those that have their own.
    """
    standard, order_key, numbers = _headers(target, run_id), variables.getter("order_key"), count()
    forms: list[tuple[str, str | None]] = [(step, None) for step in scenario.steps]
    forms += [(step, name) for name, block in scenario.products.items() for step in block.exchanges]
    scripts = {}
    for step, product in forms:
        headers = standard | {"X-Gameday-Step": step}
        if scenario.depends_on_type(step):
            headers |= {"X-Gameday-Product": product or "{product_type}"}
        prepare = _Preparation(step, scenario.step_names.index(step), variables, headers)
        groups = tuple(
            tuple(prepare.exchange(exchange, next(numbers)) for exchange in group)
            for group in scenario.exchanges(step, product)
        )
        places_order = scenario.steps[step].places_order
        number = _order_number(scenario, step, product)
        scripts[step, product] = StepScript(step, groups, places_order, order_key, number)
    return scripts


def _order_number(scenario: Scenario, step: str, product: str | None) -> str | None:
    """Return the variable that is extracted where the order is placed; None where none is."""
    for group in scenario.exchanges(step, product):
        for exchange in group:
            if exchange.action == "place_order" and exchange.extract:
                return next(iter(exchange.extract))
    return None


def _headers(target: Target, run_id: str) -> dict[str, str]:
    """Return the headers of every request, which mark it as synthetic and name its run."""
    return {
        "Host": target.authority,
        "X-Gameday-Run": run_id,
        "X-Synthetic": "1",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate, br",
        "User-Agent": f"gameday/{__version__} (load test; run {run_id})",
    }


@dataclass(frozen=True, slots=True)
class _Preparation:
    """Prepares the exchanges of one step."""

    step: str
    step_number: int
    variables: TemplateVariables
    headers: dict[str, str]
    """What the swarm sends of itself, beside the scenario's own headers."""

    def exchange(self, exchange: Exchange, number: int) -> PreparedExchange:
        """Return an exchange ready to be sent."""
        variable_fields = self._variable_fields(exchange)
        path, head, tail = self._path(exchange), self._head(exchange), self._tail(exchange)
        start = constant = None
        if variable_fields <= _BODY_FIELDS:
            start = f"{exchange.method} {path(None)} {head(None)}".encode()
        own_cookie, cookie = _own_cookie(exchange), None
        if own_cookie is not None:
            cookie = self._text(own_cookie, _one_line)
        if start is not None and not variable_fields:
            line = f"Cookie: {own_cookie}\r\n".encode() if own_cookie else b""
            constant = start + line + tail(None)
        verdict = verdict_of(exchange)
        return PreparedExchange(
            number,
            self.step,
            self.step_number,
            exchange.method,
            exchange.method.encode(),
            path,
            head,
            cookie,
            None if "headers" in variable_fields else head(None).encode(),
            tail,
            start,
            constant,
            head_only=exchange.method == "HEAD",
            resend=exchange.method in _IDEMPOTENT or "idempotency-key" in _own_names(exchange),
            keeps_body=verdict.reads_body,
            verdict=verdict,
            required=exchange.required,
            follow=self._head_of_following_get(),
        )

    def _variable_fields(self, exchange: Exchange) -> set[str]:
        """Return the fields of a request in which variables stand."""
        fields = {field for field, _ in exchange.template_words()}
        if any(TEMPLATE_WORD.search(value) for value in self.headers.values()):
            fields.add("headers")
        return fields

    def _head_of_following_get(self) -> bytes:
        plain = {k: v for k, v in self.headers.items() if not TEMPLATE_WORD.search(v)}
        return f"HTTP/1.1\r\n{_header_lines(plain)}".encode()

    def _path(self, exchange: Exchange) -> Text:
        path = self._text(_escaped(exchange.path), _quoted)
        if not exchange.query:
            return path
        query = self._fields(exchange.query)
        return lambda customer: f"{path(customer)}?{query(customer)}"

    def _fields(self, fields: Mapping[str, str]) -> Text:
        """Return fields as a query or a form is written."""
        texts = []
        for name, value in fields.items():
            parts = TEMPLATE_WORD.split(value)
            parts[::2] = [quote_plus(part) for part in parts[::2]]
            parts[1::2] = ["{" + variable + "}" for variable in parts[1::2]]
            texts.append(self._text(f"{quote_plus(name)}=" + "".join(parts), _plus_quoted))
        if len(texts) == 1:
            return texts[0]
        return lambda customer: "&".join(text(customer) for text in texts)

    def _head(self, exchange: Exchange) -> Text:
        own = _own_names(exchange)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
        headers |= {k: v for k, v in exchange.headers.items() if k.lower() != "cookie"}
        return self._text("HTTP/1.1\r\n" + _header_lines(headers), _one_line)

    def _tail(self, exchange: Exchange) -> Callable[[Any], bytes]:
        body, content_type = self._body(exchange)
        if body is None:
            is_bare = exchange.method in ("GET", "HEAD", "OPTIONS")
            empty = b"\r\n" if is_bare else b"Content-Length: 0\r\n\r\n"
            return lambda customer: empty
        is_typed = content_type and "content-type" not in _own_names(exchange)
        type_line = f"Content-Type: {content_type}\r\n" if is_typed else ""

        def tail(customer: Any) -> bytes:
            data = body(customer).encode(errors="replace")
            return f"{type_line}Content-Length: {len(data)}\r\n\r\n".encode() + data

        if not _BODY_FIELDS & {field for field, _ in exchange.template_words()}:
            whole = tail(None)
            return lambda customer: whole
        return tail

    def _body(self, exchange: Exchange) -> tuple[Text | None, str]:
        """Return the body's text and its type."""
        if exchange.form is not None:
            form = self._fields(exchange.form) if exchange.form else self._text("", str)
            return form, "application/x-www-form-urlencoded"
        if exchange.json_body is not None:
            text = json.dumps(exchange.json_body, ensure_ascii=False)
            return self._text(text, lambda value: json.dumps(value)[1:-1]), "application/json"
        if exchange.body is not None:
            return self._text(exchange.body, str), ""
        return None, ""

    def _text(self, template: str, encode: Callable[[str], str]) -> Text:
        """Return `template` with each variable's value filled in as `encode` writes it."""
        parts = TEMPLATE_WORD.split(template)
        if len(parts) == 1:
            return lambda customer: template
        getters = [self.variables.getter(variable) for variable in parts[1::2]]
        if len(getters) == 1:
            [getter], before, after = getters, parts[0], parts[2]
            return lambda customer: before + encode(getter(customer)) + after
        return _filled_in(parts[::2], getters, encode)


def _filled_in(plain: list[str], getters: list[Text], encode: Callable[[str], str]) -> Text:
    """Return the texts of `plain` with one value between each two."""

    def filled_in(customer: Any) -> str:
        pieces = [plain[0]]
        for getter, text in zip(getters, plain[1:], strict=True):
            pieces.append(encode(getter(customer)))
            pieces.append(text)
        return "".join(pieces)

    return filled_in


def _own_names(exchange: Exchange) -> set[str]:
    """Return the names of the scenario's own headers, in lower case."""
    return {name.lower() for name in exchange.headers}


def _own_cookie(exchange: Exchange) -> str | None:
    return next((v for name, v in exchange.headers.items() if name.lower() == "cookie"), None)


def _header_lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


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
    """Return a header's value without what would end the header: it may come from a reply."""
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def _escaped(path: str) -> str:
    """Return a path template whose own characters may stand in a request line."""
    return "".join(c if c.isascii() and c.isprintable() and c != " " else quote(c) for c in path)
