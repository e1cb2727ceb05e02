"""What happened when: one JSON object a line, appended and flushed at once."""

from __future__ import annotations

import json
import math
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
