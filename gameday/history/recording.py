"""A recording to steps: what is a page and its calls, what came from earlier replies, what a person typed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gameday.history.har import Recorded, Recording
from gameday.history.replied import place_of
from gameday.history.urls import named_step, template_of
from gameday.scenario.steps import TEMPLATE_WORD

__all__ = ["Proposal", "propose_steps"]

_THINKS_S = 1.0
"""Silence after which the next request is a person's doing, not the page's. Ours."""
_SECRET = re.compile(r"pass|pwd|secret|pin\b|cvv|cvc", re.IGNORECASE)
_PERSON = re.compile(r"e?-?mail|user|login|account|^name$", re.IGNORECASE)
_SOUGHT = re.compile(r"^(q|query|search|term|s|keyword)s?$", re.IGNORECASE)
_ITEM = re.compile(r"product|item|sku|article|variant", re.IGNORECASE)
_KEPT_HEADERS = re.compile(
    r"^(x-(?!gameday|synthetic).*|authorization|idempotency-key|accept)$", re.IGNORECASE
)


@dataclass
class Proposal:
    """What a recording comes to, in plain data as a scenario writes it."""

    steps: dict[str, Any] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    """Steps as they were done."""
    pauses: dict[str, list[float]] = field(default_factory=dict)
    """Step -> pauses after it, s."""
    values: dict[str, Any] = field(default_factory=dict)
    """Words for what was searched and which articles were asked for: one choice each, to be added to."""
    notes: list[str] = field(default_factory=list)
    """What was guessed, or should be read over."""


def propose_steps(recording: Recording) -> Proposal:
    """Return the steps of a recording, each by its first time: exchanges, checks, and what they take from replies.

    No cookie and no password is written: customers keep their own cookies, and have passwords of their own.
    """
    out, writer = Proposal(), _Writer(recording)
    before: list[Recorded] = []
    for requests in _steps(recording.requests):
        name = _name(requests, out.steps)
        if before:
            pause = max(0.0, requests[0].at_s - max(one.ended_s for one in before))
            out.pauses.setdefault(out.order[-1], []).append(round(pause, 1))
        if name not in out.steps:
            out.steps[name] = {"exchanges": writer.exchanges(name, requests)}
        else:
            writer.again(out.steps[name], requests)
        out.order.append(name)
        before = requests
    out.values = {
        word: {"choice": texts, "drawn": "session"} for word, texts in writer.values.items()
    }
    out.notes = [
        *(f"{n} requests left out: {why}" for why, n in recording.left_out.items()),
        *writer.notes,
    ]
    return out


def _steps(requests: tuple[Recorded, ...]) -> list[list[Recorded]]:
    """Return the requests step by step: a page and what it asks for; a form and what sends it."""
    out: list[list[Recorded]] = []
    for one in requests:
        rests = not out or one.at_s - max(r.ended_s for r in out[-1]) > _THINKS_S
        sends_form = (
            bool(out)
            and one.method == "POST"
            and one.path == out[-1][0].path
            and out[-1][0].method == "GET"
        )
        if out and (sends_form or not (rests or (one.is_page and not _has_api(one)))):
            out[-1].append(one)
        else:
            out.append([one])
    return out


def _has_api(one: Recorded) -> bool:
    return any(name.lower() == "x-requested-with" for name, _ in one.headers)


def _name(requests: list[Recorded], known: dict[str, Any]) -> str:
    """Return a step's name by its paths; the same paths have the same name."""
    template = template_of(requests[0].path) or requests[0].path
    name = named_step(template)
    if name is None:
        words = [
            part for part in re.split(r"[^a-z0-9]+", template.lower()) if part and part != "id"
        ]
        name = "-".join(words[-2:])[:40] or "home"
        name = name if name[0].isalpha() else f"page-{name}"[:40]
    places = [(one.method, template_of(one.path)) for one in requests]
    tried, number = name, 1
    while tried in known and not _alike(known[tried], places):
        number += 1
        tried = f"{name}-{number}"[:40]
    return tried


def _alike(step: dict[str, Any], places: list[tuple[str, str | None]]) -> bool:
    """Return whether a step begins with the same request."""
    first = step["exchanges"][0]
    first = first[0] if isinstance(first, list) else first
    path = template_of(re.sub(r"\{[^}]*\}", "1", first["path"]))
    return (first.get("method", "GET"), path) == places[0]


class _Writer:
    """Writes requests as exchanges, and what they need of earlier ones into those."""

    def __init__(self, recording: Recording) -> None:
        self._requests = recording.requests
        self._written: dict[int, dict[str, Any]] = {}
        self._words: dict[str, str] = {}
        self.values: dict[str, list[str]] = {}
        self.notes: list[str] = []

    def exchanges(self, name: str, requests: list[Recorded]) -> list[Any]:
        """Return a step's exchanges: the first alone, behind it together what went out together."""
        groups: list[list[Any]] = []
        ends_s = 0.0
        for number, one in enumerate(requests):
            exchange = self._exchange(name, one)
            if number > 1 and one.at_s < ends_s:
                groups[-1].append(exchange)
                ends_s = max(ends_s, one.ended_s)
            else:
                groups.append([exchange])
                ends_s = one.ended_s
        return [group[0] if len(group) == 1 else group for group in groups]

    def again(self, step: dict[str, Any], requests: list[Recorded]) -> None:
        """Take a step's requests, done once more, for those written: later ones may need their replies."""
        written = [
            e
            for group in step["exchanges"]
            for e in (group if isinstance(group, list) else [group])
        ]
        for one, exchange in zip(requests, written, strict=False):
            self._written[id(one)] = exchange

    def _exchange(self, step: str, one: Recorded) -> dict[str, Any]:
        out: dict[str, Any] = {} if one.method == "GET" else {"method": one.method}
        out["path"] = self._path(step, one)
        if one.query:
            out["query"] = {name: self._said(name, value, one) for name, value in one.query}
        if headers := self._headers(one):
            out["headers"] = headers
        if one.form is not None:
            out["form"] = {name: self._said(name, value, one) for name, value in one.form}
        elif one.json is not None:
            out["json"] = self._json(one.json, one)
        elif one.body is not None:
            out["body"] = one.body
            if TEMPLATE_WORD.search(one.body):
                self.notes.append(
                    f"{one.method} {one.path}: its body holds what reads as a word; see to it"
                )
        check: dict[str, Any] = {} if one.status == 200 else {"status": [one.status]}
        if one.kind.endswith("json") and (good := _good_flag(one.reply)):
            check["jsonpath"] = {good: True}
        if check:
            out["check"] = check
        if one.method == "POST" and (action := _action(step)):
            out["action"] = action
        self._written[id(one)] = out
        return out

    def _path(self, step: str, one: Recorded) -> str:
        parts = one.path.split("/")
        for at, part in enumerate(parts):
            word = self._taken(part, one, "item" if step == "product" else "id")
            if word is None and step == "product" and template_of(f"/{part}") == "/{id}":
                word = self._value("article", part)
            if word is not None:
                parts[at] = "{" + word + "}"
        return "/".join(parts).replace(" ", "%20") or "/"

    def _headers(self, one: Recorded) -> dict[str, str]:
        out = {}
        for name, value in one.headers:
            if not _KEPT_HEADERS.fullmatch(name) or (
                name.lower() == "accept" and "json" not in value
            ):
                continue
            scheme, _, token = value.rpartition(" ")
            word = self._taken(token, one, re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))
            if name.lower() == "idempotency-key":
                out[name] = "{order_key}"
            elif word is not None:
                out[name] = f"{scheme} {{{word}}}".strip()
            elif name.lower() == "authorization":
                self.notes.append(
                    f"{one.method} {one.path}: its Authorization came from no reply; say where from"
                )
            elif "{" not in value:
                out[name] = value
        return out

    def _json(self, data: Any, one: Recorded, name: str = "") -> Any:
        if isinstance(data, dict):
            return {key: self._json(part, one, str(key)) for key, part in data.items()}
        if isinstance(data, list):
            return [self._json(part, one, name) for part in data]
        return self._said(name, data, one) if isinstance(data, str) else data

    def _said(self, name: str, value: str, one: Recorded) -> str:
        """Return what stands for a field's value: the customer's own, an earlier reply's, or itself."""
        if _SECRET.search(name):
            self._note(
                f"{one.method} {one.path}: {name} is {{password}}; sign-ins need accounts, as by `feeds`"
            )
            return "{password}"
        word = self._taken(value, one, re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))
        if word is not None:
            return "{" + word + "}"
        if _PERSON.search(name) and value:
            return "{customer}"
        if value and (_SOUGHT.search(name) or _ITEM.search(name)):
            return (
                "{" + self._value(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), value) + "}"
            )
        return value.replace("{", "(").replace("}", ")")

    def _value(self, wanted: str, value: str) -> str:
        """Return the word for what was chosen; the value is its first choice, others can be added."""
        is_free = re.fullmatch(r"[a-z][a-z0-9_-]*", wanted) and wanted not in _CUSTOMERS
        word = wanted if is_free else f"any-{wanted}"
        texts = self.values.setdefault(word, [])
        if value not in texts:
            texts.append(value)
        return word

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _taken(self, value: str, one: Recorded, wanted: str) -> str | None:
        """Return the word for a value that an earlier reply gave, to be extracted there; None: none did."""
        earlier = [r for r in self._requests if r.ended_s <= one.at_s and id(r) in self._written]
        for reply in reversed(earlier):
            place = place_of(value, reply)
            if place is not None:
                extracts = self._written[id(reply)].setdefault("extract", {})
                known = next((word for word, rule in extracts.items() if rule == place), None)
                if known is None:
                    known = self._word(wanted)
                    extracts[known] = place
                return known
        return None

    def _word(self, wanted: str) -> str:
        base = wanted if re.fullmatch(r"[a-z][a-z0-9_-]*", wanted) else "value"
        number = Counter(self._words.values())[base]
        word = f"{base}-{number + 1}" if number or base in _CUSTOMERS else base
        while word in self.values or word in self._words:
            word += "-2"
        self._words[word] = base
        return word


_CUSTOMERS = frozenset(
    ("customer", "password", "product", "product_type", "term", "order_key", "region", "run")
)
"""Words every customer has already."""


def _good_flag(text: str) -> str | None:
    """Return the flag of a JSON reply that says that all is well."""
    found = re.search(r'"(ok|success|added|accepted)"\s*:\s*true', text)
    return f"$.{found[1]}" if found and text.lstrip().startswith("{") else None


def _action(step: str) -> str | None:
    return {"cart": "add_to_cart", "checkout": "place_order", "sign-in": "sign_in"}.get(step)
