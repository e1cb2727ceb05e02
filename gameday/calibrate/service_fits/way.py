"""What lies between customers and the first service that is observed: a proxy, the network, event loops.

Where such a service is declared and nothing of it is observed, what customers wait for beyond the
model while few wait is its. More than a few milliseconds are not: they may be any hidden service's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.scenario.blocks import Spread

__all__ = ["fit"]

_MOST_S = 0.003
"""Seconds beyond which it is no matter of the way. Ours: proxies and event loops take less."""
_LEAST_FACTOR = 0.05
_LOG_SD = 0.3
"""Of its time. Ours: it is what is left over."""


def fit(case: ServiceCase) -> Found | None:
    """Return how long the way takes, where nothing is seen of the service that stands for it."""
    model = case.model
    if not model.is_hidden(case.name) or not model.service(case.name).is_asynchronous:
        return None
    rows = list(_waits(case))
    if not rows:
        return None
    counts, longer_s, own_s = np.array(rows).T
    mean_longer_s, mean_own_s = (float(np.average(x, weights=counts)) for x in (longer_s, own_s))
    if not mean_own_s > 0 or not abs(mean_longer_s) < _MOST_S:
        return None
    factor = max(_LEAST_FACTOR, 1.0 + mean_longer_s / mean_own_s)
    before = case.before.time_factor
    now = Spread.around(before.mid * factor, _LOG_SD)
    row = case.parameter(
        "time_factor",
        before.mid,
        now,
        agrees=True,
        by="what customers wait for beyond the model while few wait",
        samples=counts.sum(),
    )
    return Found({"time_factor": now}, (row,))


def _waits(case: ServiceCase) -> Iterator[tuple[float, float, float]]:
    """Yield, of each step: visits, s that a visit takes beyond the model while few wait, s of its own work."""
    model, work = case.model, case.model.work(case.name)
    predicted = model.simulate()
    for index in map(int, np.flatnonzero(work.visits > 0)):
        seen, shown = model.seen.quiet_answer(index), predicted.quiet_answer(index)
        if seen is not None and shown is not None:
            count = float(case.executions[index] * work.visits[index])
            longer_s = (seen.mean_s - shown.mean_s) / work.visits[index]
            yield count, longer_s, float(work.own_s[index])
