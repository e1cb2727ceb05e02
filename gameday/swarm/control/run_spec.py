"""What the Locust processes play: which scenario and plan, which targets, which run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gameday.files import write_whole
from gameday.scenario.reading import Assets, LoadedScenario
from gameday.traffic import LoadPlan
from gameday.traffic.plan import plan_of_json, plan_to_json

__all__ = [
    "RUN_SPEC_VARIABLE",
    "PULSE_VARIABLE",
    "REPORT_VARIABLE",
    "RunSpec",
    "run_spec_of",
    "run_spec_text",
    "read_run_spec",
    "write_run_spec",
]

RUN_SPEC_VARIABLE = "GAMEDAY_BRIEF"
"""Environment variable that names the file of the run's specification."""

REPORT_VARIABLE = "GAMEDAY_REPORT_FD"
"""Environment variable that holds the file descriptor on which the master says what happens."""

PULSE_VARIABLE = "GAMEDAY_PULSE_FD"
"""Environment variable that holds the one whose end tells a process that its parent is gone."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run, as its Locust processes need to know it."""

    run_id: str
    loaded: LoadedScenario
    """The scenario, its feeds and certificates, and where its own Python modules are found."""
    targets: dict[str, str]
    """Stack -> http(s)://host:port."""
    workers: int
    """How many processes must be ready before the clock starts."""
    plan: LoadPlan
    """A curve and a seed: every worker lays out the same sessions from it."""


def run_spec_text(spec: RunSpec) -> str:
    """Return `spec` as JSON."""
    return json.dumps(
        {
            "run_id": spec.run_id,
            "scenario": spec.loaded.text,
            "assets": asdict(spec.loaded.assets),
            "targets": spec.targets,
            "python_path": str(spec.loaded.folder),
            "workers": spec.workers,
            "plan": plan_to_json(spec.plan),
        }
    )


def run_spec_of(text: str) -> RunSpec:
    """Return the specification in `run_spec_text`."""
    data: dict[str, Any] = json.loads(text)
    loaded = LoadedScenario(
        data.pop("scenario"), Assets(**data.pop("assets")), Path(data.pop("python_path"))
    )
    plan = plan_of_json(data.pop("plan"))
    return RunSpec(loaded=loaded, plan=plan, **data)


def write_run_spec(file: Path, spec: RunSpec) -> None:
    """Write `spec` to a file that only its owner reads: feeds may hold passwords."""

    def write(path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(run_spec_text(spec))

    write_whole(file, write)


def read_run_spec(file: Path | None = None) -> RunSpec:
    """Return the specification in `file`, or in the file that GAMEDAY_BRIEF names."""
    return run_spec_of((file or Path(os.environ[RUN_SPEC_VARIABLE])).read_text())
