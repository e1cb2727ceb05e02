"""How a reply is judged, and what later requests need from it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jsonpath_ng.parser import parse as parse_jsonpath
from selectolax.lexbor import LexborHTMLParser

from gameday.scenario.blocks import Exchange, Extract
from gameday.scenario.reading import split_css
from gameday.swarm.wire import BadReply, Head
from gameday.swarm.wire.bodies import decoded

__all__ = ["Verdict", "verdict_of"]

Find = Callable[[Head, bytes], str | None]
Passes = Callable[[Head, bytes], bool]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an exchange's reply is judged, prepared once."""

    good: frozenset[int]
    """Statuses of a good reply."""
    sold_out: int
    """The status that means the product is gone; 0 = none."""
    wait: frozenset[int]
    """Statuses by which a target asks a customer to wait and come again."""
    wait_text: bytes | None
    """Text in a body that asks for the same."""
    checks: tuple[tuple[str, Passes], ...]
    """Name -> whether the reply passes."""
    latency_s: float
    """Longest service time; infinite where none is asked."""
    extracts: tuple[tuple[str, Find], ...]
    reads_body: bool
    is_simple: bool
    """Whether the status alone decides."""

    def __call__(
        self, head: Head, body: bytes, seconds: float, memory: dict[str, str]
    ) -> tuple[str, str]:
        """Return (done | sold_out | waiting | failed | check_failed, why); extracted values go to `memory`."""
        status = head.status
        if status == self.sold_out:
            return "sold_out", ""
        if status in self.wait:
            return "waiting", ""
        if status not in self.good:
            kind = "failed" if status >= 500 or status == 429 else "check_failed"
            return kind, f"status_{status}"
        if self.reads_body and head.coding is not None:
            try:
                body = decoded(body, head.coding)
            except BadReply as fault:
                return "failed", str(fault)
        if self.wait_text is not None and self.wait_text in body:
            return "waiting", ""
        for name, passes in self.checks:
            if not passes(head, body):
                return "check_failed", name
        if seconds > self.latency_s:
            return "check_failed", "latency"
        for word, find in self.extracts:
            value = find(head, body)
            if value is None:
                return "check_failed", f"extract_{word}"
            memory[word] = value
        return "done", ""


def verdict_of(exchange: Exchange) -> Verdict:
    """Return how the exchange's replies are judged."""
    check = exchange.check
    checks = tuple(_checks(exchange))
    extracts = tuple((word, _finder(rule)) for word, rule in exchange.extract.items())
    wait_text = check.wait.body_contains if check.wait else None
    return Verdict(
        check.good,
        check.sold_out or 0,
        frozenset(check.wait.status if check.wait else ()),
        None if wait_text is None else wait_text.encode(),
        checks,
        float("inf") if check.latency is None else check.latency,
        extracts,
        _reads_body(exchange),
        is_simple=not checks and not extracts and check.latency is None and wait_text is None,
    )


def _reads_body(exchange: Exchange) -> bool:
    """Return whether judging a reply, or extracting from it, needs its body."""
    check = exchange.check
    return (
        check.body_contains is not None
        or (check.wait is not None and check.wait.body_contains is not None)
        or bool(check.jsonpath)
        or any(rule.header is None for rule in exchange.extract.values())
    )


def _checks(exchange: Exchange) -> Iterator[tuple[str, Passes]]:
    """Yield what a reply is checked for beside its status, by name."""
    check = exchange.check
    for name, wanted in check.header.items():
        yield f"header_{name}", _header_is(name, wanted)
    if check.body_contains is not None:
        text = check.body_contains.encode()
        yield "body", lambda head, body: text in body
    for path, value in check.jsonpath.items():
        yield f"jsonpath_{path}", _json_is(path, value)


def _header_is(name: str, wanted: str) -> Passes:
    key, value = name.lower().encode(), wanted.encode()
    return lambda head, body: head.get(key) == value


def _json_is(path: str, wanted: object) -> Passes:
    def passes(head: Head, body: bytes) -> bool:
        found = _at_jsonpath(body, path)
        is_alike = [isinstance(value, bool) for value in found] == [isinstance(wanted, bool)]
        return is_alike and found == [wanted]

    return passes


def _finder(rule: Extract) -> Find:
    if rule.header is not None:
        name = rule.header.lower().encode()
        return lambda head, body: _text(head.get(name))
    if rule.regex is not None:
        pattern = re.compile(rule.regex)
        group = 1 if pattern.groups else 0
        return lambda head, body: _first_match(pattern, group, body)
    if rule.jsonpath is not None:
        path = rule.jsonpath
        return lambda head, body: next((_as_text(v) for v in _at_jsonpath(body, path)), None)
    selector, attribute = split_css(rule.css or "")
    return lambda head, body: _at_css(body, selector, attribute)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _as_text(value: object) -> str:
    """Return a JSON value as JSON writes it, a string without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _first_match(pattern: re.Pattern[str], group: int, body: bytes) -> str | None:
    found = pattern.search(body.decode("utf-8", "replace"))
    return found[group] if found else None


def _at_css(body: bytes, selector: str, attribute: str) -> str | None:
    node = LexborHTMLParser(body).css_first(selector)
    if node is None:
        return None
    return node.attributes.get(attribute) if attribute else node.text()


@functools.cache
def _compiled(path: str) -> Any:
    return parse_jsonpath(path)


def _at_jsonpath(body: bytes, path: str) -> list[Any]:
    try:
        return [match.value for match in _compiled(path).find(json.loads(body))]
    except (ValueError, RecursionError):
        return []
