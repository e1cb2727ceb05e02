"""Which layout a log has: told from its first lines, and said as the columns that were found."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta, timezone

from gameday.history.log_lines.columns import Column, Hints, role_of_name
from gameday.history.log_lines.content import role_of_content, with_unit
from gameday.history.log_lines.delimited_lines import delimited_fields
from gameday.history.log_lines.format_strings import (
    NAMED_FORMATS,
    Pieces,
    named_columns,
    pieces_of,
    w3c_columns,
)
from gameday.history.log_lines.named_lines import (
    Fields,
    fields_of_json,
    fields_of_logfmt,
    named_parser,
)
from gameday.history.log_lines.request_lines import RequestLine
from gameday.history.log_lines.text_lines import text_parser
from gameday.history.log_lines.wrapping import unwrapping

__all__ = ["Layout", "layout_of"]

_FEWEST_READ = 0.5
"""Share of the first lines that a layout must read."""
_KNOWN = ("combined", "common", "vhost_combined", "envoy", "alb")
"""Formats that are tried whole: they name what content alone does not tell."""
_NAMES = {
    "address": "remote_addr",
    "addresses": "http_x_forwarded_for",
    "agent": "http_user_agent",
    "time": "time",
    "request": "request",
    "target": "request_uri",
    "request_time": "request_time",
}
"""Role -> the name under which a layout that was told from content shows a column."""
_TOKEN = re.compile(
    r'(?:([\w.\-]+)=)?(?:"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|\{([^}]*)\}|([^\s"\[{]\S*?(?:, \S+)*)(?=\s|$)|(\S+))'
)


_FIELDS = "#Fields:"
"""Begins the line that names the fields of a W3C extended log."""
_ANOTHER_ZONE = timezone(timedelta(hours=13, minutes=17))
"""Of no country: times that say their offset are the same instants in it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of a log are read."""

    text: str
    """The layout in words: a format string, or the fields and what each was taken for."""
    columns: tuple[Column, ...]
    """Those that are read, in the order of the line."""
    parse: Callable[[str], RequestLine | None]
    """Line -> request; None: it is malformed, or a comment."""
    head: str = ""
    """The line that names the columns, where one does."""
    tells_offset: bool = True
    """Whether its times say how far from UTC they are."""

    def is_comment(self, text: str) -> bool:
        """Return whether a line that tells no request is not meant to: it is empty, a comment or the head."""
        plain = text.strip()
        return plain in ("", "[", "]", self.head) or plain.startswith("#")

    def is_other_head(self, text: str) -> bool:
        """Return whether a line says that the lines behind it have other fields than those that are read."""
        return text.startswith(_FIELDS) and text.split() != self.text.split()


def layout_of(lines: list[str], hints: Hints) -> Layout | None:
    """Return the layout of a log by its first lines, or by a format string; None where nothing fits.

    UsageError where the format string cannot be read.
    """
    told = [line.rstrip("\n") for line in lines if line.strip()]
    unwrap = unwrapping(told)
    inner = [text for text in map(unwrap, told) if text]
    best = _best(inner, hints)
    if best is None:
        return None
    best = replace(best, tells_offset=_tells_offset(best, inner, hints))
    if unwrap is str:
        return best
    parse = best.parse
    return replace(best, parse=lambda text: parse(unwrap(text)))


def _best(lines: list[str], hints: Hints) -> Layout | None:
    """Return the layout that reads the largest share of the lines; None where none reads many."""
    if hints.log_format is not None:
        found = [_given(lines, hints.log_format, hints)]
    else:
        ways = (_w3c, _json, _logfmt, _delimited, _known, _by_content)
        found = [way(lines, hints) for way in ways]
    best, share = None, _FEWEST_READ
    for layout in found:
        if layout is not None and _read(layout, lines) > share:
            best, share = layout, _read(layout, lines)
    return best


def _tells_offset(layout: Layout, lines: list[str], hints: Hints) -> bool:
    """Return whether times say how far from UTC they are: read as of another zone, they are the same instants."""
    if any(column.role == "clock" for column in layout.columns):
        return True  # W3C extended logs are in UTC
    elsewhere = _best(lines, replace(hints, zone=_ANOTHER_ZONE))
    there = [] if elsewhere is None else [elsewhere.parse(line) for line in lines]
    both = zip(map(layout.parse, lines), there, strict=False)
    return all(a.at_s == b.at_s for a, b in both if a is not None and b is not None)


def _read(layout: Layout, lines: list[str]) -> float:
    """Return the share of lines that a layout reads as requests, comments left out."""
    read = [layout.parse(line) for line in lines if not line.startswith("#")]
    return sum(line is not None and line.method != "" for line in read) / max(1, len(read))


def _given(lines: list[str], log_format: str, hints: Hints) -> Layout | None:
    """Return the layout that a person's format string says."""
    columns = named_columns(log_format)
    if columns is not None:
        return _named(fields_of_json, log_format, lines, hints, columns)
    if log_format.startswith("#Fields:"):
        return _of_fields(log_format.removeprefix("#Fields:"), lines, hints)
    return _of_pieces(log_format, pieces_of(log_format), lines, hints)


def _of_pieces(
    text: str, pieces: Pieces, lines: list[str], hints: Hints, *, open_end: bool = False
) -> Layout | None:
    """Return the layout of these pieces, under this text."""
    parse = text_parser(pieces, lines, hints, open_end=open_end)
    if parse is None:
        return None
    columns = (hints.applied(piece) for piece in pieces if isinstance(piece, Column))
    return Layout(text, tuple(column for column in columns if column.role != "other"), parse)


def _known(lines: list[str], hints: Hints) -> Layout | None:
    """Return the known format that reads most lines to their end."""
    layouts = [_of_pieces(NAMED_FORMATS[name], pieces_of(name), lines, hints) for name in _KNOWN]
    there = [layout for layout in layouts if layout is not None]
    return max(there, key=lambda layout: _read(layout, lines), default=None)


def _json(lines: list[str], hints: Hints) -> Layout | None:
    return _named(fields_of_json, "JSON", lines, hints)


def _logfmt(lines: list[str], hints: Hints) -> Layout | None:
    return _named(fields_of_logfmt, "key=value", lines, hints)


def _delimited(lines: list[str], hints: Hints) -> Layout | None:
    found = delimited_fields([line for line in lines if not line.startswith("#")])
    if found is None:
        return None
    layout = _named(found.fields, f"columns between {found.delimiter!r}", lines, hints)
    return None if layout is None else replace(layout, head=found.head)


def _named(
    fields: Fields,
    kind: str,
    lines: list[str],
    hints: Hints,
    named: dict[str, Column] | None = None,
) -> Layout | None:
    """Return the layout of lines that name their fields, or whose head does."""
    found = named_parser(fields, lines, hints, named=named)
    if found is None:
        return None
    parse, columns = found
    read = tuple(column for column in columns if column.role != "other")
    told = ", ".join(f"{column.name} = {column.role}" for column in read)
    return Layout(kind if named else f"{kind}: {told}", read, parse)


def _w3c(lines: list[str], hints: Hints) -> Layout | None:
    head = next((line for line in lines if line.startswith(_FIELDS)), None)
    return None if head is None else _of_fields(head.removeprefix(_FIELDS), lines, hints)


def _of_fields(fields: str, lines: list[str], hints: Hints) -> Layout | None:
    """Return the layout of a W3C extended log with these fields."""
    columns = [hints.applied(column) for column in w3c_columns(fields)]
    told = [line for line in lines if not line.startswith("#")]
    is_tabbed = any("\t" in line for line in told)
    pieces: Pieces = []
    for column in columns:
        pieces += ["\t" if is_tabbed else " ", column]
    escaped = "%" if is_tabbed else "+"
    parse = text_parser(pieces[1:], told, hints, open_end=True, escaped=escaped)
    read = tuple(column for column in columns if column.role != "other")
    return None if parse is None else Layout(f"{_FIELDS}{fields}", read, parse)


def _by_content(lines: list[str], hints: Hints) -> Layout | None:
    """Return the layout that most lines have, told from what stands in each place."""
    rows = [_tokens(line) for line in lines if not line.startswith("#")]
    [(shape, _)] = Counter(map(_shape, rows)).most_common(1) or [((), 0)]
    alike = [row for row in rows if _shape(row)[: len(shape)] == shape]
    places = list(zip(*(row[: len(shape)] for row in alike), strict=True))
    told = _first_of_each([_column(n, place) for n, place in enumerate(places)])
    told = _longer_first(told, places)
    pieces = _pieces([hints.applied(column) for column in told], alike[0] if alike else [])
    if not pieces:
        return None
    return _of_pieces(_text_of(pieces), _joined(pieces), lines, hints, open_end=True)


def _pieces(columns: list[Column], row: list[_Token]) -> Pieces:
    """Return the columns up to the last that tells something, with what stands between them in a row."""
    last = max((n for n, column in enumerate(columns) if column.role != "other"), default=-1)
    pieces: Pieces = []
    for number, column in enumerate(columns[: last + 1]):
        token = row[number]
        before = token.before if number else ""
        pieces += [f"{before}{token.key}{token.quotes[0]}", column, token.quotes[1]]
    return pieces


@dataclass(frozen=True, slots=True)
class _Token:
    """A part of a line: text, in quotes, in brackets or bare."""

    before: str
    """What stands between it and the part before it."""
    key: str
    """`name=` where it says its name."""
    text: str
    quotes: tuple[str, str]


def _tokens(line: str) -> list[_Token]:
    out, end = [], 0
    for found in _TOKEN.finditer(line):
        key, quoted, bracketed, braced, word, rest = found.groups()
        before = line[end : found.start()]
        end = found.end()
        key = f"{key}=" if key else ""
        if quoted is not None:
            out.append(_Token(before, key, quoted, ('"', '"')))
        elif bracketed is not None:
            out.append(_Token(before, key, bracketed, ("[", "]")))
        elif braced is not None:
            out.append(_Token(before, key, braced, ("{", "}")))
        else:
            out.append(_Token(before, key, word or rest or "", ("", "")))
    return out


def _shape(row: list[_Token]) -> tuple[tuple[str, tuple[str, str]], ...]:
    """Return what lines of one layout share."""
    return tuple((token.key, token.quotes) for token in row)


def _column(number: int, tokens: tuple[_Token, ...]) -> Column:
    """Return the column of a place: by the name that it says, else by its content."""
    texts, key = [token.text for token in tokens], tokens[0].key.rstrip("=")
    if key and (named := role_of_name(key)) is not None:
        return with_unit(Column(key, named[0], named[1]), texts)
    role = role_of_content(texts) or "other"
    if key and role == "request_time":
        role = "other"  # its name says another time
    return Column(key or _NAMES.get(role, f"column {number + 1}"), role)


def _first_of_each(columns: list[Column]) -> list[Column]:
    """Return the columns, each role at one place; what else was told of the same role is `other`."""
    status = _status_of(columns)
    has_request = any(column.role == "request" for column in columns)
    seen, out = set[str](), []
    for number, column in enumerate(columns):
        column = _by_place(column, seen, has_request=has_request)
        is_taken = column.role in seen and column.role != "addresses"
        is_in_request = has_request and column.role in ("target", "path", "method")
        if is_taken or is_in_request or (column.role == "status" and number != status):
            column = replace(column, role="other")
        seen.add(column.role)
        out.append(column)
    return out


def _longer_first(columns: list[Column], places: list[tuple[_Token, ...]]) -> list[Column]:
    """Return the columns, of two durations told by their place the longer as the request's: it holds the other."""
    roles = [column.role for column in columns]
    if "request_time" not in roles or "upstream_time" not in roles:
        return columns
    first, second = roles.index("request_time"), roles.index("upstream_time")
    if any(places[n][0].key for n in (first, second)):
        return columns
    pairs = zip(_numbers(places[first]), _numbers(places[second]), strict=True)
    known = [(a, b) for a, b in pairs if a == a and b == b]
    if sum(a < b for a, b in known) <= sum(a > b for a, b in known):
        return columns
    out = [*columns]
    out[first] = replace(columns[second], unit_s=columns[first].unit_s)
    out[second] = replace(columns[first], unit_s=columns[second].unit_s)
    return out


def _numbers(tokens: tuple[_Token, ...]) -> list[float]:
    """Return the numbers that texts are, NaN where one is none, as where no server was asked."""
    out = []
    for token in tokens:
        try:
            out.append(float(token.text))
        except ValueError:
            out.append(math.nan)
    return out


def _status_of(columns: list[Column]) -> int | None:
    """Return the place of the status: the first one behind the request, where there is any."""
    asked = next((n for n, c in enumerate(columns) if c.role in ("request", "target", "path")), 0)
    statuses = [n for n, column in enumerate(columns) if column.role == "status"]
    return next((n for n in statuses if n > asked), statuses[0] if statuses else None)


def _by_place(column: Column, seen: set[str], *, has_request: bool) -> Column:
    """Return a column by what stands before it, the roles `seen`.

    An address behind the peer's is one that a proxy wrote down. Of two durations the second is that of the servers
    behind. A URL beside a request is that of the page before; behind the agent it is where a redirect leads.
    """
    if column.role == "address" and "address" in seen:
        return Column(_NAMES["addresses"], "addresses")
    if column.role == "request_time" and "request_time" in seen:
        return Column("upstream_response_time", "upstream_time", column.unit_s)
    if column.role == "target" and has_request and "agent" in seen:
        return Column("sent_http_location", "location")
    return column


def _joined(pieces: Pieces) -> Pieces:
    """Return the pieces with neighbouring texts as one."""
    out: Pieces = []
    for piece in pieces:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        elif piece != "":
            out.append(piece)
    return out


def _text_of(pieces: Pieces) -> str:
    """Return the pieces as a format string."""
    return "".join(
        piece if isinstance(piece, str) else f"${piece.name.replace(' ', '_')}" for piece in pieces
    )
