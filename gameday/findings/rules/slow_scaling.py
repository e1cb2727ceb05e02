"""Autoscaling comes too late: work is turned away while the servers it then adds are not there yet."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gameday.experiments.replications import QUANTITIES
from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.record.intervals import level_interval, p_above
from gameday.record.measures import TURNED_AWAY, first_where
from gameday.vocabulary import SLOT_S, Array

__all__ = ["look_for_slow_scaling"]

_MORE = 1.05
"""Times the servers there are: so many more, soon, count as under way. Ours."""


def look_for_slow_scaling(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and autoscaled service, of the model at real speed: scaling takes wall time."""
    servers, away = QUANTITIES.index("servers"), QUANTITIES.index("turned_away")
    for runs in zip(*evidence.event_judged, strict=True):
        for n, service in enumerate(runs[0].services):
            policy = evidence.scenario.services[service].autoscale
            if policy is None:
                continue
            ahead = 1 + math.ceil((policy.delay + policy.interval) / SLOT_S)
            counts = []
            short = np.zeros(len(runs[0].arrived[n]), bool)
            for run in runs:
                there = run.series[servers, n]
                soon = np.array([there[i : i + ahead + 1].max() for i in range(len(there))])
                late = (soon > _MORE * there) & ~_disturbed(
                    evidence, run.stack, service, ahead, len(there)
                )
                arrived = run.arrived[n] * late
                turned = arrived * np.nan_to_num(run.series[away, n])
                counts.append((float(turned.sum()), float(arrived.sum())))
                short |= turned > TURNED_AWAY * np.maximum(arrived, 1.0)
            shares = [bad / all_ for bad, all_ in counts if all_]
            if len(shares) < 2:
                continue
            yield Candidate(
                rule="slow_scaling",
                stack=runs[0].stack,
                subject=service,
                title=f"{runs[0].stack}: {service} scales too slowly for the edge",
                unit="share",
                value=level_interval(shares, "share"),
                bound=TURNED_AWAY,
                samples=round(sum(all_ for _, all_ in counts)),
                p_value=p_above(shares, TURNED_AWAY),
                basis="model only",
                tier=evidence.scenario.services[service].tier,
                first_slot=first_where(short),
                suggestion=f"schedule servers of {service} before the edge (autoscale.schedule), or lower "
                "its target",
                evidence={"delay_s": policy.delay, "interval_s": policy.interval},
                services=(service,),
            )


def _disturbed(evidence: Evidence, stack: str, service: str, ahead: int, slots: int) -> Array:
    """Return the slots in which a service loses servers and they come back: that is no scaling."""
    out = np.zeros(slots, bool)
    for one in evidence.plan.injections:
        is_mine = one.stack in (None, stack) and one.service in (None, service)
        if is_mine and (one.zone is not None or one.instances):
            last = slots if math.isinf(one.until_s) else math.ceil(one.until_s / SLOT_S)
            out[max(0, int(one.at_s // SLOT_S) - ahead) : last + 1] = True
    return out
