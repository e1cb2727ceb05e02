"""Small scenarios and plans for benchmarks of the swarm."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario
from gameday.traffic import LoadPlan
from gameday.traffic.plan.nominal import Nominal
from gameday.vocabulary import LONGEST_WALK, Seed, TimeGrid

__all__ = ["chain", "plan_of", "scenario_of", "shopping"]

_HEAD = """\
event: {name: bench, kind: sale, start: 2027-07-13T10:00, duration: 2h}
regions: {us: {zone: America/New_York, stack: main}}
history:
  until: 2027-07-01T00:00Z
  synthetic: {days: 56, sessions_per_day: {us: 1000}, journeys: {visitor: 1.0}}
services:
  edge:
    stacks: {main: {instances: 1, instance: m}}
    servers_per_instance: 1
    queue_per_server: 4
    time: {law: exponential, mean: 1ms}
    timeout: 1s
observe: {series: {}}
objectives: [p99 of home < 1s]
capacity: {instances: {m: {hourly_usd: 1.0, vcpu: 1}}}
"""


def scenario_of(
    journeys: dict[str, Any], steps: dict[str, Any], replay: dict[str, Any]
) -> tuple[Scenario, LoadedScenario]:
    """Return a scenario with these customers, and as a run has it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        parts = {"journeys": journeys, "steps": steps, "replay": replay}
        file.write_text(_HEAD + "".join(f"{k}: {json.dumps(v)}\n" for k, v in parts.items()))
        loaded = read_scenario(str(file))
        return loaded.written, loaded


def chain(
    steps: int, path: str = "/", *, laps: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a journey of so many GETs in a row without a pause, once or in laps, and its steps.

    In laps a session has LONGEST_WALK steps, whatever the length of a lap.
    """
    names = ["home", *(f"s{i}" for i in range(1, steps))]
    following = [*names[1:], "exit"]
    journey = {
        "start": {"home": 1.0},
        "think": {"other": "0s"},
        "patience": "60s",
        "next": {a: {b: 1.0} for a, b in zip(names, following, strict=True)},
    }
    if laps:
        journey["next"][names[-1]] = {"home": 1.0}  # type: ignore[index]
        journey["length"] = {"steps": [0.0] * (LONGEST_WALK - 1) + [1.0]}
    return {"visitor": journey}, {name: {"exchanges": [{"path": path}]} for name in names}


def shopping(*, laps: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return four steps, once or in laps: cookies, a check on each, an extraction on one."""
    journeys, _ = chain(4, laps=laps)
    check = {"check": {"body_contains": "welcome"}}
    token = {"token": {"regex": 'name="token" value="([0-9a-f]+)"'}}
    steps = {
        "home": {"exchanges": [{"path": "/home", **check}]},
        "s1": {"exchanges": [{"path": "/item?n={product}", "extract": token, **check}]},
        "s2": {"exchanges": [{"path": "/page?token={token}", **check}]},
        "s3": {"exchanges": [{"path": "/page?customer={customer}", **check}]},
    }
    return journeys, steps


def plan_of(scenario: Scenario, starts: list[int], slot_s: float, spacing: str) -> LoadPlan:
    """Return a plan with so many session starts in each slot of `slot_s` wall seconds."""
    played = np.array(starts, int)[None, None, :]
    blank = np.zeros((1, 1, len(starts)))
    steps = scenario.step_names
    return LoadPlan(
        grid=TimeGrid(datetime(2027, 7, 13, tzinfo=UTC), len(starts)),
        lead_in=0,
        regions=("us",),
        steps=steps,
        journeys=("visitor",),
        starts=blank,
        forecast=np.zeros((1, len(steps), len(starts))),
        caused=np.zeros((1, len(steps), len(starts))),
        played=played,
        half_life_slots={},
        speed=60.0 / slot_s,
        scale=1.0,
        quantile=0.5,
        seed=Seed(1),
        nominal={"main": {s: Nominal(0.001, 0.002) for s in steps}},
        spacing=spacing,
    )
