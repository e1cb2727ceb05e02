"""Standard output and standard error as they may be found: closed, full, or no longer read.

Neither may cost a command the exit code that says how it ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from gameday.errors import OutputLost

__all__ = ["flushed", "guard_streams", "verdict_stands"]

_INPUT, _OUTPUT, _ERROR = 0, 1, 2
"""File descriptors of the standard streams."""


class _Guarded:
    """A stream whose failure to write is an OutputLost, once, or is passed over."""

    def __init__(self, stream: TextIO, fd: int, *, is_needed: bool) -> None:
        self._stream, self._fd, self._is_needed = stream, fd, is_needed

    def write(self, text: str) -> int:
        """Write as the stream does; nothing is not written: who asks so what a stream is hides its failure."""
        if text == "":
            return 0
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush as the stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        """Let what is still to come fall into the null device: the interpreter flushes at its end, too."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._fd)
        os.close(null)
        if self._is_needed:
            raise OutputLost(
                f"standard output cannot be written ({error.strerror}); what was to be printed is lost"
            ) from None


def guard_streams() -> None:
    """Open the standard streams that are closed, and guard those that are written to.

    A file opened later would otherwise get the number of a closed one, and our messages with it. Standard
    error carries progress and messages alone: what it will not take is passed over.
    """
    for fd in (_INPUT, _OUTPUT, _ERROR):
        try:
            os.fstat(fd)
        except (
            OSError
        ):  # read-only stands for a closed output: what is written there fails, and is said
            os.dup2(null := os.open(os.devnull, os.O_WRONLY if fd == _ERROR else os.O_RDONLY), fd)
            if null != fd:
                os.close(null)
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        out = sys.stdout or open(_OUTPUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = _Guarded(out, _OUTPUT, is_needed=True)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        err = sys.stderr or open(_ERROR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = _Guarded(err, _ERROR, is_needed=False)


@contextmanager
def verdict_stands(where: str) -> Iterator[None]:
    """Let what is printed inside be lost, said on standard error with `where` it can be read again."""
    try:
        yield
        sys.stdout.flush()
    except OutputLost as lost:
        sys.stderr.write(f"{lost}: {where}\n")


def flushed(code: int) -> int:
    """Flush standard output; return `code`, or that of a lost output in place of 0."""
    try:
        sys.stdout.flush()
    except OutputLost as lost:
        sys.stderr.write(f"{lost}\n")
        return code or lost.exit_code
    return code
