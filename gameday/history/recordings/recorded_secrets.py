"""Which secrets a recording holds: learned from its fields, headers and cookies before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gameday.history.recordings.har import Recorded, Recording
from gameday.history.recordings.recorded_values import PAIRED, kind_of_text
from gameday.history.recordings.secrets import EMAIL, SecretValues, kind_of_name

__all__ = ["secrets_of"]

_LOOSE = re.compile(r"\b([\w-]+)\s*[=:]\s*([^\s&;,\"'<>]+)")
"""Names with values in text of any kind, without quotes."""


def secrets_of(recording: Recording) -> SecretValues:
    """Return what must not be written of a recording's requests, wherever else it occurs."""
    out = SecretValues()
    for one in recording.requests:
        out.learn_all(_in_headers(one))
        for name, value in (*one.query, *(one.form or ())):
            out.learn_all(_in_field(name, value, ()))
        out.learn_all(_in_json(one.json, ()))
        out.learn_all(_in_text(one.body or ""))
        loose = ((found[2], kind_of_name(found[1])) for found in _LOOSE.finditer(one.body or ""))
        out.learn_all((value, kind) for value, kind in loose if kind is not None)
        out.learn_all((found, "email") for found in EMAIL.findall(one.path))
    return out


def _in_field(name: str, value: str, parents: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    kind = kind_of_name(name, parents)
    if kind is not None:
        yield value, kind
    yield from ((found, "email") for found in EMAIL.findall(value))
    yield from _in_text(value)


def _in_json(data: Any, parents: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for name, part in data.items():
            yield from _in_json(part, (*parents, str(name)))
    elif isinstance(data, list):
        for part in data:
            yield from _in_json(part, parents)
    elif data is not None and not isinstance(data, bool):
        yield from _in_field(parents[-1] if parents else "", str(data), parents[:-1])


def _in_text(text: str) -> Iterator[tuple[str, str]]:
    for pattern in PAIRED:
        for found in pattern.finditer(text):
            kind = kind_of_text(found[1], found[3])
            if kind is not None:
                yield found[3], kind
    yield from ((found, "email") for found in EMAIL.findall(text))


def _in_headers(one: Recorded) -> Iterator[tuple[str, str]]:
    for name, value in one.headers:
        if name.lower() == "cookie":
            yield from ((part.partition("=")[2].strip(), "cookie") for part in value.split(";"))
        elif (kind := kind_of_name(name)) in ("secret", "password"):
            yield value.rpartition(" ")[2], "secret"
        else:
            yield from _in_field(name, value, ()) if kind else _in_text(value)
    for name, value in one.reply_headers:
        if name.lower() == "set-cookie":
            texts = re.split(r"[\n;]", value)
            yield from ((text.partition("=")[2].strip(), "cookie") for text in texts[:1])
