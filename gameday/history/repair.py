"""From a table as it came to counts on a grid: zones, DST, duplicates and gaps, each reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.scenario.past import Columns
from gameday.vocabulary import Array, TimeGrid

__all__ = ["Wanted", "counts_from_table", "minutes_of_table", "usual_columns"]

_MOST_SLOTS = 20 * 525_600
"""Twenty years of minutes: longer is a slip in a date."""
_MOST_COUNT = 1e15
"""More a minute is no count."""
_OFFSET = r"\d\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$"
"""A time of day with its offset; a bare date ends in a minus and digits too."""


_LEAST_ROWS, _REGULAR = 24, 0.9
"""Rows, and the share of them equally far apart, from which on a table is one of wider slots. Ours."""


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


def counts_from_table(
    table: pd.DataFrame, asked: Wanted, name: str
) -> tuple[TimeGrid, Array, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return (grid, counts (regions, steps, slots), regions, steps, notes); HistoryError names column and row."""
    columns = asked.columns
    notes: list[str] = []
    wanted = {columns.time, columns.count, columns.region, columns.step} - {None}
    if missing := sorted(str(column) for column in wanted - set(table.columns)):
        have = ", ".join(map(str, table.columns))
        raise HistoryError(
            f"{name}: no column {', '.join(missing)}; map it under history.columns (has: {have})"
        )
    if table.empty:
        raise HistoryError(f"{name}: has no rows; give it a row a minute and series")
    regions = asked.regions or _found(table, columns.region, "all")
    steps = asked.steps or _found(table, columns.step, "count")
    region = _names(table, columns.region, regions, "region", name)
    step = _names(table, columns.step, steps, "step", name)
    series = region * len(steps) + step
    instant = _instants(table[columns.time], series, asked.time_zone, name, notes)
    count = _counts(table[columns.count], name, notes)
    rows = pd.DataFrame({"region": region, "step": step, "instant": instant, "count": count})
    rows = _without_duplicates(rows[rows["instant"].notna()], notes)
    _require_minutes(rows, name)
    grid, counts = _on_grid(rows, (len(regions), len(steps)), name)
    _report_gaps(counts, regions, steps, name, notes)
    return grid, counts, regions, steps, tuple(notes)


def minutes_of_table(table: pd.DataFrame, name: str, time_zone: str) -> pd.DataFrame:
    """Return minute since 1970 UTC, name as `region step`, and count of a table with the usual columns."""
    columns = usual_columns(table, name)
    notes: list[str] = []
    parts = [
        table[c].astype(str) if c else pd.Series(fallback, index=table.index)
        for c, fallback in ((columns.region, "all"), (columns.step, "count"))
    ]
    names = parts[0] + " " + parts[1]
    series = pd.factorize(names)[0]
    instant = _instants(table[columns.time], series, time_zone, name, notes)
    count = _counts(table[columns.count], name, notes)
    rows = pd.DataFrame({"instant": instant, "count": count, "name": names})
    rows = rows[rows["instant"].notna()].drop_duplicates(["instant", "name"], keep="last")
    rows["minute"] = (
        (rows["instant"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(minutes=1)
    ).astype(np.int64)
    return rows.groupby(["minute", "name"], as_index=False)["count"].sum(min_count=1)


_USUAL_NAMES = {
    "time": ("time", "ds", "timestamp", "slot_utc"), "count": ("count", "y", "value"),
    "region": ("region",), "step": ("step", "team", "service", "series"),
}  # fmt: skip
"""What the columns of a history are mostly called."""


def usual_columns(table: pd.DataFrame, name: str) -> Columns:
    """Return which columns hold what, told by their names; HistoryError where time or count is not among them."""
    named = {
        what: next((one for one in names if one in table.columns), None)
        for what, names in _USUAL_NAMES.items()
    }
    for what in ("time", "count"):
        if named[what] is None:
            raise HistoryError(
                f"{name}: no column called {' or '.join(_USUAL_NAMES[what])} (has: "
                f"{', '.join(map(str, table.columns))}); rename it, or describe the file in a scenario"
            )
    return Columns.model_validate(named)


def _found(table: pd.DataFrame, column: str | None, alone: str) -> tuple[str, ...]:
    """Return the names a column holds, in order; `alone` where there is none."""
    if column is None:
        return (alone,)
    return tuple(sorted(map(str, table[column].dropna().unique())))


def _names(
    table: pd.DataFrame, column: str | None, known: tuple[str, ...], what: str, name: str
) -> Array:
    if column is None:
        if len(known) != 1:
            raise HistoryError(
                f"{name}: the scenario has {len(known)} {what}s; name the file's column under "
                f"history.columns.{what}"
            )
        return np.zeros(len(table), dtype=np.int32)
    index = table[column].map({word: i for i, word in enumerate(known)})
    if index.isna().any():
        row = int(np.flatnonzero(index.isna())[0])
        raise HistoryError(
            f"{name}: row {row + 1}: {column}: unknown {what} '{table[column].iloc[row]}'; "
            f"the scenario has {', '.join(known)}"
        )
    return np.asarray(index.to_numpy(np.int32))


def _instants(
    column: pd.Series, series: Array, zone: str, name: str, notes: list[str]
) -> pd.Series:
    """Return UTC instants; NaT where the file names none. `series` numbers each row's series."""
    times = _parsed_times(column, name)
    if (missing := int(times.isna().sum())) > 0:
        notes.append(f"{missing} rows without a time were left out")
    if times.dt.tz is not None:
        return times.dt.tz_convert("UTC")
    local = pd.Series(pd.NaT, index=times.index, dtype="datetime64[ns, UTC]")
    for _, part in times.groupby(series):  # only within one series does the order tell
        local[part.index] = _localized(part, zone).dt.tz_convert("UTC").astype(local.dtype)
    lost = int(local.isna().sum()) - missing
    if lost:
        notes.append(
            f"{lost} rows fall where {zone} changes its clocks and name no one instant; left out"
        )
    return local


def _localized(times: pd.Series, zone: str) -> pd.Series:
    """Return one series' wall-clock times in `zone`; a repeated hour is told apart by its order."""
    try:
        return times.dt.tz_localize(zone, ambiguous="infer", nonexistent="NaT")
    except ValueError:
        return times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")


def _parsed_times(column: pd.Series, name: str) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    offset = column.astype(str).str.contains(_OFFSET, regex=True).to_numpy()
    if offset.any() and not offset.all():
        row = int(np.flatnonzero(~offset)[0])
        raise HistoryError(
            f"{name}: row {row + 1}: {column.name}: some times carry an offset and this does not "
            f"(got '{column.iloc[row]}'); write all one way"
        )
    times = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=bool(offset.all()))
    if times.isna().any():
        row = int(np.flatnonzero(times.isna())[0])
        raise HistoryError(
            f"{name}: row {row + 1}: {column.name}: must be an ISO 8601 time "
            f"(got '{column.iloc[row]}')"
        )
    return times


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


def _without_duplicates(rows: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return rows with one count an instant and series: the last one written."""
    keys = ["region", "step", "instant"]
    second = rows["instant"].astype("datetime64[s, UTC]").astype(np.int64).to_numpy()
    whole = (rows["instant"].dt.nanosecond == 0).all() and (
        rows["instant"].dt.microsecond == 0
    ).all()
    if whole and len(rows):
        # A long table mostly has none: one number a row tells it without hashing four columns.
        series = (
            rows["region"].to_numpy(np.int64) * (int(rows["step"].max()) + 1)
            + rows["step"].to_numpy()
        )
        key = series * (int(second.max()) - int(second.min()) + 1) + (second - second.min())
        key.sort()
        if (key[1:] != key[:-1]).all():
            return rows
    same = rows.duplicated([*keys, "count"])
    if same.any():
        notes.append(f"{int(same.sum())} rows stand there twice, word for word; kept once")
    if again := int(rows[~same].duplicated(keys).sum()):
        notes.append(f"{again} minutes are given two counts; the later row was kept")
    return rows.drop_duplicates(keys, keep="last")


def _on_grid(rows: pd.DataFrame, series: tuple[int, int], name: str) -> tuple[TimeGrid, Array]:
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
    return grid, np.where(seen, sums, np.nan).astype(np.float32).reshape(shape)


def _require_minutes(rows: pd.DataFrame, name: str) -> None:
    """Raise HistoryError where rows lie regularly farther apart: each would be taken for one minute's."""
    ordered = rows.sort_values("instant", kind="stable")
    apart = ordered.groupby(["region", "step"])["instant"].diff().dropna()
    if len(apart) < _LEAST_ROWS:
        return
    width = apart.mode()[0]
    if width > pd.Timedelta(minutes=1) and (apart == width).mean() > _REGULAR:
        raise HistoryError(
            f"{name}: rows lie {width / pd.Timedelta(minutes=1):g} minutes apart; counts must be of single "
            "minutes; export the history by the minute"
        )


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
