"""Print as JSON how the compiled engine compares with the SimPy reference: make bench-simulate.

One core; ratios are of one run, medians of ROUNDS. Nothing is asserted.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gameday.forecast import forecast_demand
from gameday.history import read_history
from gameday.queueing.closed_forms import mean_wait_s, wait_quantile_s
from gameday.record.histograms import percentile
from gameday.record.intervals.of_replications import t_interval
from gameday.record.run_record import ATTEMPTS, RunRecord
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading import read_scenario, scenario_of
from gameday.scenario.reading.injections import parse_injections
from gameday.scenario.service_times import Exponential
from gameday.simulate.compiled import engine, run_compiled, run_single_queue
from gameday.simulate.offered import visits_per_s
from gameday.simulate.reference.engine import run_reference
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.traffic.fit.by_type import caused_by_type
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, flat_plan, load_small, service

PEAK = "2027-07-13T19:00-07:00/2027-07-13T19:10-07:00"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
STACK = "us"
RIVALS = os.environ.get("RIVALS", sys.executable)
"""An interpreter with simpy, ciw and cimba."""
ONE_SECOND = Exponential.model_validate({"law": "exponential", "mean": "1s"})


def primeday(window: str, scale: float, lead_in: int) -> tuple[Scenario, LoadPlan]:
    """Return the bundled event at real speed in a cell."""
    scenario = load_scenario("primeday")
    demand = forecast_demand(scenario, read_history(scenario, file=None, seed=Seed(1)))
    options = ReplayOptions(window=window, speed=1.0, scale=scale, lead_in=lead_in)
    return scenario, plan_load(scenario, demand, seed=Seed(1), options=options)


def visits(record: RunRecord) -> int:
    """Return service visits that were asked for."""
    return int(np.nansum(record.attempts[:, :, ATTEMPTS.index("arrived")]))


def seconds_of(
    engine: Any, scenario: Scenario, plan: LoadPlan, stack: str = STACK
) -> tuple[float, int]:
    """Return CPU seconds of a replication, records and tables included, and its service visits."""
    began = time.process_time()
    record = engine(scenario, plan, stack, seed=Seed(1))
    return time.process_time() - began, visits(record)


def _rounds(size: float) -> int:
    return ROUNDS if size == 1.0 else 1


def all_features(*, size: float = 1.0) -> dict[str, Any]:
    """Compare the engines on ten minutes around the peak."""
    scenario, plan = primeday(PEAK, 0.02 * size, 2)
    return compared(scenario, plan, size) | {
        "conditions": "primeday, stack us, 10 minutes at the peak at real speed after 2 of lead-in, "
        f"scale {plan.scale:g}; tables and records included",
    }


def compared(scenario: Scenario, plan: LoadPlan, size: float) -> dict[str, Any]:
    """Return how fast both engines play a plan, and their ratio round by round."""
    run_compiled(scenario, plan, STACK, seed=Seed(1))
    rounds = [
        (seconds_of(run_reference, scenario, plan), seconds_of(run_compiled, scenario, plan))
        for _ in range(_rounds(size))
    ]
    return {
        "visits": rounds[0][1][1],
        "reference_visits_per_s": round(statistics.median(n / s for (s, n), _ in rounds)),
        "compiled_visits_per_s": round(statistics.median(n / s for _, (s, n) in rounds)),
        "ratio": round(statistics.median(a[0] / b[0] for a, b in rounds), 1),
        "ratios": [round(a[0] / b[0], 1) for a, b in rounds],
    }


EVERY_POLICY: dict[str, Any] = {
    "balance": {"by": "two_choices", "zone_affinity": True},
    "queue_order": "lifo",
    "queue_share": {"home": 0.5},
    "load": {"contention": 1e-4, "coherency": 1e-6},
    "degraded": {"share": 0.1, "slowed": 2},
    "pauses": {"every": "30s", "last": "100ms"},
    "warm_up": {"last": "2m", "factor": 2},
    "deadline": "propagated",
    "breaker": {"failures": 0.5, "open": "5s"},
    "cache": {"keys": 100_000, "entries": 10_000},
    "pool": {"connections": 100_000},
    "rate_limit": {"per_s": 1_000_000, "burst": 1_000_000},
}
"""Every policy at once, mild enough that the event goes on; those that go by a time-out are added."""


def every_policy(*, size: float = 1.0) -> dict[str, Any]:
    """The same with every policy on in every service, and a zone lost."""
    scenario, plan = primeday(PEAK, 0.02 * size, 2)
    data = json.loads(read_scenario("primeday").text)
    for name, rule in data["services"].items():
        retry = rule.get("retry") or {"attempts": 1, "backoff": "100ms"}
        timeout = scenario.services[name].timeout
        rule["codel"] = {"target": f"{timeout / 10}s", "interval": f"{timeout / 2}s"}
        rule["limit"], rule["hedge"] = ({k: f"{timeout / 2}s"} for k in ("target", "after"))
        rule |= EVERY_POLICY | {"retry": retry | {"budget": {"ratio": 0.1}}}
        rule["autoscale"] = {
            "target": 0.7,
            "interval": "1m",
            "delay": "2m",
            "max_factor": 2.0,
            "schedule": [{"at": "2m", "factor": 1.2}],
        }
        if name == "edge":
            del rule["cache"]  # all would be answered there
    scenario = scenario_of(json.dumps(data))
    plan = plan.with_injections(parse_injections(["zone us-a lost at +3m for 3m"], scenario, 600.0))
    return compared(scenario, plan, size) | {
        "conditions": "as all_features, with every policy on in every service and a zone lost for 3 minutes",
    }


def large(*, size: float = 1.0) -> dict[str, Any]:
    """Play an hour around the peak at a larger scale; the kernel alone beside the whole."""
    scenario, plan = primeday("2027-07-13T18:45-07:00/2027-07-13T19:45-07:00", 0.1 * size, 5)
    compiled: Any = engine
    spent, original = [0.0], compiled.run

    def timed(*rows: Any) -> int:
        began = time.process_time()
        status = int(original(*rows))
        spent[0] += time.process_time() - began
        return status

    compiled.run = timed
    try:
        whole_s, count = seconds_of(run_compiled, scenario, plan)
    finally:
        compiled.run = original
    return {
        "visits": count,
        "whole_s": round(whole_s, 2),
        "kernel_s": round(spent[0], 2),
        "kernel_visits_per_s": round(count / spent[0]),
        "conditions": "primeday, stack us, 65 minutes around the peak at real speed, "
        f"scale {plan.scale:g}",
    }


def rival(name: str, count: int) -> dict[str, Any]:
    """Return what another tool needs, in an interpreter of its own; says so where it is not there."""
    file = Path(__file__).with_name("rivals.py")
    run = subprocess.run([RIVALS, str(file), name, str(count)], capture_output=True, text=True)
    if run.returncode:
        return {"error": run.stderr.strip().splitlines()[-1]}
    return dict(json.loads(run.stdout.splitlines()[-1]))


def ratios(name: str, count: int, ours_per_s: list[float]) -> dict[str, Any]:
    """Compare rounds of ours with a rival's of the same moments."""
    runs = [rival(name, count) for _ in ours_per_s]
    if "error" in runs[0]:
        return runs[0]
    per_s = [run["visits"] / run["seconds"] for run in runs]
    each = [round(ours / theirs, 1) for ours, theirs in zip(ours_per_s, per_s, strict=True)]
    return {
        "visits_per_s": round(statistics.median(per_s)),
        "ratio": statistics.median(each),
        "ratios": each,
        "mean_wait_s": runs[0]["mean_wait_s"],
    }


def alone_per_s(requests: float, seed: int = 1) -> float:
    """Return requests a CPU second of M/M/20 at 90 %, statistics by the minute."""
    rates = np.full(round(requests / 18 / 60), 18.0)
    began = time.process_time()
    seen = run_single_queue(rates, 60.0, 20, ONE_SECOND, seed=Seed(seed))
    return float(seen.arrived.sum() / (time.process_time() - began))


def one_queue(*, size: float = 1.0) -> dict[str, Any]:
    """Compare a single queue with SimPy, Ciw and Cimba, and with theory."""
    alone_per_s(1e4)
    ours = [alone_per_s(2e6 * size, seed) for seed in range(1, _rounds(size) + 1)]
    out = {
        "requests_per_s": round(statistics.median(ours)),
        "simpy_resource": ratios("simpy_resource", round(100_000 * size), ours),
        "ciw": ratios("ciw_queue", round(50_000 * size), ours),
        "cimba_store": ratios("cimba_store", round(2_000_000 * size), ours),
    }
    return out | {
        "conditions": f"M/M/20 at 90 %, {2e6 * size:g} requests, per-minute Poisson, CPU seconds"
    }


def accuracy(*, size: float = 1.0) -> dict[str, Any]:
    """Compare with Erlang C at 1e7 requests, and count how often intervals cover it."""
    seen = run_single_queue(np.full(round(9260 * size), 18.0), 60.0, 20, ONE_SECOND, seed=Seed(1))
    mean, p99 = mean_wait_s(18, 20, 1.0), wait_quantile_s(18, 20, 1.0, 0.99)
    found = percentile(seen.waits.sum(axis=0), 0.99)
    covered, seeds, warm_up = list[bool](), max(2, round(1000 * size)), 30
    for seed in range(seeds):
        waits = []
        for number in range(10):
            run = run_single_queue(
                np.full(230, 18.0), 60.0, 20, ONE_SECOND, seed=Seed(seed).child(str(number))
            )
            waits.append(float(run.waited_s[warm_up:].sum() / run.arrived[warm_up:].sum()))
        band = t_interval(waits)
        covered.append(band.low <= mean <= band.high)
    return {
        "requests": int(seen.arrived.sum()),
        "mean_wait_error": round(seen.mean_wait_s / mean - 1, 5),
        "p99_error": round(found / p99 - 1, 5),
        "intervals_that_cover": {
            f"of the first {len(covered[:200])}": sum(covered[:200]) / len(covered[:200]),
            f"of {seeds}": sum(covered) / seeds,
        },
        "conditions": "M/M/20 at 90 %; intervals: each seed 10 replications of 216,000 requests "
        "after 30 minutes of warm-up",
    }


def fan_out(*, size: float = 1.0) -> dict[str, Any]:
    """Compare the fan-out in the all-features engine with idiomatic SimPy."""
    scenario = fan_out_scenario()
    plan = flat_plan(scenario, 50.0, slots=max(4, round(100 * size)))
    seconds_of(run_compiled, scenario, plan, "main")
    rounds = [seconds_of(run_compiled, scenario, plan, "main") for _ in range(_rounds(size))]
    ours = [count / seconds for seconds, count in rounds]
    return {
        "visits_per_s": round(statistics.median(ours)),
        "simpy_idiomatic": ratios("simpy_fan_out", round(20_000 * size), ours),
        "conditions": "50/s: a front of 40 held while 12 and 18 are called at once, 1.5 s timeout, one "
        "retry; tables and records included",
    }


def fan_out_scenario() -> Scenario:
    """Return the fan-out as a scenario."""
    retry = {"attempts": 1, "backoff": "50ms"}

    below = {"timeout": "1500ms", "retry": retry, "queue_per_server": 1000}
    shop = desk()
    shop["steps"] = {"hit": {"entry": "front", "exchanges": [{"path": "/", "calls": [["a", "b"]]}]}}
    shop["services"] = {
        "front": service("50ms", servers=40, timeout="100s", queue_per_server=1000),
        "a": service("200ms", servers=12, **below),
        "b": service("300ms", servers=18, **below),
    }
    with tempfile.TemporaryDirectory() as folder:
        return load_small(Path(folder), shop)


def long_event(*, size: float = 1.0) -> dict[str, Any]:
    """Play 1e5 and 1e8 visits over 48 h, one queue and all features, each in a process of its own."""
    out: dict[str, Any] = {}
    for kind in ("one queue", "all features"):
        rows = []
        for visits_ in (1e5, 1e8 * size):
            command = [sys.executable, "-m", "tests.bench.simulate", "--play", kind, str(visits_)]
            rows.append(
                json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            )
        growth = rows[1]["peak_mb"] - rows[0]["peak_mb"]
        out[kind] = {"small": rows[0], "large": rows[1], "memory_growth_mb": round(growth, 1)}
    return out | {"conditions": "48 h; wall seconds of the run, tables and records included"}


def play(kind: str, visits_: float) -> dict[str, Any]:
    """Play so many visits over 48 h in this process."""
    if kind == "one queue":
        rate = visits_ / 2880 / 60
        run_single_queue(np.full(2, 1.0), 60.0, 1, ONE_SECOND, seed=Seed(1))
        began = time.perf_counter()
        servers = max(1, math.ceil(rate / 0.9))
        count = int(
            run_single_queue(
                np.full(2880, rate), 60.0, servers, ONE_SECOND, seed=Seed(1)
            ).arrived.sum()
        )
    else:
        scenario, plan = primeday("all", 0.01, 0)
        share = visits_ / sum_visits(scenario, plan) * 0.01
        scenario, plan = primeday("all", share, 0)
        run_compiled(scenario, replace(plan, played=plan.played * 0), STACK, seed=Seed(1))
        began = time.perf_counter()
        count = visits(run_compiled(scenario, plan, STACK, seed=Seed(1)))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "visits": count,
        "seconds": round(seconds, 2),
        "visits_per_s": round(count / seconds),
        "peak_mb": round(peak, 1),
    }


def sum_visits(scenario: Scenario, plan: LoadPlan) -> float:
    """Return the visits a stack's plan comes to."""
    steps = caused_by_type(scenario, plan)
    return float(visits_per_s(scenario, STACK, steps).sum() * 60 * plan.scale / plan.speed)


def first_answer(*, size: float = 1.0) -> dict[str, Any]:
    """Time a cold process from its start to a record, its machine code kept and not."""
    text = (
        "from tests.bench.simulate import *\n"
        "scenario = load_scenario('primeday')\n"
        "plan = flat_plan(scenario, 2.0, slots=5, scale=0.01)\n"
        "print(visits(run_compiled(scenario, plan, STACK, seed=Seed(1))))"
    )
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first ever", "kept", "kept, again") if size == 1.0 else ("as it is here",):
            began = time.perf_counter()
            environment = dict(os.environ)
            if size == 1.0:  # a compilation takes most of a minute
                environment["NUMBA_CACHE_DIR"] = folder
            subprocess.run(
                [sys.executable, "-c", text], check=True, env=environment, capture_output=True
            )
            out[f"{name}_s"] = round(time.perf_counter() - began, 2)
    return out | {
        "conditions": "a cold process: imports, the primeday scenario, a plan by hand, one record"
    }


def event(*, size: float = 1.0) -> dict[str, Any]:
    """Rehearse the whole of primeday at real speed and say how wide its intervals are."""
    budget = f"{max(1.0, float(os.environ.get('BUDGET', '75')) * size):g}"
    command = [
        sys.executable,
        "-m",
        "gameday.cli",
        "simulate",
        "--event",
        "primeday",
        "--window",
        "all",
        "--budget",
        budget,
        "--json",
    ]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = subprocess.run([*command, "--out", folder], capture_output=True, text=True)
        if not run.stdout:
            raise RuntimeError(run.stderr[-2000:])
        seconds = time.perf_counter() - began
    result, widths = json.loads(run.stdout), {}
    for stack, model in result["stacks"].items():
        for row in model["services"]:
            if row["peak_hour"]["utilisation"]["mid"] > 0.6:
                widths[f"{stack} {row['service']}"] = {
                    f"{span} {name}": _half_width(row[span][name])
                    for span in ("event", "peak_hour")
                    for name in ("utilisation", "wait_s", "p99_s")
                }
    total = sum(model["visits"] for model in result["stacks"].values())
    return {
        "wall_s": round(seconds, 1),
        "scale": result["scale"],
        "replications": result["replications"],
        "visits_each": total,
        "relative_half_widths_above_60_%": widths,
    }


def _half_width(band: dict[str, float]) -> float:
    return round((band["high"] - band["low"]) / 2 / band["mid"], 4) if band["mid"] else 0.0


def main() -> None:
    """Measure what is named on the command line, or everything, and print it."""
    if sys.argv[1:2] == ["--play"]:
        print(json.dumps(play(sys.argv[2], float(sys.argv[3]))))
        return
    chosen = sys.argv[1:] or list(PARTS)
    for part in chosen:
        print(json.dumps({part: PARTS[part]()}, indent=1), flush=True)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "all_features": all_features,
    "every_policy": every_policy,
    "large": large,
    "fan_out": fan_out,
    "one_queue": one_queue,
    "accuracy": accuracy,
    "long_event": long_event,
    "first_answer": first_answer,
    "event": event,
}
"""Name -> what measures it; `size` 1.0 is the whole."""


if __name__ == "__main__":
    main()
