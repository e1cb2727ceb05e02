"""The house keeps its own rules: cards, sizes, weights, and who may print, ask the time or dice."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import gameday

HOUSE = Path(gameday.__file__).parent
MODULES = sorted(
    file
    for file in HOUSE.rglob("*.py")
    if "__pycache__" not in file.parts and "_bundled" not in file.parts
)
ROOMS = sorted(file.parent for file in HOUSE.glob("*/__init__.py") if file.parent.name[0] != "_")
_NO_JOB = ("utils", "util", "helpers", "common", "misc", "base", "models", "types")
PURE_ROOMS = ("scenario", "traffic", "forecast", "findings", "capacity")
HEAVY = ("locust", "gevent", "pandas", "numba")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def shown(file: Path) -> str:
    return str(file.relative_to(HOUSE))


def of_every_module(offences: Callable[[Path], Iterable[str]]) -> Callable[[], None]:
    """Return one test that lists what all modules have against a contract."""

    @functools.wraps(offences)
    def test() -> None:
        found = [f"{shown(file)}: {what}" for file in MODULES for what in offences(file)]
        assert not found, "\n".join(found)

    del test.__wrapped__  # pytest would ask it for its arguments
    return test


EVERY_ROOM = pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def exports_of(file: Path) -> list[str] | None:
    """Return the names in `__all__` as written, or None if there is none."""
    for node in tree_of(file).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            value = getattr(node, "value", None)
            return list(ast.literal_eval(value)) if value is not None else None
    return None


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of names, or an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def public_definitions(body: list[ast.stmt]) -> Iterator[Definition]:
    """Yield public classes and functions, and the public methods of public classes."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body)


def modules_loaded_by(statement: str) -> set[str]:
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=HOUSE.parent
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@of_every_module
def test_every_module_says_in_its_docstring_what_it_is_for(file: Path) -> Iterator[str]:
    said = ast.get_docstring(tree_of(file)) or ""
    if len(said.split()) < 3:
        yield f"docstring is {said!r}"


def _gives_late(file: Path) -> bool:
    """Return whether a module gives names when they are asked for, by a `__getattr__` of its own."""
    return any(
        (isinstance(node, ast.Assign) and "__getattr__" in map(dotted, node.targets))
        or (isinstance(node, ast.FunctionDef) and node.name == "__getattr__")
        for node in ast.walk(tree_of(file))
    )


@of_every_module
def test_every_module_names_what_it_gives_and_gives_it(file: Path) -> Iterator[str]:
    names = exports_of(file)
    if names is None:
        yield "has no __all__"
        return
    if len(set(names)) != len(names):
        yield "__all__ names one twice"
    bound: set[str] = set()
    for node in tree_of(file).body:
        if isinstance(node, Definition):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, ast.Assign):
            bound |= {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            bound.add(node.target.id)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            late = {a.name for i in node.body if isinstance(i, ast.ImportFrom) for a in i.names}
            bound |= late if _gives_late(file) else set()
    yield from sorted(set(names) - bound)


@of_every_module
def test_no_module_is_longer_than_400_lines(file: Path) -> Iterator[str]:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    if lines > 400:
        yield f"{lines} lines"


@of_every_module
def test_no_folder_lies_deeper_than_three(file: Path) -> Iterator[str]:
    if len(file.relative_to(HOUSE).parts) > 3:
        yield "lies deeper"


@EVERY_ROOM
def test_a_room_hangs_its_card_at_the_door(room: Path) -> None:
    card = ast.get_docstring(tree_of(room / "__init__.py")) or ""
    for label in ("Job:", "In:", "Out:", "Never:"):
        assert label in card, f"{room.name}: the card lacks {label}"


@EVERY_ROOM
def test_a_room_gives_at_most_twenty_names(room: Path) -> None:
    names = exports_of(room / "__init__.py")
    assert names is not None
    assert len(names) <= 20


def test_every_folder_with_modules_is_a_room_with_a_door() -> None:
    folders = {file.parent for file in MODULES}
    assert [shown(f) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_at_least_95_of_100_public_things_have_a_docstring() -> None:
    every = [
        (f"{shown(file)}:{node.lineno} {node.name}", ast.get_docstring(node) is not None)
        for file in MODULES
        for node in public_definitions(tree_of(file).body)
    ]
    bare = [place for place, said in every if not said]
    assert len(bare) <= 0.05 * len(every), bare


@pytest.mark.parametrize("statement", ["import gameday", "import gameday.cli"])
def test_importing_the_program_loads_no_heavy_library(statement: str) -> None:
    assert modules_loaded_by(statement) & set(HEAVY) == set()


@pytest.mark.parametrize("room", ["vocabulary", "errors", "files", "scenario", "safety"])
def test_the_lower_rooms_load_neither_locust_nor_gevent(room: str) -> None:
    assert modules_loaded_by(f"import gameday.{room}") & {"locust", "gevent", "numba"} == set()


@of_every_module
def test_only_the_cli_prints_and_only_the_cli_ends_the_process(file: Path) -> Iterator[str]:
    if shown(file).startswith("cli/"):
        return
    banned = {"print", "typer.echo", "click.echo", "sys.stdout.write", "sys.exit", "exit", "quit"}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call) and dotted(node.func) in banned:
            yield f"line {node.lineno}: {dotted(node.func)}"


@of_every_module
def test_only_the_cli_and_the_door_for_python_catch_the_whole_error_tree(
    file: Path,
) -> Iterator[str]:
    if shown(file).startswith("cli/") or shown(file) == "python_words.py":
        return
    handlers = [n for n in ast.walk(tree_of(file)) if isinstance(n, ast.ExceptHandler) and n.type]
    for handler in handlers:
        if any(dotted(n) == "GamedayError" for n in ast.walk(handler.type)):
            yield f"line {handler.lineno}"


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_asks_neither_the_clock_nor_chance(room: str) -> None:
    clocks = re.compile(
        r"(time\.)?(time|time_ns|monotonic|perf_counter|sleep)|(datetime\.)*(datetime|date)\.(now|today|utcnow)"
        r"|(np|numpy)\.random\.(?!Generator$|SeedSequence$)\w+|(random|secrets|uuid)\.\w+|os\.urandom"
    )
    found = []
    for file in sorted((HOUSE / room).rglob("*.py")):
        names = set(imported_by(file))
        found += [
            f"{shown(file)} imports {n}" for n in names if n.split(".")[0] in ("random", "secrets")
        ]
        found += [f"{shown(file)} imports {n}" for n in names if n.split(".")[0] == "time"]
        for node in ast.walk(tree_of(file)):
            if not isinstance(node, ast.Call):
                continue
            name = dotted(node.func)
            if "." in name and clocks.fullmatch(name):
                found.append(f"{shown(file)}:{node.lineno} {name}")
    assert not found


@of_every_module
def test_chance_is_made_nowhere_but_in_the_vocabulary(file: Path) -> Iterator[str]:
    if file.name == "vocabulary.py":
        return
    for node in ast.walk(tree_of(file)):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if re.fullmatch(r"(np|numpy)\.random\.\w+|random\.\w+", name):
            yield f"line {node.lineno}: {name}"


@of_every_module
def test_no_module_is_named_for_no_job(file: Path) -> Iterator[str]:
    if file.stem in _NO_JOB:
        yield "is named for no job"
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ClassDef) and re.search(
            r"Manager$|Helper$|Utils?$|^Base[A-Z]", node.name
        ):
            yield f"{node.name} is named for no job"


@of_every_module
def test_no_public_function_takes_a_boolean_by_position(file: Path) -> Iterator[str]:
    if shown(file).startswith("cli/"):
        return
    for node in public_definitions(tree_of(file).body):
        if isinstance(node, Function):
            for argument in [*node.args.posonlyargs, *node.args.args]:
                kind = argument.annotation
                if isinstance(kind, ast.Name) and kind.id == "bool":
                    yield f"line {node.lineno}: {node.name}({argument.arg})"


def test_the_folders_are_those_of_the_layers_contract() -> None:
    import tomllib

    project = HOUSE.parent / "pyproject.toml"
    contracts = tomllib.loads(project.read_text())["tool"]["importlinter"]["contracts"]
    layers = {
        name.strip() for c in contracts for line in c.get("layers", []) for name in line.split("|")
    }
    there = {room.name for room in ROOMS}
    there |= {file.stem for file in HOUSE.glob("*.py") if file.stem != "__init__"}
    assert there <= layers


def test_no_module_imports_a_room_above_it() -> None:
    import tomllib

    project = HOUSE.parent / "pyproject.toml"
    contracts = tomllib.loads(project.read_text())["tool"]["importlinter"]["contracts"]
    lines = next(c["layers"] for c in contracts if c["type"] == "layers")
    height = {n.strip(): -i for i, line in enumerate(lines) for n in line.split("|")}
    wrong = []
    for file in MODULES:
        mine = file.relative_to(HOUSE).parts[0].removesuffix(".py")
        for name in imported_by(file):
            parts = name.split(".")
            if parts[0] != "gameday" or len(parts) < 2 or parts[1] in (mine, "__version__"):
                continue
            if mine in height and parts[1] in height and height[parts[1]] >= height[mine]:
                wrong.append(f"{shown(file)} imports {name}")
    assert not wrong


@of_every_module
def test_a_lazy_door_gives_the_names_it_says_from_where_it_says(file: Path) -> Iterator[str]:
    """What a reader and mypy see, what is exported, and what is opened at run time are the same."""
    if file.name != "__init__.py" or not _gives_late(file):
        return
    opened: dict[str, str] = {}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Dict):
            opened |= {
                str(ast.literal_eval(name)): str(ast.literal_eval(module))
                for name, module in zip(node.keys, node.values, strict=True)
                if name is not None
            }
    room = ".".join(("gameday", *file.relative_to(HOUSE).parent.parts))
    seen = {
        alias.name: (node.module or "").removeprefix(f"{room}.")
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{room}.")
        for alias in node.names
    }
    shown_names = set(exports_of(file) or ()) - {"__version__"}
    yield from sorted(name for name in shown_names if opened.get(name) != seen.get(name))
    yield from sorted(set(opened) ^ shown_names)


@of_every_module
def test_no_name_at_a_door_is_that_of_a_module_behind_it(file: Path) -> Iterator[str]:
    """Once the module is loaded Python gives the module in place of the name."""
    if file.name == "__init__.py" and _gives_late(file):
        behind = {part.stem for part in file.parent.iterdir()}
        yield from sorted(behind & set(exports_of(file) or ()))


def test_the_top_level_holds_what_it_is_for_and_nothing_else() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HOUSE.parent, capture_output=True, text=True, check=True
    ).stdout.split()
    beside = {name.partition("/")[0] for name in listed if not name.startswith(".")}
    assert beside == {
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "DECISIONS.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "constraints.txt",
        "docs",
        "gameday",
        "locustfiles",
        "pyproject.toml",
        "reports",
        "scenarios",
        "tests",
    }
