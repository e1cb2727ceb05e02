"""What other models forecast at earlier origins: a table a model, for the blend to weigh as a member."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gameday.errors import HistoryError
from gameday.history.instants import parsed_times, require_times
from gameday.history.readers import reader_of
from gameday.scenario import did_you_mean
from gameday.vocabulary import Array

if TYPE_CHECKING:
    from gameday.scenario import Scenario

__all__ = ["MemberForecasts", "SaidAtOrigin", "read_members"]

_COLUMNS = ("origin", "time", "count")
_MINUTE = pd.Timedelta(minutes=1)
_LONGEST_MIN = 60


@dataclass(frozen=True, slots=True)
class SaidAtOrigin:
    """What a model said from one origin."""

    origin_min: float
    """Minutes since 1970 UTC: it knew nothing of what came after."""
    first_min: float
    """Where its first row begins."""
    counts: Array
    """Counts a minute, shape (regions, steps, rows), float32; NaN where it said nothing."""


@dataclass(frozen=True, slots=True)
class MemberForecasts:
    """All that another model said of one scenario's counts."""

    name: str
    width_min: int
    """How many minutes each row is of."""
    said: tuple[SaidAtOrigin, ...]
    """By origin, the earliest first."""

    def known_before(self, minute: float) -> MemberForecasts:
        """Return what it had said by `minute` since 1970 UTC."""
        known = tuple(each for each in self.said if each.origin_min <= minute)
        return MemberForecasts(self.name, self.width_min, known)


def read_members(scenario: Scenario) -> tuple[MemberForecasts, ...]:
    """Return what the files of `forecast.members` hold; HistoryError names file, column or row that is unsound."""
    return tuple(
        _read(name, Path(member.file), scenario)
        for name, member in scenario.forecast.members.items()
        if member.file is not None
    )


def _read(name: str, file: Path, scenario: Scenario) -> MemberForecasts:
    where = f"forecast.members.{name}: {file}"
    if not file.is_file():
        raise HistoryError(f"{where}: no such file")
    table = reader_of(file).read_table(file)
    if missing := [column for column in _COLUMNS if column not in table.columns]:
        raise HistoryError(
            f"{where}: has no column {', '.join(missing)}; it needs origin, time, region, step and count"
        )
    if table.empty:
        raise HistoryError(f"{where}: has no rows")
    rows = _rows(table, scenario, where)
    shape = len(scenario.regions), len(scenario.steps)
    width = _width(rows, where)
    said = [_said(part, width, shape) for _, part in rows.groupby("origin", sort=True)]
    return MemberForecasts(name, width, tuple(said))


def _rows(table: pd.DataFrame, scenario: Scenario, where: str) -> pd.DataFrame:
    """Return the rows with instants in UTC and numbers in place of names."""
    rows = pd.DataFrame(
        {
            "origin": _instants(table["origin"], where, scenario),
            "time": _instants(table["time"], where, scenario),
            "region": _numbers(table, "region", scenario.region_names, where),
            "step": _numbers(table, "step", scenario.step_names, where),
            "count": _counts(table["count"], where),
        }
    )
    again = rows.duplicated(["origin", "time", "region", "step"]).to_numpy()
    if again.any():
        raise HistoryError(
            f"{where}: row {int(again.argmax()) + 1}: says a time of one origin twice"
        )
    return rows


def _instants(column: pd.Series, where: str, scenario: Scenario) -> pd.Series:
    """Return UTC instants; those without an offset are of `history.time_zone`."""
    times = parsed_times(column)
    require_times(times, column, where)
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax()) + 1
        raise HistoryError(
            f"{where}: row {row}: {column.name}: must be a time (got '{column.iloc[row - 1]}')"
        )
    if times.dt.tz is None:
        times = times.dt.tz_localize(
            scenario.history.time_zone, ambiguous=True, nonexistent="shift_forward"
        )
    return times.dt.tz_convert("UTC")


def _numbers(table: pd.DataFrame, column: str, names: tuple[str, ...], where: str) -> Array:
    """Return each row's region or step as its number; a file without the column is of the only one there is."""
    if column not in table.columns:
        if len(names) > 1:
            raise HistoryError(
                f"{where}: has no column {column}, and the scenario has {len(names)}"
            )
        return np.zeros(len(table), int)
    number = {name: index for index, name in enumerate(names)}
    found = table[column].astype(str).map(number)
    if found.isna().any():
        row = int(found.isna().to_numpy().argmax())
        wrong = str(table[column].iloc[row])
        raise HistoryError(
            f"{where}: row {row + 1}: {column}: unknown '{wrong}'{did_you_mean(wrong, names)}"
        )
    return np.asarray(found.to_numpy(int))


def _counts(column: pd.Series, where: str) -> Array:
    counts = pd.to_numeric(column, errors="coerce").to_numpy(float)
    wrong = (np.isnan(counts) & column.notna().to_numpy()) | (counts < 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise HistoryError(
            f"{where}: row {row + 1}: count: must be 0 or more (got '{column.iloc[row]}')"
        )
    return np.asarray(counts)


def _width(rows: pd.DataFrame, where: str) -> int:
    """Return how far apart rows lie, whole minutes: each is the total of so many."""
    ordered = rows.sort_values(["origin", "region", "step", "time"])
    apart = ordered.groupby(["origin", "region", "step"])["time"].diff().dropna() / _MINUTE
    usual = float(apart.mode()[0]) if len(apart) else 0.0
    if usual < 1 or usual > _LONGEST_MIN or usual % 1 or (apart % usual != 0).any():
        raise HistoryError(
            f"{where}: rows of one origin must lie equally far apart, 1 to {_LONGEST_MIN} whole minutes; "
            f"most lie {usual:g} apart"
        )
    return int(usual)


def _said(rows: pd.DataFrame, width: int, shape: tuple[int, int]) -> SaidAtOrigin:
    """Return what was said from one origin."""
    minute = _minutes(rows["time"])
    first = float(minute.min())
    row = ((minute - first) // width).astype(int)
    counts = np.full((*shape, int(row.max()) + 1), np.nan, np.float32)
    counts[rows["region"], rows["step"], row] = rows["count"].to_numpy() / width
    return SaidAtOrigin(float(_minutes(rows["origin"])[0]), first, counts)


def _minutes(instants: pd.Series) -> Array:
    """Return minutes since 1970 UTC, shape (n,)."""
    return np.asarray((instants - pd.Timestamp(0, tz="UTC")) / _MINUTE)
