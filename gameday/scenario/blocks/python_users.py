"""Steps and journeys written in Python: whether the class is there. The file is parsed, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from gameday.scenario.faults import Fault, did_you_mean
from gameday.scenario.model import Scenario

__all__ = ["python_faults"]


def python_faults(scenario: Scenario, folder: Path) -> Iterator[Fault]:
    """Yield every `module:Class` that is not there."""
    named = [(("steps", name, "python"), step.python) for name, step in scenario.steps.items()]
    named += [(("journeys", name, "python"), j.python) for name, j in scenario.journeys.items()]
    for path, name in named:
        fault = None if name is None else _fault_of(name, folder)
        if fault is not None:
            yield path, fault


def _fault_of(name: str, folder: Path) -> str | None:
    """Return what is wrong with `module:Class`; None where it is there, or is an installed module's."""
    module, _, attribute = name.partition(":")
    path = folder.joinpath(*module.split("."))
    files = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    file = next((file for file in files if file.is_file()), None)
    if file is not None:
        return _missing_class(file, attribute)
    if (folder / module.split(".")[0]).is_dir() or find_spec(module.split(".")[0]) is None:
        return f"no module '{module}' beside the scenario ({files[0].name}), nor installed"
    return None


def _missing_class(file: Path, attribute: str) -> str | None:
    """Return why a Python file cannot give `attribute`; None where it may."""
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
