"""A capacity request of a run, moved to another state: its file and the ledger follow."""

from __future__ import annotations

from pathlib import Path

from gameday.capacity import CapacityRequest, Move, as_yaml, from_mapping, moved
from gameday.errors import UsageError
from gameday.files import write_whole
from gameday.ledger import Ledger
from gameday.scenario.reading import from_yaml

__all__ = ["move_request", "requests_of"]


def requests_of(folder: Path) -> tuple[CapacityRequest, ...]:
    """Return a run's requests; UsageError where it ended before any could be made, or a file is none."""
    if not (folder / "capacity").is_dir() and not (folder / "summary.json").is_file():
        raise UsageError(f"{folder}: the run did not end; no request was made")
    found = []
    for file in sorted((folder / "capacity").glob("CR-*.yaml")):
        try:
            data = from_yaml(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise UsageError(f"{file}: is not UTF-8 text (byte {error.start})") from None
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from None
        found.append(from_mapping(data, str(file)))
    return tuple(found)


def move_request(folder: Path, request: str, move: Move) -> tuple[CapacityRequest, CapacityRequest]:
    """Return the request before and after; UsageError where there is none or the move is not legal."""
    before = next((r for r in requests_of(folder) if r.id == request), None)
    if before is None:
        raise UsageError(f"no request '{request}' in {folder}; see `gameday capacity show`")
    after = moved(before, move)
    write_whole(folder / "capacity" / f"{after.id}.yaml", lambda p: p.write_text(as_yaml(after)))
    reports = folder.resolve().parents[1]  # the run's own ledger, wherever --out points
    if (reports / "ledger.sqlite3").is_file():
        ledger = Ledger(reports)
        ledger.set_request_state(after.run, after.id, after.state)
        ledger.close()
    return before, after
