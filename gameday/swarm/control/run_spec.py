"""What the Locust processes are told: which scenario and plan, which targets, which run."""

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
    "BRIEF_VARIABLE",
    "PULSE_VARIABLE",
    "REPORT_VARIABLE",
    "Brief",
    "brief_of",
    "brief_text",
    "read_brief",
    "write_brief",
]

BRIEF_VARIABLE = "GAMEDAY_BRIEF"
"""Environment variable that names the brief's file."""

REPORT_VARIABLE = "GAMEDAY_REPORT_FD"
"""Environment variable that holds the file descriptor on which the master says what happens."""

PULSE_VARIABLE = "GAMEDAY_PULSE_FD"
"""Environment variable that holds the one whose end tells a process that its parent is gone."""


@dataclass(frozen=True, slots=True)
class Brief:
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


def brief_text(brief: Brief) -> str:
    """Return `brief` as JSON."""
    plan = brief.plan
    return json.dumps(
        {
            "run_id": brief.run_id,
            "scenario": brief.loaded.text,
            "assets": asdict(brief.loaded.assets),
            "targets": brief.targets,
            "python_path": str(brief.loaded.folder),
            "workers": brief.workers,
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


def brief_of(text: str) -> Brief:
    """Return the brief in `brief_text`."""
    data: dict[str, Any] = json.loads(text)
    plan = data.pop("plan")
    start, slots, seed = plan.pop("start"), plan.pop("slots"), plan.pop("seed")
    nominal = {
        stack: {step: Nominal(**values) for step, values in steps.items()}
        for stack, steps in plan.pop("nominal").items()
    }
    lists: dict[str, Any] = {
        **{name: np.array(plan.pop(name)) for name in ("starts", "forecast", "caused", "played")},
        **{name: tuple(plan.pop(name)) for name in ("regions", "steps", "journeys")},
    }
    grid = TimeGrid(datetime.fromisoformat(start), slots)
    whole = LoadPlan(grid=grid, seed=Seed(seed), nominal=nominal, **lists, **plan)
    loaded = LoadedScenario(
        data.pop("scenario"), Assets(**data.pop("assets")), Path(data.pop("python_path"))
    )
    return Brief(loaded=loaded, plan=whole, **data)


def write_brief(file: Path, brief: Brief) -> None:
    """Write `brief` to a file that only its owner reads: feeds may hold passwords."""

    def write(path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(brief_text(brief))

    write_whole(file, write)


def read_brief(file: Path | None = None) -> Brief:
    """Return the brief in `file`, or in the file that GAMEDAY_BRIEF names."""
    return brief_of((file or Path(os.environ[BRIEF_VARIABLE])).read_text())
