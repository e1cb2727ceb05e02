"""A connection pool is smaller than its concurrency: it is full while servers are free."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.experiments.replications import QUANTITIES
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.record.intervals import p_above, t_interval
from gameday.record.measures import SATURATED, SATURATED_SLOTS, first_where

__all__ = ["look_for_small_pool"]


def look_for_small_pool(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service with fewer connections than servers, of the model at real speed.

    A server that is held with its connection is busy as long: how busy the connections are is known. Where
    calls below go on without a server it is not, and nothing is said.
    """
    busy, there = QUANTITIES.index("utilisation"), QUANTITIES.index("servers")
    for runs in zip(*evidence.event_judged, strict=True):
        for n, service in enumerate(runs[0].services):
            rule = evidence.scenario.services[service]
            if rule.pool is None or rule.is_asynchronous or len(runs) < 2:
                continue
            links = rule.station(service, runs[0].stack, evidence.event_scale or 1.0).connections
            most = max(float(r.series[there, n].max()) for r in runs)
            if links >= most:  # of servers, autoscaled ones included
                continue
            shares = [np.nan_to_num(r.series[busy, n] * r.series[there, n]) for r in runs]
            width = min(SATURATED_SLOTS, len(shares[0]))
            held = [np.convolve(row / links, np.ones(width) / width, "valid") for row in shares]
            at = int(np.mean(held, axis=0).argmax())
            values = [float(row[at]) for row in held]
            yield Candidate(
                rule="small_pool",
                stack=runs[0].stack,
                subject=service,
                title=f"{runs[0].stack}: the connection pool of {service} is smaller than its concurrency",
                value=t_interval(values),
                bound=SATURATED,
                unit="share",
                p_value=min(1.0, len(held[0]) * p_above(values, SATURATED)),
                samples=round(float(sum(r.arrived[n].sum() for r in runs))),
                basis="model only",
                tier=rule.tier,
                first_slot=first_where(np.mean(held, axis=0) > SATURATED),
                suggestion=f"more connections to {service} than its {rule.pool.connections}, or fewer servers",
                evidence={
                    "connections": rule.pool.connections,
                    "in_the_cell": links,
                    "servers_in_the_cell": round(most, 1),
                },
                services=(service,),
            )
