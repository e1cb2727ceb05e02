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
    for request in recording.requests:
        out.learn_all(_in_request(request))
        out.learn_all(_in_reply_headers(request))
    return out


def _in_request(request: Recorded) -> Iterator[tuple[str, str]]:
    """Yield (value, kind) of the secrets that a request sends."""
    yield from _in_headers(request)
    for name, value in (*request.query, *(request.form or ())):
        yield from _in_field(name, value, ())
    yield from _in_json(request.json, ())
    body = request.body or ""
    yield from _in_text(body)
    loose = ((found[2], kind_of_name(found[1])) for found in _LOOSE.finditer(body))
    yield from ((value, kind) for value, kind in loose if kind is not None)
    yield from ((found, "email") for found in EMAIL.findall(request.path))


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


def _in_headers(request: Recorded) -> Iterator[tuple[str, str]]:
    for name, value in request.headers:
        if name.lower() == "cookie":
            yield from ((part.partition("=")[2].strip(), "cookie") for part in value.split(";"))
        elif (kind := kind_of_name(name)) in ("secret", "password"):
            yield value.rpartition(" ")[2], "secret"
        else:
            yield from _in_field(name, value, ()) if kind else _in_text(value)


def _in_reply_headers(request: Recorded) -> Iterator[tuple[str, str]]:
    for name, value in request.reply_headers:
        if name.lower() == "set-cookie":
            cookie = re.split(r"[\n;]", value)[0]
            yield cookie.partition("=")[2].strip(), "cookie"
