"""The room's verb: start the Locust processes, watch them and the target, close the books."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gameday.errors import CleanUpFailed, GeneratorFailed, PreflightFailed, SafetyRefusal
from gameday.run_record import RunRecord
from gameday.safety import GuardrailWatch, Journal, StopWatch, allowed_target, ask_to_stop
from gameday.scenario import Scenario
from gameday.swarm.assemble import Assembly
from gameday.swarm.brief import BRIEF_VARIABLE, Brief, write_brief
from gameday.swarm.observe import Observer, fetch

__all__ = ["Played", "Progress", "swarm"]

End = Literal["complete", "guardrail", "person", "worker_lost"]

_READY_S = 60.0
_WIND_DOWN_S = 8.0
_REPORT_VARIABLE = "GAMEDAY_REPORT_FD"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, for whoever watches."""

    at_s: float
    """Wall seconds since the window's start; negative in the lead-in."""
    sent: int
    done: int
    bad: int


@dataclass(frozen=True, slots=True)
class Played:
    """A finished run of the swarm."""

    record: RunRecord
    end: End
    why: str
    busiest: float
    """Largest mean share of a core that a worker used; above 0.7 its lateness is in danger."""


def swarm(
    scenario: Scenario, brief: Brief, *, folder: Path, locustfile: Path, stop: StopWatch,
    journal: Journal, watch: Callable[[Progress], None],
) -> Played:  # fmt: skip
    """Play the brief against its targets and return what happened.

    Raises SafetyRefusal or PreflightFailed before anything is sent, GeneratorFailed when Locust
    does not start. Once load went out it always returns, whatever ended the run.
    """
    targets = {stack: allowed_target(url) for stack, url in brief.targets.items()}
    _preflight(targets, scenario)
    write_brief(folder / "swarm.json", brief)
    with ExitStack() as stack:
        processes = _Processes(brief, folder, locustfile)
        stack.callback(processes.end)
        processes.start()
        run = _Run(scenario, brief, folder, processes, stop, journal, watch)
        end, why = run.play()
        observer = run.observer
        if scenario.observe.source == "prometheus":
            last = run.t0 + brief.plan.grid.slots * brief.plan.slot_wall_s
            run.assembly.samples = observer.read_range(run.t0, last, brief.plan.slot_wall_s)
        record = run.assembly.record(observer, observer.orders(brief.run_id))
    busiest = max((sum(b) / len(b) for b in run.assembly.busy.values()), default=0.0)
    return Played(record, end, why, busiest)


def _preflight(targets: dict[str, str], scenario: Scenario) -> None:
    for stack, url in targets.items():
        try:
            fetch(url, "/", 5.0)
        except OSError as error:
            if not str(error).startswith("status "):  # any HTTP answer shows that somebody is there
                raise PreflightFailed(
                    f"stack {stack}: {url} does not answer ({error}); nothing was sent"
                ) from None


class _Processes:
    """The Locust processes of one run, and the pipe they report on."""

    def __init__(self, brief: Brief, folder: Path, locustfile: Path) -> None:
        self.brief, self.folder, self.locustfile = brief, folder, locustfile
        self.master: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.reports, self._tail = -1, b""

    def start(self) -> None:
        """Start one Locust, or a master with its workers on loopback."""
        self.reports, write_end = os.pipe()
        os.set_blocking(self.reports, False)
        env = os.environ | {
            BRIEF_VARIABLE: str(self.folder / "swarm.json"), _REPORT_VARIABLE: str(write_end),
        }  # fmt: skip
        base = [sys.executable, "-m", "locust", "-f", str(self.locustfile), "--headless",
                "--only-summary", "--stop-timeout", "0"]  # fmt: skip
        with (self.folder / "locust.log").open("ab") as log:

            def spawn(command: list[str], fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=fds, start_new_session=True,
                )  # fmt: skip

            count = self.brief.workers
            if count == 1:
                self.master = spawn(base, (write_end,))
            else:
                port = str(_free_port())
                bind = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
                        "--expect-workers", str(count)]  # fmt: skip
                self.master = spawn(base + bind, (write_end,))
                join = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
                command = [part for part in base if part not in ("--headless", "--only-summary")]
                self.workers = [spawn(command + join, ()) for _ in range(count)]
        os.close(write_end)

    def lost(self) -> str | None:
        """Return which process ended, or None while all run."""
        if self.master is not None and self.master.poll() is not None:
            return f"Locust ended with exit code {self.master.returncode}"
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
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
        if self.reports >= 0:
            os.close(self.reports)
            self.reports = -1

    def last_words(self) -> str:
        """Return the last line the processes logged."""
        lines = (self.folder / "locust.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no word"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Run:
    """One run from its first report to its last."""

    def __init__(
        self, scenario: Scenario, brief: Brief, folder: Path, processes: _Processes,
        stop: StopWatch, journal: Journal, watch: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self.brief, self.folder, self.processes = brief, folder, processes
        self.stop, self.journal, self.watch = stop, journal, watch
        self.assembly = Assembly(scenario, brief.plan)
        self.observer = Observer(scenario, brief.targets)
        self.guardrails = GuardrailWatch(scenario)
        self.t0 = 0.0
        self.end: tuple[End, str]
        self.end = ("complete", "")
        self._sent = self._done = self._bad = 0
        self._finished = 0
        self._stop_asked_at: float | None = None

    def play(self) -> tuple[End, str]:
        """Watch until every worker is done or the run is over; return how it ended and why."""
        began, selector = time.monotonic(), selectors.DefaultSelector()
        selector.register(self.processes.reports, selectors.EVENT_READ)
        with selector:
            while True:
                selector.select(timeout=self._pause())
                reports, closed = self.processes.read()
                for report in reports:
                    self._take(report)
                self._sample()
                if self._over(closed, began):
                    break
        self._last_sample()
        return self.end

    def _pause(self) -> float:
        due = self.t0 + len(self.assembly.samples) * self.brief.plan.slot_wall_s
        return min(0.2, max(0.001, due - time.time())) if self.t0 else 0.2

    def _take(self, report: dict[str, Any]) -> None:
        what = report.pop("what")
        if what == "started":
            self.t0 = float(report["at"])
            self.journal.write("load started", at_epoch_s=self.t0)
        elif what == "tally":
            outcomes, latency = self.assembly.add(report)
            now = time.time()
            self.guardrails.add(now, outcomes, latency)
            self._sent += sum(n for *_, name, _, n in report["steps"] if name == "achieved")
            self._done += int(outcomes[:, 0].sum() - outcomes[:, 1].sum())
            self._bad += int(outcomes[:, 1].sum())
            at_s = now - self.t0 - self.brief.plan.lead_in_s
            self.watch(Progress(at_s, self._sent, self._done, self._bad))
        elif what == "done":
            self._finished += 1
        elif what == "refused":
            raise SafetyRefusal(str(report["why"]))

    def _sample(self) -> None:
        """Read the target at each slot's boundary."""
        plan, samples = self.brief.plan, self.assembly.samples
        due = self.t0 + len(samples) * plan.slot_wall_s
        if not self.t0 or len(samples) > plan.grid.slots or time.time() < due:
            return
        sample = self.observer.read()
        if sample is not None:
            samples.append(sample)

    def _last_sample(self) -> None:
        sample = self.observer.read() if self.t0 else None
        if sample is not None:
            self.assembly.samples.append(sample)

    def _over(self, closed: bool, began: float) -> bool:
        if self._finished >= self.brief.workers:
            return True
        lost = self.processes.lost() or ("Locust closed its reports" if closed else None)
        if not self.t0:
            self.stop.check()
            if lost or time.monotonic() - began > _READY_S:
                why = lost or f"no worker was ready within {_READY_S:.0f} s"
                raise GeneratorFailed(f"{why}: {self.processes.last_words()}")
            return False
        if lost and self._stop_asked_at is None:
            self._ask(("worker_lost", lost))
        elif self._stop_asked_at is None:
            self._check()
        waited = time.monotonic() - (self._stop_asked_at or time.monotonic())
        return closed or (lost is not None and self.brief.workers == 1) or waited > _WIND_DOWN_S

    def _check(self) -> None:
        if self.stop.reason is not None:
            self._ask(("person", f"stopped by {self.stop.reason}"))
        elif (criterion := self.guardrails.crossed(time.time())) is not None:
            self._ask(("guardrail", f"guardrail crossed: {criterion.text}"))

    def _ask(self, end: tuple[End, str]) -> None:
        self.end, self._stop_asked_at = end, time.monotonic()
        self.journal.write("stopping", how=end[0], why=end[1])
        ask_to_stop(self.folder)
