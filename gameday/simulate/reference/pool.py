"""A station of the model on SimPy's clock, with its statistics per slot."""

from __future__ import annotations

import simpy

from gameday.queueing import RunningStation
from gameday.record import ATTEMPTS, LOADS
from gameday.scenario.blocks import Service, Station

__all__ = ["ServicePool"]

_LOOKUPS, _HITS, _REPEATS = (LOADS.index(name) for name in ("lookups", "hits", "repeats"))
_COLUMN = {outcome: column for column, outcome in enumerate(ATTEMPTS)}


class ServicePool(RunningStation):
    """A service, its callers, and its statistics per slot."""

    def __init__(
        self, env: simpy.Environment, declared: Station, rule: Service, slots: int, slot_s: float
    ) -> None:
        super().__init__(declared, rule, lambda: float(env.now))
        self.env = env
        self.slot_s, self.slots = slot_s, slots
        self.attempts = [[0] * len(ATTEMPTS) for _ in range(slots)]
        self.loads = [[0.0] * len(LOADS) for _ in range(slots)]
        self.visit_s: list[tuple[int, float]] = []
        self._since, self._slot = 0.0, 0

    def slot(self) -> int:
        """Return the slot it is now; what comes after the last counts in the last."""
        return min(int(self.env.now / self.slot_s + 1e-9), self.slots - 1)

    def touch(self) -> None:
        """Add up server-seconds in use, waiting-seconds and servers provided, slot by slot, to now."""
        now = self.env.now
        while self._slot < self.slots and now > (self._slot + 1) * self.slot_s:
            self._book((self._slot + 1) * self.slot_s)
            self._slot += 1
        if self._slot < self.slots:
            self._book(now)
        self._since = now

    def _book(self, until: float) -> None:
        """Add up the present state until an instant of the slot under way."""
        if until <= self._since:
            return
        row, spent = self.loads[self._slot], until - self._since
        row[0] += self.in_use * spent
        row[1] += self.queued * spent
        row[2] += self.servers * spent
        self.spend(spent)
        self._since = until

    def count(self, outcome: str) -> None:
        """Count an attempt in the present slot."""
        self.attempts[self.slot()][_COLUMN[outcome]] += 1

    def observe(self, took_s: float) -> None:
        """Note the duration of a visit."""
        self.visit_s.append((self.slot(), took_s))

    def book_wait(self, since_s: float) -> None:
        """Add the wait of an attempt that leaves the queue; time after the last slot does not count."""
        waited = min(self.env.now, self.slots * self.slot_s) - since_s
        self.loads[self.slot()][3] += max(0.0, waited)

    def book_those_who_wait(self) -> None:
        """Add the waits of those still in a queue at the end."""
        self.touch()
        for lane in self.lanes:
            for waiting in lane.queue:
                self.book_wait(waiting.since_s)

    def repeats(self) -> None:
        """Count an attempt that repeats an earlier one: a retry, a hedge, or below one."""
        self.loads[self.slot()][_REPEATS] += 1.0

    def finds(self, item: int) -> bool:
        """Return whether the callers' cache holds an item; count the lookup and the hit."""
        row, is_there = self.loads[self.slot()], self.callers.finds(item)
        row[_LOOKUPS] += 1.0
        row[_HITS] += is_there
        return is_there
