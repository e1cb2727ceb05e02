"""Lines of access logs: Common and Combined, nginx JSON, AWS load balancers; one function a format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["Line", "format_of", "parsers"]


Line = tuple[float, tuple[str, str], str, str, int]
"""Seconds since 1970; address and user agent; method; path and query; status. Plain: there are millions."""
Parser = Callable[[str], Line | None]
"""Returns None for a line that is not of its format."""

_QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_COMMON = re.compile(
    r'(\S++) \S++ [^\[]*+\[(\d\d/\w{3}/\d{4}:\d\d:\d\d):(\d\d) ([+-]\d{4})\] "([A-Z]++) (\S++)[^"]*+" (\d{3}) \S++'
    rf'(?: "{_QUOTED}" "({_QUOTED})")?'
)
_BALANCER = re.compile(
    r"(?:http|https|h2|ws|wss|grpcs) (\S+) \S+ (\S+?):\d+ \S+ \S+ \S+ \S+ (\d{3}) \S+ \S+ \S+ "
    r'"([A-Z]+) (?:https?|wss?)://[^/ ]+(/\S*) [^"]*" "([^"]*)"'
)


@lru_cache(maxsize=4096)
def _minute_s(minute: str, offset: str) -> float:
    return datetime.strptime(f"{minute} {offset}", "%d/%b/%Y:%H:%M %z").timestamp()


def _common(text: str) -> Line | None:
    found = _COMMON.match(text)
    if found is None:
        return None
    host, minute, second, offset, method, target, status, agent = found.groups()
    try:
        at_s = _minute_s(minute, offset) + int(second)
    except ValueError:
        return None
    return at_s, (host, agent or ""), method, target, int(status)


def _balancer(text: str) -> Line | None:
    found = _BALANCER.match(text)
    if found is None:
        return None
    when, host, status, method, target, agent = found.groups()
    at_s = _instant_s(when)
    return None if at_s is None else (at_s, (host, agent), method, target, int(status))


def _json(text: str) -> Line | None:
    try:
        data = json.loads(text)
        when = (
            data.get("time_iso8601")
            or data.get("msec")
            or data.get("time_local")
            or data.get("time")
        )
        at_s = _instant_s(str(when))
        method, target = data.get("request_method"), data.get("request_uri")
        if method is None:
            method, target = data["request"].split()[:2]
        if at_s is None or not str(target).startswith("/"):
            return None
        agent = str(data.get("http_user_agent") or "")
        return at_s, (str(data.get("remote_addr", "")), agent), method, target, int(data["status"])
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


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


def format_of(lines: list[str]) -> str | None:
    """Return the format that most of some lines are of; None if none is."""
    hits = {name: sum(parse(line) is not None for line in lines) for name, parse in parsers.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else None
