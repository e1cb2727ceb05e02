"""Quantities as a person writes them: durations with a unit, local times, instants, zones, names.

They are converted here: durations to seconds, instants to UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

__all__ = [
    "Block",
    "Duration",
    "Instant",
    "LocalTime",
    "Name",
    "Quantile",
    "Share",
    "ZoneName",
    "local_to_utc",
    "parse_duration",
    "sums_to_one",
]

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 36500 * 86400.0
"""A hundred years: longer is a slip of the pen, and leaves the calendar."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")
_DURATION_PATTERN = r"^\d+(\.\d+)?\s*(ms|s|min|m|h|d)$"
_SUM_TOLERANCE = 1e-6
_YEARS = range(1900, 2201)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")


class Block(BaseModel):
    """A mapping in the scenario: unknown keys refused, no value guessed, frozen once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def parse_duration(value: Any) -> float:
    """Return seconds for `40ms`, `1.5s`, `30m`, `48h`, `2d`; raise ValueError naming the form."""
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        seconds = float(found[1]) * _UNITS_S[found[2]]
        if seconds > _LONGEST_S:
            raise ValueError("must be at most 36500d")
        return seconds
    raise ValueError("must be a duration with its unit, such as 40ms, 1.5s, 30m, 48h or 2d")


def _parse_local(value: Any) -> datetime:
    if isinstance(value, str) and _LOCAL.fullmatch(value):
        local = datetime.fromisoformat(value)
        if local.year in _YEARS:
            return local
        raise ValueError("must be a year from 1900 to 2200")
    raise ValueError("must be a local time without offset, such as 2027-07-13T00:00")


def _parse_instant(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value.replace("Z", "+00:00"))
            if instant.tzinfo is not None and instant.year in _YEARS:
                return instant.astimezone(UTC)
        except ValueError:
            pass  # the error below names the form
    raise ValueError("must be an instant with its offset, such as 2027-05-01T00:00Z")


def _parse_zone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError("must be an IANA time zone, such as America/Los_Angeles") from None
    return str(value)


def _parse_quantile(value: Any) -> float:
    if isinstance(value, str) and (found := re.fullmatch(r"p(\d{1,2}(?:\.\d+)?)", value)):
        level = float(found[1]) / 100
        if 0 < level < 1:
            return level
    raise ValueError("must be a quantile, such as p50, p90 or p99")


def sums_to_one(total: float) -> bool:
    """Return whether a sum of chances or shares is 1, but for rounding of what a person writes."""
    return abs(total - 1) <= _SUM_TOLERANCE


def local_to_utc(local: datetime, zone: str) -> datetime:
    """Return the UTC instant of a wall-clock time; ValueError if DST skips or repeats it."""
    info = ZoneInfo(zone)
    first, second = local.replace(tzinfo=info, fold=0), local.replace(tzinfo=info, fold=1)
    if first.astimezone(UTC).astimezone(info).replace(tzinfo=None) != local:
        later = first.astimezone(UTC).astimezone(info).replace(tzinfo=None)
        raise ValueError(
            f"{local:%Y-%m-%dT%H:%M} does not exist in {zone} (clocks jump to {later:%H:%M})"
        )
    if first.utcoffset() != second.utcoffset():
        raise ValueError(f"{local:%Y-%m-%dT%H:%M} happens twice in {zone} (clocks go back)")
    return first.astimezone(UTC)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["40ms"]}),
]
"""Seconds; written with a unit."""

LocalTime = Annotated[
    datetime,
    BeforeValidator(_parse_local),
    WithJsonSchema({"type": "string", "pattern": f"^{_LOCAL.pattern}$"}),
]
"""A wall-clock time in a region's event zone; written without an offset."""

Instant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""UTC; written with an offset."""

Quantile = Annotated[
    float,
    BeforeValidator(_parse_quantile),
    WithJsonSchema({"type": "string", "pattern": r"^p\d{1,2}(\.\d+)?$"}),
]
"""A level in (0, 1); written p90."""

ZoneName = Annotated[str, BeforeValidator(_parse_zone), WithJsonSchema({"type": "string"})]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
