"""Replications over the cores, or over a cluster: the same seed, the same answer, however many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.simulate.engines import Engine, Stopped, run_engine
from gameday.simulate.offered import expected_visits
from gameday.simulate.workers import processes_for, results_as_completed
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

__all__ = [
    "REPLICATIONS",
    "RunControl",
    "join_stacks",
    "replicate",
    "replicate_each",
    "simulate",
]

REPLICATIONS = 10
"""Replications below which no interval is worth its name. Ours: with ten, Student's t makes a 95 %
interval 2.26 standard errors wide to each side, within a sixth of the normal's 1.96."""

T = TypeVar("T")


def _show_nothing(_: int) -> None:
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RunControl:
    """How replications are run: how many, where, by which engine, who is told and who may end them."""

    replications: int = REPLICATIONS
    workers: int | None = None
    """Processes; None: as many as the work is worth, at most one a core; 1 = this process."""
    beside_load: bool = False
    """Run in one process of its own that gives way to everything else on the machine."""
    engine: Engine = "compiled"
    progress: Callable[[int], None] = _show_nothing
    """Told the number of complete replications."""
    cancelled: Callable[[], bool] = _never
    """Asked between replications."""
    stop_file: Path | None = None
    """Its presence stops also those under way."""


@dataclass(frozen=True, slots=True)
class _Case(Generic[T]):
    """What all replications share."""

    scenario: Scenario
    look: Callable[[RunRecord], T]
    scale: float | None
    engine: Engine
    stop_file: Path | None


@dataclass(frozen=True, slots=True)
class _Task(Generic[T]):
    """One replication of one stack, as it is handed to a process."""

    key: tuple[int, int, str]
    """Which plan, which replication of it, which stack."""
    plan: LoadPlan
    seed: Seed
    case: _Case[T]

    def is_stopped(self) -> bool:
        """Return whether nobody wants it any more."""
        stop_file = self.case.stop_file
        return stop_file is not None and stop_file.exists()


def simulate(
    scenario: Scenario,
    plan: LoadPlan,
    *,
    seed: Seed,
    control: RunControl | None = None,
    scale: float | None = None,
) -> tuple[RunRecord, ...]:
    """Return one record a replication, all stacks joined; arguments as for `replicate_each`."""
    runs = replicate(scenario, plan, _whole, seed=seed, control=control, scale=scale)
    return tuple(join_stacks(records) for records in runs)


def _whole(record: RunRecord) -> RunRecord:
    return record


def replicate(
    scenario: Scenario,
    plan: LoadPlan,
    look: Callable[[RunRecord], T],
    *,
    seed: Seed,
    control: RunControl | None = None,
    scale: float | None = None,
    new_customers: bool = False,
) -> tuple[tuple[T, ...], ...]:
    """Return what `look` sees in each replication of one plan: one entry a stack, in the scenario's order.

    Arguments as for `replicate_each`.
    """
    [seen] = replicate_each(
        scenario,
        [plan],
        look,
        seed=seed,
        control=control,
        scale=scale,
        new_customers=new_customers,
    )
    return seen


def replicate_each(
    scenario: Scenario,
    plans: list[LoadPlan],
    look: Callable[[RunRecord], T],
    *,
    seed: Seed,
    control: RunControl | None = None,
    scale: float | None = None,
    stacks: tuple[str, ...] | None = None,
    new_customers: bool = False,
) -> list[tuple[tuple[T, ...], ...]]:
    """Return of each plan what `look` sees in each complete replication: one entry a stack (default: all).

    Plans share common random numbers, replication by replication: draws are keyed, so the same seed gives
    the same bits whatever the number of workers. Arrivals and walks are the plan's own in every
    replication and service times differ; with `new_customers` each replication draws its own arrivals and
    walks too, for a prediction rather than a comparison. `scale` sets the servers apart from the arrivals.
    `look` runs where the record was made: the records of a whole event are large. Runs where
    `joblib.parallel_config` says.
    """
    control = control or RunControl()
    stacks = stacks or scenario.stack_names
    case = _Case(scenario, look, scale, control.engine, control.stop_file)
    tasks = [
        _Task(
            (index, number, stack),
            plan.of_new_customers(number) if new_customers else plan,
            seed.child("replication", str(number), stack),
            case,
        )
        for (index, plan), number, stack in product(
            enumerate(plans), range(control.replications), stacks
        )
    ]
    visits = sum(expected_visits(scenario, plan) for plan in plans) * control.replications
    done = _played(tasks, visits, control)
    return [_complete(done, index, control.replications, stacks) for index in range(len(plans))]


def _played(
    tasks: list[_Task[T]], visits: float, control: RunControl
) -> dict[tuple[int, int, str], T]:
    """Return task key -> what was seen, of those that ended; `visits`: of all of them together."""
    done: dict[tuple[int, int, str], T] = {}
    results = results_as_completed(
        _play,
        tasks,
        processes_for(visits, len(tasks), control.workers, beside_load=control.beside_load),
        beside_load=control.beside_load,
        stop_file=control.stop_file,
    )
    for key, seen in results:
        if seen is not None:
            [done[key]] = seen
        control.progress(len(done) * control.replications // len(tasks))
        if control.cancelled():
            break
    return done


def _play(task: _Task[T]) -> tuple[tuple[int, int, str], tuple[T] | None]:
    """Return a task's key and what was seen of it; None for what was stopped."""
    try:
        record = run_engine(
            task.case.engine,
            task.case.scenario.drawn(task.key[2], task.seed),
            task.plan,
            task.key[2],
            seed=task.seed,
            scale=task.case.scale,
            stopped=task.is_stopped,
        )
    except Stopped:
        return task.key, None
    return task.key, (task.case.look(record),)


def _complete(
    done: Mapping[tuple[int, int, str], T], plan: int, replications: int, stacks: tuple[str, ...]
) -> tuple[tuple[T, ...], ...]:
    """Return a plan's replications of which every stack is there."""
    numbers = [
        number
        for number in range(replications)
        if all((plan, number, stack) in done for stack in stacks)
    ]
    return tuple(tuple(done[plan, number, stack] for stack in stacks) for number in numbers)


def join_stacks(records: tuple[RunRecord, ...]) -> RunRecord:
    """Return the records of single stacks as one record of them all."""

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(record, name) for record in records])

    return replace(
        records[0],
        stacks=tuple(stack for record in records for stack in record.stacks),
        notes=tuple(f"{r.stacks[0]}: {note}" for r in records for note in r.notes),
        step_counts=joined("step_counts"),
        session_counts=joined("session_counts"),
        attempts=joined("attempts"),
        loads=joined("loads"),
        latency=joined("latency"),
        visits=joined("visits"),
        session_delay=joined("session_delay"),
    )
