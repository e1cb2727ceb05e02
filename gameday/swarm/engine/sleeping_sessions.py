"""Customers who think between two steps, as rows of arrays: about 70 bytes each."""

from __future__ import annotations

from array import array

from gameday.swarm.engine.customer import Cohort, Customer
from gameday.swarm.engine.timer_buckets import TimerBuckets
from gameday.swarm.wire.cookies import CookieJar

__all__ = ["SleepingSessions"]

_GROW = 1024


class SleepingSessions:
    """The customers who think: one row each; a row that has become free is used again."""

    def __init__(self, cohorts: tuple[Cohort, ...]) -> None:
        self._cohorts = cohorts
        self._key, self._session = array("Q"), array("I")
        self._position, self._step, self._cohort = array("H"), array("H"), array("H")
        self._nominal_s, self._due = array("d"), array("d")
        self._start_slot, self._retry_reason = array("i"), array("B")
        self._tries, self._tries_at_reason = array("H"), array("H")
        self._columns = (
            self._key,
            self._session,
            self._position,
            self._step,
            self._cohort,
            self._nominal_s,
            self._due,
            self._start_slot,
            self._tries,
            self._tries_at_reason,
            self._retry_reason,
        )
        self._jars: list[CookieJar | None] = []
        self._memories: list[dict[str, str] | None] = []
        self._free = array("I")
        self.timers = TimerBuckets(self._due)

    def __len__(self) -> int:
        """Return how many customers sleep."""
        return self.timers.waiting

    @property
    def bytes_each(self) -> int:
        """Bytes a sleeping customer takes, cookies and memory apart, its timer included."""
        return sum(column.itemsize for column in self._columns) + 2 * 8 + 4 + 4

    def sleep(self, customer: Customer, due: float) -> None:
        """Let `customer` wait until `due`, on the engine's clock."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._key[row], self._session[row] = customer.key, customer.session
        self._position[row], self._step[row] = customer.position, customer.step
        self._cohort[row], self._nominal_s[row] = customer.cohort.number, customer.nominal_s
        self._due[row], self._start_slot[row] = due, customer.start_slot
        self._tries[row], self._retry_reason[row] = customer.tries, customer.retry_reason
        self._tries_at_reason[row] = customer.tries_at_reason
        self._jars[row], self._memories[row] = customer.jar, customer.memory
        self.timers.put(row)

    def wake(self, now: float) -> Customer | None:
        """Return the customer who is due the longest; None if nobody is."""
        row = self.timers.take(now)
        if row < 0:
            return None
        customer = Customer(self._cohorts[self._cohort[row]], self._key[row], self._session[row])
        customer.position, customer.step = self._position[row], self._step[row]
        customer.nominal_s, customer.due = self._nominal_s[row], self._due[row]
        customer.start_slot = self._start_slot[row]
        customer.tries, customer.retry_reason = self._tries[row], self._retry_reason[row]
        customer.tries_at_reason = self._tries_at_reason[row]
        customer.jar, customer.memory = self._jars[row], self._memories[row]
        self._jars[row] = self._memories[row] = None
        self._free.append(row)
        return customer

    def _grow(self) -> None:
        first = len(self._jars)
        for column in self._columns:
            column.frombytes(bytes(_GROW * column.itemsize))
        self._jars.extend([None] * _GROW)
        self._memories.extend([None] * _GROW)
        self._free.extend(range(first + _GROW - 1, first - 1, -1))
