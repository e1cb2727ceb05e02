"""Where a value that is sent stood in an earlier reply: the extraction that a scenario needs for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from gameday.history.recordings.har_entries import Recorded

__all__ = ["find_extraction"]

_LEAST = 6
"""Shorter values occur in a reply by chance."""
_LEAST_LETTERS = 16
"""The same for values of letters alone, which may be common words."""
_AROUND, _LEAST_BEFORE = 40, 3
"""Length of the text before a value by which a pattern finds it: at most, and at least."""


def find_extraction(
    value: str, reply: Recorded, hints: frozenset[str] = frozenset()
) -> dict[str, str] | None:
    """Return the extraction that gives `value` from a reply, as a scenario writes it; None: it is not there.

    A short value is sought only in JSON, under one of the names `hints`, small letters and digits alone.
    """
    is_short = len(value) < _LEAST or (value.isalpha() and len(value) < _LEAST_LETTERS)
    if not value or (is_short and not hints):
        return None
    if reply.kind.endswith("json"):
        return _in_json(value, reply, hints if is_short else None)
    if is_short:
        return None
    if value in reply.reply:
        found = _in_html(value, reply.reply) if reply.is_page else None
        return found or _in_text(value, reply.reply)
    return _in_headers(value, reply)


def _in_headers(value: str, reply: Recorded) -> dict[str, str] | None:
    for name, text in reply.reply_headers:
        if text == value and name.lower() not in ("set-cookie", "date", "location"):
            return {"header": name}
    return None


def _in_json(value: str, reply: Recorded, hints: frozenset[str] | None) -> dict[str, str] | None:
    try:
        data = json.loads(reply.reply)
    except ValueError:
        return None
    resource = reply.path.rstrip("/").rpartition("/")[2].removesuffix("s")
    for path, leaf in _leaves(data, "$"):
        if _as_sent(leaf) == value and (hints is None or hints & _names(path, resource)):
            return {"jsonpath": path}
    return None


def _as_sent(leaf: Any) -> str:
    return leaf if isinstance(leaf, str) else json.dumps(leaf)


def _names(path: str, resource: str) -> set[str]:
    """Return what the value at a JSONPath may be called: `$.cart.id` is `cartid`, and so is `$.id` of /cart."""
    parts = [re.sub(r"[^a-z0-9]", "", p.lower()) for p in re.findall(r"[^.\[\]'$]+", path)]
    words = [p for p in parts if not p.isdigit()]
    if not words:
        return set()
    parent = words[-2] if len(words) > 1 else re.sub(r"[^a-z0-9]", "", resource.lower())
    return {words[-1], parent.removesuffix("s") + words[-1]} - {"id"}


def _leaves(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for name, part in data.items():
            plain = re.fullmatch(r"[A-Za-z_]\w*", str(name))
            yield from _leaves(part, f"{path}.{name}" if plain else f"{path}['{name}']")
    elif isinstance(data, list):
        for number, part in enumerate(data):
            yield from _leaves(part, f"{path}[{number}]")
    elif isinstance(data, str | int | float) and not isinstance(data, bool):
        yield path, data


def _in_html(value: str, text: str) -> dict[str, str] | None:
    """Return a hidden field or a meta tag that has the value, if one can be named."""
    for tag, attribute in (("input", "value"), ("meta", "content")):
        for node in LexborHTMLParser(text).css(tag):
            name = node.attributes.get("name")
            if node.attributes.get(attribute) == value and name and re.fullmatch(r"[\w.:-]+", name):
                return {"css": f'{tag}[name="{name}"]@{attribute}'}
    return None


def _word_starts(line: str) -> list[int]:
    """Return where a line and its words begin."""
    return [i for i in range(len(line)) if i == 0 or line[i - 1] in " <>\"'=:;,&?("]


def _in_text(value: str, text: str) -> dict[str, str] | None:
    """Return a pattern by the shortest of what stands before the value on its line that finds it first."""
    first = text.index(value)
    line = text[max(0, first - _AROUND) : first].rpartition("\n")[2]
    behind = re.escape(text[first + len(value) :][:1].strip())
    for begin in reversed(_word_starts(line)):
        before = line[begin:]
        pattern = f"{re.escape(before)}({_letters(value)}){behind}"
        found = re.search(pattern, text)
        if len(before.strip()) >= _LEAST_BEFORE and found and found[1] == value:
            return {"regex": pattern}
    return None


def _letters(value: str) -> str:
    """Return the pattern of values like this one."""
    for letters in (r"\d", r"[0-9a-f]", r"[\w-]", r"[\w.~+/=-]"):
        if re.fullmatch(letters + "+", value):
            return letters + "+"
    return r"[^\"'<>\s]+"
