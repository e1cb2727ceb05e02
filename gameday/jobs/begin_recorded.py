"""A scenario begun from a browser's recording of a shop."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import HistoryError, PreflightFailed, ScenarioError, UsageError
from gameday.files import scratch_folder
from gameday.history.recordings import propose_steps, read_har, recorded_text
from gameday.scenario import load_scenario, scenario_schema

__all__ = ["BegunScenario", "begin_recorded"]

_LONGEST_NAME = 40
"""Letters of an event's name that are taken from the file's. Ours: a folder of runs is named by it."""


@dataclass(frozen=True, slots=True)
class BegunScenario:
    """A scenario that was written, and what it was made of."""

    file: Path
    origin: str
    """http(s)://host of the shop."""
    requests: int
    """Of the shop, in the recording."""
    steps: tuple[str, ...]
    notes: tuple[str, ...]
    """What of the recording is not in the steps, and why."""


def begin_recorded(folder: Path, har: Path, host: str | None) -> BegunScenario:
    """Write the scenario of a recording into a new folder, with its schema.

    It has been read back and found sound before anything is written: else HistoryError; UsageError where there is
    such a folder, PreflightFailed where it cannot be written.
    """
    if folder.exists():
        raise UsageError(f"{folder}: exists already; choose another folder")
    recording = read_har(har, host)
    found = propose_steps(recording)
    name = _event_name(har)
    text = recorded_text(name[:_LONGEST_NAME], recording, found)
    file = folder / f"{name}.yaml"
    with scratch_folder("init") as draft:
        drafted = draft / file.name
        drafted.write_text(text, encoding="utf-8")
        _check(drafted, har)
        try:
            folder.mkdir(parents=True)
            shutil.copy(drafted, file)
            (folder / "scenario.schema.json").write_text(scenario_schema(indent=1))
        except OSError as error:
            raise PreflightFailed(f"{folder}: cannot be written ({error.strerror})") from None
    return BegunScenario(
        file, recording.origin, len(recording.requests), tuple(found.steps), tuple(found.notes)
    )


def _event_name(har: Path) -> str:
    """Return a file's name as an event may be named."""
    name = re.sub(r"[^a-z0-9]+", "-", har.stem.lower()).strip("-") or "recorded"
    return name if name[0].isalpha() else f"shop-{name}"


def _check(drafted: Path, har: Path) -> None:
    """Raise HistoryError where the scenario made of a recording has faults."""
    try:
        load_scenario(str(drafted))
    except ScenarioError as error:
        faults = "\n".join(fault.removeprefix(f"{drafted.parent}/") for fault in error.faults)
        raise HistoryError(f"{har}: what it holds makes no sound scenario:\n{faults}") from None
