"""Times in access logs: the common format, ISO 8601, seconds, ms, us or ns since 1970, and two columns of W3C."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from gameday.history.instants import FIRST_YEAR, last_year

__all__ = ["InstantParser", "duration_s", "instant_parser"]

InstantParser = Callable[[str], float | None]
"""Text -> seconds since 1970; None: it is no time."""
_UNITS = (1.0, 1e3, 1e6, 1e9)
_DURATION = re.compile(r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*(ns|us|µs|μs|ms|s|m)?$", re.IGNORECASE)
_DURATION_UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
}
_MONTHS = {
    name: 1 + number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    )
}


@lru_cache(maxsize=8192)
def _minute_s(minute: str, offset: str, zone: tzinfo) -> float:
    """Return the seconds since 1970 of a minute as 02/Nov/2026:08:00; ValueError where there is none such."""
    month = _MONTHS.get(minute[3:6], 0)
    instant = datetime(
        int(minute[7:11]),
        month,
        int(minute[:2]),
        int(minute[12:14]),
        int(minute[15:17]),
        tzinfo=zone,
    )
    if offset:
        sign = {"+": 1, "-": -1}[offset[0]]
        ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
        instant = instant.replace(tzinfo=timezone(sign * ahead))
    return instant.timestamp()


def instant_parser(samples: list[str], zone: tzinfo = UTC) -> InstantParser | None:
    """Return what reads times written as these; None where most of them are no times of years that can be.

    `zone` is that of times without an offset.
    """
    for parser in (_common(zone), _iso(zone), *(_epoch(unit) for unit in _UNITS)):
        read = [parser(text) for text in samples]
        if sum(at_s is not None for at_s in read) > 0.5 * len(samples):
            return parser
    return None


def _common(zone: tzinfo) -> InstantParser:
    @lru_cache(maxsize=65536)
    def parse(text: str) -> float | None:
        try:
            second = int(text[18:20])
            if text[20:21] in (".", ","):
                fraction, _, offset = text[21:].partition(" ")
                return _minute_s(text[:17], offset, zone) + second + float(f"0.{fraction}")
            return _minute_s(text[:17], text[20:].strip(), zone) + second
        except (ValueError, KeyError):
            return None

    return parse


def _iso(zone: tzinfo) -> InstantParser:
    def parse(text: str) -> float | None:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            plain = (
                text.replace(",", ".").replace(" UTC", "Z").replace(" +", "+").replace(" -", "-")
            )
            try:
                instant = datetime.fromisoformat(plain)
            except ValueError:
                return None
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).timestamp()

    return lambda text: parse(text) if text[4:5] == "-" else None


def _epoch(unit: float) -> InstantParser:
    first = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()
    last = datetime(last_year() + 1, 1, 1, tzinfo=UTC).timestamp()

    def parse(text: str) -> float | None:
        try:
            at_s = float(text) / unit
        except ValueError:
            return None
        return at_s if first <= at_s < last else None

    return parse


def duration_s(text: str, unit_s: float) -> float:
    """Return a duration in seconds; NaN where there is none. Of a list (`0.1, 0.2`: tries) the sum counts."""
    try:
        return float(text) * unit_s if text[0] != "-" else _UNKNOWN
    except (ValueError, IndexError):
        pass  # a list, or one with its unit
    total, found = 0.0, False
    for part in re.split(r"[,:]\s*| : ", text):
        if match := _DURATION.match(part.strip()):
            named = match[2]
            total += float(match[1]) * (_DURATION_UNITS_S[named.lower()] if named else unit_s)
            found = True
    return total if found and total >= 0 else _UNKNOWN


_UNKNOWN = float("nan")
