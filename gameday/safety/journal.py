"""What happened when: one JSON object a line, appended and flushed at once."""

from __future__ import annotations

import fcntl
import json
import math
from datetime import UTC, datetime
from pathlib import Path

from gameday.errors import PreflightFailed

__all__ = ["Journal", "is_playing"]

_NAME = "journal.jsonl"


def is_playing(run: Path) -> bool:
    """Return whether a process plays the run in folder `run` now.

    It holds the journal's lock, which the kernel drops with it: a number of a process would be another's after
    a restart, in another container, or when numbers come round.
    """
    try:
        with (run / _NAME).open("rb") as journal:
            fcntl.flock(journal, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no journal, or one that cannot be read: nobody writes it here
        return False
    return False


class Journal:
    """The run's own log, locked while it plays. Its last line tells what a killed run was doing."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._out = file.open("a", encoding="utf-8")
            fcntl.flock(self._out, fcntl.LOCK_EX)
        except OSError as error:
            raise PreflightFailed(
                f"{file}: cannot be written ({error.strerror}); free space or choose another "
                "folder with --out"
            ) from error

    def write(self, occurrence: str, **facts: object) -> None:
        """Append one line: the time in UTC, what happened, and its facts."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"at": now, "what": occurrence, **facts}
        try:
            self._out.write(json.dumps(_finite(line), default=str, allow_nan=False) + "\n")
            self._out.flush()
        except OSError as error:
            raise PreflightFailed(
                f"{self._out.name}: cannot be written ({error.strerror}); free space or choose "
                "another folder with --out"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._out.close()


def _finite(value: object) -> object:
    """Return `value` with numbers JSON has no word for as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
