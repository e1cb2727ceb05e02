"""From a table as it came to counts on a grid: zones, DST, duplicates and gaps, each reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history.absent import suspicion
from gameday.history.instants import in_zone, parsed_times, require_times, require_years
from gameday.history.names import (
    NamedRows,
    columns_of,
    named_rows,
    require_one_count,
    usual_columns,
)
from gameday.history.row_lengths import by_the_minute
from gameday.scenario.blocks import Columns
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Wanted", "counts_from_table", "minutes_of_table"]

_MOST_SLOTS = 20 * 525_600
"""Twenty years of minutes: longer is a slip in a date."""
_MOST_COUNT = 1e15
"""More a minute is no count."""


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
    last_year: int | None = None
    """Of a time; None: next year."""


@dataclass(slots=True)
class _Rows:
    """A table's rows by region, step and instant."""

    table: pd.DataFrame
    """Columns region, step (numbers of names), instant (UTC) and count; one row an instant and series."""
    regions: tuple[str, ...]
    steps: tuple[str, ...]
    unsure: pd.DataFrame
    """Where the clocks change: region, step and every instant that a row left out may mean."""
    notes: list[str]


def counts_from_table(
    table: pd.DataFrame, asked: Wanted, name: str
) -> tuple[TimeGrid, Array, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return (grid, counts (regions, steps, slots), regions, steps, notes); HistoryError names column and row."""
    rows = _rows_of(table, asked, name)
    shape = len(rows.regions), len(rows.steps)
    grid, counts, is_absent = _on_grid(rows.table, shape, name)
    if asked.absent == "zero":
        is_absent &= ~_marked(rows.unsure, grid, shape)
        rows.notes.append(
            f"{int(is_absent.sum())} minutes without a row are taken as 0 (history.absent)"
        )
        counts[is_absent] = 0.0
    _report_gaps(counts, rows.regions, rows.steps, name, rows.notes)
    if asked.absent is None:
        rows.notes += _suspicions(counts, rows)
    return grid, counts, rows.regions, rows.steps, tuple(rows.notes)


def minutes_of_table(
    table: pd.DataFrame, name: str, time_zone: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return (minute since 1970 UTC, name as `region step`, count) of a table with usual columns, and notes."""
    rows = _rows_of(table, Wanted(usual_columns(table, name), time_zone), name)
    found, minute = rows.table, pd.Timedelta(minutes=1)
    names = np.array([f"{region} {step}" for region in rows.regions for step in rows.steps], object)
    minutes = pd.DataFrame(
        {
            "minute": ((found["instant"] - pd.Timestamp(0, tz="UTC")) // minute).astype(np.int64),
            "name": names[found["region"] * len(rows.steps) + found["step"]],
            "count": found["count"],
        }
    )
    return minutes.groupby(["minute", "name"], as_index=False)["count"].sum(min_count=1), rows.notes


def _rows_of(table: pd.DataFrame, asked: Wanted, name: str) -> _Rows:
    notes: list[str] = []
    columns = columns_of(table, asked.columns, name)
    if table.empty:
        raise HistoryError(f"{name}: has no rows; give it a row a minute and series")
    count = _counts(table[columns.count], name, notes)
    region, step = (
        named_rows(table, column, known, what, of=name, counts=count, alone=alone, notes=notes)
        for column, known, what, alone in (
            (columns.region, asked.regions, "region", "all"),
            (columns.step, asked.steps, "step", "count"),
        )
    )
    series = region.number * len(step.names) + step.number
    instant, local = _instants(table[columns.time], series, asked, name, notes)
    rows = pd.DataFrame(
        {
            "region": region.number,
            "step": step.number,
            "instant": instant.array,
            "count": count.array,
        }
    )
    is_known = rows["instant"].notna()
    rows = rows[is_known]
    if not _are_distinct(rows):
        keys = rows[["instant"]].assign(
            series=series[is_known],
            region=_written(region, is_known),
            step=_written(step, is_known),
        )
        require_one_count(table[is_known.to_numpy()].set_axis(rows.index), keys, columns, name)
        rows = _without_duplicates(rows, notes)
    rows = by_the_minute(rows, name, notes)
    unsure = _unsure(local, region.number, step.number, asked.time_zone)
    return _Rows(rows, region.names, step.names, unsure, notes)


def _written(rows: NamedRows, is_known: pd.Series) -> Array | str:
    return "" if rows.written is None else rows.written.to_numpy(object)[is_known]


def _instants(
    column: pd.Series, series: Array, asked: Wanted, name: str, notes: list[str]
) -> tuple[pd.Series, pd.Series]:
    """Return UTC instants, NaT where the file names none, and the local times where clocks change.

    `series` numbers each row's series.
    """
    times, zone = parsed_times(column), asked.time_zone
    require_years(times, column, name, last=asked.last_year)
    require_times(times, column, name)
    if (missing := int(times.isna().sum())) > 0:
        notes.append(f"{missing} rows without a time were left out")
    if times.dt.tz is not None:
        return times.dt.tz_convert("UTC"), times[:0].dt.tz_localize(None)
    local = pd.Series(pd.NaT, index=times.index, dtype="datetime64[ns, UTC]")
    for _, part in times.groupby(series):  # only within one series does the order tell
        local[part.index] = in_zone(part, zone).dt.tz_convert("UTC").astype(local.dtype)
    is_lost = local.isna() & times.notna()
    if lost := int(is_lost.sum()):
        notes.append(
            f"{lost} rows fall where {zone} changes its clocks and name no one instant; left out"
        )
    return local, times.where(is_lost)


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


def _marked(unsure: pd.DataFrame, grid: TimeGrid, shape: tuple[int, int]) -> Array:
    """Return which cells of a grid rows may be of whose instant is not known, shape (regions, steps, slots)."""
    out = np.zeros((*shape, grid.slots), bool)
    if not unsure.empty:
        slot = ((unsure["instant"] - grid.start) // pd.Timedelta(minutes=1)).to_numpy(np.int64)
        inside = (slot >= 0) & (slot < grid.slots)
        out[unsure["region"][inside], unsure["step"][inside], slot[inside]] = True
    return out


def _suspicions(counts: Array, rows: _Rows) -> list[str]:
    found = (
        suspicion(counts[r, s], f"{region} {step}")
        for r, region in enumerate(rows.regions)
        for s, step in enumerate(rows.steps)
    )
    return [said for said in found if said is not None]


def _counts(column: pd.Series, name: str, notes: list[str]) -> pd.Series:
    empty = column.isna() | (column.astype(str).str.strip() == "")
    count = pd.to_numeric(column.where(~empty), errors="coerce")
    wrong = (count.isna() & ~empty) | (count < 0) | (count > _MOST_COUNT)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise HistoryError(
            f"{name}: row {row + 1}: {column.name}: must be a count of 0 or more, at most "
            f"{_MOST_COUNT:g} (got '{column.iloc[row]}')"
        )
    if empty.any():
        notes.append(f"{int(empty.sum())} rows without a count are taken as not known")
    return count.astype(float)


def _are_distinct(rows: pd.DataFrame) -> bool:
    """Return whether each series has each instant once: one number a row tells it without hashing columns."""
    instant = rows["instant"]
    is_whole = (instant.dt.nanosecond == 0).all() and (instant.dt.microsecond == 0).all()
    if not is_whole or rows.empty:
        return not rows.duplicated(["region", "step", "instant"]).any()
    second = instant.astype("datetime64[s, UTC]").astype(np.int64).to_numpy()
    series = (
        rows["region"].to_numpy(np.int64) * (int(rows["step"].max()) + 1) + rows["step"].to_numpy()
    )
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


def _on_grid(
    rows: pd.DataFrame, series: tuple[int, int], name: str
) -> tuple[TimeGrid, Array, Array]:
    """Return the grid, counts with NaN where not known, and where no row stands at all."""
    if rows.empty:
        raise HistoryError(f"{name}: no row names an instant")
    minute = rows["instant"].dt.floor("min")
    grid = TimeGrid.between(
        minute.min().to_pydatetime(), (minute.max() + pd.Timedelta(minutes=1)).to_pydatetime()
    )
    if grid.slots > _MOST_SLOTS:
        raise HistoryError(
            f"{name}: spans {grid.slots // 525_600} years, {grid.start:%Y-%m-%d} to "
            f"{grid.end:%Y-%m-%d}; look for a mistyped year"
        )
    shape = (*series, grid.slots)
    slot = ((minute - minute.min()) // pd.Timedelta(minutes=1)).to_numpy(np.int64)
    flat = (rows["region"].to_numpy(np.int64) * shape[1] + rows["step"].to_numpy()) * shape[
        2
    ] + slot
    known = rows["count"].notna().to_numpy()
    sums = np.bincount(flat[known], rows["count"].to_numpy()[known], minlength=int(np.prod(shape)))
    seen = np.bincount(flat[known], minlength=len(sums)) > 0
    is_absent = np.bincount(flat, minlength=len(sums)).reshape(shape) == 0
    return grid, np.where(seen, sums, np.nan).astype(np.float32).reshape(shape), is_absent


def _report_gaps(
    counts: Array, regions: tuple[str, ...], steps: tuple[str, ...], name: str, notes: list[str]
) -> None:
    for r, region in enumerate(regions):
        for s, step in enumerate(steps):
            gone = np.isnan(counts[r, s])
            if gone.all():
                raise HistoryError(f"{name}: region '{region}' has no count of step '{step}'")
            if gone.any():
                edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.view(np.int8), [0]])))
                longest = int((edges[1::2] - edges[::2]).max())
                notes.append(
                    f"{region} {step}: {int(gone.sum())} minutes not known in "
                    f"{len(edges) // 2} gaps, the longest {longest} min"
                )
