"""What a busy service would wait at full scale: the same arrivals, all its servers, alone.

A cell is slower than the whole at equal utilisation (DESIGN §7.3); how much of a wait is the cell's own is
seen where the service is played alone at the scale it has.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gameday.experiments.replication import QUANTITIES, SPANS, Replication
from gameday.queueing import build_cell
from gameday.record import percentile
from gameday.record.intervals import band_of, level_interval
from gameday.scenario import Scenario
from gameday.scenario.blocks import LogNormal, ServiceTime
from gameday.vocabulary import Seed

__all__ = ["full_scale_waits"]

_BUSY = 0.6
"""Peak-hour utilisation from which a service is worth it. Source: the project's issue on rehearsal."""
_MOST_REQUESTS = 4e7
"""Of all replications of one service together: about three seconds of a core."""
_REPLICATIONS = 5
_HOUR, _BUSY_SHARE, _WAIT = (
    SPANS.index("peak_hour"),
    QUANTITIES.index("utilisation"),
    QUANTITIES.index("wait_s"),
)


def full_scale_waits(
    scenario: Scenario, scale: float, runs: list[Replication], seed: Seed
) -> list[dict[str, Any]]:
    """Return busy services of a stack that hold no server for others: wait in the cell, and at full scale.

    `load` is the offered load over the servers at full scale; from 1 on there is no wait to speak of but
    a growing one. Services whose servers wait for other services are left out: alone they are not.
    """
    rows = []
    for n, name in enumerate(runs[0].services):
        busy = float(np.mean([run.spans[_HOUR, _BUSY_SHARE, n] for run in runs]))
        times = _times(scenario, runs[0].stack, name)
        if not busy > _BUSY or times is None or scenario.services[name].off_paper:
            continue
        per_s = np.mean([run.arrived[n, runs[0].hour] for run in runs], axis=0) / 60.0 / scale
        servers = scenario.services[name].servers(runs[0].stack)
        rows.append(
            {
                "service": name,
                "servers": servers,
                "load": round(float(per_s.mean()) * times.mean / servers, 4),
                "cell_wait_s": band_of(
                    level_interval([float(run.spans[_HOUR, _WAIT, n]) for run in runs], "s")
                ),
                **_alone(per_s, servers, times, seed.child("full scale", runs[0].stack, name)),
            }
        )
    return rows


def _alone(per_s: Any, servers: int, time: ServiceTime, seed: Seed) -> dict[str, Any]:
    from gameday.simulate.compiled import run_single_queue  # numba: a second to import

    requests = float(per_s.sum()) * 60.0
    count = int(min(_REPLICATIONS, max(2.0, _MOST_REQUESTS / max(1.0, requests))))
    played = [
        run_single_queue(per_s, 60.0, servers, time, seed=seed.child(str(number)))
        for number in range(count)
    ]
    p99 = [percentile(run.waits.sum(axis=0), 0.99) for run in played]
    return {
        "replications": count,
        "requests": round(requests),
        "wait_s": band_of(level_interval([run.mean_wait_s for run in played], "s")),
        "p99_wait_s": band_of(level_interval(p99, "s")),
    }


def _times(scenario: Scenario, stack: str, name: str) -> ServiceTime | None:
    """Return how long a visit takes at full scale; None for a service that waits for others.

    Visits of several laws are one log-normal with their mean and variance.
    """
    visits = build_cell(scenario, stack, scale=1.0).visits_to(name)
    if not visits or (any(v.then for v in visits) and not scenario.services[name].is_asynchronous):
        return None
    if all(v.time == visits[0].time for v in visits):
        return visits[0].time
    mean = float(np.mean([v.time.mean for v in visits]))
    second = float(np.mean([(1 + v.time.scv) * v.time.mean**2 for v in visits]))
    return LogNormal.model_construct(
        law="lognormal", mean=mean, cv=min(10.0, math.sqrt(max(1e-9, second / mean**2 - 1)))
    )
