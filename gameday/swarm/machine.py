"""How busy other work kept this machine: what a late or slow run may owe to neighbours.

Read from Linux's /proc: busy and stolen time of the cores that we may run on (proc_stat(5),
sched_getaffinity(2)), the time of our own processes and of a target's there taken off, and
pressure stall information (the share of time in which something waited for a core;
Documentation/accounting/psi.rst of the kernel). Where these are absent, as in some containers
and on other systems, it is unknown and said so.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["BUSY_SHARE", "MachineMeter", "MachineUse", "machine_now"]

BUSY_SHARE = 0.25
"""Share of the cores that other work may take before what was measured is not held against the
model. Ours: half a core of two moves a p99 by more than the comparison tolerates (35 %)."""
_EVERY_S = 2.0
_WORST_S = 10.0
"""Over so long the worst share is taken: shorter bursts are noise."""
_PROC = Path("/proc")
_LAST_CORE = 36
"""Field of /proc/PID/stat behind the name: the core that it ran on last."""


@dataclass(frozen=True, slots=True)
class MachineUse:
    """Use of this machine's cores over some time; None where the system does not tell."""

    cores: int = 0
    """Those that we may run on: a target pinned to others is no neighbour."""
    seconds: float = 0.0
    other_share: float | None = None
    """Of all cores, by work that is neither ours nor the target's; stolen time included."""
    worst_share: float | None = None
    """The same in the worst 10 s."""
    own_share: float | None = None
    """Of all cores, by our processes and those of a target found on this machine."""
    steal_share: float | None = None
    """Of all cores, taken by the host of a virtual machine."""
    pressure: float | None = None
    """Share of the time in which something, ours included, waited for a core."""

    @property
    def is_too_busy(self) -> bool:
        """Whether other work was beyond BUSY_SHARE in the worst 10 s: nothing is to be compared."""
        return self.worst_share is not None and self.worst_share > BUSY_SHARE

    @property
    def text(self) -> str:
        """Say how busy other work kept the machine."""
        if self.other_share is None or self.worst_share is None:
            return "how busy other work kept this machine is unknown: /proc/stat cannot be read"
        cores = f"{self.cores} core" + ("" if self.cores == 1 else "s")
        waited = "unknown" if self.pressure is None else f"{self.pressure:.0%} of the time"
        return (
            f"other work used {self.other_share:.0%} of this machine's {cores} "
            f"({self.worst_share:.0%} in the worst {_WORST_S:g} s; stolen by its host "
            f"{self.steal_share or 0.0:.0%}; something waited for a core: {waited})"
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Running totals at one instant, seconds."""

    at_s: float
    cores: int
    busy_s: float
    steal_s: float
    own_s: float
    waited_s: float | None


@dataclass
class MachineMeter:
    """Reads the machine every two seconds until it is asked; `targets` are the URLs that are loaded."""

    targets: tuple[str, ...] = ()
    proc: Path = _PROC
    allowed: frozenset[int] = field(default_factory=lambda: _allowed())
    """Cores that we may run on."""
    readings: list[_Reading] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._roots = {os.getpid(), *_listeners(self.proc, self.targets)}
        self._thread = threading.Thread(target=self._run, name="machine-meter", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def finish(self) -> MachineUse:
        """Stop reading and return the use since the start."""
        self._over.set()
        self._thread.join(_EVERY_S)
        self.read()
        return use_of(self.readings)

    def read(self) -> None:
        """Take one reading."""
        if (reading := _reading(self.proc, self._roots, self.allowed)) is not None:
            self.readings.append(reading)

    def _run(self) -> None:
        self.read()
        while not self._over.wait(_EVERY_S):
            self.read()


def _allowed() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ())


def machine_now(seconds: float = 1.0) -> MachineUse:
    """Return the machine's use over the next `seconds`."""
    meter = MachineMeter()
    meter.read()
    time.sleep(seconds)
    meter.read()
    return use_of(meter.readings)


def use_of(readings: list[_Reading]) -> MachineUse:
    """Return the use between the first and the last reading."""
    if len(readings) < 2:
        return MachineUse()
    first, last = readings[0], readings[-1]
    seconds = max(last.at_s - first.at_s, 1e-9)
    whole = seconds * first.cores
    waits = None
    if first.waited_s is not None and last.waited_s is not None:
        waits = min(1.0, (last.waited_s - first.waited_s) / seconds)
    return MachineUse(
        first.cores,
        seconds,
        _other(first, last),
        _worst(readings),
        (last.own_s - first.own_s) / whole,
        (last.steal_s - first.steal_s) / whole,
        waits,
    )


def _other(first: _Reading, last: _Reading) -> float:
    whole = max(last.at_s - first.at_s, 1e-9) * first.cores
    used = last.busy_s - first.busy_s + last.steal_s - first.steal_s
    return min(1.0, max(0.0, (used - max(0.0, last.own_s - first.own_s)) / whole))


def _worst(readings: list[_Reading]) -> float:
    """Return the largest share over spans of at least 10 s, or over all where that is shorter."""
    worst, start = 0.0, 0
    for end, last in enumerate(readings):
        while start + 1 < end and last.at_s - readings[start + 1].at_s >= _WORST_S:
            start += 1
        if last.at_s - readings[start].at_s >= _WORST_S:
            worst = max(worst, _other(readings[start], last))
    return max(worst, _other(readings[0], readings[-1]))


def _reading(proc: Path, roots: set[int], allowed: frozenset[int]) -> _Reading | None:
    """Return what /proc tells now of the cores we may run on; None where it has no account of them."""
    try:
        lines = (proc / "stat").read_text().splitlines()
    except OSError:
        return None
    names = {f"cpu{number}" for number in allowed}
    cores = [line.split()[1:] for line in lines if line.partition(" ")[0] in names]
    if not cores:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, irq, softirq, steal, *_ = (
        sum(map(int, x)) for x in zip(*cores, strict=True)
    )
    return _Reading(
        time.monotonic(),
        len(cores),
        (user + nice + system + irq + softirq) / ticks,
        steal / ticks,
        _tree_ticks(proc, roots, allowed) / ticks,
        _pressure(proc),
    )


def _pressure(proc: Path) -> float | None:
    """Return the seconds in which something waited for a core, since the machine began."""
    try:
        some = (proc / "pressure" / "cpu").read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def _tree_ticks(proc: Path, roots: set[int], allowed: frozenset[int]) -> int:
    """Return the CPU time of processes and all below them, with those that have ended, in ticks.

    A process that ran elsewhere last takes nothing from the cores that are `allowed`.
    """
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for pid, fields in _processes(proc):
        parents[pid] = int(fields[1])
        is_here = int(fields[_LAST_CORE]) in allowed
        used[pid] = sum(map(int, fields[11:15])) if is_here else 0  # and its ended children's
    total = 0
    for pid in used:
        above, seen = pid, set[int]()
        while above not in roots and above in parents and above not in seen:
            seen.add(above)
            above = parents[above]
        total += used[pid] if above in roots else 0
    return total


def _processes(proc: Path) -> Iterable[tuple[int, list[str]]]:
    """Yield each process with the fields of its stat that follow its name: state, parent, ..."""
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended


def _listeners(proc: Path, urls: tuple[str, ...]) -> set[int]:
    """Return the processes that listen at the URLs' ports on this machine, as far as we may see."""
    ports = {urlsplit(url).port or {"https": 443}.get(urlsplit(url).scheme, 80) for url in urls}
    inodes = {f"socket:[{inode}]" for inode in _inodes(proc, ports)} if ports else set[str]()
    out: set[int] = set()
    for folder in proc.iterdir() if inodes else ():
        if folder.name.isdigit() and inodes & _links(folder / "fd"):
            out.add(int(folder.name))
    return out


def _links(folder: Path) -> set[str]:
    """Return what a process has open; empty where it ended, or is somebody else's."""
    out: set[str] = set()
    try:
        for link in list(folder.iterdir()):
            with suppress(OSError):  # closed since
                out.add(os.readlink(link))
    except OSError:
        return out
    return out


def _inodes(proc: Path, ports: set[int]) -> Iterable[str]:
    for name in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, rows):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) in ports:
                yield fields[9]
