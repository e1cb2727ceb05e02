"""A connection pool is smaller than its concurrency: it is full while servers are free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications import Replication
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.record.intervals import p_above, t_interval
from gameday.record.measures import SATURATED, SATURATED_SLOTS, first_where, moving_mean
from gameday.scenario.queue_policies import Pool
from gameday.vocabulary import Array

__all__ = ["RULE"]


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service with fewer connections than servers, of the model at real speed.

    A server that is held with its connection is busy as long: how busy the connections are is known. Where
    calls below go on without a server it is not, and nothing is said.
    """
    for runs in zip(*evidence.event_judged, strict=True):
        for service in runs[0].services:
            block = evidence.scenario.services[service]
            if block.pool is None or block.is_asynchronous or len(runs) < 2:
                continue
            pool = _Connections.of(evidence, runs, service, block.pool)
            if pool.in_the_cell < pool.servers:
                yield _candidate(evidence, runs, service, block.pool, pool)


@dataclass(frozen=True, slots=True)
class _Connections:
    """The connections to a service in the scaled-down system."""

    in_the_cell: int
    servers: float
    """The most in any minute, autoscaled ones included."""
    held: Array
    """Share of the connections in use, mean of three minutes, shape (runs, minutes)."""

    @staticmethod
    def of(
        evidence: Evidence, runs: tuple[Replication, ...], service: str, pool: Pool
    ) -> _Connections:
        """Return this of the replications of one stack."""
        connections = pool.connections_at(evidence.event_scale or 1.0)
        busy = [run.series_of(service, "utilisation") for run in runs]
        servers = [run.series_of(service, "servers") for run in runs]
        in_use = [np.nan_to_num(b * s) for b, s in zip(busy, servers, strict=True)]
        width = min(SATURATED_SLOTS, len(in_use[0]))
        held = np.array([moving_mean(row / connections, width) for row in in_use])
        return _Connections(connections, max(float(row.max()) for row in servers), held)


def _candidate(
    evidence: Evidence,
    runs: tuple[Replication, ...],
    service: str,
    block: Pool,
    pool: _Connections,
) -> Candidate:
    mean, number = pool.held.mean(axis=0), runs[0].services.index(service)
    values = pool.held[:, int(mean.argmax())].tolist()
    return Candidate(
        stack=runs[0].stack,
        subject=service,
        title=f"{runs[0].stack}: the connection pool of {service} is smaller than its concurrency",
        value=t_interval(values),
        bound=SATURATED,
        unit="share",
        p_value=min(1.0, len(mean) * p_above(values, SATURATED)),
        samples=round(float(sum(run.arrived[number].sum() for run in runs))),
        basis="model only",
        tier=evidence.scenario.services[service].tier,
        first_slot=first_where(mean > SATURATED),
        suggestion=f"more connections to {service} than its {block.connections}, or fewer servers",
        evidence={
            "connections": block.connections,
            "in_the_cell": pool.in_the_cell,
            "servers_in_the_cell": round(pool.servers, 1),
        },
        services=(service,),
    )


RULE = Rule(name="small_pool", look=_look)
