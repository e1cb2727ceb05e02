"""A run of the engine alone, in a process of its own: python -m tests.bench.swarm_stage JOB ARGS.

Prints one JSON object. Started by tests/bench/swarm.py, pinned to the generator's core.
"""

from __future__ import annotations

from dataclasses import replace

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import tracemalloc  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import numpy as np  # noqa: E402
from locust import FastHttpUser  # noqa: E402
from locust.env import Environment  # noqa: E402

from gameday.record.histograms import BINS, percentile  # noqa: E402
from gameday.record.run_record import STEPS  # noqa: E402
from gameday.scenario import Scenario  # noqa: E402
from gameday.scenario.reading import LoadedScenario  # noqa: E402
from gameday.scenario.reading.assets import Assets  # noqa: E402
from gameday.swarm.control.run_spec import RunSpec  # noqa: E402
from gameday.swarm.control.session_assignment import SessionAssignment  # noqa: E402
from gameday.swarm.engine.open_arrivals import Engine  # noqa: E402
from gameday.swarm.locust_stats import merge, merge_faults  # noqa: E402
from gameday.traffic import LoadPlan  # noqa: E402
from tests.bench.plans import chain, plan_of, scenario_of, shopping  # noqa: E402


def engine_of(
    scenario: Scenario, loaded: LoadedScenario, plan: LoadPlan, url: str, ca: str | None = None
) -> tuple[Engine, Environment]:
    """Return an engine as a worker has it, with Locust's own statistics beside."""
    environment = Environment(user_classes=[FastHttpUser])
    environment.create_local_runner()
    spec = RunSpec("bench", replace(loaded, assets=Assets(ca_pem=ca)), {"main": url}, 1, plan)
    engine = Engine(spec, scenario, environment)

    def count(samples: Any, faults: Any) -> None:
        merge(environment.stats, engine.exchanges, samples)
        merge_faults(environment.stats, engine.exchanges, faults)

    engine.on_count = count
    engine.assign((SessionAssignment(-1e9, 0, 1),))
    return engine, environment


def play(
    engine: Engine, environment: Environment, stop_after_s: float | None = None
) -> dict[str, Any]:
    """Run it; return requests, CPU and wall seconds, outcomes and latencies."""
    most = 0

    def look() -> None:
        nonlocal most
        while True:
            gevent.sleep(0.5)
            most = max(most, len(engine.player.sleeping))

    looking = gevent.spawn(look)
    if stop_after_s is not None:
        gevent.spawn_later(stop_after_s, engine.stop)
    at = time.time() + 0.5
    engine.set_clock(at)
    engine.open_ahead(time.perf_counter())
    before, wall = os.times(), time.perf_counter()
    engine.run()
    looking.kill()
    after, wall = os.times(), time.perf_counter() - wall
    user, system = after.user - before.user, after.system - before.system
    cpu = user + system
    engine.count()
    report = engine.tally.take()
    counts = dict.fromkeys(STEPS, 0)
    for _, _, what, _, n in report.steps:
        counts[STEPS[what]] += n
    histograms = np.zeros((3, BINS), int)
    for _, _, kind, _, bin_, n in report.latency:
        histograms[kind, bin_] += n
    total = environment.stats.total
    return {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "cpu_s": cpu,
        "user_us": 1e6 * user / total.num_requests,
        "sys_us": 1e6 * system / total.num_requests,
        "wall_s": wall,
        "per_cpu_s": total.num_requests / cpu,
        "began": at,
        "counts": {name: n for name, n in counts.items() if n},
        "response_p99_s": percentile(histograms[0], 0.99),
        "lateness_p99_s": percentile(histograms[2], 0.99),
        "locust_p99_ms": total.get_response_time_percentile(0.99),
        "limits": engine.gauges.limits(),
        "peak_mib": _status("VmHWM") // 1024,
        "bytes_a_row": engine.player.sleeping.bytes_each,
        "most_waiting": most,
        "memory": memory_of_a_customer(),
    }


def memory_of_a_customer() -> dict[str, float]:
    """Return bytes that cookies and extracted values cost a customer, measured on 10,000 of each."""
    from gameday.swarm.wire.cookies import CookieJar

    def jar(number: int) -> CookieJar:
        one = CookieJar()
        one.keep((b"sid=%032x; Path=/" % number,), host="shop", path=lambda: "/", secure=False)
        return one

    out: dict[str, float] = {}
    for name, make in {
        "one_session_cookie_of_32_characters": jar,
        "one_extracted_value_of_32_characters": lambda number: {"token": f"{number:032x}"},
    }.items():
        tracemalloc.start()
        kept = [make(number) for number in range(10_000)]
        out[name] = round(tracemalloc.get_traced_memory()[0] / len(kept))
        tracemalloc.stop()
    return out


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def main() -> None:
    """Play what the arguments say: JSON with journeys, steps, starts, slot_s, spacing, url, replay."""
    asked = json.loads(sys.argv[1])
    journeys, steps = {
        "shopping": lambda: shopping(laps=asked.get("laps", False)),
        "chain": lambda: chain(asked["length"], laps=asked.get("laps", False)),
    }.get(asked["kind"], lambda: (asked.get("journeys"), asked.get("steps")))()
    scenario, loaded = scenario_of(journeys, steps, asked.get("replay", {}))
    plan = plan_of(scenario, asked["starts"], asked["slot_s"], asked.get("spacing", "even"))
    engine, environment = engine_of(scenario, loaded, plan, asked["url"], asked.get("ca"))
    print(json.dumps(play(engine, environment, asked.get("stop_after_s"))))


if __name__ == "__main__":
    main()
