"""What happened when: one JSON object a line, appended and flushed at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from gameday.errors import PreflightFailed

__all__ = ["Journal"]


class Journal:
    """The run's own log. Its last line tells what a killed run was doing."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._out = file.open("a", encoding="utf-8")
        except OSError as error:
            raise PreflightFailed(
                f"{file}: cannot be written ({error.strerror}); free space or choose another "
                "folder with --out"
            ) from error

    def write(self, what: str, **facts: object) -> None:
        """Append one line: the time in UTC, what happened, and its facts."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": what, **facts}
        try:
            self._out.write(json.dumps(line, default=str) + "\n")
            self._out.flush()
        except OSError as error:
            raise PreflightFailed(
                f"{self._out.name}: cannot be written ({error.strerror}); free space or choose "
                "another folder with --out"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._out.close()
