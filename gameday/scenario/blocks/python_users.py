"""Steps and journeys written in Python: is the class there? Read, not run; what it does is the swarm's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from gameday.scenario.faults import did_you_mean
from gameday.scenario.model import Scenario

__all__ = ["python_faults"]


def python_faults(scenario: Scenario, folder: Path) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every `module:Class` that is not there: (path in the document, fault)."""
    named = [(("steps", name, "python"), step.python) for name, step in scenario.steps.items()]
    named += [(("journeys", name, "python"), j.python) for name, j in scenario.journeys.items()]
    for path, name in named:
        fault = None if name is None else _fault_of(name, folder)
        if fault is not None:
            yield path, fault


def _fault_of(name: str, folder: Path) -> str | None:
    module, _, attribute = name.partition(":")
    place = folder.joinpath(*module.split("."))
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        if (folder / module.split(".")[0]).is_dir() or find_spec(module.split(".")[0]) is None:
            return f"no module '{module}' beside the scenario ({files[0].name}), nor installed"
        return None
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError) as error:
        return f"{file.name} cannot be read ({error})"
    names = _names_in(tree)
    if "*" in names or attribute in names:
        return None
    return f"{file.name} has no class '{attribute}'{did_you_mean(attribute, sorted(names))}"


def _names_in(tree: ast.Module) -> set[str]:
    """Return every name a module may give: of classes, of what it imports or assigns; `*` = any."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
