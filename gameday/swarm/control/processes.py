"""The Locust processes of one run: started, listened to, ended by their pids."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gameday.errors import CleanUpFailed, PreflightFailed
from gameday.scenario import bundled_scenarios
from gameday.swarm.control.keys import KEY_VARIABLE, Listen
from gameday.swarm.control.run_events import RunEvent, event_of
from gameday.swarm.control.run_spec import (
    PULSE_VARIABLE,
    REPORT_VARIABLE,
    RUN_SPEC_VARIABLE,
    RunSpec,
)

__all__ = ["Processes", "check_listen", "worker_command"]

_LOCUST = (sys.executable, "-m", "locust", "-f")
_HEADLESS = ("--headless", "--only-summary", "--stop-timeout", "0")
_QUIT_S = 3.0
"""So long a master that listens has to end by itself."""
_TERMINATED_S, _KILLED_S = 4.0, 3.0
"""How long processes are waited for after SIGTERM, and after SIGKILL."""


@dataclass(frozen=True, slots=True)
class _Launcher:
    """Starts processes in sessions of their own: a Ctrl-C at the terminal does not reach them."""

    environment: dict[str, str]
    log: BinaryIO

    def start(self, command: list[str], fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
        """Return the started process, which inherits these file descriptors."""
        return subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=fds,
            start_new_session=True,
        )


class Processes:
    """The Locust processes of one run, and the pipe they report on."""

    def __init__(self, spec: RunSpec, folder: Path, listen: Listen | None) -> None:
        self.spec, self.folder, self.listen = spec, folder, listen
        self.master: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.reports, self._pulse, self._tail = -1, -1, b""

    def start(self) -> None:
        """Start one Locust, or a master with its workers on loopback."""
        self.reports, report_end = os.pipe()
        pulse_end, self._pulse = os.pipe()
        os.set_blocking(self.reports, False)
        os.set_blocking(self._pulse, False)
        environment = os.environ | {
            RUN_SPEC_VARIABLE: str(self.folder / "swarm.json"),
            REPORT_VARIABLE: str(report_end),
            PULSE_VARIABLE: str(pulse_end),
            KEY_VARIABLE: secrets.token_hex(32) if self.listen is None else self.listen.key,
        }
        with (self.folder / "locust.log").open("ab") as log:
            self._launch(_Launcher(environment, log), (report_end, pulse_end))
        os.close(report_end)
        os.close(pulse_end)

    def _launch(self, launcher: _Launcher, fds: tuple[int, ...]) -> None:
        count = self.spec.workers
        if count == 1 and self.listen is None:
            self.master = launcher.start([*_LOCUST, str(_locustfile()), *_HEADLESS], fds)
            return
        host, port = "127.0.0.1", 0
        if self.listen is not None:
            host, port = _address(self.listen)[1][:2]
        port = port or _free_port()
        self.master = launcher.start(_master_command(host, port, count), fds)
        if self.listen is None:
            command = worker_command(host, port)
            self.workers = [launcher.start(command, ()) for _ in range(count)]

    def pulse(self) -> None:
        """Show Locust that somebody watches: without it for some seconds it stops."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pulse, b".")

    def lost(self, *, before_start: bool) -> str | None:
        """Return which process has ended so that the run cannot go on; None while it can.

        Once load is out, the sessions of a lost worker go to the others: only the last
        one's end is the run's.
        """
        if self.master is not None and self.master.poll() is not None:
            return f"Locust ended with exit code {self.master.returncode}"
        gone = [(n, w) for n, w in enumerate(self.workers) if w.poll() is not None]
        if gone and (before_start or len(gone) == len(self.workers)):
            number, worker = gone[0]
            return f"worker {number} (pid {worker.pid}) ended with {worker.returncode}"
        return None

    def read(self) -> tuple[list[RunEvent], bool]:
        """Return the events that have come in, and whether the pipe is at its end."""
        parts, ended = [self._tail], False
        while True:
            try:
                chunk = os.read(self.reports, 1 << 20)
            except BlockingIOError:
                break
            if not chunk:
                ended = True
                break
            parts.append(chunk)
        *lines, self._tail = b"".join(parts).split(b"\n")
        events = [event_of(line) for line in lines if line]
        return [event for event in events if event is not None], ended

    def end(self) -> None:
        """End every process that still runs, by its pid; CleanUpFailed if one will not."""
        if self.listen is not None and self.master is not None:
            with suppress(subprocess.TimeoutExpired):
                self.master.wait(_QUIT_S)  # it tells the workers on other machines to end
        _end([process for process in [self.master, *self.workers] if process is not None])
        for fd in (self.reports, self._pulse):
            if fd >= 0:
                os.close(fd)
        self.reports = self._pulse = -1

    def last_words(self) -> str:
        """Return the last line the processes logged."""
        lines = (self.folder / "locust.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no word"


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask processes to end, then kill those that do not; CleanUpFailed where even that is of no use."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + _TERMINATED_S
    for process in processes:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
    for process in processes:
        try:
            process.wait(_KILLED_S)
        except subprocess.TimeoutExpired:
            raise CleanUpFailed(f"Locust (pid {process.pid}) does not end") from None


def check_listen(listen: Listen | None) -> None:
    """Raise PreflightFailed where workers on other machines could not join."""
    if listen is None:
        return
    try:
        family, address = _address(listen)
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise PreflightFailed(
            f"--listen {listen.host}:{listen.port}: cannot be had ({error.strerror or error}); choose another"
        ) from None


def _address(listen: Listen) -> tuple[socket.AddressFamily, Any]:
    """Return the family and the address that names resolve to; OSError where they do not."""
    host = "0.0.0.0" if listen.host == "*" else listen.host
    family, _, _, _, address = socket.getaddrinfo(host, listen.port, type=socket.SOCK_STREAM)[0]
    return family, address


def _master_command(host: str, port: int, workers: int) -> list[str]:
    bind = ["--master", "--master-bind-host", host, "--master-bind-port", str(port)]
    expected = ["--expect-workers", str(workers)]
    return [*_LOCUST, str(_locustfile()), *_HEADLESS, *bind, *expected]


def worker_command(host: str, port: int) -> list[str]:
    """Return the command of a worker that plays whatever the master there sends it."""
    master = ["--worker", "--master-host", host, "--master-port", str(port)]
    return [*_LOCUST, str(_locustfile()), *master, "--stop-timeout", "0"]


def _locustfile() -> Path:
    """Return the locustfile that plays any run: in the wheel, or in the checkout."""
    scenarios = next(iter(bundled_scenarios().values())).parent
    return scenarios.parent / "locustfiles" / "primeday.py"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
