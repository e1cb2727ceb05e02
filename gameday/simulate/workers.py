"""How a process that simulates behaves: it gives way to load, and ends with whoever asked for it."""

from __future__ import annotations

import os
import select
import threading

__all__ = ["settle"]


def settle(parent: int, nice: int) -> None:
    """Make a process that `parent` started behave: give way so much, and end with it."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)

    def wait(fd: int) -> None:
        select.select([fd], [], [])
        os._exit(1)

    try:
        fd = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    except OSError:  # a sandbox that does not know the call: nobody watches
        return
    if os.getppid() != parent:  # it ended while we began, and its number may be another's
        os._exit(1)
    threading.Thread(target=wait, args=(fd,), daemon=True).start()
