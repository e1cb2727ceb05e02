"""Runs of the program itself, as a person starts them, in a folder and a cache of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_fair import Edit, edited

__all__ = [
    "Bench",
    "Run",
    "alive",
    "assert_books_balance",
    "assert_judged",
    "free_address",
    "unhurried",
    "until",
]

_MOST_S = 240.0


def until(true: Callable[[], Any], within_s: float, what: str) -> Any:
    """Wait for `true()`; fail the test, saying `what`, when it does not come."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {within_s:g} s: {what}")


def alive(pid: int) -> bool:
    """Return whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Run:
    """One `gameday` process and what it leaves."""

    process: subprocess.Popen[str]
    bench: Bench
    logs: tuple[Path, Path]
    code: int = -99

    def wait(self, most_s: float = _MOST_S) -> Run:
        """Wait for its end and keep its exit code."""
        self.code = self.process.wait(most_s)
        return self

    @property
    def said(self) -> str:
        """What it printed."""
        return self.logs[0].read_text()

    @property
    def complained(self) -> str:
        """What it wrote to standard error."""
        return self.logs[1].read_text()

    @property
    def folder(self) -> Path:
        """The run's folder: the one whose manifest names this process."""
        return next(f for f in self.bench.folders() if _manifest(f)["pid"] == self.process.pid)

    @property
    def manifest(self) -> dict[str, Any]:
        return _manifest(self.folder)

    @property
    def summary(self) -> dict[str, Any]:
        file = self.folder / "summary.json"
        assert file.is_file(), f"no summary.json; exit {self.code}\n{self.complained[-3000:]}"
        data: dict[str, Any] = json.loads(file.read_text())
        return data

    def journal(self) -> list[dict[str, Any]]:
        """Return what the journal holds so far."""
        with contextlib.suppress(StopIteration, OSError):
            lines = (self.folder / "journal.jsonl").read_text().splitlines()
            return [json.loads(line) for line in lines]
        return []

    def until_load(self) -> Run:
        """Wait until load goes out."""
        until(
            lambda: (
                self.process.poll() is not None
                or any(line["what"] == "load started" for line in self.journal())
            ),
            60,
            "load started",
        )
        assert self.process.poll() is None, f"ended early: {self.complained[-2000:]}"
        until(lambda: time.time() > self.journal()[-1]["at_epoch_s"] + 1.5, 10, "load went out")
        return self

    def children(self, word: str) -> list[int]:
        """Return the pids of this bench's processes whose command holds `word`."""
        return [pid for pid in self.bench.processes() if f"\0{word}\0" in _command(pid)]

    def says_no_trace(self) -> None:
        """Fail if the program printed a traceback."""
        assert "Traceback" not in self.complained, self.complained[-3000:]


def _manifest(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return data


def _command(pid: int) -> str:
    try:
        return "\0" + Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def unhurried(play: Callable[[], Run]) -> Run:
    """Return the run that was played; once more where the machine, busy elsewhere, made the generator late."""
    run = play()
    reasons = run.summary["verdict"]["reasons"] if run.code == 7 else []
    return play() if any(r.startswith("the generator was late") for r in reasons) else run


@dataclass
class Bench:
    """A folder with scenarios, reports, cache and lock of its own, and the runs started in it."""

    path: Path
    runs: list[Run] = field(default_factory=list)
    short: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="gd-")))
    """For the lock and for sockets, whose names may have no more than 107 characters."""

    @property
    def out(self) -> Path:
        return self.path / "reports"

    def environment(self) -> dict[str, str]:
        """Return the environment of a run: own cache, own lock (by TMPDIR), nothing of a terminal."""
        own = {"GAMEDAY_CACHE": str(self.path / "cache"), "TMPDIR": str(self.short)}
        # several BLAS threads fight each other on a busy machine: the forecast takes 10 x as long
        return os.environ | own | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def scenario(self, *edits: Edit) -> str:
        """Write the small fair, edited, and return its path."""
        file = self.path / f"fair-{len(list(self.path.glob('fair-*')))}.yaml"
        file.write_text(edited(*edits), encoding="utf-8")
        return str(file)

    def start(
        self, *arguments: str, most_bytes: int | None = None, module: str = "gameday.cli"
    ) -> Run:
        """Start the command and return at once; no file may grow over `most_bytes`."""
        number = len(self.runs)
        logs = self.path / f"said-{number}.txt", self.path / f"complained-{number}.txt"
        program = ["-m", module]
        if most_bytes is not None:
            limit = f"setrlimit(RLIMIT_FSIZE, ({most_bytes}, {most_bytes}))"
            program = [
                "-c",
                f"from resource import *; {limit}; from gameday.cli import main; main()",
            ]
        with logs[0].open("w") as said, logs[1].open("w") as complained:
            process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                stdout=said,
                stderr=complained,
                stdin=subprocess.DEVNULL,
                text=True,
                env=self.environment(),
                cwd=self.path,
                start_new_session=True,
            )
        run = Run(process, self, logs)
        self.runs.append(run)
        return run

    def replay(self, scenario: str, *arguments: str) -> Run:
        """Start a replay and return at once; what can be lost is asked where a story asks."""
        asked = () if "--n-minus-one" in arguments else ("--no-n-minus-one",)
        return self.start("replay", "--event", scenario, "--out", str(self.out), *asked, *arguments)

    def replayed(self, scenario: str, *arguments: str) -> Run:
        """Replay to the end, and once more if the generator was late."""
        return unhurried(lambda: self.replay(scenario, *arguments).wait())

    def says(self, *arguments: str) -> Run:
        """Run a command to its end."""
        return self.start(*arguments).wait()

    def folders(self) -> list[Path]:
        """Return the folders of all runs."""
        return sorted(file.parent for file in self.out.glob("*/*/run.json"))

    def processes(self) -> list[int]:
        """Return every living process that was started, however far down, from this bench."""
        mark = f"GAMEDAY_CACHE={self.path / 'cache'}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if re.fullmatch(r"\d+", entry.name) and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes() and alive(int(entry.name)):
                        found.append(int(entry.name))
        return found

    def falls_silent(self) -> None:
        """Fail if a process of this bench still lives a moment after its program ended."""
        until(lambda: not self.processes(), 3, "every process of the run ended")

    def close(self) -> None:
        """End what still runs, by its pid."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for run in self.runs:
            run.process.wait(10)
        shutil.rmtree(self.short, ignore_errors=True)


def assert_books_balance(summary: dict[str, Any]) -> None:
    """Check that every step and session that was planned has one outcome."""
    books = summary["books"]
    assert books["imbalances"] == []
    for step, row in books["steps"].items():
        ends = (
            "sent",
            "after_failed",
            "after_check",
            "after_sold_out",
            "after_abandoned",
            "delayed",
            "held",
            "lost",
        )
        assert row["planned"] == sum(row[end] for end in ends), step
        went_out = ("done", "failed", "check_failed", "sold_out", "abandoned", "unfinished")
        assert row["achieved"] == sum(row[end] for end in went_out), step
    sessions = books["sessions"]
    ends = sessions["finished"] + sessions["abandoned"] + sessions["failed"]
    assert sessions["started"] == ends + sessions["displaced"] + sessions["lost"]


BUSY = "not judged: whether the target is as declared: this machine was busy with other work"


def assert_sound(run: Run) -> dict[str, Any]:
    """Check that a run missed nothing, and return its summary: PASS, or beside other tests WARN for that alone."""
    if run.summary["verdict"]["reasons"] == [BUSY]:
        return assert_judged(run, "WARN", 10)
    return assert_judged(run, "PASS", 0)


def assert_judged(run: Run, verdict: str, code: int) -> dict[str, Any]:
    """Check that exit code, manifest, ledger and summary say the same, and return the summary."""
    run.says_no_trace()
    summary = run.summary
    assert (summary["verdict"]["name"], summary["verdict"]["exit_code"], run.code) == (
        verdict,
        code,
        code,
    ), (summary["verdict"], run.complained[-1500:])
    assert (run.manifest["verdict"], run.manifest["exit_code"]) == (verdict, code)
    assert verdict in run.said
    assert_books_balance(summary)
    return summary


def free_address() -> str:
    """Return a loopback address that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
