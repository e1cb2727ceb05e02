"""Processes that simulate: how many, how they give way to load, and that they end with whoever began them."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any, TypeVar

import joblib
from joblib.externals import loky

from gameday.errors import PreflightFailed

__all__ = ["processes_for", "results_as_completed", "settle"]

_NICE = 19
_GRACE_S = 4.0
"""How long a process has to stop after it was asked to. It looks whenever another part of the plan is
due: well within a second."""
_POLL_S = 0.5
_WORTH_PROCESSES = 5e6
"""Service visits from which on processes of their own are worth the second they take to start."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def processes_for(visits: float, tasks: int, workers: int | None, *, beside_load: bool) -> int:
    """Return how many processes the work is worth; a joblib backend other than loky decides itself."""
    backend, jobs = joblib.parallel.get_active_backend()
    if not isinstance(backend, joblib.parallel.LokyBackend):
        return int(jobs or -1)
    if workers is not None or beside_load:
        return workers or 1
    if visits < _WORTH_PROCESSES:
        return 1
    return min(os.cpu_count() or 1, tasks)


def results_as_completed(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    processes: int,
    *,
    beside_load: bool,
    stop_file: Path | None,
) -> Iterator[Result]:
    """Yield the result of `work` for each task as it completes; closed early, it ends what still runs.

    One process is this one, unless the work must give way to load on the same machine.
    PreflightFailed where a process was killed.
    """
    if processes == 1 and not beside_load:
        yield from (work(task) for task in tasks)
        return
    setup = {"initializer": settle, "initargs": (os.getpid(), _NICE if beside_load else 0)}
    if processes == 1:  # joblib's one job is this process
        results = _in_one_process(work, tasks, setup, stop_file)
    else:
        results = _in_processes(work, tasks, setup, processes)
    try:
        yield from results
    except loky.process_executor.TerminatedWorkerError:
        raise PreflightFailed(
            "a process of the model was killed, by a person or for want of memory; with a smaller --budget "
            "or --scale it needs less"
        ) from None
    finally:
        results.close()


def _in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], setup: dict[str, Any], processes: int
) -> Generator[Result, None, None]:
    """Yield results as they come, of processes of this machine or as `joblib.parallel_config` says."""
    is_here = isinstance(joblib.parallel.get_active_backend()[0], joblib.parallel.LokyBackend)
    pool = joblib.Parallel(
        processes, return_as="generator_unordered", batch_size=1, **(setup if is_here else {})
    )
    results: Generator[Result, None, None] = pool([joblib.delayed(work)(task) for task in tasks])
    return results


def _in_one_process(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    setup: dict[str, Any],
    stop_file: Path | None,
) -> Generator[Result, None, None]:
    """Yield results of one process besides this one, which ends with the last that is asked for.

    It reads the stop file itself; where it does not answer within _GRACE_S of it, it is killed.
    """
    executor = loky.ProcessPoolExecutor(max_workers=1, **setup)
    try:
        for task in tasks:
            result, patience_s = executor.submit(work, task), _GRACE_S
            while not result.done() and patience_s > 0:
                wait([result], timeout=_POLL_S)
                if stop_file is not None and stop_file.exists():
                    patience_s -= _POLL_S
            if not result.done():
                return
            yield result.result()
    finally:
        executor.shutdown(kill_workers=True)


def settle(parent: int, nice: int) -> None:
    """Give this process a niceness, and let it end when `parent`, which began it, ends."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)

    def end_with_parent(fd: int) -> None:
        select.select([fd], [], [])
        os._exit(1)

    try:
        fd = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    except OSError:  # a sandbox that does not know the call: nobody watches
        return
    if os.getppid() != parent:  # it ended while we began, and its number may be another's
        os._exit(1)
    threading.Thread(target=end_with_parent, args=(fd,), daemon=True).start()
