"""A request as a line of a log tells it, whatever the layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from math import nan
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from gameday.history.log_lines.columns import Column, Role
from gameday.history.log_lines.instants import duration_s, instant_parser

__all__ = ["Maker", "RequestLine", "line_maker", "path_of"]


class RequestLine(NamedTuple):
    """What a line says; empty text and NaN: it does not say."""

    at_s: float
    """Seconds since 1970."""
    clients: tuple[str, ...]
    """What the columns say that may tell who came, in the layout's order."""
    agent: str
    method: str
    target: str
    """Path and query; parameters of a GraphQL operation or a body behind them."""
    status: int
    """0: no reply was written down."""
    location: str
    """Where a redirect leads."""
    request_s: float
    upstream_s: float


Maker = Callable[[Sequence[str]], RequestLine | None]
"""Texts of the columns -> request; None: it is malformed."""
CLIENT_ROLES = ("address", "addresses", "client")
_MOST_BODY = 4096
"""Letters of a body that are read."""


def line_maker(columns: list[Column], rows: list[list[str]], zone: tzinfo = UTC) -> Maker | None:
    """Return what makes requests of the texts of these columns; None where no column of `rows` is a time.

    `rows` are examples; `zone` is that of times without an offset.
    """
    when = _when(columns, rows, zone)
    asked = _asked(columns)
    if when is None or asked is None or not rows:
        return None
    who = [n for n, column in enumerate(columns) if column.role in CLIENT_ROLES]
    agent, status, location = (_index(columns, role) for role in ("agent", "status", "location"))
    request_time, upstream_time = (
        _timed(columns, role) for role in ("request_time", "upstream_time")
    )

    def make(texts: Sequence[str]) -> RequestLine | None:
        at_s, request = when(texts), asked(texts)
        if at_s is None or request is None:
            return None
        code = "" if status is None else texts[status]
        return RequestLine(
            at_s,
            tuple([texts[n] for n in who]),
            "" if agent is None else texts[agent],
            request[0],
            request[1],
            int(code) if code.isdigit() else 0,
            "" if location is None else texts[location],
            nan if request_time is None else request_time(texts),
            nan if upstream_time is None else upstream_time(texts),
        )

    return make


def _index(columns: list[Column], role: Role) -> int | None:
    """Return the number of the first column of a role; None where there is none."""
    return next((n for n, column in enumerate(columns) if column.role == role), None)


def _when(
    columns: list[Column], rows: list[list[str]], zone: tzinfo
) -> Callable[[Sequence[str]], float | None] | None:
    """Return what reads the time of a row's texts."""
    clock, date = _index(columns, "clock"), _index(columns, "date")
    if clock is not None and date is not None:
        parse = instant_parser([f"{row[date]} {row[clock]}" for row in rows], zone)
        return None if parse is None else lambda texts: parse(f"{texts[date]} {texts[clock]}")
    for number, column in enumerate(columns):
        if column.role == "time":
            parser = instant_parser([row[number] for row in rows], zone)
            if parser is not None:
                return lambda texts, n=number, parse=parser: parse(texts[n])  # type: ignore[misc]
    return None


def _timed(columns: list[Column], role: Role) -> Callable[[Sequence[str]], float] | None:
    """Return what reads the durations of a role; of several columns their sum, as balancers write it."""
    timed = [(n, column.unit_s) for n, column in enumerate(columns) if column.role == role]
    if not timed:
        return None
    if len(timed) == 1:
        [(only, unit_s)] = timed
        return lambda texts: duration_s(texts[only], unit_s)
    return lambda texts: sum(duration_s(texts[n], unit_s) for n, unit_s in timed)


def _asked(
    columns: list[Column],
) -> Callable[[Sequence[str]], tuple[str, str] | None] | None:
    """Return what reads method and target; None where no column says what was asked for."""
    request, method = _index(columns, "request"), _index(columns, "method")
    target, path, query = (_index(columns, role) for role in ("target", "path", "query"))
    operation, body = _index(columns, "operation"), _index(columns, "body")
    place = target if target is not None else path

    def plain(texts: Sequence[str]) -> tuple[str, str] | None:
        if place is None or (request is not None and target is None):
            verb, _, rest = texts[request or 0].partition(" ")
            address, _, protocol = rest.rpartition(" ")
            address = address if protocol.startswith("HTTP/") else rest
            return (verb, path_of(address)) if verb.isupper() and address else ("", "")
        address = path_of(texts[place])
        if query is not None and (asked := texts[query].lstrip("?")) not in ("", "-"):
            address = f"{address}?{asked}" if "?" not in address else address
        return ("GET" if method is None else texts[method]), address

    def whole(texts: Sequence[str]) -> tuple[str, str] | None:
        found = plain(texts)
        if found is None:
            return None
        more = _parameters(
            "" if operation is None else texts[operation], "" if body is None else texts[body]
        )
        if not more:
            return found
        return found[0], f"{found[1]}{'&' if '?' in found[1] else '?'}{more}"

    if request is None and place is None:
        return None
    return plain if operation is None and body is None else whole


def _parameters(operation: str, body: str) -> str:
    """Return a GraphQL operation and the plain fields of a form or a JSON body as a query writes them."""
    fields = dict[str, str]()
    if body not in ("", "-"):
        fields |= _fields_of_body(body[:_MOST_BODY])
    if operation not in ("", "-"):
        fields["operationName"] = operation
    return urlencode(fields, quote_via=quote)


def _fields_of_body(body: str) -> dict[str, str]:
    text = body.replace(r"\x22", '"').replace(r"\"", '"').replace(r"\x0A", "\n")
    if not text.lstrip().startswith(("{", "[")):
        return dict(parse_qsl(text))
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    data = data[0] if isinstance(data, list) and data else data
    if not isinstance(data, dict):
        return {}
    fields = {key: str(value) for key, value in data.items() if isinstance(value, str | int | bool)}
    if "operationName" not in fields and isinstance(query := data.get("query"), str):
        words = query.replace("(", " ").replace("{", " ").split()
        if len(words) > 1 and words[0] in ("query", "mutation", "subscription"):
            fields["operationName"] = words[1]
    fields.pop("query", None)
    return fields


def path_of(target: str) -> str:
    """Return path and query of what was asked for, which may be a whole address."""
    if target.startswith("/") or "://" not in target:
        return target
    rest = target.partition("://")[2]
    begins = min((index for index in map(rest.find, "/?") if index >= 0), default=len(rest))
    path = rest[begins:]
    return path if path.startswith("/") else f"/{path}"
