"""The order of events that fall on one instant, the same in both engines: by rank of kind, then sequence.

Before the next of these events SimPy does all that follows from the last one at this instant (processes
begun, events succeeded).
"""

from __future__ import annotations

import heapq
from enum import IntEnum

import simpy

__all__ = ["Rank", "at"]

_BEHIND_SIMPYS_OWN = 2
"""SimPy's priorities are 0 and 1."""


class Rank(IntEnum):
    """Order of kinds within an instant: callers and customers give up only after every reply of it."""

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
