"""Autoscaling comes too late: work is turned away while the servers it then adds are not there yet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gameday.experiments.replications import Replication
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.record.intervals import level_interval, p_above
from gameday.record.measures import TURNED_AWAY, first_where
from gameday.scenario.server_policies import Autoscale
from gameday.vocabulary import SLOT_S, Array

__all__ = ["RULE"]

_MORE = 1.05
"""Times the servers there are: so many more, soon, count as under way. Ours."""


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and autoscaled service, of the model at real speed: scaling takes wall time."""
    for runs in zip(*evidence.event_judged, strict=True):
        for service in runs[0].services:
            policy = evidence.scenario.services[service].autoscale
            if policy is not None:
                waited = [_Waited.of(evidence, run, service, policy) for run in runs]
                shares = [run.turned / run.arrived for run in waited if run.arrived]
                if len(shares) > 1:
                    yield _candidate(evidence, runs[0].stack, service, policy, waited, shares)


@dataclass(frozen=True, slots=True)
class _Waited:
    """What came to a service of one run while servers that it soon added were not there yet."""

    arrived: float
    turned: float
    """Of those, turned away."""
    short: Array
    """Whether more than the bound was turned away so, shape (slots,)."""

    @staticmethod
    def of(evidence: Evidence, run: Replication, service: str, policy: Autoscale) -> _Waited:
        """Return this of a replication."""
        number = run.services.index(service)
        servers = run.series_of(service, "servers")
        ahead = 1 + math.ceil((policy.delay + policy.interval) / SLOT_S)
        soon = np.array([servers[i : i + ahead + 1].max() for i in range(len(servers))])
        disturbed = _disturbed(evidence, run.stack, service, ahead, len(servers))
        arrived = run.arrived[number] * ((soon > _MORE * servers) & ~disturbed)
        turned = arrived * np.nan_to_num(run.series_of(service, "turned_away"))
        short = turned > TURNED_AWAY * np.maximum(arrived, 1.0)
        return _Waited(float(arrived.sum()), float(turned.sum()), short)


def _candidate(
    evidence: Evidence,
    stack: str,
    service: str,
    policy: Autoscale,
    waited: list[_Waited],
    shares: list[float],
) -> Candidate:
    return Candidate(
        stack=stack,
        subject=service,
        title=f"{stack}: {service} scales too slowly for the edge",
        unit="share",
        value=level_interval(shares, "share"),
        bound=TURNED_AWAY,
        samples=round(sum(run.arrived for run in waited)),
        p_value=p_above(shares, TURNED_AWAY),
        basis="model only",
        tier=evidence.scenario.services[service].tier,
        first_slot=first_where(np.any([run.short for run in waited], axis=0)),
        suggestion=f"schedule servers of {service} before the edge (autoscale.schedule), or lower its target",
        evidence={"delay_s": policy.delay, "interval_s": policy.interval},
        services=(service,),
    )


def _disturbed(evidence: Evidence, stack: str, service: str, ahead: int, slots: int) -> Array:
    """Return the slots in which a service loses servers and they come back: that is no scaling."""
    disturbed = np.zeros(slots, bool)
    for injection in evidence.plan.injections:
        hits = injection.stack in (None, stack) and injection.service in (None, service)
        if hits and (injection.zone is not None or injection.instances):
            ends = injection.until_s / SLOT_S
            last = slots if math.isinf(ends) else math.ceil(ends)
            disturbed[max(0, int(injection.at_s // SLOT_S) - ahead) : last + 1] = True
    return disturbed


RULE = Rule(name="slow_scaling", look=_look)
