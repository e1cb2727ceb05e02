"""Do two commits compute the same? `python -m tests.house.same_bits OLD NEW [--keep FOLDER]`

Both play the same orders with the same seed, each from a worktree of its own. Every column of what a seed
decides (demand, plan, predicted) and every number that a plan, a rehearsal, two drills and a backtest tell
are compared to the last bit; of a replay's findings, which rest on what was measured, the rules, severities
and how many. Measured files, times, paths and prose are not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["differences", "main", "numbers"]

HOUSE = Path(__file__).parents[2]
TOLD = {
    "planned": ("plan", "--event", "primeday"),
    "rehearsed": ("simulate", "--event", "primeday", "--replications", "2", "--no-n-minus-one"),
    "surge": ("simulate", "--event", "drills/surge-retries", "--replications", "2"),
    "flush": ("simulate", "--event", "drills/flush-cold-cache", "--replications", "2"),
    "backtest": ("forecast", "backtest", "--event", "console-launch", "--origins", "1"),
}
PLAYED = (
    "replay",
    "--event",
    "primeday",
    "--window",
    "2027-07-13T00:58+00:00/2027-07-13T01:04+00:00",
)
"""A replay leaves demand, plan and predicted, and findings of what it measured."""
FILES = ("demand.parquet", "plan.parquet", "predicted.parquet")
_OF_THE_RUN = (
    "wall",
    "took",
    "elapsed",
    "path",
    "file",
    "version",
    "pictures",
    "page",
    "cache",
    "seconds",
)
"""Keys whose values are of the run and not of the seed."""


def numbers(data: Any, place: str = "") -> dict[str, Any]:
    """Return place -> number for all numbers and truths that JSON holds, but for those of the run itself."""
    if isinstance(data, dict):
        parts = [(f"{place}.{key}", part) for key, part in data.items() if not _is_of_the_run(key)]
    elif isinstance(data, list):
        parts = [(f"{place}[{n}]", part) for n, part in enumerate(data)]
    else:
        return {} if isinstance(data, str) else {place: data}
    return {key: value for name, part in parts for key, value in numbers(part, name).items()}


def _is_of_the_run(key: str) -> bool:
    return any(word in key for word in _OF_THE_RUN)


def play(commit: str, folder: Path) -> None:
    """Give every order to the program as it was at a commit, and keep what it tells in a folder."""
    tree = folder / "tree"
    subprocess.run(["git", "worktree", "add", "--detach", str(tree), commit], cwd=HOUSE, check=True)
    try:
        for name, order in TOLD.items():
            done = _gameday(tree, *order, "--json")
            (folder / f"{name}.json").write_text(done.stdout)
        _gameday(tree, *PLAYED, "--no-n-minus-one", "--out", str(folder / "runs"))
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=HOUSE, check=True)


def _gameday(tree: Path, *order: str) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "gameday.cli", *order],
        cwd=tree.parent,
        env=os.environ | own,
        text=True,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode not in (0, 1, 7, 10):
        raise SystemExit(f"{' '.join(order)}: exit code {done.returncode}")
    return done


def findings_of(folder: Path) -> list[tuple[str, str]]:
    """Return (rule, severity) of every finding of the replay that was played into a folder, sorted."""
    file = next((folder / "runs").glob("*/*/findings.json"))
    data = json.loads(file.read_text())
    found = (
        data["findings"] if isinstance(data, dict) else data
    )  # older commits wrote the list alone
    return sorted((finding["rule"], finding["severity"]) for finding in found)


def differences(old: Path, new: Path) -> list[str]:
    """Return what two folders that `play` filled differ in: one line a number or column."""
    found = []
    for name in TOLD:
        before, after = (numbers(json.loads((f / f"{name}.json").read_text())) for f in (old, new))
        found += [
            f"{name}: {key} is only in one of them" for key in sorted(before.keys() ^ after.keys())
        ]
        found += [
            f"{name}: {key} was {before[key]!r} and is {after[key]!r}"
            for key in before.keys() & after.keys()
            if before[key] != after[key]
            and not (before[key] != before[key] and after[key] != after[key])
        ]
    for file in FILES:
        before, after = (
            pd.read_parquet(next((f / "runs").glob(f"*/*/{file}"))) for f in (old, new)
        )
        found += [f"{file}: column {c} is only in one" for c in sorted({*before} ^ {*after})]
        found += [
            f"{file}: column {c} differs"
            for c in before
            if c in after and not before[c].equals(after[c])
        ]
    if (rules := findings_of(old)) != (rules_after := findings_of(new)):
        found.append(f"findings: {rules} became {rules_after}")
    return found


def main() -> None:
    """Compare the two commits that are named, and end with exit code 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument(
        "--keep", type=Path, help="folder of what was told; what is there is not played again"
    )
    asked = parser.parse_args()
    base = asked.keep or Path(tempfile.mkdtemp(prefix="same-bits-"))
    folders = [base / commit for commit in (asked.old, asked.new)]
    for commit, folder in zip((asked.old, asked.new), folders, strict=True):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            play(commit, folder)
    found = differences(*folders)
    counted = len(numbers([json.loads((folders[0] / f"{n}.json").read_text()) for n in TOLD]))
    told = [*found, f"{len(found)} differences in {counted} numbers and {len(FILES)} files"]
    sys.stdout.write("\n".join(told) + "\n")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
