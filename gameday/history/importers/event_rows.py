"""Events as columns of numbers, grown part by part while a log is read, and never more than can be held."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gameday.vocabulary import Array

__all__ = ["MOST_EVENTS", "EventRows", "Names"]

MOST_EVENTS = 4_000_000
"""Events held at once, about 300 MB. Of a longer log a sample of customers is held, with all their events."""


class Names:
    """Words as numbers, in the order of their first occurrence."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def codes(self, words: Array) -> Array:
        """Return each word's number, shape as `words`; new words get the next ones."""
        codes, distinct = pd.factorize(words)
        number = {name: n for n, name in enumerate(self.names)}
        for word in distinct:
            number.setdefault(str(word), len(number))
        self.names = list(number)
        return np.asarray(np.array([number[str(word)] for word in distinct], np.int32)[codes])


class EventRows:
    """Columns of events, grown part by part; beyond a limit half of the customers are dropped, as often as needed.

    The hash of a customer, the first column, decides whether it is kept, so the order of parts does not matter.
    """

    def __init__(self, most: int) -> None:
        self._most, self.parts = most, list[tuple[Array, ...]]()
        self.kept = 1.0
        """Share of customers that is kept."""
        self._count = 0

    def add(self, *columns: Array) -> None:
        """Add a part: columns of one length, the first of them hashes of customers."""
        self._take(columns)
        while self._count > self._most:
            self.kept /= 2
            parts, self.parts, self._count = self.parts, [], 0
            for part in parts:
                self._take(part)

    def _take(self, columns: tuple[Array, ...]) -> None:
        count = len(columns[0])
        is_kept = _spread(columns[0]) < self.kept if self.kept < 1 else np.ones(count, bool)
        if is_kept.any():
            self.parts.append(tuple(column[is_kept] for column in columns))
            self._count += int(is_kept.sum())

    def joined(self) -> tuple[Array, ...]:
        """Return the columns whole."""
        return tuple(np.concatenate(column) for column in zip(*self.parts, strict=True))


def _spread(who: Array) -> Array:
    """Return a number in [0, 1) for each hash, by its high bits."""
    return np.asarray((who >> np.uint64(11)).astype(float) * 2.0**-53)
