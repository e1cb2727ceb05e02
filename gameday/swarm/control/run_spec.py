"""What the Locust processes play: which scenario and plan, which targets, which run."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from gameday.files import write_whole
from gameday.scenario.reading import Assets, LoadedScenario
from gameday.traffic import LoadPlan
from gameday.traffic.plan import Nominal
from gameday.vocabulary import Seed, TimeGrid

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
    plan = spec.plan
    return json.dumps(
        {
            "run_id": spec.run_id,
            "scenario": spec.loaded.text,
            "assets": asdict(spec.loaded.assets),
            "targets": spec.targets,
            "python_path": str(spec.loaded.folder),
            "workers": spec.workers,
            "plan": {
                "start": plan.grid.start.isoformat(),
                "slots": plan.grid.slots,
                "lead_in": plan.lead_in,
                "regions": plan.regions,
                "steps": plan.steps,
                "journeys": plan.journeys,
                "starts": plan.starts.tolist(),
                "forecast": plan.forecast.tolist(),
                "caused": plan.caused.tolist(),
                "played": plan.played.tolist(),
                "half_life_slots": plan.half_life_slots,
                "released": plan.released,
                "speed": plan.speed,
                "scale": plan.scale,
                "quantile": plan.quantile,
                "seed": plan.seed.root,
                "spacing": plan.spacing,
                "dispersion": plan.dispersion,
                "nominal": {
                    s: {k: asdict(v) for k, v in n.items()} for s, n in plan.nominal.items()
                },
            },
        }
    )


def run_spec_of(text: str) -> RunSpec:
    """Return the specification in `run_spec_text`."""
    data: dict[str, Any] = json.loads(text)
    loaded = LoadedScenario(
        data.pop("scenario"), Assets(**data.pop("assets")), Path(data.pop("python_path"))
    )
    return RunSpec(loaded=loaded, plan=_plan_of(data.pop("plan")), **data)


def _plan_of(data: dict[str, Any]) -> LoadPlan:
    """Return the plan that `run_spec_text` wrote as `data`."""
    grid = TimeGrid(datetime.fromisoformat(data.pop("start")), data.pop("slots"))
    nominal = {
        stack: {step: Nominal(**values) for step, values in steps.items()}
        for stack, steps in data.pop("nominal").items()
    }
    for name in ("regions", "steps", "journeys"):
        data[name] = tuple(data[name])
    for name in ("starts", "forecast", "caused", "played"):
        data[name] = np.array(data[name])
    return LoadPlan(grid=grid, seed=Seed(data.pop("seed")), nominal=nominal, **data)


def write_run_spec(file: Path, spec: RunSpec) -> None:
    """Write `spec` to a file that only its owner reads: feeds may hold passwords."""

    def write(path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(run_spec_text(spec))

    write_whole(file, write)


def read_run_spec(file: Path | None = None) -> RunSpec:
    """Return the specification in `file`, or in the file that GAMEDAY_BRIEF names."""
    return run_spec_of((file or Path(os.environ[RUN_SPEC_VARIABLE])).read_text())
