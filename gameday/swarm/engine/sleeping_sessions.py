"""Customers asleep: rows of arrays, counted in bytes, due at an instant each."""

from __future__ import annotations

from array import array

from gameday.swarm.engine.customer import Cast, Customer
from gameday.swarm.engine.timer_buckets import Calendar
from gameday.swarm.wire.cookies import Jar

__all__ = ["Rows"]

_GROW = 1024


class Rows:
    """One row a sleeping customer; a row that has become free is used again."""

    def __init__(self, casts: tuple[Cast, ...]) -> None:
        self._casts = casts
        self._key, self._session = array("Q"), array("I")
        self._place, self._step, self._cast = array("H"), array("H"), array("H")
        self._nominal_s, self._due = array("d"), array("d")
        self._began, self._mood = array("i"), array("B")
        self._tries, self._since = array("H"), array("H")
        self._columns = (
            self._key,
            self._session,
            self._place,
            self._step,
            self._cast,
            self._nominal_s,
            self._due,
            self._began,
            self._tries,
            self._since,
            self._mood,
        )
        self._jars: list[Jar | None] = []
        self._memories: list[dict[str, str] | None] = []
        self._free = array("I")
        self.calendar = Calendar(self._due)

    def __len__(self) -> int:
        """Return how many customers sleep."""
        return self.calendar.waiting

    @property
    def bytes_each(self) -> int:
        """Bytes a sleeping customer takes, cookies and memory apart, its calendar's entry included."""
        return sum(column.itemsize for column in self._columns) + 2 * 8 + 4 + 4

    def sleep(self, customer: Customer, due: float) -> None:
        """Let `customer` wait until `due`, on the engine's clock."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._key[row], self._session[row] = customer.key, customer.session
        self._place[row], self._step[row] = customer.place, customer.step
        self._cast[row], self._nominal_s[row] = customer.cast.number, customer.nominal_s
        self._due[row], self._began[row] = due, customer.began
        self._tries[row], self._mood[row] = customer.tries, customer.mood
        self._since[row] = customer.since
        self._jars[row], self._memories[row] = customer.jar, customer.memory
        self.calendar.put(row)

    def wake(self, now: float) -> Customer | None:
        """Return the customer who is due the longest; None if nobody is."""
        row = self.calendar.take(now)
        if row < 0:
            return None
        customer = Customer(self._casts[self._cast[row]], self._key[row], self._session[row])
        customer.place, customer.step = self._place[row], self._step[row]
        customer.nominal_s, customer.due = self._nominal_s[row], self._due[row]
        customer.began = self._began[row]
        customer.tries, customer.mood = self._tries[row], self._mood[row]
        customer.since = self._since[row]
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
