"""Times as files write them: ISO 8601 with or without an offset, or seconds, ms, us or ns since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import numpy as np
import pandas as pd

from gameday.errors import HistoryError

__all__ = [
    "in_zone",
    "instants_of",
    "last_year",
    "offsets_of",
    "parsed_times",
    "require_times",
    "require_years",
    "share_without_offset",
]

FIRST_YEAR = 1995
"""No shop sold on the web before. An earlier date is a slip, or a number in another unit."""
_UNITS = (1.0, 1e3, 1e6, 1e9)
"""A second in s, ms, us and ns: between FIRST_YEAR and next year no number can be two of them."""
_UTC = r"(?:\s*(?:UTC|GMT)|(?<=\d)Z)$"
_OFFSET = r"\d\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$"
"""A time of day with its offset; a bare date ends in a minus and digits too."""
_ZONE = r"\s+([A-Z][A-Za-z]{2,4}|[A-Z][A-Za-z]+/[A-Za-z_/+-]+)$"
"""A zone behind a time, as `2026-11-02 08:00:00 CET` or `... Europe/Berlin`."""
_OFFSETS = {
    "EST": "-05:00",
    "EDT": "-04:00",
    "CST": "-06:00",
    "CDT": "-05:00",
    "MST": "-07:00",
    "MDT": "-06:00",
    "PST": "-08:00",
    "PDT": "-07:00",
    "CET": "+01:00",
    "CEST": "+02:00",
    "MEZ": "+01:00",
    "MESZ": "+02:00",
}
"""Abbreviations of zones with one meaning in times of shops: those of RFC 5322, and those of central Europe."""
_REMEDY = (
    "write times as 2026-11-02T08:00:00Z, or as seconds, ms, us or ns since 1970; days and months in another "
    "order are not guessed"
)


def last_year() -> int:
    """Return the last year a time may be of: next year."""
    return datetime.now(UTC).year + 1


def parsed_times(column: pd.Series) -> pd.Series:
    """Return the times of a column, with a zone where they name an instant; NaT for what is none.

    Numbers count from 1970 in whichever unit puts them into FIRST_YEAR or later and before the year after next.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    if _looks_numeric(column):
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        epoch = _from_epoch(numbers)
        if epoch.notna().sum() > 0.5 * numbers.notna().sum():
            return epoch
        if pd.api.types.is_numeric_dtype(column):
            return epoch
    text = _with_offsets(_as_text(column))
    has_offset = text.str.contains(_OFFSET, regex=True).fillna(value=False)
    return pd.to_datetime(text, format="ISO8601", errors="coerce", utc=bool(has_offset.any()))


def offsets_of(column: pd.Series) -> pd.Series:
    """Return which texts of a column say how far from UTC they are; none where it holds no text."""
    if pd.api.types.is_datetime64_any_dtype(column) or _looks_numeric(column):
        return pd.Series(data=False, index=column.index)
    text = _with_offsets(_as_text(column))
    return text.str.contains(_OFFSET, regex=True).fillna(value=False).astype(bool)


def _looks_numeric(column: pd.Series) -> bool:
    """Return whether the first values are numbers: a long column of text is not tried whole."""
    return bool(pd.to_numeric(column[:100], errors="coerce").notna().any())


def _as_text(column: pd.Series) -> pd.Series:
    """Return times as text, UTC written as its offset."""
    return column.astype("string").str.strip().str.replace(_UTC, "+00:00", regex=True)


def _with_offsets(text: pd.Series) -> pd.Series:
    """Return times with the offset of the zone that is named behind them; of an unknown zone as they are."""
    zones = text.str.extract(_ZONE, expand=False)
    for zone in zones.dropna().unique():
        chosen = (zones == zone).fillna(value=False).astype(bool)
        plain = text[chosen].str.replace(_ZONE, "", regex=True)
        if zone in _OFFSETS:
            text = text.where(~chosen, plain.reindex(text.index) + _OFFSETS[zone])
            continue
        try:
            local = pd.to_datetime(plain, format="ISO8601", errors="coerce").dt.tz_localize(
                zone, ambiguous="NaT", nonexistent="NaT"
            )
        except (KeyError, ValueError, AttributeError):
            continue  # no zone: who asks for times says so
        written = local.dt.strftime("%Y-%m-%dT%H:%M:%S.%f%z").astype("string")
        text = text.where(~chosen, written.reindex(text.index))
    return text


def _from_epoch(numbers: pd.Series) -> pd.Series:
    """Return UTC instants of numbers since 1970; NaT where no unit puts them into the years that can be."""
    first, end = (_second_of(year) for year in (FIRST_YEAR, last_year() + 1))
    seconds = np.full(len(numbers), np.nan)
    for unit in _UNITS:
        scaled = numbers.to_numpy() / unit
        seconds = np.where((scaled >= first) & (scaled < end), scaled, seconds)
    microseconds = pd.Series(np.round(seconds * 1e6), index=numbers.index)
    return pd.to_datetime(microseconds, unit="us", utc=True, errors="coerce")


def _second_of(year: int) -> float:
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


def require_years(
    times: pd.Series, column: pd.Series, name: str, *, last: int | None = None
) -> None:
    """Raise HistoryError where a time is of a year before FIRST_YEAR or after `last` (default next year)."""
    last = last_year() if last is None else last
    is_strange = (times.dt.year < FIRST_YEAR) | (times.dt.year > last)
    if _looks_numeric(column):
        numbers = pd.to_numeric(column, errors="coerce")
        is_strange |= times.isna() & numbers.notna() & column.notna()
    _refuse(is_strange, column, name, f"must be a time of {FIRST_YEAR} to {last}")


def require_times(times: pd.Series, column: pd.Series, name: str) -> None:
    """Raise HistoryError where a value is no time, or has no offset where others have one."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return
    _refuse(times.isna() & column.notna(), column, name, "must be an ISO 8601 time")
    has_offset = _as_text(column).str.contains(_OFFSET, regex=True).fillna(value=False)
    if has_offset.any():
        _refuse(
            ~has_offset,
            column,
            name,
            "some times carry an offset and this does not: write all one way",
        )


def _refuse(is_wrong: pd.Series, column: pd.Series, name: str, rule: str) -> None:
    """Raise HistoryError where a value breaks the rule: the first one with its row, and how many do."""
    if not is_wrong.any():
        return
    row = int(np.flatnonzero(is_wrong.to_numpy())[0])
    label = column.index[row]  # not a number where rows have more fields than the head names
    number = (int(label) if isinstance(label, int | np.integer) else row) + 1
    share = f"; so are {int(is_wrong.sum())} of {len(is_wrong)} rows" if is_wrong.sum() > 1 else ""
    raise HistoryError(
        f"{name}: row {number}: {column.name}: {rule} (got '{column.iloc[row]}'{share}); {_REMEDY}"
    )


def in_zone(times: pd.Series, zone: str | tzinfo) -> pd.Series:
    """Return one series' wall-clock times in `zone`; a repeated hour is told apart by its order, or is NaT."""
    try:
        return times.dt.tz_localize(zone, ambiguous="infer", nonexistent="NaT")
    except ValueError:
        return times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")


def instants_of(column: pd.Series, file: str, zone: tzinfo) -> pd.Series:
    """Return UTC instants, NaT for what is no time; `zone` is that of times without an offset."""
    has_offset = offsets_of(column)
    parts = [part for part in (column[has_offset], column[~has_offset]) if len(part)]
    return pd.concat([_alike(part, file, zone) for part in parts or [column]]).reindex(column.index)


def _alike(column: pd.Series, file: str, zone: tzinfo) -> pd.Series:
    """Return UTC instants of times that all have an offset, or none of which has."""
    times = parsed_times(column)
    require_years(times, column, file)
    return (in_zone(times, zone) if times.dt.tz is None else times).dt.tz_convert("UTC")


def share_without_offset(column: pd.Series) -> float:
    """Return the share of times that do not say how far from UTC they are."""
    has_offset = offsets_of(column)
    plain = column[~has_offset]
    times = parsed_times(plain)
    return float(times.notna().sum() / len(column)) if times.dt.tz is None else 0.0
