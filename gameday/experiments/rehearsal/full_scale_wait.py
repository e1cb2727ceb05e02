"""What a busy service would wait at full scale: the same arrivals, all its servers, alone.

Few servers make their callers wait longer than many at equal utilisation: pooling. How much of a wait is the
scaled-down system's own is seen where the service is played alone at full scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications.replication import QUANTITIES, SPANS, Replication
from gameday.queueing import build_cell
from gameday.queueing.closed_forms import mixed_moments
from gameday.record import percentile
from gameday.record.intervals import Interval, interval_of, level_interval
from gameday.scenario import Scenario
from gameday.scenario.service_times import LogNormal, ServiceTime
from gameday.vocabulary import Array, Seed

__all__ = ["FullScaleWait", "full_scale_waits"]

_BUSY = 0.6
"""Peak-hour utilisation from which a service is worth it. Ours: below it a queue of many servers hardly forms."""
_MOST_REQUESTS = 4e7
"""Of all replications of one service together: about three seconds of a core."""
_REPLICATIONS = 5
_HOUR, _BUSY_SHARE, _WAIT = (
    SPANS.index("peak_hour"),
    QUANTITIES.index("utilisation"),
    QUANTITIES.index("wait_s"),
)


@dataclass(frozen=True, slots=True)
class FullScaleWait:
    """How long a busy service makes its callers wait: in the scaled-down system, and alone at full scale."""

    service: str
    servers: int
    """At full scale."""
    load: float
    """Offered load over those servers; from 1 on there is no wait to speak of but a growing one."""
    cell_wait_s: Interval
    replications: int
    requests: int
    """Of a replication."""
    wait_s: Interval
    """Mean wait at full scale."""
    p99_wait_s: Interval


def full_scale_waits(
    scenario: Scenario, scale: float, runs: list[Replication], seed: Seed
) -> tuple[FullScaleWait, ...]:
    """Return the busy services of a stack that hold no server for others.

    Services whose servers wait for other services are left out: alone they are not what they are.
    """
    stack, rows = runs[0].stack, []
    for number, name in enumerate(runs[0].services):
        busy = float(np.mean([run.spans[_HOUR, _BUSY_SHARE, number] for run in runs]))
        times = _times(scenario, stack, name)
        if not busy > _BUSY or times is None or scenario.services[name].why_no_closed_form:
            continue
        arrived = np.mean([run.arrived[number, runs[0].hour] for run in runs], axis=0)
        queue = _Alone(arrived / 60.0 / scale, scenario.services[name].servers(stack), times)
        waits = [float(run.spans[_HOUR, _WAIT, number]) for run in runs]
        cell_wait_s = interval_of(level_interval(waits, "s"))
        rows.append(_alone(name, queue, cell_wait_s, seed.child("full scale", stack, name)))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _Alone:
    """A service at full scale by itself."""

    per_s: Array
    """Arrivals in each minute of the peak hour."""
    servers: int
    times: ServiceTime


def _alone(name: str, queue: _Alone, cell_wait_s: Interval, seed: Seed) -> FullScaleWait:
    from gameday.simulate.compiled import run_single_queue  # numba: a second to import

    requests = float(queue.per_s.sum()) * 60.0
    count = int(min(_REPLICATIONS, max(2.0, _MOST_REQUESTS / max(1.0, requests))))
    played = [
        run_single_queue(
            queue.per_s, 60.0, queue.servers, queue.times, seed=seed.child(str(number))
        )
        for number in range(count)
    ]
    p99 = [percentile(run.waits.sum(axis=0), 0.99) for run in played]
    return FullScaleWait(
        service=name,
        servers=queue.servers,
        load=round(float(queue.per_s.mean()) * queue.times.mean / queue.servers, 4),
        cell_wait_s=cell_wait_s,
        replications=count,
        requests=round(requests),
        wait_s=interval_of(level_interval([run.mean_wait_s for run in played], "s")),
        p99_wait_s=interval_of(level_interval(p99, "s")),
    )


def _times(scenario: Scenario, stack: str, name: str) -> ServiceTime | None:
    """Return how long a visit takes at full scale; None for a service that waits for others.

    Visits of several laws are one log-normal with their mean and variance.
    """
    visits = build_cell(scenario, stack, scale=1.0).visits_to(name)
    if not visits or (any(v.then for v in visits) and not scenario.services[name].is_asynchronous):
        return None
    if all(v.time == visits[0].time for v in visits):
        return visits[0].time
    mean, scv = mixed_moments([v.time.mean for v in visits], [v.time.scv for v in visits])
    cv = min(10.0, math.sqrt(max(1e-9, scv)))
    return LogNormal.model_construct(law="lognormal", mean=mean, cv=cv)
