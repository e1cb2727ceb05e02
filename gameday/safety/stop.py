"""Ways to end a run early: Ctrl-C, a signal, `gameday stop`."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType, TracebackType

from gameday.errors import StoppedByPerson

__all__ = ["StopWatch", "ask_to_stop"]

_FILE = "stop"


def ask_to_stop(run: Path) -> None:
    """Ask the run in folder `run` to stop; it ramps down within 5 s."""
    (run / _FILE).write_text("gameday stop\n")


class StopWatch:
    """Remembers the first reason to stop; the run asks between its steps.

    As a context it takes over SIGINT and SIGTERM, so that a run ends in order. A second Ctrl-C
    ends it at once.
    """

    def __init__(self, run: Path) -> None:
        self._file = run / _FILE
        self._reason: str | None = None
        self._before: dict[int, object] = {}
        self._interrupts = 0

    def __enter__(self) -> StopWatch:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
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
