"""Recorded requests as exchanges: what a reply gave is extracted there, what is secret is not written."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import quote

from gameday.history.har import Recorded, Recording
from gameday.history.replied import place_of
from gameday.history.url_proposal import template_of
from gameday.scenario.cross_checks import CUSTOMER_WORDS

__all__ = ["Writer"]

_PASSWORD = re.compile(r"pass|pwd", re.IGNORECASE)
_SECRET = re.compile(
    r"secret|\bpin\b|cvv|cvc|card|iban|ssn|otp|api[-_]?key|token|auth|signature|session",
    re.IGNORECASE,
)
"""Names of what is nobody's business; its value is not written unless a reply gave it."""
_PERSON = re.compile(r"e?-?mail|user|login|account|^name$", re.IGNORECASE)
_SOUGHT = re.compile(r"^(q|query|search|term|s|keyword)s?$", re.IGNORECASE)
_ITEM = re.compile(r"product|item|sku|article|variant", re.IGNORECASE)
_ASKED_HEADERS = re.compile(
    r"^(x-(?!gameday|synthetic).*|authorization|idempotency-key|accept)$", re.IGNORECASE
)
_PLAIN_HEADERS = frozenset(("accept", "x-requested-with"))
"""Headers whose values are written as they were; of others only what a reply gave."""


class Writer:
    """Writes requests as exchanges, and what they need of earlier ones into those."""

    def __init__(self, recording: Recording) -> None:
        self._requests = recording.requests
        self._written: dict[int, dict[str, Any]] = {}
        self._words: dict[str, str] = {}
        self._known: set[str] = set()
        """Words that stand in paths."""
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
            self._note(
                f"{one.method} {one.path}: its body is neither form nor JSON and is not written"
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
                self._known.add(word)
                parts[at] = "{" + word + "}"
        words = {"{" + word + "}" for word in self._known}
        return "/".join(p if p in words else quote(p, safe=_IN_PATHS) for p in parts) or "/"

    def _headers(self, one: Recorded) -> dict[str, str]:
        out = {}
        for name, value in one.headers:
            if not _ASKED_HEADERS.fullmatch(name) or (
                name.lower() == "accept" and "json" not in value
            ):
                continue
            scheme, _, token = value.rpartition(" ")
            word = self._taken(token, one, _slug(name))
            if name.lower() == "idempotency-key":
                out[name] = "{order_key}"
            elif word is not None:
                out[name] = f"{scheme} {{{word}}}".strip()
            elif name.lower() in _PLAIN_HEADERS and "{" not in value:
                out[name] = value
            else:
                self._note(
                    f"{one.method} {one.path}: its {name} came from no reply; say where from"
                )
        return out

    def _json(self, data: Any, one: Recorded, name: str = "") -> Any:
        if isinstance(data, dict):
            return {key: self._json(part, one, str(key)) for key, part in data.items()}
        if isinstance(data, list):
            return [self._json(part, one, name) for part in data]
        if isinstance(data, str):
            return self._said(name, data, one)
        is_secret = _SECRET.search(name) or _PASSWORD.search(name)
        return self._said(name, str(data), one) if is_secret and data is not None else data

    def _said(self, name: str, value: str, one: Recorded) -> str:
        """Return what stands for a field's value: the customer's own, an earlier reply's, or itself."""
        if _PASSWORD.search(name):
            self._note(
                f"{one.method} {one.path}: {name} is {{password}}; sign-ins need accounts, as by `feeds`"
            )
            return "{password}"
        word = self._taken(value, one, _slug(name))
        if word is not None:
            return "{" + word + "}"
        if _SECRET.search(name) and value:
            self._note(
                f"{one.method} {one.path}: {name} is not written; put test values under `values`"
            )
            return "{" + self._value(_slug(name), _BLANK) + "}"
        if _PERSON.search(name) and value:
            return "{customer}"
        if value and (_SOUGHT.search(name) or _ITEM.search(name)):
            return "{" + self._value(_slug(name), value) + "}"
        return value.replace("{", "(").replace("}", ")")

    def _value(self, wanted: str, value: str) -> str:
        """Return the word for what was chosen; the value is its first choice, others can be added."""
        is_free = re.fullmatch(r"[a-z][a-z0-9_-]*", wanted) and wanted not in CUSTOMER_WORDS
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
        word = f"{base}-{number + 1}" if number or base in CUSTOMER_WORDS else base
        while word in self.values or word in self._words:
            word += "-2"
        self._words[word] = base
        return word


_IN_PATHS = "%:@!$&'()*+,;=~"
"""Letters that stand in a path as they are, besides those that always do (RFC 3986)."""
_BLANK = "CHANGE-ME"
"""Stands where a secret was."""


def _slug(name: str) -> str:
    """Return a field's name as a word may be written."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _good_flag(text: str) -> str | None:
    """Return the flag of a JSON reply that says that all is well."""
    found = re.search(r'"(ok|success|added|accepted)"\s*:\s*true', text)
    return f"$.{found[1]}" if found and text.lstrip().startswith("{") else None


def _action(step: str) -> str | None:
    return {"cart": "add_to_cart", "checkout": "place_order", "sign-in": "sign_in"}.get(step)
