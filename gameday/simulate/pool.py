"""A service's servers and its queue in the model, with their books per slot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import simpy

from gameday.scenario.policies import has_waited_too_long
from gameday.scenario.services import Service, Station

__all__ = ["ServicePool"]


class ServicePool:
    """Servers and a first-in-first-out queue, with its books per slot."""

    def __init__(
        self, env: simpy.Environment, station: Station, rule: Service, slots: int, slot_s: float
    ) -> None:
        self.env, self.station, self.rule = env, station, rule
        self.servers = station.servers
        self.in_use = self.inside = 0
        self.limit = float(station.servers)
        self.tokens = station.tokens
        self.slow, self.is_down = 1.0, False
        self.queue: deque[simpy.Event] = deque()
        self.joined_s: dict[simpy.Event, float] = {}
        self.standing_since_s = 0.0
        self.refuse: dict[simpy.Event, Callable[[], None]] = {}
        """What tells one who waits that it has waited too long."""
        self.slot_s, self.slots = slot_s, slots
        self.attempts = [[0] * 8 for _ in range(slots)]
        self.loads = [[0.0] * 4 for _ in range(slots)]
        self.visit_s: list[tuple[int, float]] = []
        self._since, self._slot = 0.0, 0
        self.busy_since_scaling = 0.0

    def slot(self) -> int:
        """Return the slot it is now; what comes after the last counts in the last."""
        return min(int(self.env.now / self.slot_s + 1e-9), self.slots - 1)

    def touch(self) -> None:
        """Book server-seconds, waiting-seconds and servers up to now; call before any change."""
        now = self.env.now
        while self._slot < self.slots and now > (self._slot + 1) * self.slot_s:
            self._book((self._slot + 1) * self.slot_s)
            self._slot += 1
        if self._slot < self.slots:
            self._book(now)
        self._since = now

    def _book(self, until: float) -> None:
        """Book what was so up to an instant of the slot that is under way."""
        if until <= self._since:
            return
        row, spent = self.loads[self._slot], until - self._since
        row[0] += self.in_use * spent
        row[1] += len(self.queue) * spent
        row[2] += self.servers * spent
        self.busy_since_scaling += self.in_use * spent
        self._since = until

    def take_or_wait(self) -> simpy.Event | None:
        """Take a server now and return None, or return the event that hands one over."""
        self.touch()
        if self.in_use < self.servers:
            self.in_use += 1
            return None
        place = self.env.event()
        if not self.queue:
            self.standing_since_s = self.env.now
        self.queue.append(place)
        self.joined_s[place] = self.env.now
        return place

    def leave_queue(self, place: simpy.Event) -> None:
        """Give up a place in the queue."""
        self.touch()
        self.queue.remove(place)
        self.book_wait(place)

    def release(self) -> None:
        """Free a server; the longest waiting takes it."""
        self.touch()
        self.in_use -= 1
        self.hand_over()

    def hand_over(self) -> None:
        """Give free servers to those who wait, refuse those who have waited too long."""
        while self.queue and self.in_use < self.servers:
            place = self.queue.popleft() if self.rule.queue_order == "fifo" else self.queue.pop()
            waited, refuse = self.env.now - self.joined_s[place], self.refuse[place]
            self.book_wait(place)
            if (codel := self.rule.codel) is not None and has_waited_too_long(
                waited, self.env.now - self.standing_since_s, codel.target, codel.interval
            ):
                refuse()
                continue
            self.in_use += 1
            place.succeed(True)

    def book_wait(self, place: simpy.Event) -> None:
        """Book how long one had waited who leaves the queue; after the last slot nothing counts."""
        waited = min(self.env.now, self.slots * self.slot_s) - self.joined_s.pop(place)
        self.refuse.pop(place, None)
        self.loads[self.slot()][3] += max(0.0, waited)
