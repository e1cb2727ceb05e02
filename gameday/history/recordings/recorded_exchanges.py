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
from gameday.history.recordings.written_exchange import Check, WrittenExchange
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
_ACTIONS = {"cart": "add_to_cart", "checkout": "place_order", "sign-in": "sign_in"}
"""Step -> what is done by what it sends last."""


class Writer(ValueWriter):
    """Writes requests as exchanges, and what they need of earlier ones into those."""

    def __init__(self, recording: Recording, secrets: SecretValues) -> None:
        super().__init__(recording, secrets)
        self._known: set[str] = set()
        """Words that stand in paths."""
        self.unsent: set[str] = set()
        """Names of headers that are a browser's own."""

    def write_step(self, name: str, requests: list[Recorded]) -> list[list[WrittenExchange]]:
        """Return a step's exchanges in groups that go out together: the first alone, others as they did."""
        groups: list[list[WrittenExchange]] = []
        ends_s = 0.0
        for number, request in enumerate(requests):
            exchange = self._write(name, request)
            if number > 1 and request.at_s < ends_s:
                groups[-1].append(exchange)
                ends_s = max(ends_s, request.ended_s)
            else:
                groups.append([exchange])
                ends_s = request.ended_s
        sent = [e for group in groups for e in group if e.method == "POST"]
        if sent and name in _ACTIONS:
            sent[-1].set_action(_ACTIONS[name])
        return groups

    def repeat_step(self, requests: list[Recorded], written: list[Recorded]) -> None:
        """Take a step's requests, done once more, for those written: later ones may need their replies."""
        for request, first in zip(requests, written, strict=True):
            self.written[id(request)] = self.written[id(first)]

    def _write(self, step: str, request: Recorded) -> WrittenExchange:
        self.where = f"{request.method} of step {step}"
        out = WrittenExchange(self._path(step, request))
        out.method = None if request.method == "GET" else request.method
        self.where = f"{request.method} {out.path}"
        names = [name for name, _ in request.query]
        pairs = self._pairs(request.query, request)
        if len(set(names)) < len(names):
            out.path += f"?{_fields_text(pairs)}"
        elif pairs:
            out.query = dict(pairs)
        out.headers = self._headers(request)
        self._write_body(request, out)
        out.check = self._check(request)
        self.written[id(request)] = out
        self.where = ""
        return out

    def _pairs(
        self, fields: tuple[tuple[str, str], ...], request: Recorded
    ) -> list[tuple[str, str]]:
        """Return the fields of a query or a form as templates."""
        return [(self._key(name), self.substitute(name, text, request)) for name, text in fields]

    def _check(self, request: Recorded) -> Check:
        """Return what is expected of the reply: what was recorded, but no fault of the server."""
        status = None
        if request.status >= 500:
            self.note(f"was answered by {request.status}: 200 is expected of it")
        elif request.status != 200:
            status = request.status
            if status >= 300:
                self.note(
                    f"was answered by {status}, which is expected of everybody: leave it out if it was a fault"
                )
        return Check(status, _good_flag(request.reply) if request.kind.endswith("json") else None)

    def _path(self, step: str, request: Recorded) -> str:
        parts = request.path.split("/")
        for index, part in enumerate(parts):
            before = parts[index - 1] if index else ""
            word = self._segment(step, part, before, request) if part else None
            if word is not None:
                self._known.add(word)
                parts[index] = "{" + word + "}"
        words = {"{" + word + "}" for word in self._known}
        return "/".join(p if p in words else quote(p, safe=_IN_PATHS) for p in parts) or "/"

    def _segment(self, step: str, part: str, before: str, request: Recorded) -> str | None:
        """Return the word for one part of a path, None where it stands as it is."""
        is_item = step == "product"
        word = self.extract(part, request, "item" if is_item else "id", _hints_of(before))
        if word is not None:
            return word
        varies = template_of(f"/{part}") == "/{id}"
        is_secret = kind_of_value(part) is not None or self._secrets.holds(part)
        is_code = _OF_TOKENS.search(before) and (varies or part != part.lower())
        if is_secret or is_code or (looks_random(part) and not is_item):
            return self.blank(f"{slug(before) or 'path'}-code").strip("{}")
        if is_item and varies:
            return self.add_choice("article", part)
        if varies and not re.fullmatch(r"v\d+", part):
            self.note(
                f"'{part}' in its path is sent as recorded, the same by everybody: no earlier reply gave it"
            )
        return None

    def _headers(self, request: Recorded) -> dict[str, str]:
        """Return the headers that are the shop's own, with words for what is not everybody's."""
        out = {}
        for name, value in request.headers:
            lower = name.lower()
            if _BROWSERS.fullmatch(name) or (lower == "accept" and "json" not in value):
                self.unsent.add(lower)
                continue
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or self._secrets.holds(name):
                self.note("a header with a name that cannot be written is left out")
            elif lower in ("accept", "x-requested-with"):
                out[name] = self.escape(value)
            else:
                out[name] = self._header(name, value, request)
        return out

    def _header(self, name: str, value: str, request: Recorded) -> str:
        """Return a header's value; of an authorization its scheme stays."""
        scheme, _, token = value.rpartition(" ")
        word = self.extract(token, request, slug(name))
        if word is not None:
            return f"{scheme} {{{word}}}".strip()
        if kind_of_name(name) in ("secret", "password"):
            self._note_cookie(name, value, request)
            return f"{scheme if scheme.isalpha() else ''} {self.blank(name)}".strip()
        return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", self.substitute(name, value, request))

    def _note_cookie(self, name: str, value: str, request: Recorded) -> None:
        cookies = "; ".join(text for header, text in request.headers if header.lower() == "cookie")
        if value and value in cookies:
            self.note(
                f"{name} repeats a cookie's value, which no word gives yet: the shop may refuse it"
            )

    def _key(self, name: str) -> str:
        return "CHANGE-ME" if self._secrets.holds(name) else name

    def _write_body(self, request: Recorded, out: WrittenExchange) -> None:
        """Write a request's body, and the Content-Type that it needs."""
        if request.form is not None:
            pairs = self._pairs(request.form, request)
            if len({name for name, _ in pairs}) == len(pairs):
                out.form = dict(pairs)
            else:
                out.body = _fields_text(pairs)
                out.headers["Content-Type"] = _FORM
        elif request.json is not None:
            self._write_json(request, out)
        elif request.body is not None:
            self._write_text(request.body, request, out)

    def _write_json(self, request: Recorded, out: WrittenExchange) -> None:
        data = self._json(request.json, request)
        is_plain = isinstance(data, dict) and not _has_numeric(data)
        if is_plain:
            out.json = data
        else:
            out.body = _json_text(data)
        if not is_plain or _type_of(request.body_kind) != "application/json":
            out.headers["Content-Type"] = _sendable_type(request, "application/json")

    def _write_text(self, text: str, request: Recorded, out: WrittenExchange) -> None:
        if not _TEXTS.search(_type_of(request.body_kind)) or "filename=" in text:
            kind = request.body_kind.partition(";")[0] or "text without a type"
            self.note(
                f"its body ({kind}, {len(text)} letters) is not written: it is sent without one"
            )
            return
        out.body = self.substitute_in_text(text)
        out.headers["Content-Type"] = _sendable_type(request, "text/plain")

    def _json(self, data: Any, request: Recorded, parents: tuple[str, ...] = ()) -> Any:
        """Return JSON with templates for its texts and numbers; `parents` are the names of what it is in."""
        if isinstance(data, dict):
            return {
                self.escape(self._key(str(key))): self._json(part, request, (*parents, str(key)))
                for key, part in data.items()
            }
        if isinstance(data, list):
            return [self._json(part, request, parents) for part in data]
        name = parents[-1] if parents else "value"
        if isinstance(data, str):
            return self.substitute(name, data, request, parents[:-1])
        if data is None or isinstance(data, bool):
            return data
        return self._number(name, data, request, parents[:-1])

    def _number(self, name: str, data: float, request: Recorded, parents: tuple[str, ...]) -> Any:
        """Return a number, or what stands for it: it is sent as a number again."""
        text = json.dumps(data)
        template = self.substitute(name, text, request, parents)
        if template == text:
            return data
        is_word = TEMPLATE_WORD.fullmatch(template) and kind_of_name(name, parents) is None
        is_choice = is_word and self.values.get(template[1:-1]) != ["CHANGE-ME"]
        return Numeric(template) if is_choice and template != "{order_key}" else template


def _hints_of(before: str) -> frozenset[str]:
    """Return what the number behind a part of a path may be called: of `/carts/7` cartid."""
    singular = re.sub(r"[^a-z0-9]", "", before.lower()).removesuffix("s")
    if not singular:
        return frozenset()
    return frozenset((f"{singular}id", f"{singular}no", f"{singular}number"))


def _type_of(content_type: str) -> str:
    """Return a content type in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def _sendable_type(request: Recorded, default: str) -> str:
    """Return the content type as it was sent; the default where that cannot be written."""
    kind = request.body_kind
    return kind if kind.isprintable() and kind and not TEMPLATE_WORD.search(kind) else default


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
