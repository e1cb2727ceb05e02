"""A request as a line of a log tells it, whatever the layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from math import nan
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from gameday.history.log_lines.columns import Column, Role
from gameday.history.log_lines.instants import InstantParser, duration_s, instant_parser

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
_MOST_REMEMBERED = 100_000
_ONE_INSTANT_S = 1.0
"""Two times of a line no farther apart are one instant, in whole seconds or not. Ours."""
_MOST_BODY = 4096
"""Letters of a body that are read."""


def line_maker(columns: list[Column], rows: list[list[str]], zone: tzinfo = UTC) -> Maker | None:
    """Return what makes requests of the texts of these columns; None where no column of `rows` is a time.

    `rows` are examples; `zone` is that of times without an offset.
    """
    when, asked = _when(columns, rows, zone), _asked(columns)
    if when is None or asked is None or not rows:
        return None
    instant, date, clock = when
    who = _several([n for n, column in enumerate(columns) if column.role in CLIENT_ROLES])
    agent, status = _text(columns, "agent"), _text(columns, "status")
    rest = _rest(columns)

    def make(texts: Sequence[str]) -> RequestLine | None:
        at_s = instant(texts[date] if clock is None else f"{texts[date]} {texts[clock]}")
        if at_s is None:
            return None
        method, target = asked(texts)
        told = (
            at_s,
            who(texts),
            agent(texts),
            method,
            target,
            _status(status(texts)),
            *rest(texts),
        )
        return _new_tuple(RequestLine, told)

    return make


_new_tuple = tuple.__new__
"""Makes a named tuple of its fields at once: half the time of calling it."""


@lru_cache(maxsize=1024)
def _status(text: str) -> int:
    """Return the status of a reply; 0: none was written down."""
    return int(text) if text.isdigit() else 0


def _several(places: list[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Return what reads the texts of several columns."""
    if len(places) == 1:
        only = places[0]
        return lambda texts: (texts[only],)
    return itemgetter(*places) if places else lambda texts: ()


_NO_REST = ("", nan, nan)


def _rest(columns: list[Column]) -> Callable[[Sequence[str]], tuple[str, float, float]]:
    """Return what reads where a redirect leads, and the two durations; most layouts tell none of them."""
    roles = {column.role for column in columns}
    if not roles & {"location", "request_time", "upstream_time"}:
        return lambda texts: _NO_REST
    location = _text(columns, "location")
    request_time, upstream_time = _timed(columns, "request_time"), _timed(columns, "upstream_time")
    return lambda texts: (location(texts), request_time(texts), upstream_time(texts))


Text = Callable[[Sequence[str]], str]
"""Texts of a row's columns -> one of them."""
Target = Callable[[Sequence[str]], tuple[str, str]]
"""Texts of a row's columns -> method and target; both empty where it is no request."""


def _index(columns: list[Column], role: Role) -> int | None:
    """Return the number of the first column of a role; None where there is none."""
    return next((n for n, column in enumerate(columns) if column.role == role), None)


def _text(columns: list[Column], role: Role) -> Text:
    """Return what reads the text of a role; it is empty where no column has it."""
    number = _index(columns, role)
    return (lambda texts: "") if number is None else itemgetter(number)


def _when(
    columns: list[Column], rows: list[list[str]], zone: tzinfo
) -> tuple[InstantParser, int, int | None] | None:
    """Return what reads times, the number of the column that has them, and that of a clock beside a date."""
    clock, date = _index(columns, "clock"), _index(columns, "date")
    if clock is not None and date is not None:
        both = instant_parser([f"{row[date]} {row[clock]}" for row in rows], zone)
        return None if both is None else (both, date, clock)
    times = list[_TimeColumn]()
    for number, column in enumerate(columns):
        texts = [row[number] for row in rows]
        if column.role == "time" and (parse := instant_parser(texts, zone)) is not None:
            times.append(_TimeColumn(number, parse, [parse(text) for text in texts]))
    if not times:
        return None
    best = next((time for time in times[1:] if time.is_finer_than(times[0])), times[0])
    return best.parse, best.number, None


@dataclass(frozen=True, slots=True)
class _TimeColumn:
    """A column of times, and what it says in the first lines."""

    number: int
    parse: InstantParser
    read_s: list[float | None]

    def is_finer_than(self, other: _TimeColumn) -> bool:
        """Return whether it tells the same instants with fractions of seconds that the other lacks."""
        both = [(a, b) for a, b in zip(self.read_s, other.read_s, strict=True) if a and b]
        is_same = all(abs(mine_s - its_s) <= _ONE_INSTANT_S for mine_s, its_s in both)
        return is_same and not other.has_fractions() and self.has_fractions()

    def has_fractions(self) -> bool:
        """Return whether any time has a fraction of a second."""
        return any(at_s is not None and at_s % 1 for at_s in self.read_s)


def _timed(columns: list[Column], role: Role) -> Callable[[Sequence[str]], float]:
    """Return what reads the durations of a role; of several columns their sum, as balancers write it."""
    timed = [(n, column.unit_s) for n, column in enumerate(columns) if column.role == role]
    if not timed:
        return lambda texts: nan
    return lambda texts: sum(duration_s(texts[n], unit_s) for n, unit_s in timed)


def _asked(columns: list[Column]) -> Target | None:
    """Return what reads method and target; None where no column says what was asked for."""
    place = next((n for role in _ADDRESSES if (n := _index(columns, role)) is not None), None)
    if place is None:
        return None
    is_line = columns[place].role == "request"
    plain = _of_lines(place) if is_line else _of_columns(columns, place)
    more = [n for role in _PARAMETERS if (n := _index(columns, role)) is not None]
    if not more:
        return plain
    roles = [columns[n].role for n in more]

    def whole(texts: Sequence[str]) -> tuple[str, str]:
        method, target = plain(texts)
        told = {role: texts[n] for role, n in zip(roles, more, strict=True)}
        found = _parameters(told.get("operation", ""), told.get("body", ""))
        return method, f"{target}{'&' if '?' in target else '?'}{found}" if found else target

    return whole


def _of_lines(place: int) -> Target:
    """Return what reads method and target of a request line (RFC 9112 §3)."""

    @lru_cache(maxsize=_MOST_REMEMBERED)
    def read(line: str) -> tuple[str, str]:
        method, _, rest = line.partition(" ")
        target, _, protocol = rest.rpartition(" ")
        target = target if protocol.startswith("HTTP/") else rest
        return (method, path_of(target)) if method.isupper() and target else ("", "")

    return lambda texts: read(texts[place])


def _of_columns(columns: list[Column], place: int) -> Target:
    """Return what reads method and target where each has columns of its own; without a method it is GET."""
    method, query = _index(columns, "method"), _text(columns, "query")

    def read(texts: Sequence[str]) -> tuple[str, str]:
        target, asked = path_of(texts[place]), query(texts).lstrip("?")
        if asked not in ("", "-") and "?" not in target:
            target = f"{target}?{asked}"
        return "GET" if method is None else texts[method], target

    return read


_ADDRESSES: tuple[Role, ...] = ("target", "request", "path")
"""Roles that say what was asked for, the fullest first."""
_PARAMETERS: tuple[Role, ...] = ("operation", "body")


def _parameters(operation: str, body: str) -> str:
    """Return a GraphQL operation and the plain fields of a form or a JSON body as a query writes them."""
    fields = dict[str, str]()
    if body not in ("", "-"):
        fields |= _fields_of_body(body[:_MOST_BODY])
    if operation not in ("", "-"):
        fields["operationName"] = operation
    return urlencode(fields, quote_via=quote)


def _fields_of_body(body: str) -> dict[str, str]:
    """Return the plain fields of a form or of a JSON object, as nginx escapes them; none of anything else."""
    text = body.replace(r"\x22", '"').replace(r"\"", '"').replace(r"\x0A", "\n")
    if not text.lstrip().startswith(("{", "[")):
        return dict(parse_qsl(text))
    try:
        data = json.loads(text)
    except ValueError:
        return {}  # cut off, or no JSON: it tells no step
    data = data[0] if isinstance(data, list) and data else data
    if not isinstance(data, dict):
        return {}
    fields = {key: str(value) for key, value in data.items() if isinstance(value, str | int | bool)}
    if "operationName" not in fields and (name := _operation(fields.get("query", ""))):
        fields["operationName"] = name
    fields.pop("query", None)
    return fields


def _operation(query: str) -> str:
    """Return the name of a GraphQL document's operation; empty where it has none."""
    words = query.replace("(", " ").replace("{", " ").split()
    is_named = len(words) > 1 and words[0] in ("query", "mutation", "subscription")
    return words[1] if is_named else ""


def path_of(target: str) -> str:
    """Return path and query of what was asked for, which may be a whole address."""
    if target.startswith("/") or "://" not in target:
        return target
    rest = target.partition("://")[2]
    begins = min((index for index in map(rest.find, "/?") if index >= 0), default=len(rest))
    path = rest[begins:]
    return path if path.startswith("/") else f"/{path}"
