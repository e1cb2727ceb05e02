"""Observed sessions that are written as a file beside the scenario: read into its journeys, as an include is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gameday.scenario.blocks.observed_sessions import ObservedSessions
from gameday.scenario.faults import Fault
from gameday.vocabulary import LONGEST_WALK

__all__ = ["read_session_files"]

_TOLD = ("start", "next", "think")
"""What the sessions themselves tell of a journey."""
_COLUMNS = ("session", "step", "pause_s")


def read_session_files(data: dict[str, Any], folder: Path) -> Iterator[Fault]:
    """Replace `sessions: FILE` of each journey by what the file holds, and tell its chain; yield faults."""
    journeys = data.get("journeys")
    for name, journey in (journeys or {}).items() if isinstance(journeys, dict) else ():
        if not isinstance(journey, dict) or not isinstance(journey.get("sessions"), str):
            continue
        path = ("journeys", name, "sessions")
        if written := [field for field in _TOLD if field in journey]:
            yield path, f"tells {', '.join(written)} too: leave it out"
            continue
        try:
            journey["sessions"] = sessions = _sessions(folder / journey["sessions"], str(name))
        except ValueError as error:
            yield path, str(error)
            continue
        chain = ObservedSessions.model_validate(sessions).first_order_chain()
        think = {step: f"{pause_s:.6f}s" for step, pause_s in chain.think_s.items()}
        journey |= {"start": chain.start, "next": chain.next, "think": {**think, "other": "0s"}}


def _sessions(file: Path, journey: str) -> dict[str, Any]:
    """Return the sessions of a journey as the scenario holds them; ValueError where the file does not."""
    table = _table(file, journey)
    names, step = np.unique(table["step"].astype(str).to_numpy(), return_inverse=True)
    numbers = table["session"].to_numpy()
    begins = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    lengths = np.diff(np.append(begins, len(numbers)))
    if lengths.max() > LONGEST_WALK:
        raise ValueError(
            f"session {numbers[begins[lengths.argmax()]]} has {lengths.max()} steps; at most {LONGEST_WALK}"
        )
    return {
        "steps": names.tolist(),
        "lengths": lengths.tolist(),
        "step": step.tolist(),
        "pauses": table["pause_s"].astype(float).tolist(),
    }


def _table(file: Path, journey: str) -> Any:
    """Return the rows of a journey, a row a step, in the order of the file."""
    import pandas as pd  # heavy: only scenarios with such files need it

    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read ({error}); a CSV with a heading, or Parquet") from None
    if missing := sorted(set(_COLUMNS) - set(table.columns)):
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
