"""Print as JSON what the parts of a run cost on this machine; nothing is asserted."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gameday.capacity import request_capacity
from gameday.findings import find, judge, run_rules, validity
from gameday.forecast import forecast_demand
from gameday.history import History, read_history
from gameday.report import Judged, RunAbout, gather, render_report, summary_json
from gameday.scenario import load_scenario
from gameday.simulate.reference.engine import run_reference
from gameday.swarm import Health
from gameday.traffic import ReplayOptions, plan_load
from gameday.vocabulary import Seed
from tests.support.small_runs import as_measured, busy_shop, evidence_of, played, records_of
from tests.support.small_shop import flat_demand

HELP_RUNS = 5


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return wall seconds and the result."""
    began = time.perf_counter()
    result = work()
    return round(time.perf_counter() - began, 3), result


def simulation(folder: Path, *, size: float = 1.0) -> dict[str, Any]:
    """Return SimPy's calls a second on the small busy shop."""
    scenario = busy_shop(folder)
    plan = played(scenario, 30.0, slots=max(4, round(32 * size)))
    seconds, run = timed(lambda: run_reference(scenario, plan, "main", seed=Seed(1)))
    calls = int(run.attempts[0, :, 0].sum())
    return {
        "calls_per_s": round(calls / seconds),
        "seconds": seconds,
        "calls": calls,
        "conditions": "one replication, 3 services about half busy, 20x, "
        f"{plan.grid.slots} slots, one core",
    }


def primeday(folder: Path, *, size: float = 1.0) -> dict[str, Any]:
    """Return what forecast and plan of the bundled event cost, its past made beforehand."""
    scenario, seed = load_scenario("primeday"), Seed(1)
    past_s, history = timed(lambda: read_history(scenario, file=None, seed=seed))
    again_s, history = timed(lambda: read_history(scenario, file=None, seed=seed))
    forecast_s, demand = timed(lambda: forecast_demand(scenario, history))
    plan_s, plan = timed(lambda: plan_load(scenario, demand, seed=seed, options=ReplayOptions()))
    return {
        "history_seconds": past_s,
        "history_cached_seconds": again_s,
        "forecast_seconds": forecast_s,
        "plan_seconds": plan_s,
        "sessions": int(plan.played.sum()),
        "conditions": f"primeday, {history.grid.slots / 1440:.0f} synthetic days, window peak, "
        f"{plan.speed:g}x, scale {plan.scale:g}",
    }


def report(folder: Path, *, size: float = 1.0) -> dict[str, Any]:
    """Return what a report costs and weighs, without making its runs."""
    scenario = busy_shop(folder)
    plan = played(scenario, 10.0, slots=42)
    runs = records_of(scenario, plan, range(3))
    measured = as_measured(runs[0])
    evidence = evidence_of(scenario, plan, measured, runs[1:])
    demand = flat_demand(scenario, plan.forecast[:, :, 2:3].repeat(2880, axis=2))
    history = History(
        demand.grid.part(0, 1440),
        demand.regions,
        demand.steps,
        np.ones((1, 3, 1440), np.float32),
        "bench",
        "0",
    )
    find_s, findings = timed(lambda: find(evidence))
    requests = request_capacity(scenario, demand, findings, run="b", now=datetime.now(UTC))
    valid = validity(measured, health=Health(0.1), end="complete", why="")
    verdict = judge(findings, end="complete", why="", faults=valid.faults, unmeasured=())
    judged = Judged(
        evidence=evidence,
        run=measured,
        demand=demand,
        history=history,
        tests=run_rules(evidence),
        findings=findings,
        requests=requests,
        withheld=(),
        verdict=verdict,
        validity=valid,
    )
    about = RunAbout("bench", "small", "-", "-", "python -m tests.bench", "the embedded shop")
    gather_s, summary = timed(lambda: summary_json(gather(judged, about), scenario))
    render_s, page = timed(lambda: render_report(summary, folder))
    return {
        "find_seconds": find_s,
        "gather_seconds": gather_s,
        "render_seconds": render_s,
        "kib": round(page.stat().st_size / 1024),
        "conditions": "one stack, 3 services, 40 slots, 48 h of demand, first render of a process",
    }


def help_text(folder: Path, *, size: float = 1.0) -> dict[str, Any]:
    """Return how long `gameday --help` takes, the median of several processes."""
    code = "from gameday.cli import main; main()"
    command = [sys.executable, "-c", code, "--help"]
    seconds = [
        timed(lambda: subprocess.run(command, check=False, capture_output=True))[0]
        for _ in range(max(1, round(HELP_RUNS * size)))
    ]
    return {
        "median_seconds": statistics.median(seconds),
        "all_seconds": seconds,
        "conditions": f"{len(seconds)} fresh processes, byte code compiled",
    }


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "simulation": simulation,
    "primeday": primeday,
    "report": report,
    "help": help_text,
}
"""Name -> what measures it: (folder, *, size); 1.0 is the whole."""


def main() -> None:
    """Measure everything and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GAMEDAY_CACHE"] = str(folder / "cache")
        numbers = {
            "schema_version": 1,
            "at_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "system": platform.platform(),
                "load_1_min": round(os.getloadavg()[0], 2),
            },
            **{name: part(folder) for name, part in PARTS.items()},
        }
    print(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
