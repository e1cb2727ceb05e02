"""When several things fall on one instant: their order, the same in every engine.

(time, rank of kind, sequence). At one instant SimPy first does all that follows from what has
happened (processes begun, events succeeded), then the next of these, by rank: new servers, ends of
work, retries, customers, time-outs, lost patience, looks at utilisation.
"""

from __future__ import annotations

import heapq
from enum import IntEnum

import simpy

__all__ = ["Rank", "at"]

_BEHIND_SIMPYS_OWN = 2
"""SimPy's priorities are 0 and 1."""


class Rank(IntEnum):
    """Order of kinds within an instant: who waits no longer goes only after every reply of it."""

    READY = 0
    WORK_END = 1
    RETRY = 2
    CUSTOMER = 3
    TIMEOUT = 4
    PATIENCE = 5
    SCALE = 6


def at(env: simpy.Environment, when: float, rank: Rank) -> simpy.Event:
    """Return an event that happens at `when` exactly: SimPy's Timeout would round now + (when - now)."""
    event = simpy.Event(env)
    event._ok, event._value = True, None
    heapq.heappush(env._queue, (when, _BEHIND_SIMPYS_OWN + rank, next(env._eid), event))
    return event
