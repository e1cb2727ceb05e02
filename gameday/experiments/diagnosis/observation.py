"""What a scenario observes of a model's run: the rest is left out, as of a real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gameday.record import ATTEMPTS, RunRecord
from gameday.scenario import Scenario

__all__ = ["More", "as_observed", "missing"]

_LOADS_OF = {
    "busy_s": ("busy_seconds", "in_use"),
    "queue_s": ("queue_seconds", "queue"),
    "servers": ("capacity",),
    "waited_s": (),
    "lookups": ("cache_lookups",),
    "hits": ("cache_hits",),
    "repeats": ("repeats",),
}
"""One of LOADS -> the names under `observe.series` that tell it."""
_EVERYTHING, _LATENCY = "everything", "latency"


@dataclass(frozen=True, slots=True)
class More:
    """What is observed of one service besides, as `missing` names it."""

    service: str
    names: tuple[str, ...]


def as_observed(record: RunRecord, scenario: Scenario, more: More | None = None) -> RunRecord:
    """Return a model's record with what the scenario does not observe left out, as the swarm's own would be."""
    attempts, loads, visits = (x.copy() for x in (record.attempts, record.loads, record.visits))
    for number, service in enumerate(record.services):
        names = _observed(scenario, service)
        if more is not None and more.service == service:
            names |= {*more.names}
        if _EVERYTHING in names:
            continue
        attempts[:, number, [n for n, name in enumerate(ATTEMPTS) if name not in names]] = np.nan
        unseen = [n for n, of in enumerate(_LOADS_OF.values()) if not {*of} & names]
        loads[:, number, unseen] = np.nan
        if _LATENCY not in names:
            visits[:, number] = 0.0
    return replace(record, attempts=attempts, loads=loads, visits=visits)


def _observed(scenario: Scenario, service: str) -> set[str]:
    """Return the names of the series that are read of a service."""
    observe = scenario.observe
    if observe.services is not None and service not in observe.services:
        return set()
    return {*observe.series} | ({_LATENCY} if observe.latency else set())


def missing(scenario: Scenario, service: str) -> Iterator[str]:
    """Yield what of a service would help and is not observed."""
    observe = scenario.observe
    if observe.services is not None and service not in observe.services:
        yield _EVERYTHING
        return
    for names in (
        ("busy_seconds", "in_use"),
        ("capacity",),
        ("queue_seconds", "queue"),
        ("done",),
        ("shed",),
    ):
        if not any(name in observe.series for name in names):
            yield names[0]
    if observe.latency is None:
        yield _LATENCY
