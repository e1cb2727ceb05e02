"""Rows of more than a minute: totals of so long, spread evenly over their minutes.

Of one length or of several in a file, as where monitoring thins out what is old: hours first, minutes later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.vocabulary import Array

__all__ = ["LongRows", "by_the_minute"]

_LONGEST_ROW_MIN = 7 * 1440 + 60
"""A week, in which clocks may be set back."""
_DAY_MIN, _CLOCK_MIN = 1440, 60
"""Rows of local days are up to so much longer or shorter where clocks change."""
_BLOCK, _REGULAR = 24, 0.75
"""Rows that are looked at together; what share of them must be equally far apart to have a length. Ours."""
_LEAST_ROWS = 8
"""Rows of a series below which nothing is told of their length: they are minutes."""


@dataclass(frozen=True, slots=True)
class LongRows:
    """Rows of more than a minute, in the order of a table; all arrays have shape (rows,)."""

    region: Array
    """Number of its name."""
    step: Array
    """Likewise."""
    begin: pd.Series
    """UTC."""
    minutes: Array
    """How long each is."""

    @staticmethod
    def none() -> LongRows:
        """Return no rows."""
        nothing = np.empty(0, int)
        return LongRows(nothing, nothing, pd.Series(dtype="datetime64[ns, UTC]"), nothing)


def by_the_minute(rows: pd.DataFrame, name: str, notes: list[str]) -> tuple[pd.DataFrame, LongRows]:
    """Return a row a minute, and which of the rows were longer: those are totals, and are spread evenly.

    HistoryError where rows lie more than a week apart.
    """
    found = _row_lengths(rows)
    if (found <= 1).all():
        return rows, LongRows.none()
    _require_whole(found, name)
    lengths = found.astype(int)
    _require_short(rows, lengths, name)
    notes.extend(_notes(rows, lengths))
    longer = lengths > 1
    region, step = (rows[column].to_numpy()[longer] for column in ("region", "step"))
    long_rows = LongRows(region, step, rows["instant"][longer], lengths[longer])
    return _spread(rows, lengths), long_rows


def _spread(rows: pd.DataFrame, lengths: Array) -> pd.DataFrame:
    """Return rows of so many minutes as one a minute, each with its part of the total."""
    spread = rows.loc[rows.index.repeat(lengths)].reset_index(drop=True)
    first = np.cumsum(lengths) - lengths
    nth = np.arange(len(spread)) - np.repeat(first, lengths)
    return spread.assign(
        instant=spread["instant"] + pd.to_timedelta(nth, unit="min"),
        count=spread["count"] / np.repeat(lengths, lengths),
    )


def _require_whole(lengths: Array, name: str) -> None:
    """Raise HistoryError where a row is of a part of a minute beside whole ones."""
    parts = lengths[lengths % 1 > 0]
    if len(parts):
        raise HistoryError(
            f"{name}: rows lie {parts[0]:g} minutes apart; counts must be of whole minutes; export it so"
        )


def _require_short(rows: pd.DataFrame, lengths: Array, name: str) -> None:
    """Raise HistoryError where a row is longer than a week."""
    if (longest := int(lengths.max())) > _LONGEST_ROW_MIN:
        row = rows.iloc[int(lengths.argmax())]
        raise HistoryError(
            f"{name}: rows lie {longest / _DAY_MIN:.0f} days apart (from {row['instant']:%Y-%m-%d} on); counts "
            "must be of minutes, hours, days or weeks; export the history at a finer step"
        )


def _notes(rows: pd.DataFrame, lengths: Array) -> list[str]:
    """Return a note on each length of rows that there is, but minutes; days differ where clocks change."""
    usual = np.where(
        lengths >= _DAY_MIN - _CLOCK_MIN, np.round(lengths / _DAY_MIN) * _DAY_MIN, lengths
    )
    out = []
    for minutes in np.unique(usual[usual > 1]):
        instants = rows["instant"][usual == minutes]
        out.append(
            f"rows lie {_words(int(minutes))} apart from {instants.min():%Y-%m-%d} to "
            f"{instants.max():%Y-%m-%d}: each is read as the total from its time to the next; how minutes differ "
            "within is not known"
        )
    return out


def _words(minutes: int) -> str:
    """Return a length in words, as `60 minutes` or `7 days`."""
    if minutes >= _DAY_MIN:
        return f"{minutes // _DAY_MIN} days" if minutes > _DAY_MIN else "a day"
    return f"{minutes} minutes"


def _row_lengths(rows: pd.DataFrame) -> Array:
    """Return how many minutes each row is the total of, shape (rows,): 1 where rows lie irregularly."""
    lengths = np.ones(len(rows))
    minute = rows["instant"].astype("datetime64[s, UTC]").astype(np.int64).to_numpy() / 60
    series = rows["region"].to_numpy(np.int64) * (int(rows["step"].max()) + 1) + rows["step"]
    order = np.lexsort((minute, series.to_numpy()))
    bounds = np.flatnonzero(np.diff(series.to_numpy()[order])) + 1
    for part in np.split(order, bounds):
        if len(part) >= _LEAST_ROWS:
            lengths[part] = _of_series(minute[part])
    return lengths


def _of_series(minute: Array) -> Array:
    """Return the lengths of a series' rows, in order, that begin at `minute`."""
    apart = np.diff(minute)
    apart = np.append(apart, apart[-1])
    if (middle := float(np.median(apart))) > _LONGEST_ROW_MIN:
        return np.full(len(apart), int(middle))
    usual = _usual_distances(apart)
    lengths = np.where(_reach_next(apart, usual), apart, usual)
    return np.asarray(np.maximum(lengths, 1))


def _reach_next(apart: Array, usual: Array) -> Array:
    """Return which rows end where the next begins; a gap follows the others.

    A row may have the length of the blocks beside its own, and a day is longer or shorter where clocks change.
    """
    before = np.concatenate([usual[:_BLOCK], usual[:-_BLOCK]])[: len(apart)]
    after = np.concatenate([usual[_BLOCK:], usual[-_BLOCK:]])[-len(apart) :]
    is_day = (usual >= _DAY_MIN) & (np.abs(apart - usual) <= _CLOCK_MIN)
    is_shorter = (apart < usual) & (apart % 1 == 0)
    return np.asarray((apart == before) | (apart == after) | is_shorter | is_day)


def _usual_distances(apart: Array) -> Array:
    """Return how far apart rows regularly lie about each, minutes; 1 where no rows do, shape as `apart`."""
    found = np.full(len(apart), np.nan)
    for end in range(_BLOCK, len(apart) + _BLOCK, _BLOCK):
        part = slice(max(0, min(end, len(apart)) - _BLOCK), min(end, len(apart)))
        values, number = np.unique(apart[part], return_counts=True)
        if number.max() >= min(_REGULAR * _BLOCK, len(apart[part])):
            found[part] = values[number.argmax()]
    # What lies between regular blocks is as the block before it; the first, as the one after.
    return np.asarray(pd.Series(found).ffill().bfill().fillna(1.0).clip(lower=1.0))
