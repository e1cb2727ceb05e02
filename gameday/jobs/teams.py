"""Whom a scenario names: the approvers of a team, from the newest run's scenario."""

from __future__ import annotations

from pathlib import Path

from gameday.jobs.past_runs import past_runs, read_json

__all__ = ["approvers_of"]


def approvers_of(out: Path, event: str, team: str) -> tuple[str, ...]:
    """Return who may approve for a team by an event's scenario; empty: all whom the operator lists for it."""
    for row in past_runs(out, event):
        file = Path(row.folder) / "scenario.json"
        if team and file.is_file():
            return tuple(
                map(str, read_json(file).get("teams", {}).get(team, {}).get("approvers", ()))
            )
    return ()
