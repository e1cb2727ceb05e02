"""Regressors that are written as a file beside the scenario: read into the scenario, as an include is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gameday.scenario.faults import Fault, FaultPath

__all__ = ["read_regressor_files"]

_REGRESSORS = ("forecast", "ingredients", "regressors")


def read_regressor_files(data: dict[str, Any], folder: Path) -> Iterator[Fault]:
    """Replace `file`, `time`, `value` and `region` of each regressor by what the file holds; yield faults."""
    block: Any = data
    for key in _REGRESSORS:
        block = block.get(key) if isinstance(block, dict) else None
    for name, regressor in (block or {}).items() if isinstance(block, dict) else ():
        if isinstance(regressor, dict) and "file" in regressor:
            try:
                _fill_from_file(regressor, folder)
            except _Unreadable as error:
                path: FaultPath = (*_REGRESSORS, name, "file")
                yield path, str(error)


class _Unreadable(Exception):
    """A regressor's file does not hold what it must; the text is the fault."""


def _fill_from_file(regressor: dict[str, Any], folder: Path) -> None:
    """Replace a regressor's `file` and column names by `at`, `values` and `regions`."""
    name = regressor.pop("file")
    if not isinstance(name, str):
        raise _Unreadable(f"must be a file's name (got {name!r})")
    time, value = regressor.pop("time", "time"), regressor.pop("value", "value")
    region = regressor.pop("region", None)
    table = _table(folder / name, [time, value, region])
    times, values = _times_and_values(table, time, value)
    regressor["at"] = [f"{t:%Y-%m-%dT%H:%M:%S+00:00}" for t in times]
    regressor["values"] = [float(v) for v in values]
    if region is not None:
        regressor["regions"] = [str(r) for r in table[region]]


def _table(file: Path, columns: list[Any]) -> Any:
    """Return a file as a data frame that has the columns which are named; None names none."""
    import pandas as pd  # heavy: only scenarios with such files need it

    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise _Unreadable(f"cannot be read ({error}); a CSV with a heading, or Parquet") from None
    missing = sorted(str(c) for c in columns if c is not None and c not in table.columns)
    if missing:
        have = ", ".join(map(str, table.columns))
        raise _Unreadable(
            f"has no column {', '.join(missing)} (has: {have}); name them as time, value and region"
        )
    return table


def _times_and_values(table: Any, time: str, value: str) -> tuple[Any, Any]:
    """Return two columns as UTC instants and as numbers; _Unreadable names the first row that is neither."""
    import pandas as pd

    times = pd.to_datetime(table[time].astype(str), utc=True, errors="coerce", format="ISO8601")
    values = pd.to_numeric(table[value], errors="coerce")
    if (wrong := times.isna() | values.isna()).any():
        row = int(wrong.to_numpy().argmax()) + 1
        raise _Unreadable(
            f"row {row}: must be an ISO 8601 time (UTC where it has no offset) and a number"
        )
    return times, values
