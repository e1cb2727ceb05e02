"""Services in the model: how they are called, and what callers do when one is slow or full.

Plain SimPy; each rule in the words of `scenario/policies`, whose arithmetic it calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import simpy

from gameday.scenario import Cell, Scenario
from gameday.scenario.cells import Visit
from gameday.scenario.policies import (
    backoff_s,
    gives_up_at_s,
    is_over_limit,
    is_shed,
    lineage,
    may_retry,
    next_limit,
    servers_wanted,
    tokens_after_answer,
    tokens_after_retry,
)
from gameday.scenario.services import Service
from gameday.simulate.instants import Rank, at
from gameday.simulate.pool import ServicePool
from gameday.simulate.switches import Switch
from gameday.vocabulary import Draw, draw

__all__ = ["Key", "Process", "Services"]

Process = Generator[simpy.Event, Any, Any]

Key = tuple[int, int, int, int]
"""What a call's draws are keyed by: session, place of the step, number of its exchange, lineage."""

_ARRIVED, _DONE, _FAILED, _SHED, _TIMED_OUT, _CANCELLED, _ORPHANED, _IN_FLIGHT = range(8)


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
