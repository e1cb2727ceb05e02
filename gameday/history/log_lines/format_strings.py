"""Format strings of access logs as servers' configurations write them: nginx, Apache httpd, gunicorn, Envoy, W3C.

A format is read as pieces: literal text, and columns between it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from gameday.errors import UsageError
from gameday.history.log_lines.columns import Column, Role, role_of_name

__all__ = ["NAMED_FORMATS", "Pieces", "named_columns", "pieces_of"]

Pieces = list[str | Column]

NAMED_FORMATS = {
    "common": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent',
    "combined": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"',
    "vhost_combined": '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-agent}i"',
    "gunicorn": '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
    "envoy": '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% '
    "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"',
    "alb": "$type $time_iso8601 $elb $remote_addr $target $request_processing_time $target_processing_time "
    '$response_processing_time $status $target_status $received_bytes $sent_bytes "$request" "$http_user_agent" '
    '$ssl_cipher $ssl_protocol $target_group "$trace_id" "$domain_name" "$certificate" $rule_priority '
    '$request_creation_time "$actions" "$redirect_url" "$error_reason" "$targets" "$statuses" "$classification" '
    '"$classification_reason"',
}
"""Formats that may be written by name. Sources: the documents of nginx, httpd, gunicorn, Envoy and AWS."""

_NGINX = re.compile(r"\$\{?(\w+)\}?")
_APACHE = re.compile(r"%[<>]?(?:!?\d{3}(?:,\d{3})*)?(?:\{([^}]*)\})?(\^\w\w|[a-zA-Z%])")
_GUNICORN = re.compile(r"%\((?:\{([^}]*)\})?(\w)\)[sd]")
_ENVOY = re.compile(r"%([A-Z_]+)(?:\(([^)]*)\))?(?::\d+)?%")

_LETTERS: dict[str, tuple[Role, float]] = {
    "h": ("address", 1.0),
    "a": ("address", 1.0),
    "t": ("time", 1.0),
    "r": ("request", 1.0),
    "m": ("method", 1.0),
    "U": ("path", 1.0),
    "q": ("query", 1.0),
    "s": ("status", 1.0),
    "D": ("request_time", 1e-6),
    "T": ("request_time", 1.0),
    "v": ("host", 1.0),
    "V": ("host", 1.0),
}
"""Apache httpd's letters without a name in braces. Source: mod_log_config."""
_GUNICORN_LETTERS: dict[str, tuple[Role, float]] = {
    **_LETTERS,
    "a": ("agent", 1.0),
    "L": ("request_time", 1.0),
    "M": ("request_time", 1e-3),
}
"""Source: gunicorn's setting access_log_format."""
_TIME_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_ENVOY_ROLES: dict[str, tuple[Role, float]] = {
    "START_TIME": ("time", 1.0),
    "RESPONSE_CODE": ("status", 1.0),
    "DURATION": ("request_time", 1e-3),
    "DOWNSTREAM_REMOTE_ADDRESS": ("address", 1.0),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": ("address", 1.0),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": ("address", 1.0),
}
_W3C_UNIT_S = 1e-3
"""`time-taken` is in ms in IIS's logs; in CloudFront's, which name an edge location, in seconds."""


def pieces_of(text: str) -> Pieces:
    """Return the pieces of a format string; UsageError where it names no column, or no time or request."""
    pieces = _pieces(NAMED_FORMATS.get(text, text).strip())
    columns = [piece for piece in pieces if isinstance(piece, Column)]
    if columns:
        _require(columns, text)
        return pieces
    raise UsageError(
        f"--log-format: names no column, as nginx's $remote_addr, Apache's %h or Envoy's %START_TIME% do; or one "
        f"of {', '.join(NAMED_FORMATS)} (got '{text}')"
    )


def named_columns(text: str) -> dict[str, Column] | None:
    """Return key -> column of a format string that writes JSON objects; None where it does not."""
    if not text.lstrip().startswith("{"):
        return None
    plain = re.sub(r':\s*(\$\{?\w+\}?|%[^",}\s]+)\s*([,}])', r': "\1"\2', text)
    try:
        data = json.loads(plain)
    except ValueError:
        raise UsageError(
            f"--log-format: begins as JSON and cannot be read as such (got '{text}')"
        ) from None
    found = {}
    for key, value in _leaves(data):
        columns = [piece for piece in _pieces(str(value)) if isinstance(piece, Column)]
        if columns:
            found[key] = columns[0]
    _require(list(found.values()), text)
    return found


def _pieces(text: str) -> Pieces:
    """Return the pieces of a format string, or of a part of one, which may be literal text alone."""
    for mark, read in (
        (r"%\(", _gunicorn),
        (r"%[A-Z_]{4,}", _envoy),
        (r"\$\{?\w", _nginx),
        (r"%", _apache),
    ):
        if re.search(mark, text):
            return list(read(text))
    return [text]


def _leaves(data: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested JSON objects under dotted names."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, data


def _require(columns: list[Column], text: str) -> None:
    """Raise UsageError where no column says when, or none what was asked for."""
    roles = {column.role for column in columns}
    if not roles & {"time", "clock"}:
        raise UsageError(f"--log-format: has no time, as $time_local or %t is (got '{text}')")
    if not roles & {"request", "target", "path"}:
        raise UsageError(f"--log-format: has no request, as $request or %r is (got '{text}')")


def _split(
    pattern: re.Pattern[str], text: str, column: Callable[[re.Match[str]], Column | str]
) -> Iterator[str | Column]:
    """Yield literal text and what `column` makes of each match between it."""
    end = 0
    for found in pattern.finditer(text):
        if found.start() > end:
            yield text[end : found.start()]
        yield column(found)
        end = found.end()
    if end < len(text):
        yield text[end:]


def _nginx(text: str) -> Iterator[str | Column]:
    def column(found: re.Match[str]) -> Column:
        role, unit_s = role_of_name(found[1]) or ("other", 1.0)
        return Column(found[1], "path" if found[1] == "uri" else role, unit_s)

    return _split(_NGINX, text, column)


def _apache(text: str) -> Iterator[str | Column]:
    text = text.replace(r"\"", '"').replace("%%", "\0")

    def column(found: re.Match[str]) -> Column | str:
        name, letter = found[1], found[2]
        if letter == "t":
            return Column(found[0], "time")
        if letter == "T" and name:
            return Column(found[0], "request_time", _TIME_UNITS_S.get(name, 1.0))
        if name is not None:
            return _of_header(name, letter)
        role, unit_s = _LETTERS.get(letter, ("other", 1.0))
        return Column(found[0], role, unit_s)

    parts = _split(_APACHE, text, column)
    for part in parts:
        if isinstance(part, Column) and part.role == "time":
            yield from ("[", part, "]") if "{" not in part.name else (part,)
        else:
            yield part.replace("\0", "%") if isinstance(part, str) else part


def _of_header(name: str, letter: str) -> Column:
    """Return the column of `%{NAME}LETTER`: `i` of a request's header, `o` of a reply's, `a` of the peer."""
    if letter == "a":
        return Column(f"{name} address", "address")
    role, unit_s = role_of_name(name) or ("other", 1.0)
    if letter not in "io" or (role == "location") != (letter == "o" and role == "location"):
        role = "other"
    return Column(name, role, unit_s)


def _gunicorn(text: str) -> Iterator[str | Column]:
    def column(found: re.Match[str]) -> Column:
        name, letter = found[1], found[2]
        if name:
            return _of_header(name, letter)
        role, unit_s = _GUNICORN_LETTERS.get(letter, ("other", 1.0))
        return Column(letter, role, unit_s)

    for part in _split(_GUNICORN, text, column):
        if isinstance(part, Column) and part.role == "time":
            yield from ("[", part, "]")  # gunicorn writes the brackets itself
        else:
            yield part


def _envoy(text: str) -> Iterator[str | Column]:
    def column(found: re.Match[str]) -> Column:
        word, inner = found[1], found[2] or ""
        if word in ("REQ", "RESP"):
            first = inner.partition("?")[0].lstrip(":")
            return _of_envoy_header(first, inner.partition("?")[2].lstrip(":"))
        role, unit_s = _ENVOY_ROLES.get(word, ("other", 1.0))
        return Column(word, role, unit_s)

    return _split(_ENVOY, text, column)


def _of_envoy_header(name: str, otherwise: str) -> Column:
    known: dict[str, Role] = {"METHOD": "method", "PATH": "target", "AUTHORITY": "host"}
    for word in (name, otherwise):
        if word.upper() in known:
            return Column(word, known[word.upper()])
    role, unit_s = role_of_name(name) or ("other", 1.0)
    return Column(name, role, unit_s)


def w3c_columns(fields: str) -> list[Column]:
    """Return the columns of a W3C extended log, from what stands behind `#Fields:`."""
    names = fields.split()
    unit_s = 1.0 if any(name.startswith("x-edge") for name in names) else _W3C_UNIT_S
    out = []
    for name in names:
        role, _ = role_of_name(name) or ("other", 1.0)
        if name == "time":
            role = "clock" if "date" in names else "time"
        out.append(Column(name, role, unit_s if role == "request_time" else 1.0))
    return out
