"""The Locust processes of one run: started, listened to, ended by their pids."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gameday.errors import CleanUpFailed, PreflightFailed
from gameday.scenario import bundled_scenarios
from gameday.swarm.control.keys import KEY_VARIABLE, Listen
from gameday.swarm.control.run_spec import BRIEF_VARIABLE, PULSE_VARIABLE, REPORT_VARIABLE, Brief

__all__ = ["Processes", "check_listen", "worker_command"]

_QUIT_S = 3.0


class Processes:
    """The Locust processes of one run, and the pipe they report on."""

    def __init__(self, brief: Brief, folder: Path, listen: Listen | None) -> None:
        self.brief, self.folder, self.listen = brief, folder, listen
        self.master: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.reports, self._pulse, self._tail = -1, -1, b""

    def start(self) -> None:
        """Start one Locust, or a master with its workers on loopback."""
        self.reports, write_end = os.pipe()
        pulse_end, self._pulse = os.pipe()
        os.set_blocking(self.reports, False)
        os.set_blocking(self._pulse, False)
        env = os.environ | {
            BRIEF_VARIABLE: str(self.folder / "swarm.json"),
            REPORT_VARIABLE: str(write_end),
            PULSE_VARIABLE: str(pulse_end),
            KEY_VARIABLE: secrets.token_hex(32) if self.listen is None else self.listen.key,
        }
        base = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(_locustfile()),
            "--headless",
            "--only-summary",
            "--stop-timeout",
            "0",
        ]
        with (self.folder / "locust.log").open("ab") as log:

            def spawn(command: list[str], fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    command,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=fds,
                    start_new_session=True,
                )

            count = self.brief.workers
            if count == 1 and self.listen is None:
                self.master = spawn(base, (write_end, pulse_end))
            else:
                host, port = "127.0.0.1", 0
                if self.listen is not None:
                    host, port = _address(self.listen)[1][:2]
                port = port or _free_port()
                bind = [
                    "--master",
                    "--master-bind-host",
                    host,
                    "--master-bind-port",
                    str(port),
                    "--expect-workers",
                    str(count),
                ]
                self.master = spawn(base + bind, (write_end, pulse_end))
                if self.listen is None:
                    command = worker_command(host, port)
                    self.workers = [spawn(command, ()) for _ in range(count)]
        os.close(write_end)
        os.close(pulse_end)

    def pulse(self) -> None:
        """Show Locust that somebody watches: without it for some seconds it stops."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pulse, b".")

    def lost(self, *, before_start: bool) -> str | None:
        """Return which process ended the run by its own end; None while it can go on.

        Once load is out, the sessions of a lost worker are dealt to the others: only the last
        one's end is the run's.
        """
        if self.master is not None and self.master.poll() is not None:
            return f"Locust ended with exit code {self.master.returncode}"
        gone = [(n, w) for n, w in enumerate(self.workers) if w.poll() is not None]
        if gone and (before_start or len(gone) == len(self.workers)):
            number, worker = gone[0]
            return f"worker {number} (pid {worker.pid}) ended with {worker.returncode}"
        return None

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the reports that have come in, and whether the pipe is at its end."""
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
        return [json.loads(line) for line in lines if line], ended

    def end(self) -> None:
        """End every process that still runs, by its pid; CleanUpFailed if one will not."""
        mine = [p for p in [self.master, *self.workers] if p is not None]
        if self.listen is not None and self.master is not None:
            with suppress(subprocess.TimeoutExpired):
                self.master.wait(_QUIT_S)  # it tells the workers of elsewhere to go
        for process in mine:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + 4.0
        for process in mine:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        for process in mine:
            try:
                process.wait(3.0)
            except subprocess.TimeoutExpired:
                raise CleanUpFailed(f"Locust (pid {process.pid}) does not end") from None
        for fd in (self.reports, self._pulse):
            if fd >= 0:
                os.close(fd)
        self.reports = self._pulse = -1

    def last_words(self) -> str:
        """Return the last line the processes logged."""
        lines = (self.folder / "locust.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no word"


def check_listen(listen: Listen | None) -> None:
    """Raise PreflightFailed where workers of elsewhere could not join."""
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


def worker_command(host: str, port: int) -> list[str]:
    """Return the command of a worker that plays whatever the master there sends it."""
    return [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(_locustfile()),
        "--worker",
        "--master-host",
        host,
        "--master-port",
        str(port),
        "--stop-timeout",
        "0",
    ]


def _locustfile() -> Path:
    """Return the locustfile that plays any brief: in the wheel, or in the checkout."""
    scenarios = next(iter(bundled_scenarios().values())).parent
    return scenarios.parent / "locustfiles" / "primeday.py"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
