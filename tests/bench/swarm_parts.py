"""Parts of the swarm's benchmarks: what statistics cost, and a run under a real master."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from gameday.record.run_record import STEPS

__all__ = ["play_in_locust", "statistics_cost"]

_BATCH = 10_000
"""Samples between two counts: 20,000 requests a second, counted twice a second."""


def statistics_cost(samples: int = 400_000) -> dict[str, Any]:
    """Return what a request's statistics cost, Locust's tables included, and how exact they are."""
    from gevent import monkey

    monkey.patch_all()
    from locust.stats import RequestStats

    from gameday.record.histograms import BINS, percentile
    from gameday.swarm.locust_stats import merge
    from gameday.swarm.tally.samples import PACKED, Tally
    from tests.bench.plans import chain, plan_of, scenario_of
    from tests.bench.swarm_stage import engine_of

    journeys, steps = chain(4)
    scenario, loaded = scenario_of(journeys, steps, {})
    engine, _ = engine_of(
        scenario, loaded, plan_of(scenario, [1], 60.0, "even"), "http://127.0.0.1:9"
    )
    rng = np.random.default_rng(1)
    seconds = rng.lognormal(-4.0, 1.2, samples)
    stats, tally = RequestStats(), Tally(stacks=1, steps=4, lead_in=0, slot_wall_s=3.0, t0=0.0)
    tally.exchange_of[:] = range(4)
    costs, histogram, sizes = [], np.zeros(BINS, int), []
    for first in range(0, len(seconds), _BATCH):
        batch = (1.0 + seconds[first : first + _BATCH]).tolist()
        sample, began = tally.samples.extend, time.process_time()
        for place, took in enumerate(batch):
            sample(PACKED(place & 3, 1.0, 1.0, took, 200, 1.0))
        merge(stats, engine.exchanges, tally.count())
        costs.append(time.process_time() - began)
        if first % (25 * _BATCH) == 0:
            for *_, kind, _, bin_, n in tally.take().latency:
                histogram[bin_] += n * (kind == 0)
            sizes.append(len(tally._bins))
    for *_, kind, _, bin_, n in tally.take().latency:
        histogram[bin_] += n * (kind == 0)
    errors = [
        100 * abs(percentile(histogram, level) / float(np.quantile(seconds, level)) - 1)
        for level in (0.5, 0.9, 0.95, 0.99, 0.999)
    ]
    return {
        "us_a_request": round(1e6 * float(np.median(costs)) / _BATCH, 3),
        "worst_percentile_error_percent": round(max(errors), 3),
        "bins_kept_after_a_report": max(sizes),
        "conditions": f"{samples:,} latencies in batches of {_BATCH}, sample, count and Locust's own tables",
    }


def play_in_locust(
    workers: int,
    url: str,
    starts: list[int],
    slot_s: float,
    replay: dict[str, Any],
    customers: tuple[dict[str, Any], dict[str, Any]],
) -> dict[str, Any]:
    """Play as a replay does; return requests, and how many a CPU second of all processes, ours included, sent."""
    from gameday.safety import Journal, StopWatch
    from gameday.swarm import RunSpec, Supervision, swarm
    from tests.bench.plans import plan_of, scenario_of

    scenario, loaded = scenario_of(*customers, replay)
    plan = plan_of(scenario, starts, slot_s, "even")
    os.sched_setaffinity(0, {0})
    looks: list[tuple[float, float]] = []
    over, others = threading.Event(), _pids_below()

    def look() -> None:
        while not over.wait(0.05):
            looks.append((time.time(), time.process_time() + _cpu_below(others)))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            journal = stack.enter_context(closing(Journal(folder / "journal.jsonl")))
            spec = RunSpec("bench", loaded, {"main": url}, workers, plan)
            played = swarm(
                scenario,
                spec,
                folder=folder,
                listen=None,
                supervision=Supervision(
                    StopWatch(folder), journal, lambda progress: None, lambda at_s: None
                ),
            )
            lines = (folder / "journal.jsonl").read_text().splitlines()
    finally:
        over.set()
        looking.join()
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    begun = next(x["at_epoch_s"] for x in map(json.loads, lines) if x["what"] == "load started")
    at, cpu = zip(*looks, strict=True)
    used = np.interp([begun, begun + plan.duration_s], at, cpu)
    sent = int(played.record.step_counts[:, :, STEPS.index("sent")].sum())
    return {"requests": sent, "per_cpu_s": sent / float(used[1] - used[0])}


def _pids_below() -> set[int]:
    """Return the processes below this one."""
    found, waiting = set(), [os.getpid()]
    while waiting:
        try:
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        found |= set(waiting)
    return found


def _cpu_below(others: set[int]) -> float:
    """Return the CPU seconds of every process below this one, `others` apart."""
    ticks = 0
    for pid in _pids_below() - others:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
