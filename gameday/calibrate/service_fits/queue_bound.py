"""How long a service's queue may grow: longer than declared, where more waited than it has places for."""

from __future__ import annotations

import numpy as np

from gameday.calibrate.compared.stack_model import Found, ServiceCase
from gameday.scenario.blocks import Spread

__all__ = ["fit"]

_LONGER = 1.25
"""Times the declared places, as a slot's mean, that must have waited. Ours: scrapes are not at the slot's ends."""
_BEYOND = 4.0
"""The bound is then taken to be so many times the longest queue that was seen: where it ends
nobody has seen. Ours."""


def fit(case: ServiceCase) -> Found | None:
    """Return the waiting places per server where more waited than are declared."""
    queue = np.nan_to_num(case.seen.queue)
    longest, station = float(queue.max(initial=0.0)), case.model.station(case.name)
    if longest <= _LONGER * station.queue_bound + 1.0:
        return None
    declared = case.model.service(case.name).queue_per_server
    each = _BEYOND * longest / station.servers
    return case.differs(
        {"queue_per_server": each},
        "queue_per_server",
        declared,
        Spread(mid=each, low=longest / station.servers, high=_BEYOND * each),
        by="more waited than it has places for",
        samples=np.nansum(case.seen.served),
    )
