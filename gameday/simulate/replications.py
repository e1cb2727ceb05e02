"""Replications over the cores, or over a cluster: the same seed, the same answer, however many."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from joblib.externals import loky

from gameday.errors import PreflightFailed
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.engines import Engine, Stopped, run_engine
from gameday.simulate.offered import expected_visits
from gameday.simulate.workers import settle
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

__all__ = ["REPLICATIONS", "joined", "replicate", "simulate"]

REPLICATIONS = 10
"""Replications below which no interval is worth its name. Source: the project's issue on rehearsal."""
_NICE = 19
_GRACE_S = 4.0
"""A process that simulates is asked to stop whenever another part of the plan is due: well within a second."""
_ASKED_EVERY_S = 0.5
_WORTH_PROCESSES = 5e6
"""Service visits from which on processes of their own are worth the second they take to start."""

T = TypeVar("T")
_Where = tuple[int, int, str]
"""Which plan, which replication of it, which stack."""


def simulate(
    scenario: Scenario, plan: LoadPlan, *, seed: Seed, **how: Any
) -> tuple[RunRecord, ...]:
    """Return one record a replication, all stacks joined; `how` is as for `replicate`."""
    return tuple(joined(list(each)) for each in replicate(scenario, plan, whole, seed=seed, **how))


def whole(record: RunRecord) -> RunRecord:
    """Return the record as it is."""
    return record


def replicate(
    scenario: Scenario, plan: LoadPlan, look: Callable[[RunRecord], T], *, seed: Seed, **how: Any
) -> tuple[tuple[T, ...], ...]:
    """Return what `look` sees in each replication: one entry a stack, in the scenario's order.

    `how` is as for `replicate_each`.
    """
    return replicate_each(scenario, [plan], look, seed=seed, **how)[0]


def replicate_each(
    scenario: Scenario,
    plans: list[LoadPlan],
    look: Callable[[RunRecord], T],
    *,
    seed: Seed,
    stacks: tuple[str, ...] | None = None,
    replications: int = REPLICATIONS,
    scale: float | None = None,
    workers: int | None = None,
    beside_load: bool = False,
    new_customers: bool = False,
    engine: Engine = "compiled",
    stop_file: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[tuple[tuple[T, ...], ...]]:
    """Return of each plan what `look` sees in each replication: one entry a stack (default: all).

    Plans share their chance, replication by replication. The arrivals and walks are the plan's own in
    each (with `new_customers`: each its own draw of them, for a prediction and not a comparison); service
    times differ. Draws are keyed, so the same seed gives the same bits whatever the number of workers.
    `scale` sets the servers apart from the arrivals. `look` runs where the record was made: a whole event's
    records are large. `beside_load` gives way to everything else on the machine; `workers` 1 stays in this
    process unless it must. `cancelled` is asked between replications, `stop_file` (its presence) within
    them too; what is whole by then is returned. Runs where `joblib.parallel_config` says.
    """
    stacks = stacks or scenario.stack_names
    tasks = [
        joblib.delayed(_one)(
            scenario,
            plan.of_new_customers(number) if new_customers else plan,
            look,
            (place, number, stack),
            engine,
            {"seed": seed.child("replication", str(number), stack), "scale": scale},
            stop_file,
        )
        for place, plan in enumerate(plans)
        for number in range(replications)
        for stack in stacks
    ]
    visits = sum(expected_visits(scenario, plan) for plan in plans) * replications
    count = _workers(visits, len(tasks), workers, beside_load)
    done: dict[_Where, T] = {}
    for where, seen in _as_they_come(tasks, count, stop_file, must_leave=beside_load):
        if seen is not None:
            done[where] = seen[0]
        progress(len(done) // (len(stacks) * len(plans)))
        if cancelled():
            break
    out = []
    for place in range(len(plans)):
        kept = [n for n in range(replications) if all((place, n, s) in done for s in stacks)]
        out.append(tuple(tuple(done[place, n, stack] for stack in stacks) for n in kept))
    return out


def _as_they_come(
    tasks: list[Any], count: int, stop_file: Path | None, *, must_leave: bool
) -> Iterable[Any]:
    """Yield results as they come; a consumer that stops early ends what still runs."""
    if count == 1 and not must_leave:
        yield from (function(*args) for function, args, _ in tasks)
        return
    here = {"initializer": settle, "initargs": (os.getpid(), _NICE if must_leave else 0)}
    if count == 1:  # joblib's one job is this process
        results = _in_one_process(tasks, here, stop_file)
    else:
        is_here = isinstance(joblib.parallel.get_active_backend()[0], joblib.parallel.LokyBackend)
        pool = joblib.Parallel(
            count, return_as="generator_unordered", batch_size=1, **(here if is_here else {})
        )
        results = pool(tasks)
    try:
        yield from results
    except loky.process_executor.TerminatedWorkerError:
        raise PreflightFailed(
            "a process of the model was killed, by a person or for want of memory; with a smaller --budget "
            "or --scale it needs less"
        ) from None
    finally:
        results.close()


def _in_one_process(
    tasks: list[Any], how: dict[str, Any], stop_file: Path | None
) -> Generator[Any, None, None]:
    """Yield results of one process besides this one, which ends with the last that is asked for.

    It reads the stop file itself; where it does not answer within _GRACE_S of it, it is killed.
    """
    executor = loky.ProcessPoolExecutor(max_workers=1, **how)
    try:
        for function, args, _ in tasks:
            result, patience_s = executor.submit(function, *args), _GRACE_S
            while not result.done() and patience_s > 0:
                wait([result], timeout=_ASKED_EVERY_S)
                if stop_file is not None and stop_file.exists():
                    patience_s -= _ASKED_EVERY_S
            if not result.done():
                return
            yield result.result()
    finally:
        executor.shutdown(kill_workers=True)


def _one(
    scenario: Scenario,
    plan: LoadPlan,
    look: Callable[[RunRecord], T],
    where: _Where,
    engine: Engine,
    how: dict[str, Any],
    stop_file: Path | None,
) -> tuple[_Where, tuple[T] | None]:
    """Return one replication of one stack; None for what was stopped."""
    try:
        record = run_engine(
            engine,
            scenario,
            plan,
            where[2],
            **how,
            stopped=lambda: stop_file is not None and stop_file.exists(),
        )
    except Stopped:
        return where, None
    return where, (look(record),)


def _workers(visits: float, tasks: int, asked: int | None, beside_load: bool) -> int:
    """Return how many processes the work is worth; another backend than our own decides itself."""
    backend, jobs = joblib.parallel.get_active_backend()
    if not isinstance(backend, joblib.parallel.LokyBackend):
        return int(jobs or -1)
    if asked is not None or beside_load:
        return asked or 1
    if visits < _WORTH_PROCESSES:
        return 1
    return min(os.cpu_count() or 1, tasks)


def joined(records: list[RunRecord]) -> RunRecord:
    """Return the records of single stacks as one record of them all."""
    names = (
        "step_counts",
        "session_counts",
        "attempts",
        "loads",
        "latency",
        "visits",
        "session_delay",
    )
    arrays: dict[str, Any] = {n: np.concatenate([getattr(r, n) for r in records]) for n in names}
    return replace(
        records[0],
        stacks=tuple(stack for record in records for stack in record.stacks),
        notes=tuple(f"{r.stacks[0]}: {note}" for r in records for note in r.notes),
        **arrays,
    )
