"""Watches whether the embedded shop is alive and answers: its failures are the program's, not the target's."""

from __future__ import annotations

import http.client
import signal
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["ShopWatch", "is_stopped"]

_LOOK_EVERY_S = 0.2
_ASK_EVERY = 5
"""Looks from one health check to the next."""
_ANSWER_S = 1.0
_UNANSWERED = 10
"""Health checks in a row without an answer before a shop counts as hung. Ours: a busy event loop
answers within some tenths of a second; counted in checks, as the watching process may be held up."""


class ShopWatch(threading.Thread):
    """Looks at one shop's process a few times a second, and asks for its health every second."""

    def __init__(self, stack: str, process: subprocess.Popen[str]) -> None:
        super().__init__(name=f"shop-watch-{stack}", daemon=True)
        self.stack, self.process = stack, process
        self.over = threading.Event()
        self.url: str | None = None
        """Where it answers; None: not known yet, so nothing is asked."""
        self._fault: str | None = None
        self._lock = threading.Lock()
        self._unanswered = 0
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Look until `over` is set or a fault was found."""
        looks = 0
        while not self.over.wait(_LOOK_EVERY_S) and self.fault() is None:
            looks += 1
            if self.url is not None and looks % _ASK_EVERY == 0:
                self.ask(self.url)
        if self._connection is not None:
            self._connection.close()

    def fault(self) -> str | None:
        """Return how the shop failed, with its process and the instant, once and for all; None: it is well."""
        with self._lock:
            if self._fault is None and (failure := self._look()) is not None:
                now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                shop = f"the embedded shop of stack {self.stack} (pid {self.process.pid})"
                self._fault = f"{shop} {failure} at {now}"
            return self._fault

    def _look(self) -> str | None:
        code = self.process.poll()
        if code is not None:
            return _ended(code)
        if is_stopped(self.process.pid):
            return "was stopped by a signal (SIGSTOP or its like)"
        if self._unanswered >= _UNANSWERED:
            return f"lives but has not answered {_UNANSWERED} health checks in a row"
        return None

    def ask(self, url: str) -> None:
        """Check the shop's health on a connection kept open, so that a full backlog does not hide it."""
        address = urlsplit(url)
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                address.hostname or "", address.port, timeout=_ANSWER_S
            )
        try:
            self._connection.request("GET", "/health")
            reply = self._connection.getresponse()
            reply.read()
            self._unanswered = 0 if reply.status == HTTPStatus.OK else self._unanswered + 1
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            self._unanswered += 1


def _ended(code: int) -> str:
    if code < 0:
        name = str(-code)
        with suppress(ValueError):
            name = signal.Signals(-code).name
        return f"was ended by signal {name}"
    if code == _BY_SIGNAL:
        return "was ended by signal SIGTERM or SIGINT"
    return f"ended by itself with exit code {code}"


_BY_SIGNAL = 4
"""Exit code of a command of this program that a signal stopped."""


def is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped the process (state T); False where the system does not tell.

    A process that a debugger traces (state t) does not count.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state == "T"
