"""Regions side by side: in threads of this machine, or wherever `joblib.parallel_config` says."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

__all__ = ["side_by_side"]

_THREAD = threading.local()
"""Of each thread: whether it runs one of several tasks."""


def side_by_side(task: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Return `task(*each)` of all arguments, in order.

    numpy releases the interpreter lock in its kernels. With several tasks each has one thread of linear algebra,
    for more would wait for one another (primeday took 10.3 s in place of 6.1). A single task has what the
    environment says: `gameday` says one, for two on a busy machine take five times as long; OPENBLAS_NUM_THREADS=2
    on an idle one fits a thousand series of one region in 177 s in place of 232.
    """
    tasks = list(arguments)
    jobs = max(1, min(os.cpu_count() or 1, len(tasks)))
    if getattr(_THREAD, "is_one_of_several", False):
        return [
            task(*each) for each in tasks
        ]  # the cores are taken by the tasks that this one is part of

    with threadpool_limits(1 if jobs > 1 else None, "blas"):
        return list(
            joblib.Parallel(n_jobs=jobs, prefer="threads")(
                joblib.delayed(_run)(task, each, is_one_of_several=jobs > 1) for each in tasks
            )
        )


def _run(task: Callable[..., Any], arguments: tuple[Any, ...], *, is_one_of_several: bool) -> Any:
    """Return `task(*arguments)`; what it does side by side in turn is done one after the other."""
    _THREAD.is_one_of_several = is_one_of_several
    try:
        return task(*arguments)
    finally:
        _THREAD.is_one_of_several = False
