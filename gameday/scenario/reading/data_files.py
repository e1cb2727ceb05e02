"""Tables beside a scenario: regressors and observed sessions are read into it, as an include is, others found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gameday.scenario.blocks.observed_sessions import ObservedSessions
from gameday.scenario.faults import Fault, FaultPath
from gameday.vocabulary import LONGEST_WALK

__all__ = ["find_member_files", "read_regressor_files", "read_session_files"]

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


def find_member_files(data: dict[str, Any], folder: Path) -> Iterator[Fault]:
    """Replace `file` of each of `forecast.members` by where it lies; yield faults.

    Such a file says much, and only a forecast reads it: it is not read into the scenario.
    """
    block = data.get("forecast")
    members = block.get("members") if isinstance(block, dict) else None
    for name, member in (members or {}).items() if isinstance(members, dict) else ():
        if isinstance(member, dict) and isinstance(member.get("file"), str):
            file = (folder / member["file"]).resolve()
            if not file.is_file():
                yield ("forecast", "members", name, "file"), f"no such file: {member['file']}"
            member["file"] = str(file)


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


_TOLD = ("start", "next", "think")
"""What the sessions themselves tell of a journey."""
_SESSION_COLUMNS = ("session", "step", "pause_s")


def read_session_files(data: dict[str, Any], folder: Path) -> Iterator[Fault]:
    """Replace `sessions: FILE` of each journey by what the file holds, and tell its chain; yield faults."""
    journeys = data.get("journeys")
    for name, journey in (journeys or {}).items() if isinstance(journeys, dict) else ():
        if not isinstance(journey, dict) or not isinstance(journey.get("sessions"), str):
            continue
        path = ("journeys", name, "sessions")
        if written := [field for field in _TOLD if field in journey]:
            yield path, f"tells {', '.join(written)} too: leave it out, here or in what is included"
            continue
        try:
            sessions = _sessions(folder / journey["sessions"], str(name))
        except ValueError as error:
            yield path, str(error)
            continue
        chain = sessions.first_order_chain()
        think = {step: f"{pause_s:.6f}s" for step, pause_s in chain.think_s.items()}
        journey["sessions"] = sessions.model_dump()
        journey |= {"start": chain.start, "next": chain.next, "think": {**think, "other": "0s"}}


def _sessions(file: Path, journey: str) -> ObservedSessions:
    """Return the sessions of a journey; ValueError where the file does not hold any."""
    table = _session_table(file, journey)
    names, step = np.unique(table["step"].astype(str).to_numpy(), return_inverse=True)
    numbers = table["session"].to_numpy()
    begins = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    lengths = np.diff(np.append(begins, len(numbers)))
    if lengths.max() > LONGEST_WALK:
        raise ValueError(
            f"session {numbers[begins[lengths.argmax()]]} has {lengths.max()} steps; at most {LONGEST_WALK}"
        )
    return ObservedSessions(
        steps=names.tolist(),
        lengths=lengths.tolist(),
        step=step.tolist(),
        pauses=table["pause_s"].astype(float).tolist(),
    )


def _session_table(file: Path, journey: str) -> Any:
    """Return the rows of a journey, a row a step, in the order of the file."""
    import pandas as pd  # heavy: only scenarios with such files need it

    if not file.is_file():
        raise ValueError(
            f"there is no such file ({file}); history import --walks sessions writes it"
        )
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read ({error}); a CSV with a heading, or Parquet") from None
    if missing := sorted(set(_SESSION_COLUMNS) - set(table.columns)):
        raise ValueError(
            f"has no column {', '.join(missing)} (has: {', '.join(map(str, table.columns))}); a row is a step"
        )
    if "journey" in table.columns:
        table = table[table["journey"] == journey]
    if table.empty:
        raise ValueError(f"has no session of journey '{journey}'")
    pauses = pd.to_numeric(table["pause_s"], errors="coerce")
    if (wrong := ~(pauses >= 0)).any():
        raise ValueError(f"row {int(wrong.to_numpy().argmax()) + 1}: pause_s must be 0 or more")
    return table.assign(pause_s=pauses)
