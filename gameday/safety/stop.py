"""Ways to end a run early, or to hold it down: Ctrl-C, a signal, `gameday stop`, a guardrail."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType

from gameday.errors import StoppedByPerson
from gameday.files import write_whole

__all__ = ["StopWatch", "ask_to_hold", "ask_to_stop", "held_to"]

_FILE = "stop"
_HOLD = "hold.json"


def ask_to_stop(run: Path) -> None:
    """Ask the run in folder `run` to stop; it ramps down within 5 s.

    The file is empty: that much a full disk takes. OSError where not even a name can be written.
    """
    (run / _FILE).touch()


def ask_to_hold(run: Path, starts_per_s: float) -> None:
    """Ask the run in folder `run` to start no more than so many sessions a wall second."""
    text = json.dumps({"schema_version": 1, "starts_per_s": starts_per_s})
    write_whole(run / _HOLD, lambda path: path.write_text(text))


def held_to(run: Path) -> float | None:
    """Return what the run in folder `run` is held to, sessions a wall second; None if to nothing."""
    try:
        return float(json.loads((run / _HOLD).read_text())["starts_per_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class StopWatch:
    """Remembers the first reason to stop; the run asks between its steps.

    As a context it takes over SIGINT and SIGTERM, so that a run ends in order. A second Ctrl-C
    ends it at once. Signals come to a process's main thread: a run in another one is stopped by `gameday stop`.
    """

    def __init__(self, run: Path) -> None:
        self._file = run / _FILE
        self._reason: str | None = None
        self._before: dict[int, object] = {}
        self._interrupts = 0

    def __enter__(self) -> StopWatch:
        is_main = threading.current_thread() is threading.main_thread()
        for number in (signal.SIGINT, signal.SIGTERM) if is_main else ():
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > 1:
                raise KeyboardInterrupt
        if self._reason is None:
            self._reason = f"signal {signal.Signals(number).name}"

    @property
    def reason(self) -> str | None:
        """Why the run is to stop, or None."""
        if self._reason is None and self._file.exists():
            self._reason = "gameday stop"
        return self._reason

    def check(self) -> None:
        """Raise StoppedByPerson if the run is to stop."""
        if self.reason is not None:
            raise StoppedByPerson(f"stopped by {self.reason}")
