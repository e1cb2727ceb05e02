"""A service refused or timed out more of its work than noise explains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gameday.findings.evidence import Evidence
from gameday.findings.finding import Candidate
from gameday.findings.rule import Rule
from gameday.record import BySlot
from gameday.record.intervals import binomial_band, p_share_above
from gameday.record.measures import TURNED_AWAY, first_where

__all__ = ["RULE"]


_TURNED_AWAY = ("shed", "timed_out", "orphaned")


def _look(evidence: Evidence) -> Iterator[Candidate]:
    """Yield a test per stack and service that was observed."""
    run = evidence.measured
    if run is None:
        return
    for stack in evidence.scenario.stack_names:
        for service in evidence.scenario.stack_services(stack):
            attempts = run.attempts_by_slot(stack, service)
            arrived = attempts.total("arrived")
            if not np.isnan(attempts.total(*_TURNED_AWAY)) and arrived >= 1:
                yield _candidate(evidence, stack, service, attempts)


def _candidate(evidence: Evidence, stack: str, service: str, attempts: BySlot) -> Candidate:
    bad, arrived = attempts.count(*_TURNED_AWAY), attempts.count("arrived")
    counts: dict[str, float | int | str] = {name: attempts.total(name) for name in _TURNED_AWAY}
    worst = max(counts, key=lambda name: float(counts[name]))
    rows = {name: np.nan_to_num(attempts[name]) for name in ("arrived", *_TURNED_AWAY)}
    away = np.sum([rows[name] for name in _TURNED_AWAY], axis=0)
    return Candidate(
        stack=stack,
        subject=service,
        title=f"{stack}: {service} turned work away ({worst.replace('_', ' ')})",
        value=binomial_band(min(bad, arrived), arrived),
        bound=TURNED_AWAY,
        unit="share",
        p_value=p_share_above(bad, arrived, TURNED_AWAY),
        samples=arrived,
        basis="measured",
        tier=evidence.scenario.services[service].tier,
        first_slot=first_where(away > TURNED_AWAY * np.maximum(rows["arrived"], 1)),
        suggestion=f"more servers for {service}, or a longer queue if its peak is short",
        evidence=counts,
    )


RULE = Rule(name="turned_away", look=_look)
