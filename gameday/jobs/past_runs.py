"""Runs that were: which there are, where they lie, and what they left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.errors import UsageError
from gameday.ledger import Ledger, RunRow
from gameday.safety import is_playing

__all__ = [
    "last_summary",
    "past_runs",
    "read_json",
    "run_folder",
    "run_summary",
    "why_not_learned",
]


def past_runs(out: Path, event: str | None = None) -> list[RunRow]:
    """Return the runs of a folder, newest first; one that nobody plays any more and has no end was aborted."""
    if not (out / "ledger.sqlite3").is_file():
        return []
    ledger = Ledger(out)
    rows = ledger.runs(event)
    ledger.close()
    _forget_killed(out)
    return [
        replace(row, verdict="ABORTED", exit_code=4)
        if row.verdict == "RUNNING" and not is_playing(Path(row.folder))
        else row
        for row in rows
    ]


def _forget_killed(out: Path) -> None:
    """Leave no secret of a run that was killed: what it holds of feeds and headers is masked now."""
    if next(out.glob("*/*/*swarm*.json"), None) is not None:
        from gameday.swarm.control import forget_killed  # few runs are killed

        forget_killed(out)


def run_folder(run: str | None, out: Path) -> Path:
    """Return the folder of a run, by its id or folder, None: of the newest.

    UsageError says where was looked for one that is not there.
    """
    if run is not None and (Path(run) / "run.json").is_file():
        return Path(run)
    rows = [row for row in past_runs(out) if run in (None, row.run_id)]
    if not rows:
        what = "no run yet" if run is None else f"no run '{run}'"
        also = "" if run is None else f", nor is there a run in the folder {Path(run).absolute()}"
        raise UsageError(f"{what} under {out.absolute()}{also}; see `gameday runs`, or give --out")
    folder = Path(rows[0].folder)
    if not (folder / "run.json").is_file():
        raise UsageError(
            f"run '{rows[0].run_id}' is not in {folder.absolute()} any more, where {out.absolute()} has it; "
            "where it was moved, give its folder"
        )
    return folder


def read_json(file: Path) -> dict[str, Any]:
    """Return a run's JSON file; UsageError if it is not what a run leaves."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read ({error}); run again") from None
    if not isinstance(data, dict):
        raise UsageError(f"{file}: is not what a run leaves; run again")
    return data


def run_summary(run: str | None, out: Path) -> dict[str, Any]:
    """Return the summary of a run, as its file holds it; UsageError where it was not judged."""
    file = run_folder(run, out) / "summary.json"
    if not file.is_file():
        raise UsageError(f"{file.parent}: the run did not end; nothing was judged")
    return read_json(file)


def why_not_learned(run: str | None, out: Path) -> str | None:
    """Return why a run taught nothing of its target when it was judged; None: it did."""
    file = run_folder(run, out) / "summary.json"
    if not file.is_file():
        return "it did not come to its end"
    return (read_json(file).get("learned") or {}).get("why_not") or None


def last_summary(out: Path, event: str) -> dict[str, Any] | None:
    """Return the summary of an event's newest run that left one; None if there is none."""
    for row in past_runs(out, event):
        file = Path(row.folder) / "summary.json"
        if file.is_file():
            return read_json(file)
    return None
