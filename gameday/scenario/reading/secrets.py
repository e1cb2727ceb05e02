"""The secrets of a scenario, which are masked (***) in everything that a run leaves.

A text is a secret by the name it stands under (`Authorization`, `password`, `api_key`), by its looks (eight
characters or more, letters and digits mixed), or by where it stands: the password in a URL, the environment.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from gameday.scenario.blocks.steps import TEMPLATE_WORD
from gameday.scenario.model import Scenario
from gameday.scenario.reading.assets import Assets

__all__ = ["MASK", "Secrets", "secrets_of"]

MASK = "***"
_NAME = re.compile(
    r"pass|pwd|secret|token|auth|api[-_]?key|access[-_]?key|private[-_]?key|credential|signature|cookie|session"
    r"|cvv|cvc|card|iban|ssn|\botp\b|\bpin\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s\"'<>&=,;?/\\(){}\[\]:|]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PAIR = re.compile(r"[\"']?([A-Za-z_][\w.-]*)[\"']?\s*[=:]\s*[\"']?([^&\"'\s,}]+)")
_USER_INFO = re.compile(r"(?<=://)[^/\s@\"']+(?=@)")
_SCHEMES = frozenset({"bearer", "basic", "digest", "token", "apikey"})
"""Words before credentials in a header, which are none."""
_LEAST, _LEAST_NAMED, _LONG = 8, 6, 24
"""Characters: of what looks like a secret; of one that its name tells, so that a common word is not masked all
over a report; of one without digits. Ours."""


@dataclass(frozen=True)
class Secrets:
    """Texts that are masked wherever they stand."""

    texts: frozenset[str]
    """Looked for anywhere; as they are, and as JSON, HTML and URLs write them."""
    cells: frozenset[str]
    """Of feeds: looked for as whole tokens, as there may be very many."""

    def mask(self, text: str) -> str:
        """Return `text` with every secret, and every user and password of a URL, masked."""
        text = _USER_INFO.sub(MASK, text)
        for secret in sorted(self.texts, key=len, reverse=True):
            if secret.isdecimal():  # a card's number, and no part of a longer one
                text = re.sub(rf"(?<![\w.]){secret}(?![\w.])", MASK, text)
            else:
                text = text.replace(secret, MASK)
        if self.cells:
            text = _TOKEN.sub(lambda m: MASK if m[0] in self.cells else m[0], text)
        return text

    def mask_json(self, text: str) -> str:
        """Return JSON with its texts masked; its numbers stay, though a secret may have the same digits."""
        return json.dumps(self._masked(json.loads(text)), ensure_ascii=False)

    def _masked(self, data: Any) -> Any:
        if isinstance(data, str):
            return self.mask(data)
        if isinstance(data, dict):
            return {self.mask(key): self._masked(value) for key, value in data.items()}
        return [self._masked(value) for value in data] if isinstance(data, list) else data

    def masked_scenario(self, scenario: Scenario) -> str:
        """Return a scenario as JSON in which values of secret names are masked, however short they are."""
        data = json.loads(scenario.model_dump_json(by_alias=True))
        for block in (data.get("steps"), data.get("products"), data.get("values")):
            _mask_named(block)
        return json.dumps(self._masked(data), indent=1, ensure_ascii=False)


def secrets_of(scenario: Scenario, assets: Assets, environment: Mapping[str, str]) -> Secrets:
    """Return the secrets of a run of `scenario`; `environment`: its variables, name -> value."""
    data = scenario.model_dump(mode="json", by_alias=True)
    found = _secrets_of_blocks(data) | _secrets_of_environment(environment)
    known = _names_of(data)
    cells = {form for cell in _secret_cells(assets) - known for form in _written_forms(cell)}
    tokens = {form for form in cells if _TOKEN.fullmatch(form)}
    texts = {form for text in found - known for form in _written_forms(text)}
    return Secrets(frozenset(texts | (cells - tokens)), frozenset(tokens))


def _secrets_of_blocks(data: Any) -> set[str]:
    """Return the secrets in what customers send, and users and passwords in any URL of the scenario."""
    found = set[str]()
    headers = data["observe"].get("headers")
    for name, value in _leaves(
        [data.get("steps"), data.get("products"), data.get("values"), headers]
    ):
        found |= _secrets_in(name, value)
    for _, value in _leaves([data]):
        found |= {p for m in _USER_INFO.findall(value) for p in m.split(":") if len(p) >= 4}
    return found


def _secrets_of_environment(environment: Mapping[str, str]) -> set[str]:
    """Return values of variables with a secret's name; a path is none."""
    return {
        value
        for name, value in environment.items()
        if _NAME.search(name) and len(value) >= _LEAST and not value.startswith("/")
    }


def _secret_cells(assets: Assets) -> set[str]:
    return {
        cell
        for columns in assets.feeds.values()
        for column, values in columns.items()
        for cell in values
        if _looks_secret(cell) or (_NAME.search(column) and len(cell) >= _LEAST_NAMED)
    }


def _written_forms(text: str) -> set[str]:
    """Return a text as it is, and as JSON, HTML and URLs write it."""
    in_json = json.dumps(text)[1:-1]
    urls = {quote(text), quote_plus(text), quote(text, safe="")}
    return urls | {
        text,
        in_json,
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
        html.escape(in_json),
    }


def _secrets_in(name: str, value: str) -> set[str]:
    """Return what is secret in one value of a field or header of this name."""
    found = set[str]()
    is_named = bool(_NAME.search(name))
    for literal in TEMPLATE_WORD.split(value)[::2]:
        found |= {
            token
            for token in _TOKEN.findall(literal)
            if token.lower() not in _SCHEMES
            and (_looks_secret(token) or (is_named and len(token) >= _LEAST_NAMED))
        }
        if is_named and len(literal.strip()) >= _LEAST:
            found.add(literal.strip())
        pairs = _PAIR.findall(literal)
        found |= {t for field, t in pairs if _NAME.search(field) and len(t) >= _LEAST_NAMED}
    return found


def _looks_secret(token: str) -> bool:
    has_both = any(map(str.isdigit, token)) and any(map(str.isalpha, token))
    if _DATE.match(token) or any(map(str.isspace, token)):
        return False
    return len(token) >= _LEAST and (has_both or len(token) >= _LONG)


def _leaves(blocks: Iterable[Any], name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in plain data with the name it stands under; a choice's texts are its keys."""
    for block in blocks:
        if isinstance(block, str):
            yield name, block
        elif isinstance(block, dict):
            for key, value in block.items():
                if key == "choice" and isinstance(value, dict):
                    yield from ((name, text) for text in value)
                yield from _leaves([value], key if not isinstance(value, list) else name or key)
        elif isinstance(block, list):
            yield from _leaves(block, name)


def _mask_named(block: Any) -> None:
    """Mask, in place, the literal parts of headers and fields whose name is a secret's."""
    for key, value in block.items() if isinstance(block, dict) else ():
        if key in ("headers", "query", "form", "json") and isinstance(value, dict):
            _mask_fields(value)
        _mask_named(value)
    for value in block if isinstance(block, list) else ():
        _mask_named(value)


def _mask_fields(fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _mask_fields(value)
        elif isinstance(value, (str, int)) and not isinstance(value, bool) and _NAME.search(name):
            parts = TEMPLATE_WORD.split(str(value))
            shown = (MASK if part else "" for part in parts[::2])
            words = ["{" + word + "}" for word in parts[1::2]]
            fields[name] = "".join(a + b for a, b in zip(shown, [*words, ""], strict=True))


def _names_of(data: Any) -> frozenset[str]:
    """Return the scenario's own names, which are never masked: a report needs them."""
    out = {str(data["event"]["name"])}
    for block in (
        "regions",
        "journeys",
        "steps",
        "services",
        "products",
        "launches",
        "values",
        "feeds",
    ):
        out |= set(data.get(block) or {})
    for region in (data.get("regions") or {}).values():
        out.add(str(region.get("stack")))
    out |= set((data.get("capacity") or {}).get("instances") or {})
    return frozenset(out)
