"""Every file the house reads or writes: name, version, columns, units, maker.

Written to a temporary name and renamed, so that a run killed at any moment leaves whole files.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import PreflightFailed

__all__ = [
    "MEASURED",
    "PLACED",
    "PUBLISHED_FILES",
    "REQUESTS",
    "RUN_FILES",
    "Column",
    "File",
    "cache_folder",
    "remove_scratch",
    "reports_readme",
    "scratch_folder",
    "sha256_of",
    "write_whole",
]


MEASURED = "measured.parquet"
"""What the swarm measured in a run."""
PLACED = "capacity.yaml"
"""What active requests place, beside an event's runs: the next ones are played with it."""
REQUESTS = "requests"
"""Folder of an event's requests as they stand, beside its runs."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column or a top-level key of a file."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class File:
    """One kind of file in a run's folder."""

    name: str
    version: int
    made_by: str
    meaning: str
    columns: tuple[Column, ...] = ()


_WHERE = (
    Column("region", "", "where the customers are"),
    Column("step", "", "what they do"),
    Column("slot_utc", "UTC", "start of the minute of event time"),
)

_RECORD = (
    Column("table", "", "steps, sessions, services, latency or visits"),
    Column("stack", "", "the services a region's customers meet"),
    Column("name", "", "step or service; empty for sessions"),
    Column("measure", "", "what is counted: an outcome, a load, or a kind of latency"),
    Column("slot", "", "minute of event time from the window's start; negative: lead-in"),
    Column("bin", "", "latency bin (1 % wide, from 0.1 ms); -1 elsewhere"),
    Column("value", "count, s", "the number; absent = not observed"),
    Column("replication", "", "which replication; 0 for a measured run"),
)

_FORECAST = (
    Column(
        "in_event",
        "",
        "whether the minute lies in the event in that region's clock, or in its margin",
    ),
    Column(
        "p10 p50 p90 p99",
        "steps/min",
        "quantiles of each minute by itself: no day has them all",
    ),
    Column("mean", "steps/min", "on average; means add up, medians do not"),
    Column("organic_p10 organic_p90", "steps/min", "the same without launches"),
    Column("launch_p50 launch_mean", "steps/min", "what launches add, part of p50 and mean"),
)

RUN_FILES = (
    File(
        "run.json",
        1,
        "replay",
        "manifest: versions, seed, hashes, verdict, exit code",
        (
            Column("schema_version", "", "of this file"),
            Column(
                "verdict", "", "PASS, WARN, FAIL, ABORTED, INVALID, ERROR, or RUNNING while it runs"
            ),
            Column("exit_code", "", "what the shell saw"),
        ),
    ),
    File("scenario.json", 1, "scenario", "the scenario as read, includes merged; secrets are ***"),
    File(
        "demand.parquet",
        3,
        "forecast",
        "forecast per minute, launches included",
        (
            *_WHERE,
            *_FORECAST,
            Column("path", "steps/min", "the path played: one strength for all, launches included"),
            Column("actual", "steps/min", "what the history holds for that minute, where it does"),
        ),
    ),
    File(
        "plan.parquet",
        1,
        "traffic",
        "session starts per minute and journey",
        (
            Column("region", "", "where the customers are"),
            Column("journey", "", "which graph they walk"),
            Column("slot_utc", "UTC", "start of the minute of event time"),
            Column("starts", "sessions/min", "at full scale"),
            Column("played", "sessions", "in that slot of the run"),
        ),
    ),
    File("plan.json", 1, "traffic", "the plan whole, as `gameday calibrate` reads it again"),
    File("predicted.parquet", 1, "simulate", "run records of the model of the run", _RECORD),
    File(
        "event.parquet",
        2,
        "findings",
        "the model of the window at real speed, per minute",
        (
            Column("stack", "", "the services a region's customers meet"),
            Column("quantity", "", "utilisation, wait_s, p99_s, turned_away, queue or servers"),
            Column("service", "", "of which service"),
            Column("slot_utc", "UTC", "start of the minute of event time"),
            Column(
                "mid low high", "share, s, count", "mean over replications and its 95 % interval"
            ),
        ),
    ),
    File(MEASURED, 1, "swarm", "run record of the run", _RECORD),
    File(
        "orders.csv",
        1,
        "swarm",
        "the orders that customers placed, for `gameday orders --reconcile`",
        (
            Column("key", "", "idempotency key that was sent"),
            Column("order_number", "", "the shop's own, where its reply tells it"),
            Column("customer", "", "number of the session; `synthetic-N` unless a feed names it"),
            Column("stack", "", "where it was placed"),
            Column("time_utc", "UTC", "when the reply came, or the customer gave up"),
            Column("outcome", "", "confirmed, or unknown: its reply never came or was bad"),
        ),
    ),
    File(
        "calibrated.yaml",
        1,
        "calibrate",
        "what the run says of the target's servers and times, for `--calibration`",
    ),
    File("findings.json", 1, "findings", "what breached, with evidence, severity and basis"),
    File(
        "capacity/CR-*.yaml",
        1,
        "capacity",
        "what this run asked for, a request a service and stack",
    ),
    File("report.html", 1, "report", "the report; one file, opens offline"),
    File("summary.md", 1, "report", "the report in short, for a pull request or a chat"),
    File("summary.json", 1, "report", "the same numbers, for programs"),
    File("junit.xml", 1, "report", "objectives as test cases, for CI"),
    File("journal.jsonl", 1, "safety", "what happened when, one JSON object a line"),
    File("swarm.json", 1, "swarm", "what the Locust processes are told; gone when the run is over"),
    File("locust.log", 1, "swarm", "what the Locust processes said"),
    File("shop-*.log", 1, "shop", "what the embedded shop said"),
    File("stop", 1, "safety", "made by `gameday stop`, empty: ends the run"),
    File(
        "hold.json",
        1,
        "safety",
        "written by a guardrail: session starts are held to this rate",
        (Column("starts_per_s", "1/s", "session starts a wall second, all stacks together"),),
    ),
    File("live.json", 1, "swarm", "what a run shows now, anew each second; what `watch` reads"),
)
"""All files of `reports/<event>/<run-id>/`."""


PUBLISHED_FILES = (
    File(
        "forecast.parquet",
        2,
        "forecast",
        "minutes of the event and a margin, per region and team",
        (
            Column("region team slot_utc", "", "whose, and the start of the minute"),
            *_FORECAST,
        ),
    ),
    File(
        "teams/*.html", 1, "report", "a team's next peak: size, minute, band, ingredients, change"
    ),
    File("state/*.npz", 4, "forecast", "each region's model, for `gameday forecast refresh`"),
    File(
        "publication.json",
        3,
        "forecast",
        "manifest, written last: totals, peaks, hashes, the scenario",
    ),
)
"""All files that `gameday forecast publish` writes to its folder."""


def cache_folder() -> Path:
    """Return a folder of ours that can be written: GAMEDAY_CACHE, the user's, or a temporary."""
    asked = os.environ.get("GAMEDAY_CACHE")
    base = (
        Path(asked)
        if asked
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday"
    )
    try:
        base.mkdir(parents=True, exist_ok=True)
        if os.access(base, os.W_OK):
            return base
    except OSError:
        pass  # a home that cannot be written: fall back
    os.environ["GAMEDAY_CACHE"] = str(_made_scratch("cache"))  # our children's too
    atexit.register(remove_scratch)
    return Path(os.environ["GAMEDAY_CACHE"])


_SCRATCH = "gameday-scratch-"
_held: dict[Path, int] = {}
"""This process's temporary folders, each with the descriptor that locks it."""


@contextlib.contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """Make a temporary folder, gone at the end of the block; sweep those whose process was killed.

    The folder is locked, and the kernel drops the lock with the process.
    """
    folder = _made_scratch(name)
    try:
        yield folder
    finally:
        _remove(folder)


def remove_scratch() -> None:
    """Remove every temporary folder of this process: for who leaves without unwinding."""
    for folder in list(_held):
        _remove(folder)


def _made_scratch(name: str) -> Path:
    """Return a new temporary folder that this process holds."""
    _sweep(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{name}-"))
        # Another process may sweep it before it is opened, or before it is locked: then another is made.
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(folder, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if folder.is_dir():
                _held[folder] = fd
                return folder
            os.close(fd)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if (fd := _held.pop(folder, None)) is not None:
        os.close(fd)


def _sweep(temporary: Path) -> None:
    """Remove our temporary folders that no process holds any more."""
    for folder in temporary.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):  # another user's, held by its process, or gone by now
            fd = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(fd)


def write_whole(path: Path, write: Callable[[Path], object], *, optional: bool = False) -> None:
    """Call `write` on a temporary name beside `path`, then rename it to `path`.

    Nothing is left half-written. With `optional`, a full disk is no fault (a cache);
    otherwise PreflightFailed says which file could not be written and why.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if not isinstance(error, OSError):
            raise
        if not optional:
            raise PreflightFailed(
                f"{path}: cannot be written ({error.strerror or error}); free space or choose "
                "another folder with --out"
            ) from error


def sha256_of(file: Path) -> str:
    """Return a file's hash, hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def reports_readme() -> str:
    """Return the text of reports/README.md, made from RUN_FILES and PUBLISHED_FILES."""
    lines = [
        "# What a run leaves",
        "",
        "Each run has a folder `reports/<event>/<run-id>/`. Made from `gameday/files.py` by",
        "`make golden`; do not edit.",
        *_tables(RUN_FILES),
        "",
        "# What a publication of forecasts leaves",
        "",
        "In the folder that `gameday forecast publish --out` names.",
        *_tables(PUBLISHED_FILES),
    ]
    return "\n".join(lines) + "\n"


def _tables(files: tuple[File, ...]) -> list[str]:
    lines = ["", "| file | version | made by | what |", "| --- | --- | --- | --- |"]
    lines += [f"| `{f.name}` | {f.version} | {f.made_by} | {f.meaning} |" for f in files]
    for file in files:
        if file.columns:
            lines += ["", f"## {file.name}", "", "| column or key | unit | meaning |"]
            lines += ["| --- | --- | --- |"]
            lines += [f"| {c.name} | {c.unit or '-'} | {c.meaning} |" for c in file.columns]
    return lines
