"""Steps: what a customer does, as HTTP exchanges at the target and calls between services.

A list is a sequence; a list inside it is a group done in parallel. A call ending in `?` is
optional: the page does without it when it fails. `40% recommendations` is made in 40 % of visits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from gameday.scenario.reading.selectors import check_css, check_jsonpath, split_css
from gameday.scenario.request_headers import HeaderName, HeaderValue
from gameday.scenario.units import Block, Duration, Name

__all__ = [
    "TEMPLATE_WORD",
    "PythonName",
    "Call",
    "Calls",
    "Check",
    "Exchange",
    "Exchanges",
    "Extract",
    "Step",
]

TEMPLATE_WORD = re.compile(r"\{([\w-]+(?:\.[\w-]+)?)\}")
"""A `{word}` in a template, or a `{feed.column}`."""


PythonName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A class in an importable module: `shop_users:Searcher`."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request from a service to another, and what that one asks in turn."""

    service: str
    optional: bool
    then: tuple[tuple[Call, ...], ...]
    """Groups in sequence; the calls of a group go out together."""
    chance: float = 1.0
    """Share of its caller's visits that make it, 0-1."""

    def walk(self) -> Iterator[Call]:
        """Yield this call and every call below it, once each."""
        yield self
        for group in self.then:
            for call in group:
                yield from call.walk()

    def without(self, services: frozenset[str]) -> Call:
        """Return the call with none below it that goes to one of `services`."""
        if not services:
            return self
        groups = (
            tuple(call.without(services) for call in group if call.service not in services)
            for group in self.then
        )
        return replace(self, then=tuple(group for group in groups if group))


def _parse_call(item: Any) -> Call:
    if isinstance(item, str):
        return _named_call(item, ())
    if isinstance(item, dict) and len(item) == 1:
        [(name, below)] = item.items()
        return _named_call(name, _parse_calls(below))
    raise ValueError("a call is a service, or one service with the list it calls in turn")


def _named_call(text: str, then: tuple[tuple[Call, ...], ...]) -> Call:
    """Return the call that is written `[NN% ]SERVICE[?]`."""
    share, percent, name = text.rpartition("% ")
    try:
        chance = float(share) / 100 if percent else 1.0
    except ValueError:
        chance = 0.0
    if not 0 < chance <= 1:
        raise ValueError(f"'{text}': a share of visits is above 0 % up to 100 %, as in '40% stock'")
    return Call(name.rstrip("?"), name.endswith("?"), then, chance)


def _parse_calls(items: Any) -> tuple[tuple[Call, ...], ...]:
    if not isinstance(items, list):
        raise ValueError("must be a list of calls; a list inside the list is done in parallel")
    groups = (item if isinstance(item, list) else [item] for item in items)
    return tuple(tuple(_parse_call(call) for call in group) for group in groups if group)


def _write_calls(groups: tuple[tuple[Call, ...], ...]) -> list[Any]:
    def written(call: Call) -> Any:
        share = "" if call.chance == 1 else f"{100 * call.chance:.6g}% "
        name = share + call.service + "?" * call.optional
        return {name: _write_calls(call.then)} if call.then else name

    return [written(g[0]) if len(g) == 1 else [written(c) for c in g] for g in groups]


Calls = Annotated[
    tuple[tuple[Call, ...], ...],
    BeforeValidator(_parse_calls),
    PlainSerializer(_write_calls),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "object", "array"]}}),
]


class Extract(Block):
    """Where in a reply a value stands that a later request needs; exactly one place."""

    jsonpath: str | None = None
    regex: str | None = None
    """Its first group, or all of it."""
    css: str | None = None
    """A selector, with `@attribute` for an attribute in place of the text."""
    header: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> Extract:
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex: {error}") from None
        if self.jsonpath is not None:
            check_jsonpath(self.jsonpath)
        if self.css is not None:
            check_css(split_css(self.css)[0])
        given = [n for n in ("jsonpath", "regex", "css", "header") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError("name exactly one of jsonpath, regex, css, header")
        return self


class Wait(Block):
    """What a reply says to a customer who is to come again: not released yet, or a queue page."""

    status: list[Annotated[int, Field(ge=100, le=599)]] = Field(default_factory=list)
    body_contains: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_something(self) -> Wait:
        if not self.status and self.body_contains is None:
            raise ValueError("name a `status` or what the body says (`body_contains`)")
        return self


class Check(Block):
    """What a reply must be to count as good."""

    status: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        default_factory=lambda: [200], min_length=1
    )
    sold_out: Annotated[int, Field(ge=100, le=599)] | None = None
    """A status that means the product is gone: no fault of the target, yet no success."""
    wait: Wait | None = None
    """What means "not yet" or "you are in line": no fault either; the journey's `on_waiting` says what then."""
    header: dict[str, str] = Field(default_factory=dict)
    body_contains: str | None = Field(default=None, min_length=1)
    jsonpath: dict[
        Annotated[str, AfterValidator(check_jsonpath)], str | int | float | bool | None
    ] = Field(default_factory=dict)
    latency: Annotated[Duration, Field(gt=0)] | None = None

    @property
    def good(self) -> frozenset[int]:
        """Statuses of replies that may be good."""
        return frozenset(self.status) - {self.sold_out} - set(self.wait.status if self.wait else ())

    @model_validator(mode="after")
    def _can_pass(self) -> Check:
        if not self.good:
            raise ValueError(
                "every `status` is one of `sold_out` or `wait`: no reply could be good"
            )
        return self


_TEMPLATE_FIELDS = {
    "path": "path",
    "query": "query",
    "headers": "headers",
    "form": "form",
    "json": "json_body",
    "body": "body",
}
"""Field of an exchange as written -> its attribute; those that hold templates."""


class Exchange(Block):
    """One HTTP request and its reply."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "GET"
    path: str = Field(pattern="^/")
    """A template: `/product/{product}`."""
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    form: dict[str, str] | None = None
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    body: str | None = None
    """Any other body, a template; its type stands in `headers`."""
    extract: dict[Name, Extract] = Field(default_factory=dict)
    check: Check = Check()
    required: bool = True
    """Whether the step waits for it and fails with it; else it is sent and counts for itself alone,
    and what it extracts is kept only if its reply comes before the step has ended."""
    redirects: int = Field(default=0, ge=0, le=10)
    """Redirects that usually lead to its reply: each is one more request to the target."""
    calls: Calls = ()
    """Calls to other services that the entry service makes to answer it."""
    action: Literal["page", "sign_in", "search", "product", "add_to_cart", "place_order"] = "page"
    """What the embedded shop does for it, besides the work of its services."""

    @property
    def requests(self) -> int:
        """HTTP requests it makes: itself and the declared redirects."""
        return 1 + self.redirects

    @field_validator("headers")
    @classmethod
    def _not_ours(cls, headers: dict[str, str]) -> dict[str, str]:
        ours = {"content-length", "transfer-encoding", "connection"}
        if taken := [name for name in headers if name.lower() in ours]:
            raise ValueError(f"{', '.join(taken)}: the client says this itself; leave it out")
        return headers

    @model_validator(mode="after")
    def _one_body(self) -> Exchange:
        if sum(body is not None for body in (self.form, self.json_body, self.body)) > 1:
            raise ValueError("an exchange has a form, a json body or a body, not several")
        return self

    def template_words(self) -> Iterator[tuple[str, str]]:
        """Yield (field as written, word) of every `{word}` in the templates, breadth first."""
        pending: list[tuple[str, Any]] = [
            (field, getattr(self, name)) for field, name in _TEMPLATE_FIELDS.items()
        ]
        while pending:
            field, item = pending.pop(0)
            if isinstance(item, str):
                yield from ((field, word) for word in TEMPLATE_WORD.findall(item))
            elif isinstance(item, dict):
                names = item if field == "json" else ()
                pending.extend((field, part) for part in (*names, *item.values()))
            elif isinstance(item, list):
                pending.extend((field, value) for value in item)


def _parse_exchanges(items: Any) -> Any:
    if not isinstance(items, list) or not items:
        raise ValueError("must be a list of exchanges; a list inside the list is done in parallel")
    if any(item == [] for item in items):
        raise ValueError("holds an empty group; leave it out")
    return [item if isinstance(item, list) else [item] for item in items]


Exchanges = Annotated[list[list[Exchange]], BeforeValidator(_parse_exchanges)]
"""Groups in sequence; the exchanges of a group go out together."""


class Step(Block):
    """What a customer does once: one forecast count, one latency to its last required exchange."""

    exchanges: Exchanges
    entry: Name = "edge"
    """The service that receives the exchanges."""
    python: PythonName | None = None
    """`module:Class`, a Locust HttpUser or FastHttpUser whose tasks, each once and in order, are
    played in place of the exchanges; those then say what the model takes the step for."""

    @property
    def places_order(self) -> bool:
        """Whether a customer who does it orders something."""
        return any(exchange.action == "place_order" for exchange in self.each_exchange())

    def each_exchange(self) -> Iterator[Exchange]:
        """Yield every exchange in order."""
        for group in self.exchanges:
            yield from group

    def entry_call(self, exchange: Exchange, extra: tuple[tuple[Call, ...], ...] = ()) -> Call:
        """Return the tree of calls that answers `exchange`, with a product's extra calls."""
        return Call(self.entry, optional=False, then=exchange.calls + extra)
