"""Processes that move requests in one ledger as fast as they can, killed at moments of a seed's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from gameday.ledger import Act, Ledger
from gameday.vocabulary import Seed

__all__ = ["LEGAL", "Killed", "killed_writers"]

LEGAL = {
    "draft": ("in_review",),
    "in_review": ("approved", "draft"),
    "approved": ("ordered", "in_review"),
    "ordered": ("draft",),
}
"""The moves that writers make, in a ring."""
_SUBJECTS = ("CR-a", "CR-b", "CR-c")
_EVENT, _KIND = "bench", "finding"


@dataclass(frozen=True, slots=True)
class Killed:
    """What the ledger holds after its writers were killed."""

    kills: int
    entries: int
    acknowledged: int
    """Moves that a writer was told were kept, before it was killed."""
    faults: tuple[str, ...]
    """Moves that are lost, doubled or illegal, and what is wrong with the chain."""


def killed_writers(reports: Path, *, kills: int, writers: int, seed: int) -> Killed:
    """Return what is left once so many writers were killed, each at a random moment, and begun again."""
    Ledger(reports).close()
    notes = reports / "acknowledged"
    notes.mkdir(exist_ok=True)
    moments = iter(Seed(seed).stream("kills").uniform(0.0, 0.25, max(1, kills)))
    running = [_begun(reports, number) for number in range(writers)]
    try:
        for kill in range(kills):
            time.sleep(float(next(moments)))  # the moment is what is drawn
            victim = kill % writers
            running[victim].send_signal(signal.SIGKILL)
            running[victim].wait()
            running[victim] = _begun(reports, writers + kill)
    finally:
        for process in running:
            process.kill()
            process.wait()
    told = [line for file in notes.iterdir() for line in file.read_text().splitlines() if line]
    return Killed(kills, *_checked(reports, told))


def _begun(reports: Path, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.ledger_writers", str(reports), str(number)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    with process.stdout as said:
        said.readline()  # it writes
    return process


def _checked(reports: Path, told: list[str]) -> tuple[int, int, tuple[str, ...]]:
    ledger = Ledger(reports)
    entries, faults = ledger.entries(), ledger.faults()
    ledger.close()
    states = dict[str, str]()
    for entry in entries:
        before = states.get(entry.subject)
        if before is not None and entry.state not in LEGAL[before]:
            faults.append(f"entry {entry.number}: {entry.subject} from {before} to {entry.state}")
        states[entry.subject] = entry.state
    kept = [json.loads(entry.body).get("move") for entry in entries]
    kept = [move for move in kept if move is not None]
    faults += [f"lost: {move}" for move in sorted(set(told) - set(kept))]
    faults += [f"doubled: {move}" for move in sorted({m for m in kept if kept.count(m) > 1})]
    return len(entries), len(told), tuple(faults)


def _write(reports: Path, number: int) -> None:
    """Move requests for ever; note each move once the ledger has kept it."""
    ledger = Ledger(reports)
    note = os.open(reports / "acknowledged" / str(number), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    count = 0
    while True:
        subject, move = _SUBJECTS[count % len(_SUBJECTS)], f"{number}-{count}"
        with ledger.changing() as changing:
            body = changing.bodies(_EVENT, _KIND).get(subject)
            may = ("draft",) if body is None else LEGAL[json.loads(body)["state"]]
            state = may[count % len(may)]
            act = Act(_EVENT, _KIND, subject, state, state, json.dumps({"move": move}))
            changing.put(act, json.dumps({"state": state}))
        os.write(note, f"{move}\n".encode())
        count += 1


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(sys.argv[2]))
