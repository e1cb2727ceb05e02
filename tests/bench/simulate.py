"""Print as JSON how the compiled engine compares with the SimPy reference: make bench-simulate.

One core; ratios are of one run, medians of ROUNDS. Nothing is asserted.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

import numpy as np

from gameday.forecast import forecast_demand
from gameday.history import read_history
from gameday.run_record import ATTEMPTS, RunRecord
from gameday.scenario import Scenario, load_scenario
from gameday.simulate.compiled import kernel, run_compiled
from gameday.simulate.reference import run_reference
from gameday.traffic import Asked, LoadPlan, plan_load
from gameday.vocabulary import Seed

ROUNDS = int(os.environ.get("ROUNDS", "5"))
STACK = "us"


def primeday(window: str, scale: float, lead_in: int) -> tuple[Scenario, LoadPlan]:
    """Return the bundled event at real speed in a cell."""
    scenario = load_scenario("primeday")
    demand = forecast_demand(scenario, read_history(scenario, file=None, seed=Seed(1)))
    asked = Asked(window=window, speed=1.0, scale=scale, lead_in=lead_in)
    return scenario, plan_load(scenario, demand, seed=Seed(1), asked=asked)


def visits(record: RunRecord) -> int:
    """Return service visits that were asked for."""
    return int(np.nansum(record.attempts[:, :, ATTEMPTS.index("arrived")]))


def seconds_of(engine: Any, scenario: Scenario, plan: LoadPlan) -> tuple[float, int]:
    """Return CPU seconds of a replication, records and tables included, and its service visits."""
    began = time.process_time()
    record = engine(scenario, plan, STACK, seed=Seed(1))
    return time.process_time() - began, visits(record)


def all_features() -> dict[str, Any]:
    """Compare the engines on ten minutes around the peak."""
    scenario, plan = primeday("2027-07-13T19:00-07:00/2027-07-13T19:10-07:00", 0.02, 2)
    run_compiled(scenario, plan, STACK, seed=Seed(1))
    rounds = [
        (seconds_of(run_reference, scenario, plan), seconds_of(run_compiled, scenario, plan))
        for _ in range(ROUNDS)
    ]
    return {
        "visits": rounds[0][1][1],
        "reference_visits_per_s": round(statistics.median(n / s for (s, n), _ in rounds)),
        "compiled_visits_per_s": round(statistics.median(n / s for _, (s, n) in rounds)),
        "ratio": round(statistics.median(a[0] / b[0] for a, b in rounds), 1),
        "ratios": [round(a[0] / b[0], 1) for a, b in rounds],
        "conditions": "primeday, stack us, 10 minutes at the peak at real speed after 2 of lead-in, "
        "scale 0.02; tables and records included",
    }


def large() -> dict[str, Any]:
    """Play an hour around the peak at a larger scale; the kernel alone beside the whole."""
    scenario, plan = primeday("2027-07-13T18:45-07:00/2027-07-13T19:45-07:00", 0.1, 5)
    spent, original = [0.0], kernel.run

    def timed(*rows: Any) -> int:
        began = time.process_time()
        status = int(original(*rows))
        spent[0] += time.process_time() - began
        return status

    kernel.run = timed
    try:
        whole_s, count = seconds_of(run_compiled, scenario, plan)
    finally:
        kernel.run = original
    return {
        "visits": count, "whole_s": round(whole_s, 2), "kernel_s": round(spent[0], 2),
        "kernel_visits_per_s": round(count / spent[0]),
        "conditions": "primeday, stack us, 65 minutes around the peak at real speed, scale 0.1",
    }  # fmt: skip


def main() -> None:
    """Measure what is named on the command line, or everything, and print it."""
    parts = {"all_features": all_features, "large": large}
    chosen = sys.argv[1:] or list(parts)
    print(json.dumps({part: parts[part]() for part in chosen}, indent=1))


if __name__ == "__main__":
    main()
