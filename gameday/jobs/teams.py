"""Whom a scenario names: the approvers of a request's team, from the newest run's scenario."""

from __future__ import annotations

from pathlib import Path

from gameday.jobs.living import living_requests
from gameday.jobs.past_runs import past_runs, read_json

__all__ = ["approvers_of"]


def approvers_of(out: Path, event: str, request: str) -> tuple[str, ...]:
    """Return who may approve an event's request by its scenario; empty: all whom the operator lists for it."""
    owner = next(
        (r.owner for name, r in living_requests(out, event).items() if name == request), ""
    )
    for row in past_runs(out, event):
        file = Path(row.folder) / "scenario.json"
        if owner and file.is_file():
            team = read_json(file).get("teams", {}).get(owner, {})
            return tuple(map(str, team.get("approvers", ())))
    return ()
