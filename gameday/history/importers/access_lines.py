"""Lines of access logs: Common and Combined, nginx JSON, AWS load balancers; one function a format.

The client is the address that a proxy wrote down (X-Forwarded-For), where the line has it. A request for
`https://host/path` is one for `/path`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

__all__ = ["Line", "format_of", "locations", "parsers"]


Line = tuple[float, tuple[str, str], str, str, int]
"""Seconds since 1970; address and user agent; method; path and query; status. Plain: there are millions."""
Parser = Callable[[str], Line | None]
"""Returns None for a line that is not of its format."""

_QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_COMMON = re.compile(
    r"(\S++) (\S++) [^\[]*+\[(\d\d/\w{3}/\d{4}:\d\d:\d\d):(\d\d) ([+-]\d{4})\] "
    r'"([A-Z]++) (\S++)[^"]*+" (\d{3}) \S++'
    rf'(?: "{_QUOTED}" "({_QUOTED})")?(.*)'
)
_BALANCER = re.compile(
    r"(?:http|https|h2|ws|wss|grpcs) (\S+) \S+ (\S+?):\d+ \S+ \S+ \S+ \S+ (\d{3}) \S+ \S+ \S+ "
    r'"([A-Z]+) (?:https?|wss?)://[^/ ]+(/\S*) [^"]*" "([^"]*)"(.*)'
)
_FIELDS = re.compile(rf'"({_QUOTED})"|([^\s"]\S*)')
"""What may follow the user agent: fields, quoted or not."""
_REDIRECT_FIELD = 4
"""Index of the quoted field behind the user agent with the URL of the balancer's own redirect. Source: AWS,
"Access logs for your Application Load Balancer"."""
_JSON_FORWARDED = ("http_x_forwarded_for", "x_forwarded_for", "forwarded_for", "http_x_real_ip")
_JSON_LOCATION = ("sent_http_location", "upstream_http_location", "location")
_INNER = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)
"""Addresses of machines behind a proxy or a carrier's gateway (RFC 1918, 6598, 3927, 4193, 4291)."""


@lru_cache(maxsize=4096)
def _minute_s(minute: str, offset: str) -> float:
    return datetime.strptime(f"{minute} {offset}", "%d/%b/%Y:%H:%M %z").timestamp()


@lru_cache(maxsize=100_000)
def _is_inner(address: str) -> bool | None:
    """Return whether an address is a private one, behind a proxy; None: it is no address."""
    try:
        known = ip_address(address.strip("[]"))
    except ValueError:
        return None
    return any(known in network for network in _INNER)


@lru_cache(maxsize=100_000)
def _client(host: str, forwarded: str) -> str:
    """Return the client's address: the first public one that proxies wrote down, else the peer's own."""
    named = [part.strip() for part in forwarded.split(",")]
    known = [part for part in named if _is_inner(part) is not None]
    outer = next((part for part in known if not _is_inner(part)), None)
    if outer is not None:
        return outer
    return known[0] if known and _is_inner(host) else host


def _fields(rest: str) -> list[str]:
    """Return the fields behind the user agent."""
    return [quoted or plain for quoted, plain in _FIELDS.findall(rest)]


def _forwarded(rest: str) -> str:
    """Return the field that lists addresses; empty where none does."""
    lists = (f for f in _fields(rest) if _is_inner(f.partition(",")[0].strip()) is not None)
    return next(lists, "")


def _path_of(target: str) -> str:
    """Return path and query of what was asked for, which may be a whole address."""
    if target.startswith("/") or "://" not in target:
        return target
    rest = target.partition("://")[2]
    begins = min((index for index in map(rest.find, "/?") if index >= 0), default=len(rest))
    path = rest[begins:]
    return path if path.startswith("/") else f"/{path}"


def _common(text: str) -> Line | None:
    found = _COMMON.match(text)
    if found is None:
        return None
    host, second_field, minute, second, offset, method, target, status, agent, rest = found.groups()
    try:
        at_s = _minute_s(minute, offset) + int(second)
    except ValueError:
        return None
    if second_field != "-" and _is_inner(second_field) is not None and _is_inner(host) is None:
        host = second_field  # Apache's vhost_combined names the shop's own host first
    if rest and not rest.isspace():
        host = _client(host, _forwarded(rest))
    return at_s, (host, agent or ""), method, _path_of(target), int(status)


def _common_location(text: str) -> str:
    found = _COMMON.match(text)
    fields = _fields(found[10]) if found else []
    return next((f for f in fields if f.startswith(("/", "http://", "https://"))), "")


def _balancer(text: str) -> Line | None:
    found = _BALANCER.match(text)
    if found is None:
        return None
    when, host, status, method, target, agent, _ = found.groups()
    at_s = _instant_s(when)
    return None if at_s is None else (at_s, (host, agent), method, target, int(status))


def _balancer_location(text: str) -> str:
    found = _BALANCER.match(text)
    quoted = [field for field, _ in _FIELDS.findall(found[7])] if found else []
    fields = [field for field in quoted if field]
    location = fields[_REDIRECT_FIELD] if len(fields) > _REDIRECT_FIELD else ""
    return location if location.startswith(("/", "http")) else ""


def _json(text: str) -> Line | None:
    try:
        return _line_of(json.loads(text))
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def _line_of(data: dict[str, Any]) -> Line | None:
    """Return the line that a JSON object with nginx's variables tells; it may raise where it is no such object."""
    get = data.get
    at_s = _instant_s(str(get("time_iso8601") or get("msec") or get("time_local") or get("time")))
    method, target = get("request_method"), get("request_uri")
    if method is None:
        method, target = data["request"].split()[:2]
    target = _path_of(str(target))
    if at_s is None or not target.startswith("/"):
        return None
    host = _client(str(get("remote_addr", "")), _first(data, _JSON_FORWARDED))
    agent = str(get("http_user_agent") or "")
    return at_s, (host, agent), method, target, int(data["status"])


def _json_location(text: str) -> str:
    try:
        data = json.loads(text)
    except ValueError:
        return ""
    return _first(data, _JSON_LOCATION) if isinstance(data, dict) else ""


def _first(data: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of some fields that says something."""
    return next((str(data[name]) for name in names if data.get(name) not in (None, "", "-")), "")


def _instant_s(text: str) -> float | None:
    """Return seconds of an ISO time, of seconds since 1970, or of the time of the common format."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        pass
    try:
        minute, second, offset = text[:17], text[18:20], text[21:]
        return _minute_s(minute, offset) + int(second)
    except ValueError:
        return None


parsers: dict[str, Parser] = {"common": _common, "json": _json, "balancer": _balancer}
"""Format -> what reads a line of it; Combined is Common with two fields more."""


locations: dict[str, Callable[[str], str]] = {
    "common": _common_location,
    "json": _json_location,
    "balancer": _balancer_location,
}
"""Format -> what reads where a line says its redirect leads; empty where it does not say."""


def format_of(lines: list[str]) -> str | None:
    """Return the format that most of some lines are of; None if none is."""
    hits = {name: sum(parse(line) is not None for line in lines) for name, parse in parsers.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else None
