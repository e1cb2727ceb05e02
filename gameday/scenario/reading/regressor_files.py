"""Regressors that are written as a file beside the scenario: read into the scenario, as an include is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["read_regressor_files"]

Fault = tuple[tuple[str | int, ...], str]
_WHERE = ("forecast", "ingredients", "regressors")


def read_regressor_files(data: dict[str, Any], folder: Path) -> Iterator[Fault]:
    """Replace `file`, `time`, `value` and `region` of each regressor by what the file holds; yield faults."""
    block: Any = data
    for key in _WHERE:
        block = block.get(key) if isinstance(block, dict) else None
    for name, one in (block or {}).items() if isinstance(block, dict) else ():
        if isinstance(one, dict) and "file" in one:
            yield from _read(one, folder, (*_WHERE, name, "file"))


def _read(one: dict[str, Any], folder: Path, path: tuple[str | int, ...]) -> Iterator[Fault]:
    import pandas as pd  # heavy: only scenarios with such files need it

    named = one.pop("file")
    if not isinstance(named, str):
        yield path, f"must be a file's name (got {named!r})"
        return
    file = folder / named
    names = {what: one.pop(what, what) for what in ("time", "value")} | {
        "region": one.pop("region", None)
    }
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        yield path, f"cannot be read ({error}); a CSV with a heading, or Parquet"
        return
    if missing := sorted(
        str(n) for n in names.values() if n is not None and n not in table.columns
    ):
        have = ", ".join(map(str, table.columns))
        yield (
            path,
            f"has no column {', '.join(missing)} (has: {have}); name them as time, value and region",
        )
        return
    times = pd.to_datetime(
        table[names["time"]].astype(str), utc=True, errors="coerce", format="ISO8601"
    )
    values = pd.to_numeric(table[names["value"]], errors="coerce")
    if (wrong := times.isna() | values.isna()).any():
        row = int(wrong.to_numpy().argmax()) + 1
        yield path, f"row {row}: must be an ISO 8601 time (UTC where it has no offset) and a number"
        return
    one["at"] = [f"{t:%Y-%m-%dT%H:%M:%S+00:00}" for t in times]
    one["values"] = [float(v) for v in values]
    if names["region"] is not None:
        one["regions"] = [str(r) for r in table[names["region"]]]
