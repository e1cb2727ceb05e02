"""A service in the model: servers, a queue, and what callers do when it is slow or full.

Plain SimPy; each rule in the words of `scenario/policies`, whose arithmetic it calls.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import simpy

from gameday.scenario import Cell, Scenario
from gameday.scenario.cells import Visit
from gameday.scenario.policies import (
    backoff_s,
    gives_up_at_s,
    has_waited_too_long,
    is_over_limit,
    is_shed,
    lineage,
    may_retry,
    next_limit,
    servers_wanted,
    tokens_after_answer,
    tokens_after_retry,
)
from gameday.scenario.services import Service, Station
from gameday.simulate.instants import Rank, at
from gameday.simulate.switches import Switch
from gameday.vocabulary import Draw, draw

__all__ = ["Key", "Process", "ServicePool", "Services"]

Process = Generator[simpy.Event, Any, Any]

Key = tuple[int, int, int, int]
"""What a call's draws are keyed by: session, place of the step, number of its exchange, lineage."""

_ARRIVED, _DONE, _FAILED, _SHED, _TIMED_OUT, _CANCELLED, _ORPHANED, _IN_FLIGHT = range(8)


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


class Services:
    """The pools of one cell and the calls between them."""

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, cell: Cell, seed: int,
        slots: int, slot_s: float, injected: tuple[Switch, ...] = (),
    ) -> None:  # fmt: skip
        self.env, self.seed = env, seed
        self.rules: dict[str, Service] = {name: scenario.services[name] for name in cell.stations}
        self.pools = {
            name: ServicePool(env, station, self.rules[name], slots, slot_s)
            for name, station in cell.stations.items()
        }
        for name, rule in self.rules.items():
            if rule.autoscale is not None:
                env.process(self._scale(self.pools[name], rule))
        for one in injected:
            env.process(self._outage(self.pools[one.service], one))

    def call(self, visit: Visit, key: Key) -> Process:
        """Ask a service, again if its policy says so; return whether it answered well.

        The lineage of an exchange's own call is the number of times its step was tried before.
        """
        rule, env = self.rules[visit.service], self.env
        pool, budget = self.pools[visit.service], rule.retry.budget if rule.retry else None
        tries = 1 + (rule.retry.attempts if rule.retry else 0)
        for number in range(tries):
            if number and rule.retry:
                if budget is not None:
                    if not may_retry(pool.tokens):
                        return False
                    pool.tokens = tokens_after_retry(pool.tokens)
                uniform = self._uniform(visit, key, number, Draw.BACKOFF)
                pause = backoff_s(rule.retry.backoff, number, uniform)
                yield at(env, env.now + pause, Rank.RETRY)
            reply = env.event()
            waiting = self._attempt(visit, key, number, reply)
            if waiting is not None:
                timer = at(env, gives_up_at_s(env.now, rule.timeout), Rank.TIMEOUT)
                timer.callbacks.append(waiting)
            if (yield reply):
                if budget is not None:
                    most = pool.station.tokens
                    pool.tokens = tokens_after_answer(pool.tokens, budget.ratio, most)
                return True
        return False

    def _uniform(self, visit: Visit, key: Key, number: int, purpose: Draw) -> float:
        session, place, exchange, line = key
        part = visit.number + 64 * exchange + 2048 * number
        return draw(self.seed, session + (line << 32), place, part, purpose)

    def _attempt(
        self, visit: Visit, key: Key, number: int, reply: simpy.Event
    ) -> Callable[[simpy.Event], None] | None:
        """Begin one attempt; return what the caller's timer does, None if it is over already."""
        pool, rule = self.pools[visit.service], self.rules[visit.service]
        pool.attempts[pool.slot()][_ARRIVED] += 1
        is_full = is_shed(pool.in_use, pool.servers, len(pool.queue), pool.station.queue_bound)
        if (
            pool.is_down
            or is_full
            or (rule.limit is not None and is_over_limit(pool.inside, pool.limit))
        ):
            pool.attempts[pool.slot()][_SHED] += 1
            reply.succeed(False)
            return None
        pool.inside += 1
        place = pool.take_or_wait()
        self.env.process(self._serve(visit, key, number, reply, place, self.env.now))

        def give_up(_: simpy.Event) -> None:
            if reply.triggered:
                return
            reply.succeed(False)
            if place is not None and not place.triggered:
                pool.leave_queue(place)
                pool.inside -= 1
                pool.attempts[pool.slot()][_TIMED_OUT] += 1
                place.succeed(False)

        if place is not None:
            pool.refuse[place] = lambda: self._refuse(pool, reply, place)
        return give_up if rule.timeout > 0 else None

    def _refuse(self, pool: ServicePool, reply: simpy.Event, place: simpy.Event) -> None:
        """Tell a caller that its attempt has waited too long."""
        reply.succeed(False)
        pool.inside -= 1
        pool.attempts[pool.slot()][_SHED] += 1
        place.succeed(False)

    def _serve(
        self, visit: Visit, key: Key, number: int, reply: simpy.Event,
        place: simpy.Event | None, arrived: float,
    ) -> Process:  # fmt: skip
        """Do own work and the calls below, with a server held or not; finish even if nobody waits."""
        if place is not None and not (yield place):
            return
        pool, env = self.pools[visit.service], self.env
        uniform = self._uniform(visit, key, number, Draw.SERVICE_TIME)
        yield at(
            env, env.now + visit.time.seconds(uniform) * visit.factor * pool.slow, Rank.WORK_END
        )
        is_held = not self.rules[visit.service].is_asynchronous
        if not is_held:
            pool.release()
        ok = True
        for group in visit.then:
            ok = yield from self.together(group, (*key[:3], lineage(key[3], number)))
            if not ok:
                break
        if is_held:
            pool.release()
        pool.inside -= 1
        if (limit := self.rules[visit.service].limit) is not None:
            most = float(pool.station.servers + pool.station.queue_bound)
            pool.limit = next_limit(pool.limit, env.now - arrived, limit.target, most)
        row = pool.attempts[pool.slot()]
        if reply.triggered:
            row[_ORPHANED] += 1
            return
        row[_DONE if ok else _FAILED] += 1
        pool.visit_s.append((pool.slot(), env.now - arrived))
        reply.succeed(ok)

    def together(self, group: tuple[Visit, ...], key: Key) -> Process:
        """Call all of a group at once; return whether every call that is not optional went well."""
        calls = [(visit, self.env.process(self.call(visit, key))) for visit in group]
        ok = True
        for visit, process in calls:
            answered = yield process
            ok = ok and (answered or visit.optional)
        return ok

    def _outage(self, pool: ServicePool, one: Switch) -> Process:
        """Take servers away, slow the rest, or refuse everybody, until it is over."""
        yield at(self.env, one.at_s, Rank.READY)
        pool.touch()
        pool.servers -= one.lost
        pool.slow, pool.is_down = one.slow, one.is_down
        if one.until_s == math.inf:
            return
        yield at(self.env, one.until_s, Rank.READY)
        pool.touch()
        pool.servers += one.lost
        pool.slow, pool.is_down = 1.0, False
        pool.hand_over()

    def _scale(self, pool: ServicePool, rule: Service) -> Process:
        policy = rule.autoscale
        assert policy is not None
        provisioned, target = pool.servers, pool.servers
        most = max(provisioned, round(provisioned * policy.max_factor))
        while True:
            yield at(self.env, self.env.now + policy.interval, Rank.SCALE)
            pool.touch()
            utilisation = pool.busy_since_scaling / (pool.servers * policy.interval)
            pool.busy_since_scaling = 0.0
            wanted = servers_wanted(pool.servers, utilisation, policy.target, provisioned, most)
            if wanted > target:
                target = wanted
                self.env.process(self._provision(pool, wanted, policy.delay))

    def _provision(self, pool: ServicePool, servers: int, delay_s: float) -> Process:
        yield at(self.env, self.env.now + delay_s, Rank.READY)
        if servers > pool.servers:
            pool.touch()
            pool.servers = servers
            pool.hand_over()
