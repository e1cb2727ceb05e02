"""When sleeping customers are due: a calendar queue (Brown 1988) whose buckets are opened one by one.

A waiting customer costs four bytes here. Buckets are a tenth of a second; the one that is open is
kept sorted by the exact instant, so nothing is early and nothing waits for a bucket's edge.
"""

from __future__ import annotations

from array import array
from bisect import insort

__all__ = ["TimerBuckets"]

_WIDTH_S = 0.1


class TimerBuckets:
    """Rows by the instant they are due, measured on any one clock."""

    __slots__ = ("_buckets", "_due", "_near", "_opened", "waiting")

    def __init__(self, due_s: array[float]) -> None:
        self._due = due_s
        """When each row is due, by row; shared with the rows."""
        self._buckets: dict[int, array[int]] = {}
        self._near: list[tuple[float, int]] = []
        """(-due, row) of the buckets that are open, the soonest last."""
        self._opened = -(1 << 62)
        """The last bucket that is open."""
        self.waiting = 0
        """How many rows wait."""

    def put(self, row: int) -> None:
        """Let `row` wait until its instant."""
        due = self._due[row]
        number = int(due / _WIDTH_S)
        self.waiting += 1
        if number <= self._opened:
            insort(self._near, (-due, row))
            return
        bucket = self._buckets.get(number)
        if bucket is None:
            self._buckets[number] = array("I", (row,))
        else:
            bucket.append(row)

    def take(self, now_s: float) -> int:
        """Return a row that is due, the longest due first; -1 if none is."""
        near = self._near
        if near and -near[-1][0] <= now_s:
            self.waiting -= 1
            return near.pop()[1]
        number = int(now_s / _WIDTH_S)
        if number > self._opened:
            self._open(number)
            return self.take(now_s)
        return -1

    def next_s(self) -> float:
        """Return when the next row of the open buckets is due, or the next bucket opens.

        Infinite where nobody waits.
        """
        if not self.waiting:
            return float("inf")
        if self._near:
            return -self._near[-1][0]
        return (self._opened + 1) * _WIDTH_S

    def _open(self, number: int) -> None:
        """Open every bucket up to `number`."""
        first, self._opened = self._opened + 1, number
        if number - first > len(self._buckets):  # after a long pause, or for the first time
            numbers = sorted(n for n in self._buckets if n <= number)
        else:
            numbers = list(range(first, number + 1))
        due = self._due
        for opened in numbers:
            bucket = self._buckets.pop(opened, None)
            if bucket:
                self._near.extend((-due[row], row) for row in bucket)
        self._near.sort()
