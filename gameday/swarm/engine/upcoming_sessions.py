"""The sessions of one worker that have not started yet, in order of their start."""

from __future__ import annotations

import numpy as np

from gameday.traffic import Arrivals
from gameday.vocabulary import Array

__all__ = ["UpcomingSessions"]

_CHUNK = 2048
"""Sessions turned into Python numbers at once: reading an array one by one costs more than a list."""


class UpcomingSessions:
    """A queue of (start, session number); instants are wall seconds from the window's start."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._numbers = np.zeros(0, np.int64)
        self._starts_at_s = np.zeros(0)
        self._next = 0
        """Index of the first session that is in no chunk yet."""
        self.chunk: list[tuple[float, int]] = []
        """The next sessions, the soonest last; `next_s` fills it."""

    def __bool__(self) -> bool:
        """Return whether any session is left."""
        return self._next < len(self._numbers) or bool(self.chunk)

    def assign(self, numbers: Array, first: int) -> None:
        """Queue these sessions, in order of their start; those below `first` have been started."""
        self._numbers, self.chunk = numbers, []
        self._starts_at_s = self._arrivals.at_s[numbers]
        self._next = int(np.searchsorted(numbers, first))

    def next_s(self) -> float:
        """Return when the next session starts; infinite after the last."""
        if not self.chunk:
            if self._next >= len(self._numbers):
                return float("inf")
            numbers = self._numbers[self._next : self._next + _CHUNK]
            self._next += len(numbers)
            times = self._arrivals.at_s[numbers]
            self.chunk = list(zip(times.tolist(), numbers.tolist(), strict=True))[::-1]
        return self.chunk[-1][0]

    def between(self, from_s: float, to_s: float) -> Array:
        """Return the numbers of the assigned sessions that start in this span."""
        first, last = np.searchsorted(self._starts_at_s, [from_s, to_s])
        return self._numbers[first:last]
