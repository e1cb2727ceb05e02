"""Replications spread over the cores: as many as the time allows, and at least five."""

from __future__ import annotations

import multiprocessing
import os
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from typing import Any

import numpy as np

from gameday.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.engines import Engine, run_engine
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

__all__ = ["LEAST", "joined", "simulate"]

LEAST = 5
"""Replications below which a model is not asked. Source: the project's issue on rehearsal."""
_MOST = 20
_NICE = 19


def simulate(
    scenario: Scenario, plan: LoadPlan, *, seed: Seed, budget_s: float, scale: float | None = None,
    workers: int | None = None, beside_load: bool = False, new_customers: bool = False,
    engine: Engine = "reference",
    progress: Callable[[int], None] = lambda done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[RunRecord, ...]:  # fmt: skip
    """Return one record a replication, all stacks joined; at least LEAST, until `budget_s` is spent.

    The arrivals and walks are the plan's own in each (with `new_customers`: each its own draw of
    them, for a prediction and not a comparison); service times differ (keyed draws), so the same
    seed gives the same records whatever the number of workers. `beside_load` gives way to
    everything else on the machine. `engine` "reference" is SimPy: same records, to the last bit, some
    hundred times as slow. `cancelled` is asked now and then; what is whole by then is
    returned.
    """
    tasks = [(r, stack) for r in range(_MOST) for stack in scenario.stack_names]
    done: dict[tuple[int, str], RunRecord] = {}
    until = time.monotonic() + budget_s
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gameday.simulate.engines"])
    count = workers or os.cpu_count() or 1
    pool = ProcessPoolExecutor(
        count, mp_context=context, initializer=_begin, initargs=(beside_load, os.getpid())
    )
    running: dict[Future[RunRecord], tuple[int, str]] = {}
    try:
        while (tasks or running) and not cancelled():
            while tasks and len(running) < count and _wanted(tasks[0][0], until):
                number, stack = task = tasks.pop(0)
                each = seed.child("replication", str(number), stack)
                mine = plan.of_new_customers(number) if new_customers else plan
                future = pool.submit(
                    run_engine, engine, scenario, mine, stack, seed=each, scale=scale
                )
                running[future] = task
            if not running:
                break
            for future in wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done:
                done[running.pop(future)] = future.result()
                progress(len(done) // len(scenario.stack_names))
    finally:
        _close(pool, at_once=bool(running))
    whole = [r for r in range(_MOST) if all((r, s) in done for s in scenario.stack_names)]
    return tuple(joined([done[r, s] for s in scenario.stack_names]) for r in whole)


def _begin(beside_load: bool, parent: int) -> None:
    """Make a worker give way to load, and end with who asked, however that one ends."""
    if beside_load:
        os.nice(_NICE)

    def outlive_nobody(fd: int) -> None:
        select.select([fd], [], [])
        os._exit(1)

    try:
        fd = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    except OSError:  # a sandbox that does not know the call: nobody watches
        return
    threading.Thread(target=outlive_nobody, args=(fd,), daemon=True).start()


def _wanted(replication: int, until: float) -> bool:
    return replication < LEAST or time.monotonic() < until


def _close(pool: ProcessPoolExecutor, *, at_once: bool) -> None:
    """Close the pool; when its work is no longer wanted, end its processes too."""
    mine = list((pool._processes or {}).values())
    pool.shutdown(wait=not at_once, cancel_futures=True)
    if at_once:
        for process in mine:
            process.terminate()


def joined(records: list[RunRecord]) -> RunRecord:
    """Return the records of single stacks as one record of them all."""
    names = ("step_counts", "session_counts", "attempts", "loads", "latency", "visits",
             "session_delay")  # fmt: skip
    arrays: dict[str, Any] = {n: np.concatenate([getattr(r, n) for r in records]) for n in names}
    return replace(
        records[0],
        stacks=tuple(stack for record in records for stack in record.stacks),
        notes=tuple(f"{r.stacks[0]}: {note}" for r in records for note in r.notes),
        **arrays,
    )
