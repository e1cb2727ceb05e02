"""`python -m tests.golden.readme` (`make readme`) prints README's outputs again; `--check` compares.

A block of README between `<!-- made: NAME -->` and `<!-- /made: ... -->` is what a command printed.
The printed text is kept in `tests/golden/readme/NAME.txt` with a stamp of what it was made from: the
version, the seed, the scenario and the sources that decide its numbers. `--check` is cheap, it runs
nothing: README must hold the kept text, and version, seed and scenario must be today's. Sources
change with most commits, so theirs is a warning there and a fault only with `--strict`, as
`make nightly` asks, which also prints the deterministic blocks again.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gameday
from gameday.scenario import load_scenario

__all__ = ["BLOCKS", "Block", "faults", "in_readme", "kept", "kept_file", "printed", "warnings"]

TOP = Path(__file__).parents[2]
README = TOP / "README.md"
SEED = 1
EVENT = "primeday"
_ROOMS = (
    "capacity",
    "findings",
    "forecast",
    "history",
    "scenario",
    "shop",
    "simulate",
    "swarm",
    "traffic",
)
"""Whose sources decide the numbers that are printed."""
_WIDTH = 118
_RUN = re.compile(r"reports/primeday-2027/\S+/report\.html")


@dataclass(frozen=True)
class Block:
    """One output in README."""

    name: str
    arguments: tuple[str, ...]
    shape: Callable[[list[str]], list[str]]
    """The lines that are shown of those printed."""
    codes: tuple[int, ...] = (0,)
    """Exit codes with which the command may end."""
    shows_command: bool = True
    is_repeatable: bool = True
    """Whether it prints the same again; a run on real sockets does not."""


def _first_two(lines: list[str]) -> list[str]:
    return [_cut(line) for line in lines[:2]]


def _of_all_and_the_first_launch(lines: list[str]) -> list[str]:
    start = next(n for n, line in enumerate(lines) if line.startswith("launch "))
    whole = [line for line in lines if line.startswith("all     all ")]
    return [_cut(line) for line in (*whole, *lines[start : start + 2])]


def _one_stack(lines: list[str]) -> list[str]:
    """Leave out the services of the second stack, and name no run's own folder."""
    table = [n for n, line in enumerate(lines) if re.match(r"in\s+\S+\s+\S.* / ", line)]
    out = [line for n, line in enumerate(lines) if n not in table[1:]]
    if table:
        out[table[0]] = "(the same for the stack `in`)"
    return [_RUN.sub("reports/primeday-2027/RUN/report.html", line) for line in out if line]


def _cut(line: str) -> str:
    return (
        line if len(line) <= _WIDTH else line[: _WIDTH - 4].rpartition(" ")[0].rstrip(";,") + " ..."
    )


BLOCKS = (
    Block(
        "replay",
        ("replay", "--event", EVENT, "--quiet"),
        _one_stack,
        codes=(0, 1, 10),
        shows_command=False,
        is_repeatable=False,
    ),
    Block(
        "explain",
        (
            "forecast",
            "explain",
            "--event",
            EVENT,
            "--region",
            "us",
            "--step",
            "checkout",
            "--at",
            "2027-07-13T20:00",
        ),
        _first_two,
    ),
    Block("show", ("forecast", "show", "--event", EVENT), _of_all_and_the_first_launch),
)


def printed(block: Block) -> str:
    """Run a block's command and return what README shows of it; RuntimeError where it failed."""
    with tempfile.TemporaryDirectory(prefix="gameday-readme-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "gameday.cli", *block.arguments],
            cwd=folder,
            text=True,
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(TOP), "NO_COLOR": "1", "COLUMNS": "130"},
        )
    if done.returncode not in block.codes:
        raise RuntimeError(f"{block.name}: exit code {done.returncode}: {done.stderr[-2000:]}")
    lines = block.shape([line.rstrip() for line in done.stdout.splitlines()])
    command = [f"$ gameday {' '.join(block.arguments)}"] if block.shows_command else []
    return "\n".join([*command, *lines])


def stamp() -> str:
    """Return what a block made now is made from."""
    sources = hashlib.sha256()
    for room in _ROOMS:
        for file in sorted((TOP / "gameday" / room).rglob("*.py")):
            sources.update(file.read_bytes())
    scenario = load_scenario(EVENT).sha256()
    return (
        f"version {gameday.__version__}, seed {SEED}, scenario {scenario[:12]}, "
        f"sources {sources.hexdigest()[:12]}"
    )


def kept_file(block: Block) -> Path:
    """Return the file of the text that was printed last, its stamp in the first line."""
    return TOP / "tests" / "golden" / "readme" / f"{block.name}.txt"


def kept(block: Block) -> tuple[str, str] | None:
    """Return stamp and text of what was printed last; None where nothing ever was."""
    file = kept_file(block)
    if not file.is_file():
        return None
    first, _, text = file.read_text(encoding="utf-8").partition("\n")
    return first, text.rstrip("\n")


def _pattern(block: Block) -> re.Pattern[str]:
    return re.compile(
        rf"(<!-- made: {block.name} -->\n```\w+\n)(.*?)(\n```\n<!-- /made: )([^\n]*?)( -->)", re.S
    )


def in_readme(block: Block, text: str) -> tuple[str, str] | None:
    """Return stamp and text of a block in README's text; None where it has no such block."""
    found = _pattern(block).search(text)
    return (found[4], found[2]) if found else None


def faults(*, strict: bool = False) -> list[str]:
    """Return what is stale or altered; with `strict` what was made from other sources too."""
    readme, now, out = README.read_text(encoding="utf-8"), stamp(), []
    for block in BLOCKS:
        here, made = in_readme(block, readme), kept(block)
        if here is None:
            out.append(f"{block.name}: README has no such block")
        elif made is None:
            out += [f"{block.name}: was never made"] if strict else []
        elif here != made:
            out.append(f"{block.name}: README does not hold what was printed last")
        elif _fixed(made[0]) != _fixed(now):
            out.append(f"{block.name}: was made from {made[0]}; now it is {now}")
        elif strict and made[0] != now:
            out.append(f"{block.name}: was made from other sources")
    return out


def warnings() -> list[str]:
    """Return what only `strict` calls a fault."""
    plain = faults()
    return [fault for fault in faults(strict=True) if fault not in plain]


def _fixed(stamped: str) -> str:
    """Return the part of a stamp that is the same over most commits."""
    return stamped.partition(", sources ")[0]


def make(names: list[str]) -> None:
    """Print the blocks again, all or those named, and write them to their files and to README."""
    for block in BLOCKS:
        if names and block.name not in names:
            continue
        text, now = printed(block), stamp()
        kept_file(block).parent.mkdir(exist_ok=True)
        kept_file(block).write_text(f"{now}\n{text}\n", encoding="utf-8")
        readme = README.read_text(encoding="utf-8")
        if in_readme(block, readme) is None:
            raise RuntimeError(f"README has no block <!-- made: {block.name} -->")
        new = _pattern(block).sub(lambda m: f"{m[1]}{text}{m[3]}{now}{m[5]}", readme)  # noqa: B023
        README.write_text(new, encoding="utf-8")
        sys.stdout.write(f"{block.name}: {len(text.splitlines())} lines, {now}\n")


def main(arguments: list[str]) -> int:
    """Make the blocks, or check them with --check (and --strict); return 1 where one is stale."""
    if "--check" not in arguments:
        make(arguments)
        return 0
    found = faults(strict="--strict" in arguments)
    for line in found:
        sys.stdout.write(f"README: {line}: run `make readme` and review the diff\n")
    for line in [] if "--strict" in arguments else warnings():
        sys.stdout.write(f"README: {line}; before a release run `make readme`\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
