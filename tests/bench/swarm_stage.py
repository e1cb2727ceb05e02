"""A run of the engine alone, in a process of its own: python -m tests.bench.swarm_stage JOB ARGS.

Prints one JSON object. Started by tests/bench/swarm.py, pinned to the generator's core.
"""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from locust import FastHttpUser  # noqa: E402
from locust.env import Environment  # noqa: E402

from gameday.run_record import BINS, STEPS, percentile  # noqa: E402
from gameday.scenario import Scenario, load_scenario  # noqa: E402
from gameday.scenario.assets import Assets  # noqa: E402
from gameday.swarm.brief import Brief  # noqa: E402
from gameday.swarm.deals import Deal  # noqa: E402
from gameday.swarm.engine import Engine  # noqa: E402
from gameday.swarm.locust_stats import merge, merge_faults  # noqa: E402
from gameday.traffic import LoadPlan  # noqa: E402
from gameday.traffic.nominal import Nominal  # noqa: E402
from gameday.vocabulary import Seed, TimeGrid  # noqa: E402

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


def scenario_of(journeys: dict[str, Any], steps: dict[str, Any], replay: dict[str, Any]) -> tuple[Scenario, str]:
    """Return a scenario with these customers, and its JSON."""
    from gameday.scenario.load import scenario_text

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        parts = {"journeys": journeys, "steps": steps, "replay": replay}
        file.write_text(_HEAD + "".join(f"{k}: {json.dumps(v)}\n" for k, v in parts.items()))
        return load_scenario(str(file)), scenario_text(str(file))


def chain(steps: int, path: str = "/") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a journey of so many GETs in a row without a pause, and its steps."""
    names = ["home", *(f"s{i}" for i in range(1, steps))]
    following = [*names[1:], "exit"]
    journey = {
        "start": {"home": 1.0}, "think": {"other": "0s"}, "patience": "60s",
        "next": {a: {b: 1.0} for a, b in zip(names, following, strict=True)},
    }  # fmt: skip
    return {"visitor": journey}, {name: {"exchanges": [{"path": path}]} for name in names}


def shopping() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return four steps: cookies from the first on, a check on each, an extraction on one."""
    journeys, _ = chain(4)
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
        TimeGrid(datetime(2027, 7, 13, tzinfo=UTC), len(starts)), 0, ("us",), steps, ("visitor",),
        blank, np.zeros((1, len(steps), len(starts))), np.zeros((1, len(steps), len(starts))), played,
        {}, 60.0 / slot_s, 1.0, 0.5, Seed(1), {"main": {s: Nominal(0.001, 0.002) for s in steps}}, spacing,
    )  # fmt: skip


def engine_of(scenario: Scenario, text: str, plan: LoadPlan, url: str, ca: str | None = None) -> tuple[Engine, Environment]:
    """Return an engine as a worker has it, with Locust's own statistics beside."""
    environment = Environment(user_classes=[FastHttpUser])
    environment.create_local_runner()
    brief = Brief("bench", text, Assets(ca_pem=ca), {"main": url}, "/nonexistent", 1, plan)
    engine = Engine(brief, scenario, environment)

    def count(samples: Any, faults: Any) -> None:
        merge(environment.stats, engine.lines, samples)
        merge_faults(environment.stats, engine.lines, faults)

    engine.on_count = count
    engine.deal((Deal(-1e9, 0, 1),))
    return engine, environment


def play(engine: Engine, environment: Environment) -> dict[str, Any]:
    """Run it; return requests, CPU and wall seconds, outcomes and latencies."""
    at = time.time() + 0.5
    engine.set_clock(at)
    engine.open_ahead(time.perf_counter())
    cpu, wall = time.process_time(), time.perf_counter()
    engine.run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    engine.count()
    report = engine.tally.take()
    counts = dict.fromkeys(STEPS, 0)
    for _, _, what, _, n in report["steps"]:
        counts[STEPS[what]] += n
    histograms = np.zeros((3, BINS), int)
    for _, _, kind, _, bin_, n in report["latency"]:
        histograms[kind, bin_] += n
    total = environment.stats.total
    return {
        "requests": total.num_requests, "failures": total.num_failures, "cpu_s": cpu, "wall_s": wall,
        "per_cpu_s": total.num_requests / cpu, "began": at,
        "counts": {name: n for name, n in counts.items() if n},
        "response_p99_s": percentile(histograms[0], 0.99), "lateness_p99_s": percentile(histograms[2], 0.99),
        "locust_p99_ms": total.get_response_time_percentile(0.99), "limits": engine.limits(),
        "peak_mib": _status("VmHWM") // 1024, "bytes_a_row": engine.play.rows.bytes_each,
    }  # fmt: skip


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def main() -> None:
    """Play what the arguments say: JSON with journeys, steps, starts, slot_s, spacing, url, replay."""
    asked = json.loads(sys.argv[1])
    journeys, steps = {"shopping": shopping, "chain": lambda: chain(asked["length"])}.get(
        asked["kind"], lambda: (asked.get("journeys"), asked.get("steps"))
    )()
    scenario, text = scenario_of(journeys, steps, asked.get("replay", {}))
    plan = plan_of(scenario, asked["starts"], asked["slot_s"], asked.get("spacing", "even"))
    engine, environment = engine_of(scenario, text, plan, asked["url"], asked.get("ca"))
    print(json.dumps(play(engine, environment)))


if __name__ == "__main__":
    main()
