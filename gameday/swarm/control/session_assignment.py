"""Who plays which sessions: round-robin from an instant on, assigned anew when workers come or go."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gameday.vocabulary import Array

__all__ = ["SessionAssignment", "assigned_sessions"]


class SessionAssignment(NamedTuple):
    """From `from_s` on, a worker plays every `workers`-th session, by its turn."""

    from_s: float
    """Wall second from the window's start; earlier starts go by the assignment before."""
    turn: int
    """-1 = none at all."""
    workers: int


def assigned_sessions(assignments: tuple[SessionAssignment, ...], at_s: Array) -> Array:
    """Return the numbers of the sessions that a worker plays by its `assignments`, which are in order of time.

    `at_s`: every session's start, sorted, wall seconds from the window's start.
    """
    parts = []
    for index, assignment in enumerate(assignments):
        first = int(np.searchsorted(at_s, assignment.from_s))
        last = len(at_s)
        if index + 1 < len(assignments):
            last = int(np.searchsorted(at_s, assignments[index + 1].from_s))
        if assignment.turn >= 0 and first < last:
            begin = first + (assignment.turn - first) % assignment.workers
            parts.append(np.arange(begin, last, assignment.workers))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
