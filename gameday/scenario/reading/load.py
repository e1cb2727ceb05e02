"""Find a scenario by name or path, read it, and report every fault at once."""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from gameday.errors import ScenarioError
from gameday.scenario.blocks.python_users import python_faults
from gameday.scenario.conversion_drift import drift_faults
from gameday.scenario.faults import Fault, did_you_mean, fault_path, fault_text
from gameday.scenario.model import Scenario
from gameday.scenario.reading.assets import asset_faults, read_assets
from gameday.scenario.reading.cross_checks import cross_faults
from gameday.scenario.reading.data_files import (
    find_member_files,
    read_regressor_files,
    read_session_files,
)
from gameday.scenario.reading.injections import injection_faults
from gameday.scenario.reading.loaded import LoadedScenario, scenario_of
from gameday.scenario.reading.yaml_source import Document, is_file, read_document

__all__ = [
    "bundled_scenarios",
    "load_scenario",
    "scenario_file",
    "read_scenario",
    "scenario_schema",
]


def _bundled_folder() -> Path:
    """Return the folder of the bundled scenarios: within the package in a wheel, else at the checkout's top."""
    package = Path(str(files("gameday")))
    packaged = package / "_bundled" / "scenarios"
    return packaged if packaged.is_dir() else package.parent / "scenarios"


def bundled_scenarios() -> dict[str, Path]:
    """Return the scenarios that come with the program: name -> file."""
    folder = _bundled_folder()
    files = {file.stem: file for file in sorted(folder.glob("*.yaml"))}
    return files | {f"drills/{file.stem}": file for file in sorted(folder.glob("drills/*.yaml"))}


def scenario_file(name_or_path: str) -> Path:
    """Return the file of a bundled scenario's name, or of a path; ScenarioError if neither."""
    bundled = bundled_scenarios()
    if name_or_path in bundled:
        return bundled[name_or_path]
    path = Path(name_or_path)
    if is_file(path):
        return path
    if path.suffix in (".yaml", ".yml") or path.parent != Path("."):
        raise ScenarioError([f"{name_or_path}:1:1: no such scenario file; check the path"])
    near = did_you_mean(name_or_path, bundled)
    raise ScenarioError([f"--event: no scenario called '{name_or_path}'{near}"])


def load_scenario(name_or_path: str) -> Scenario:
    """Return the scenario of a name or path; ScenarioError lists every fault, file:line:column."""
    return read_scenario(name_or_path).written


def read_scenario(name_or_path: str, *, drift: float | None = None) -> LoadedScenario:
    """Return the scenario of a name or path with every file it names; ScenarioError lists every fault.

    `drift`: in place of its `replay.conversion_drift`.
    """
    file = scenario_file(name_or_path)
    document, folder = read_document(file), file.parent
    if document.faults and not document.data:
        raise ScenarioError([f"{position}: {text}" for position, text in document.faults])
    read = chain(
        read_regressor_files(document.data, folder),
        read_session_files(document.data, folder),
        find_member_files(document.data, folder),
    )
    if faults := list(read):
        raise ScenarioError(_lines(document, faults))
    if drift is not None:
        document.data["replay"] = {**document.data.get("replay", {}), "conversion_drift": drift}
    scenario = _scenario_in(document)
    faults = _faults_beyond_fields(scenario, folder)
    if faults or document.faults:
        raise ScenarioError(_lines(document, faults))
    return LoadedScenario(
        json.dumps(document.data), read_assets(scenario, folder), folder.resolve()
    )


def _scenario_in(document: Document) -> Scenario:
    """Return the scenario that a document holds; ScenarioError says what of its fields is wrong."""
    try:
        return scenario_of(json.dumps(document.data))
    except ValidationError as error:
        raise ScenarioError(_lines(document, _model_faults(error, document))) from None


def _faults_beyond_fields(scenario: Scenario, folder: Path) -> list[Fault]:
    """Return what no field shows by itself: between blocks, in files, in Python, and else in what is injected."""
    faults = [
        *cross_faults(scenario),
        *drift_faults(scenario),
        *asset_faults(scenario, folder),
        *python_faults(scenario, folder),
    ]
    return faults or injection_faults(scenario)


def scenario_schema(*, indent: int) -> str:
    """Return the JSON Schema of a scenario file, for editors, as JSON text."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["properties"]["include"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Files merged under this one; what stands here wins.",
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**head, **schema}, indent=indent)


def _model_faults(error: ValidationError, document: Document) -> list[Fault]:
    return [(fault_path(e, document.data), fault_text(e, Scenario)) for e in error.errors()]


def _lines(document: Document, faults: list[Fault]) -> list[str]:
    """Return every fault as `file:line:column: what is wrong`, in order of the files."""
    lines = list(document.faults)
    for path, text in faults:
        shown = ".".join(str(part) for part in path) or "scenario"
        lines.append((document.position_of(path), f"{shown}: {text}"))
    lines.sort(key=lambda item: (item[0].file, item[0].line, item[0].column))
    return list(dict.fromkeys(f"{position}: {text}" for position, text in lines))
