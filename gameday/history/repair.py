"""From a table as it came to counts on a grid: zones, DST, duplicates and gaps, each reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history.absent import suspect_zeros
from gameday.history.history import CoarseRows
from gameday.history.instants import in_zone, parsed_times, require_times, require_years
from gameday.history.names import (
    Label,
    NamedRows,
    columns_of,
    named_rows,
    require_one_count,
    usual_columns,
)
from gameday.history.row_lengths import LongRows, by_the_minute
from gameday.scenario.blocks import Columns
from gameday.vocabulary import Array, TimeGrid

__all__ = ["GridCounts", "Wanted", "counts_from_table", "minutes_of_table"]

_MOST_SLOTS = 20 * 525_600
"""Twenty years of minutes: longer is a slip in a date."""
_MOST_COUNT = 1e15
"""More a minute is no count."""
_MINUTE = pd.Timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table is read for."""

    columns: Columns
    time_zone: str
    """Of times without an offset."""
    regions: tuple[str, ...] | None = None
    """None: whatever the table names."""
    steps: tuple[str, ...] | None = None
    """None: whatever the table names."""
    absent: Literal["zero", "unknown"] | None = None
    """What a minute without a row says; None: not known, and where it looks like zero that is said."""
    is_zone_said: bool = True
    """Whether somebody said `time_zone`; else it is said that it was taken."""
    last_year: int | None = None
    """Of a time; None: next year."""


@dataclass(frozen=True, slots=True)
class GridCounts:
    """Counts of a table on a grid of minutes."""

    grid: TimeGrid
    counts: Array
    """Shape (regions, steps, slots), float32; NaN = not known."""
    regions: tuple[str, ...]
    steps: tuple[str, ...]
    notes: tuple[str, ...]
    """What was found and mended."""
    coarse: tuple[CoarseRows, ...]
    """Which counts are spread from longer rows."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A table as it came, and what is found in it."""

    table: pd.DataFrame
    columns: Columns
    wanted: Wanted
    name: str
    """As messages call the file."""
    notes: list[str]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table's rows by region, step and instant."""

    table: pd.DataFrame
    """Columns region, step (numbers of names), instant (UTC) and count; one row an instant and series."""
    regions: tuple[str, ...]
    steps: tuple[str, ...]
    longer: LongRows
    """Rows of more than a minute that the table's are spread from."""
    unsure: pd.DataFrame
    """Where the clocks change: region, step and every instant that a row left out may mean."""
    name: str
    """As messages call the file."""
    notes: list[str]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of regions and of steps."""
        return len(self.regions), len(self.steps)


def counts_from_table(table: pd.DataFrame, wanted: Wanted, name: str) -> GridCounts:
    """Return the counts of a table on a grid; HistoryError names column and row of what is unsound."""
    rows = _rows_of(table, wanted, name)
    grid = _grid_of(rows)
    counts, is_absent = _on_grid(rows, grid)
    if wanted.absent == "zero":
        is_absent &= ~_is_unsure(rows, grid)
        rows.notes.append(
            f"{int(is_absent.sum())} minutes without a row are taken as 0 (history.absent)"
        )
        counts[is_absent] = 0.0
    _report_gaps(counts, rows)
    if wanted.absent is None:
        rows.notes.extend(_note_suspected_zeros(counts, rows))
    coarse = tuple(_coarse_rows(rows.longer, grid))
    return GridCounts(grid, counts, rows.regions, rows.steps, tuple(rows.notes), coarse)


def minutes_of_table(
    table: pd.DataFrame, name: str, time_zone: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return (minute since 1970 UTC, name as `region step`, count) of a table with usual columns, and notes."""
    rows = _rows_of(table, Wanted(usual_columns(table, name), time_zone), name)
    found = rows.table
    names = np.array([f"{region} {step}" for region in rows.regions for step in rows.steps], object)
    since_1970 = found["instant"] - pd.Timestamp(0, tz="UTC")
    minutes = pd.DataFrame(
        {
            "minute": (since_1970 // _MINUTE).astype(np.int64),
            "name": names[found["region"] * len(rows.steps) + found["step"]],
            "count": found["count"],
        }
    )
    return minutes.groupby(["minute", "name"], as_index=False)["count"].sum(min_count=1), rows.notes


def _rows_of(table: pd.DataFrame, wanted: Wanted, name: str) -> _Rows:
    """Return the rows that name an instant, one an instant and series."""
    source = _Source(table, columns_of(table, wanted.columns, name), wanted, name, notes=[])
    if table.empty:
        raise HistoryError(f"{name}: has no rows; give it a row a minute and series")
    count = _counts(source)
    region, step = _labels(source, count)
    instant, local = _instants(source, region.number * len(step.names) + step.number)
    rows = pd.DataFrame(
        {
            "region": region.number,
            "step": step.number,
            "instant": instant.array,
            "count": count.array,
        }
    )
    rows = rows[rows["instant"].notna()]
    if not _are_distinct(rows):
        _require_one_count(source, rows, region, step)
        rows = _without_duplicates(rows, source.notes)
    minutes, longer = by_the_minute(rows, name, source.notes)
    unsure = _unsure(local, region.number, step.number, wanted.time_zone)
    return _Rows(minutes, region.names, step.names, longer, unsure, name, source.notes)


def _labels(source: _Source, counts: pd.Series) -> tuple[NamedRows, NamedRows]:
    """Return which region and which step each row is of."""
    columns, wanted = source.columns, source.wanted
    region, step = (
        named_rows(source.table, label, counts, source=source.name, notes=source.notes)
        for label in (
            Label("region", columns.region, wanted.regions, default="all"),
            Label("step", columns.step, wanted.steps, default="count"),
        )
    )
    return region, step


def _require_one_count(
    source: _Source, rows: pd.DataFrame, region: NamedRows, step: NamedRows
) -> None:
    """Raise HistoryError where a column that nothing reads tells rows of one series and instant apart.

    The index of `rows` is the place of each in the table.
    """
    region_written, step_written = (
        "" if label.written is None else label.written.to_numpy(object)[rows.index]
        for label in (region, step)
    )
    keys = rows[["instant"]].assign(
        series=rows["region"] * len(step.names) + rows["step"],
        region=region_written,
        step=step_written,
    )
    table = source.table.iloc[rows.index].set_axis(rows.index)
    require_one_count(table, keys, source.columns, source.name)


def _instants(source: _Source, series: Array) -> tuple[pd.Series, pd.Series]:
    """Return UTC instants, NaT where the file names none, and the local times where clocks change.

    `series` numbers each row's series.
    """
    column, notes = source.table[source.columns.time], source.notes
    times, zone = parsed_times(column), source.wanted.time_zone
    require_years(times, column, source.name, last=source.wanted.last_year)
    require_times(times, column, source.name)
    if (missing := int(times.isna().sum())) > 0:
        notes.append(f"{missing} rows without a time were left out")
    if times.dt.tz is not None:
        return times.dt.tz_convert("UTC"), times[:0].dt.tz_localize(None)
    if not source.wanted.is_zone_said:
        notes.append(
            f"times have no offset: they are read as of {zone}; history.time_zone says another"
        )
    instants = _localized(times, series, zone)
    is_lost = instants.isna() & times.notna()
    if lost := int(is_lost.sum()):
        notes.append(
            f"{lost} rows fall where {zone} changes its clocks and name no one instant; left out"
        )
    return instants, times.where(is_lost)


def _localized(times: pd.Series, series: Array, zone: str) -> pd.Series:
    """Return UTC instants of wall-clock times; a repeated hour is told apart by the order within a series."""
    instants = pd.Series(pd.NaT, index=times.index, dtype="datetime64[ns, UTC]")
    for _, part in times.groupby(series):
        instants[part.index] = in_zone(part, zone).dt.tz_convert("UTC").astype(instants.dtype)
    return instants


def _unsure(local: pd.Series, region: Array, step: Array, zone: str) -> pd.DataFrame:
    """Return both instants that each local time of a repeated hour may mean."""
    known = local.notna().to_numpy()
    parts = [
        pd.DataFrame(
            {
                "region": region[known],
                "step": step[known],
                "instant": local[known]
                .dt.tz_localize(zone, ambiguous=np.full(known.sum(), is_summer), nonexistent="NaT")
                .dt.tz_convert("UTC")
                .array,
            }
        )
        for is_summer in (True, False)
        if known.any()
    ]
    return pd.concat(parts).dropna() if parts else pd.DataFrame()


def _is_unsure(rows: _Rows, grid: TimeGrid) -> Array:
    """Return which minutes rows may be of whose instant is not known, shape (regions, steps, slots)."""
    out, unsure = np.zeros((*rows.shape, grid.slots), bool), rows.unsure
    if not unsure.empty:
        slot = ((unsure["instant"] - grid.start) // _MINUTE).to_numpy(np.int64)
        inside = (slot >= 0) & (slot < grid.slots)
        out[unsure["region"][inside], unsure["step"][inside], slot[inside]] = True
    return out


def _note_suspected_zeros(counts: Array, rows: _Rows) -> list[str]:
    """Return a note on each series whose minutes without a row look like zeros."""
    found = (
        suspect_zeros(counts[r, s], f"{region} {step}")
        for r, region in enumerate(rows.regions)
        for s, step in enumerate(rows.steps)
    )
    return [note for note in found if note is not None]


def _counts(source: _Source) -> pd.Series:
    """Return the rows' counts, NaN where a row has none; HistoryError names the first that is no count."""
    column = source.table[source.columns.count]
    is_empty = column.isna() | (column.astype(str).str.strip() == "")
    count = pd.to_numeric(column.where(~is_empty), errors="coerce")
    is_wrong = (count.isna() & ~is_empty) | (count < 0) | (count > _MOST_COUNT)
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        raise HistoryError(
            f"{source.name}: row {row + 1}: {column.name}: must be a count of 0 or more, at most "
            f"{_MOST_COUNT:g} (got '{column.iloc[row]}')"
        )
    if is_empty.any():
        source.notes.append(f"{int(is_empty.sum())} rows without a count are taken as not known")
    return count.astype(float)


def _are_distinct(rows: pd.DataFrame) -> bool:
    """Return whether each series has each instant once.

    Series and second make one number a row: that is several times faster than hashing the columns.
    """
    instant = rows["instant"]
    is_whole = (instant.dt.nanosecond == 0).all() and (instant.dt.microsecond == 0).all()
    if not is_whole or rows.empty:
        return not rows.duplicated(["region", "step", "instant"]).any()
    second = instant.astype("datetime64[s, UTC]").astype(np.int64).to_numpy()
    region, step = rows["region"].to_numpy(np.int64), rows["step"].to_numpy()
    series = region * (int(step.max()) + 1) + step
    key = series * (int(second.max()) - int(second.min()) + 1) + (second - second.min())
    key.sort()
    return bool((key[1:] != key[:-1]).all())


def _without_duplicates(rows: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return rows with one count an instant and series: the last one written."""
    keys = ["region", "step", "instant"]
    same = rows.duplicated([*keys, "count"])
    if same.any():
        notes.append(f"{int(same.sum())} rows stand there twice, word for word; kept once")
    if again := int(rows[~same].duplicated(keys).sum()):
        notes.append(f"{again} minutes are given two counts; the later row was kept")
    return rows.drop_duplicates(keys, keep="last")


def _grid_of(rows: _Rows) -> TimeGrid:
    """Return the minutes from the first row to the last; HistoryError where there are none, or far too many."""
    instant = rows.table["instant"]
    if instant.empty:
        raise HistoryError(f"{rows.name}: no row names an instant")
    first, last = instant.min().floor("min"), instant.max().floor("min")
    grid = TimeGrid.between(first.to_pydatetime(), (last + _MINUTE).to_pydatetime())
    if grid.slots > _MOST_SLOTS:
        raise HistoryError(
            f"{rows.name}: spans {grid.slots // 525_600} years, {grid.start:%Y-%m-%d} to "
            f"{grid.end:%Y-%m-%d}; look for a mistyped year"
        )
    return grid


def _on_grid(rows: _Rows, grid: TimeGrid) -> tuple[Array, Array]:
    """Return counts, NaN where not known, and where no row stands at all; shape (regions, steps, slots)."""
    shape = (*rows.shape, grid.slots)
    cell, count = _cells(rows, grid), rows.table["count"].to_numpy()
    known = ~np.isnan(count)
    sums = np.bincount(cell[known], count[known], minlength=int(np.prod(shape)))
    seen = np.bincount(cell[known], minlength=len(sums)) > 0
    is_absent = np.bincount(cell, minlength=len(sums)).reshape(shape) == 0
    return np.where(seen, sums, np.nan).astype(np.float32).reshape(shape), is_absent


def _coarse_rows(longer: LongRows, grid: TimeGrid) -> Iterator[CoarseRows]:
    """Yield the runs of rows of more than a minute without a gap between them, of each series."""
    if not len(longer.minutes):
        return
    begin = ((longer.begin.dt.floor("min") - grid.start) // _MINUTE).to_numpy(np.int64)
    series = np.stack([longer.region, longer.step])
    order = np.lexsort((begin, *series[::-1]))
    series, begin, end = series[:, order], begin[order], (begin + longer.minutes)[order]
    joined = (begin[1:] == end[:-1]) & (series[:, 1:] == series[:, :-1]).all(axis=0)
    for run in np.split(np.arange(len(begin)), np.flatnonzero(~joined) + 1):
        region, step = series[:, run[0]].tolist()
        yield CoarseRows(region, step, np.append(begin[run], end[run[-1]]))


def _cells(rows: _Rows, grid: TimeGrid) -> Array:
    """Return of each row the flat index of its cell in an array of shape (regions, steps, slots)."""
    minute = rows.table["instant"].dt.floor("min")
    slot = ((minute - minute.min()) // _MINUTE).to_numpy(np.int64)
    region, step = rows.table["region"].to_numpy(np.int64), rows.table["step"].to_numpy()
    return np.asarray((region * len(rows.steps) + step) * grid.slots + slot)


def _report_gaps(counts: Array, rows: _Rows) -> None:
    """Note what is not known of each series; HistoryError where nothing is."""
    for r, region in enumerate(rows.regions):
        for s, step in enumerate(rows.steps):
            gone = np.isnan(counts[r, s])
            if gone.all():
                raise HistoryError(f"{rows.name}: region '{region}' has no count of step '{step}'")
            if gone.any():
                edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.view(np.int8), [0]])))
                longest = int((edges[1::2] - edges[::2]).max())
                rows.notes.append(
                    f"{region} {step}: {int(gone.sum())} minutes not known in "
                    f"{len(edges) // 2} gaps, the longest {longest} min"
                )
