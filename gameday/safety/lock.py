"""One run at a time on a machine: two would spoil each other's numbers."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gameday.errors import PreflightFailed

__all__ = ["one_run_at_a_time"]


@contextmanager
def one_run_at_a_time(run_id: str, file: Path | None = None) -> Iterator[None]:
    """Hold the machine's lock; PreflightFailed names the run that has it.

    The kernel drops the lock with the process, so a killed run leaves none behind.
    """
    try:
        path = file or Path(tempfile.gettempdir()) / f"gameday-{os.getuid()}.lock"
        held = path.open("a+")
    except OSError as error:
        raise PreflightFailed(
            f"{file or 'the temporary folder'}: the machine's lock cannot be opened ({error}); "
            "free space, or set TMPDIR to a folder of your own"
        ) from None
    with held as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise PreflightFailed(
                f"another run is playing here ({lock.read().strip() or 'unnamed'}); wait for it, "
                "or end it with `gameday stop`"
            ) from None
        lock.truncate(0)
        lock.write(run_id)
        lock.flush()
        yield
