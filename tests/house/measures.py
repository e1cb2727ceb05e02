"""What a reader has to hold, room by room: `python -m tests.house.measures [FOLDER] [--any]` prints it.

`--any` adds the share of expressions whose type mypy does not know; it takes a minute.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Room", "main", "rooms_of", "share_of_total", "tokens_of_functions"]

HOUSE = Path(__file__).parents[2] / "gameday"
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Room:
    """One folder, or the files that lie beside the folders."""

    name: str
    files: int = 0
    lines: int = 0
    tokens: list[int] = field(default_factory=list)
    """Of each function."""
    past_doors: int = 0
    """Names taken from other rooms' inner modules."""
    dicts: int = 0
    """Functions that return `dict[str, Any]`."""
    unformatted: int = 0
    """`fmt: skip`s."""
    parameters: int = 0
    """Functions with more than eight."""


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function, methods and inner ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def tokens_of_functions(text: str) -> dict[tuple[str, int], int]:
    """Return (name, line) -> tokens from `def` to the end, without comments and newlines, a docstring as one."""
    tree = ast.parse(text)
    at: list[int] = [0] * (text.count("\n") + 3)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SILENT:
            at[token.start[0]] += 1
    return {
        (node.name, node.lineno): sum(at[node.lineno : (node.end_lineno or 0) + 1])
        for node in functions(tree)
    }


def _past_doors(tree: ast.Module, room: str, doors: set[str]) -> int:
    names = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gameday."):
            other = (node.module or "").split(".")
            is_verb = other[1] == "jobs"  # one file a verb, imported by its name
            if other[1] != room and len(other) > 2 and ".".join(other) not in doors and not is_verb:
                names += len(node.names)
    return names


def rooms_of(house: Path = HOUSE) -> dict[str, Room]:
    """Return room -> what its files measure."""
    files = [
        f for f in sorted(house.rglob("*.py")) if not {"__pycache__", "_bundled"} & set(f.parts)
    ]
    doors = {
        ".".join(("gameday", *f.parent.relative_to(house).parts))
        for f in files
        if f.name == "__init__.py"
    }
    rooms: dict[str, Room] = {}
    for file in files:
        parts = file.relative_to(house).parts
        name = parts[0] if len(parts) > 1 else "(beside)"
        room = rooms.setdefault(name, Room(name))
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        room.files += 1
        room.lines += text.count("\n")
        room.tokens += tokens_of_functions(text).values()
        room.past_doors += _past_doors(tree, name, doors)
        room.unformatted += text.count("fmt: skip")
        for node in functions(tree):
            room.dicts += node.returns is not None and "dict[str, Any]" in ast.unparse(node.returns)
            arguments = node.args
            count = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            room.parameters += count > 8
    return rooms


def circles(house: Path = HOUSE) -> list[list[str]]:
    """Return the circles of imports between the modules inside a room (strongly connected, more than one)."""
    graph: dict[str, set[str]] = defaultdict(set)
    names = {
        ".".join(("gameday", *f.relative_to(house).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): f
        for f in house.rglob("*.py")
        if "_bundled" not in f.parts
    }
    for name, file in names.items():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in names and node.module != name:
                graph[name].add(node.module)
    return [sorted(part) for part in _strongly_connected(graph) if len(part) > 1]


def _strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected parts (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    parts: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            parts.append(set(stack[at:]))
            del stack[at:]

    for node in list(graph):
        if node not in index:
            visit(node)
    return parts


def _quantile(values: list[int], share: float) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def any_share(house: Path = HOUSE) -> float:
    """Return the share, 0-1, of expressions that mypy types as Any; RuntimeError where it makes no report."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mypy", "--any-exprs-report", folder, "-p", "gameday"]
        done = subprocess.run(
            command, cwd=house.parent, capture_output=True, text=True, check=False
        )
        report = Path(folder, "any-exprs.txt")
        if not report.exists():
            raise RuntimeError(f"mypy made no report: {done.stdout}{done.stderr}")
        return share_of_total(report.read_text(encoding="utf-8"))


def share_of_total(report: str) -> float:
    """Return Anys / expressions, 0-1, from the last line of mypy's report: name, Anys, expressions, coverage."""
    name, unknown, expressions, _ = report.split("\n")[-2].split()
    if name != "Total":
        raise RuntimeError(f"mypy's report ends otherwise than with a total: {name}")
    return int(unknown) / int(expressions)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("house", nargs="?", type=Path, default=HOUSE, help="a folder gameday/")
    parser.add_argument("--any", action="store_true", help="the share that mypy does not know, too")
    asked = parser.parse_args()
    house = asked.house.resolve()
    rooms = rooms_of(house)
    lines = [
        "room         files   lines  functions  tokens med/p90/max  past doors"
        "  dict[str, Any]  fmt: skip  >8 parameters"
    ]
    whole = Room("whole")
    for room in rooms.values():
        for name in ("files", "lines", "past_doors", "dicts", "unformatted", "parameters"):
            setattr(whole, name, getattr(whole, name) + getattr(room, name))
        whole.tokens += room.tokens
    for room in [*rooms.values(), whole]:
        spread = "/".join(str(_quantile(room.tokens, q)) for q in (0.5, 0.9, 1.0))
        lines.append(
            f"{room.name:12s} {room.files:5d} {room.lines:7d} {len(room.tokens):10d}  {spread:>18s}"
            f"  {room.past_doors:10d}  {room.dicts:14d}  {room.unformatted:9d}  {room.parameters:13d}"
        )
    over = sum(count > 250 for count in whole.tokens), sum(count > 150 for count in whole.tokens)
    lines += [f"functions beyond 250 tokens: {over[0]}, beyond 150: {over[1]}"]
    lines += [f"circle: {', '.join(circle)}" for circle in circles(house)] or ["no circle"]
    if asked.any:
        lines.append(f"of expressions mypy does not know {any_share(house):.1%}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
