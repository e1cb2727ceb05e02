"""Recorded requests as exchanges: what a reply gave is extracted there, what is secret is not written."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

from gameday.history.importers.url_proposal import template_of
from gameday.history.recordings.har import Recorded, Recording
from gameday.history.recordings.recorded_values import Numeric, ValueWriter, slug
from gameday.history.recordings.secrets import (
    SecretValues,
    kind_of_name,
    kind_of_value,
    looks_random,
)
from gameday.scenario.blocks import TEMPLATE_WORD

__all__ = ["Writer"]

_FORM = "application/x-www-form-urlencoded"
_BROWSERS = re.compile(
    r"^(:.*|host|connection|keep-alive|content-length|transfer-encoding|te|trailer|upgrade.*|expect|user-agent|"
    r"accept-(encoding|language|charset)|referer|origin|sec-.*|cache-control|pragma|if-.*|range|dnt|priority|purpose|"
    r"save-data|via|forwarded|x-forwarded-.*|proxy-.*|alt-used|x-client-data|traceparent|tracestate|baggage|"
    r"sentry-trace|newrelic|x-datadog-.*|x-b3-.*|x-gameday.*|x-synthetic|content-type|cookie)$",
    re.IGNORECASE,
)
"""Headers that a browser, its cache or a tracer adds: customers' connections have their own."""
_OF_TOKENS = re.compile(
    r"reset|verif|confirm|token|invit|activat|magic|unsubscribe|session|auth|key|password", re.I
)
"""What stands in a path before a code that only one person was sent."""
_TEXTS = re.compile(r"xml|graphql|^multipart/form-data", re.IGNORECASE)
"""Types of bodies whose values have names, so that secrets are found in them."""
_IN_PATHS = "%:@!$&'()*+,;=~"
"""Letters that stand in a path as they are, besides those that always do (RFC 3986)."""


class Writer(ValueWriter):
    """Writes requests as exchanges, and what they need of earlier ones into those."""

    def __init__(self, recording: Recording, secrets: SecretValues) -> None:
        super().__init__(recording, secrets)
        self._known: set[str] = set()
        """Words that stand in paths."""
        self.unsent: set[str] = set()
        """Names of headers that are a browser's own."""

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
        sent = [e for group in groups for e in group if e.get("method") == "POST"]
        action = {"cart": "add_to_cart", "checkout": "place_order", "sign-in": "sign_in"}.get(name)
        if sent and action:
            sent[-1]["action"] = action
        return [group[0] if len(group) == 1 else group for group in groups]

    def again(self, requests: list[Recorded], written: list[Recorded]) -> None:
        """Take a step's requests, done once more, for those written: later ones may need their replies."""
        for one, first in zip(requests, written, strict=True):
            self.written[id(one)] = self.written[id(first)]

    def _exchange(self, step: str, one: Recorded) -> dict[str, Any]:
        self.where = f"{one.method} of step {step}"
        out: dict[str, Any] = {} if one.method == "GET" else {"method": one.method}
        out["path"] = self._path(step, one)
        self.where = f"{one.method} {out['path']}"
        names = [name for name, _ in one.query]
        pairs = [(self._key(name), self.said(name, value, one)) for name, value in one.query]
        if len(set(names)) < len(names):
            out["path"] += f"?{_fields_text(pairs)}"
        elif pairs:
            out["query"] = dict(pairs)
        headers = self._headers(one)
        headers |= self._body(one, out)
        if headers:
            out["headers"] = headers
        if check := self._check(one):
            out["check"] = check
        self.written[id(one)] = out
        self.where = ""
        return out

    def _check(self, one: Recorded) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if one.status >= 500:
            self.note(f"was answered by {one.status}: 200 is expected of it")
        elif one.status != 200:
            out["status"] = [one.status]
            if one.status >= 300:
                self.note(
                    f"was answered by {one.status}, which is expected of everybody: leave it out if it was a fault"
                )
        if one.kind.endswith("json") and (good := _good_flag(one.reply)):
            out["jsonpath"] = {good: True}
        return out

    def _path(self, step: str, one: Recorded) -> str:
        parts = one.path.split("/")
        for at, part in enumerate(parts):
            before = parts[at - 1] if at else ""
            word = self._segment(step, part, before, one) if part else None
            if word is not None:
                self._known.add(word)
                parts[at] = "{" + word + "}"
        words = {"{" + word + "}" for word in self._known}
        return "/".join(p if p in words else quote(p, safe=_IN_PATHS) for p in parts) or "/"

    def _segment(self, step: str, part: str, before: str, one: Recorded) -> str | None:
        """Return the word for one part of a path, None where it stands as it is."""
        is_item = step == "product"
        singular = re.sub(r"[^a-z0-9]", "", before.lower()).removesuffix("s")
        hints = (
            frozenset((f"{singular}id", f"{singular}no", f"{singular}number"))
            if singular
            else frozenset()
        )
        word = self.taken(part, one, "item" if is_item else "id", hints)
        varies = template_of(f"/{part}") == "/{id}"
        is_secret = kind_of_value(part) is not None or self._secrets.holds(part)
        is_code = _OF_TOKENS.search(before) and (varies or part != part.lower())
        if word is not None:
            return word
        if is_secret or is_code or (looks_random(part) and not is_item):
            return self.blank(f"{slug(before) or 'path'}-code").strip("{}")
        if is_item and varies:
            return self.value("article", part)
        if varies and not re.fullmatch(r"v\d+", part):
            self.note(
                f"'{part}' in its path is sent as recorded, the same by everybody: no earlier reply gave it"
            )
        return None

    def _headers(self, one: Recorded) -> dict[str, str]:
        out = {}
        for name, value in one.headers:
            lower = name.lower()
            if _BROWSERS.fullmatch(name) or (lower == "accept" and "json" not in value):
                self.unsent.add(lower)
                continue
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or self._secrets.holds(name):
                self.note("a header with a name that cannot be written is left out")
            elif lower in ("accept", "x-requested-with"):
                out[name] = self.literal(value)
            else:
                out[name] = self._header(name, value, one)
        return out

    def _header(self, name: str, value: str, one: Recorded) -> str:
        """Return a header's value; of an authorization its scheme stays."""
        scheme, _, token = value.rpartition(" ")
        word = self.taken(token, one, slug(name))
        if word is not None:
            return f"{scheme} {{{word}}}".strip()
        if kind_of_name(name) in ("secret", "password"):
            self._say_cookie(name, value, one)
            return f"{scheme if scheme.isalpha() else ''} {self.blank(name)}".strip()
        return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", self.said(name, value, one))

    def _say_cookie(self, name: str, value: str, one: Recorded) -> None:
        cookies = "; ".join(text for header, text in one.headers if header.lower() == "cookie")
        if value and value in cookies:
            self.note(
                f"{name} repeats a cookie's value, which no word gives yet: the shop may refuse it"
            )

    def _key(self, name: str) -> str:
        return "CHANGE-ME" if self._secrets.holds(name) else name

    def _body(self, one: Recorded, out: dict[str, Any]) -> dict[str, str]:
        """Write a request's body; return the headers it needs."""
        kind = one.body_kind.partition(";")[0].strip().lower()
        if one.form is not None:
            pairs = [(self._key(name), self.said(name, value, one)) for name, value in one.form]
            if len({name for name, _ in pairs}) == len(pairs):
                out["form"] = dict(pairs)
                return {}
            out["body"] = _fields_text(pairs)
            return {"Content-Type": _FORM}
        if one.json is not None:
            data = self._json(one.json, one)
            is_plain = isinstance(data, dict) and not _has_numeric(data)
            out["json" if is_plain else "body"] = data if is_plain else _json_text(data)
            known = "application/json" if not is_plain or kind != "application/json" else ""
            return {"Content-Type": self._type(one, known)} if known else {}
        if one.body is None:
            return {}
        if not _TEXTS.search(kind) or "filename=" in one.body:
            what = one.body_kind.partition(";")[0] or "text without a type"
            self.note(
                f"its body ({what}, {len(one.body)} letters) is not written: it is sent without one"
            )
            return {}
        out["body"] = self.text(one.body)
        return {"Content-Type": self._type(one, "text/plain")}

    def _type(self, one: Recorded, default: str) -> str:
        kind = one.body_kind
        return kind if kind.isprintable() and kind and not TEMPLATE_WORD.search(kind) else default

    def _json(self, data: Any, one: Recorded, parents: tuple[str, ...] = ()) -> Any:
        if isinstance(data, dict):
            return {
                self.literal(self._key(str(key))): self._json(part, one, (*parents, str(key)))
                for key, part in data.items()
            }
        if isinstance(data, list):
            return [self._json(part, one, parents) for part in data]
        name = parents[-1] if parents else "value"
        if isinstance(data, str):
            return self.said(name, data, one, parents[:-1])
        if data is None or isinstance(data, bool):
            return data
        return self._number(name, data, one, parents[:-1])

    def _number(self, name: str, data: float, one: Recorded, parents: tuple[str, ...]) -> Any:
        """Return a number, or what stands for it: it is sent as a number again."""
        text = json.dumps(data)
        said = self.said(name, text, one, parents)
        if said == text:
            return data
        is_word = TEMPLATE_WORD.fullmatch(said) and kind_of_name(name, parents) is None
        is_choice = is_word and self.values.get(said[1:-1]) != ["CHANGE-ME"]
        return Numeric(said) if is_choice and said != "{order_key}" else said


def _fields_text(pairs: list[tuple[str, str]]) -> str:
    """Return fields as a query is written, their words kept."""
    texts = []
    for name, value in pairs:
        parts = TEMPLATE_WORD.split(value)
        parts[::2] = [quote_plus(part) for part in parts[::2]]
        parts[1::2] = ["{" + word + "}" for word in parts[1::2]]
        texts.append(f"{quote_plus(name)}={''.join(parts)}")
    return "&".join(texts)


def _has_numeric(data: Any) -> bool:
    if isinstance(data, dict | list):
        return any(
            _has_numeric(part) for part in (data.values() if isinstance(data, dict) else data)
        )
    return isinstance(data, Numeric)


def _json_text(data: Any) -> str:
    """Return JSON as a template whose numeric words stand without quotes."""
    if isinstance(data, dict):
        rows = (
            f"{json.dumps(key, ensure_ascii=False)}: {_json_text(part)}"
            for key, part in data.items()
        )
        return "{" + ", ".join(rows) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(_json_text, data)) + "]"
    return str(data) if isinstance(data, Numeric) else json.dumps(data, ensure_ascii=False)


def _good_flag(text: str) -> str | None:
    """Return the flag of a JSON reply that says that all is well."""
    found = re.search(r'"(ok|success|added|accepted)"\s*:\s*true', text)
    return f"$.{found[1]}" if found and text.lstrip().startswith("{") else None
