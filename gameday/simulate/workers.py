"""How a process that simulates behaves: it gives way to load, and ends with whoever asked for it."""

from __future__ import annotations

import multiprocessing
import os
import select
import threading

__all__ = ["settle"]

_NICE = 19
_settled = False


def settle(*, beside_load: bool) -> None:
    """Make a process that joblib started here behave; any other is left as it is."""
    global _settled
    if multiprocessing.parent_process() is None:
        return
    if beside_load:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    if not _settled:
        _settled = True
        _outlive_nobody(os.getppid())


def _outlive_nobody(parent: int) -> None:
    def wait(fd: int) -> None:
        select.select([fd], [], [])
        os._exit(1)

    try:
        fd = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    except OSError:  # a sandbox that does not know the call: nobody watches
        return
    threading.Thread(target=wait, args=(fd,), daemon=True).start()
