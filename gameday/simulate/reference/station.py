"""Services in the model: how they are called, and what callers do when one is slow or full.

Plain SimPy around the machines of `scenario`, each rule in the words of its policies.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from gameday.queueing import Asked, Attempt, Cell, Places, Switch, Visit
from gameday.scenario import Scenario
from gameday.scenario.blocks import Service
from gameday.scenario.caller_policies import (
    backoff_s,
    deadline_s,
    gives_up_at_s,
    hedge_number,
    is_too_late,
    lineage,
)
from gameday.simulate.instants import Rank, at
from gameday.simulate.reference.pool import ServicePool
from gameday.vocabulary import Draw, draw

__all__ = ["Asker", "Key", "Process", "Services"]

Process = Generator[simpy.Event, Any, Any]

Key = tuple[int, int, int, int]
"""What a call's draws are keyed by: session, place of the step, number of its exchange, lineage."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who calls: the key of the draws, the zone it is in, and until when anybody waits."""

    key: Key
    zone: int
    deadline_s: float = math.inf


class _Promise(simpy.Event):
    """An event that is given yes or no."""

    def is_set(self) -> bool:
        return bool(self.triggered)

    def settle(self, *, is_well: bool) -> None:
        self.succeed(is_well)


class Services:
    """The pools of one cell and the calls between them."""

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        cell: Cell,
        seed: int,
        slots: int,
        slot_s: float,
        injected: tuple[Switch, ...] = (),
    ) -> None:
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
            env.process(self._switch(self.pools[one.service], one))

    def call(self, visit: Visit, asker: Asker) -> Process:
        """Ask a service, again if its policy says so; return whether it answered well.

        The lineage of an exchange's own call is the number of times its step was tried before.
        """
        pool = self.pools[visit.service]
        if pool.rule.cache is None:
            return (yield from self._ask(visit, asker))
        item = pool.callers.item(self._uniform(visit, asker.key, 0, Draw.CACHE))
        if pool.finds(item):
            return True
        is_well = yield from self._ask(visit, asker)
        if is_well:
            pool.callers.keep(item)
        return is_well

    def _ask(self, visit: Visit, asker: Asker) -> Process:
        env, pool, rule = self.env, self.pools[visit.service], self.rules[visit.service]
        callers = pool.callers
        for number in range(1 + (rule.retry.attempts if rule.retry else 0)):
            if number and rule.retry:
                uniform = self._uniform(visit, asker.key, number, Draw.BACKOFF)
                again_s = env.now + backoff_s(rule.retry.backoff, number, uniform)
                if rule.deadline == "propagated" and is_too_late(again_s, asker.deadline_s):
                    return False
                if not callers.takes_token():
                    return False
                yield at(env, again_s, Rank.RETRY)
            if not callers.may_ask(env.now):
                return False
            reply = _Promise(env)
            asked, era = Asked(reply), callers.era
            self._attempt(visit, asker, number, asked)
            if rule.hedge is not None and not reply.is_set():
                due = at(env, env.now + rule.hedge.after, Rank.RETRY)
                due.callbacks.append(self._hedge(visit, asker, number, asked))
            is_well = yield reply
            callers.heard(env.now, era, is_well=is_well)
            if is_well:
                return True
        return False

    def _hedge(self, visit: Visit, asker: Asker, number: int, asked: Asked) -> Any:
        """Return what is done when an answer is late: ask a second time."""

        def ask(_: simpy.Event) -> None:
            if not asked.reply.is_set() and self.pools[visit.service].callers.takes_token():
                self._attempt(visit, asker, hedge_number(number), asked)

        return ask

    def _uniform(self, visit: Visit, key: Key, number: int, purpose: Draw) -> float:
        session, place, exchange, line = key
        part = visit.number + 64 * exchange + 2048 * number
        return draw(self.seed, session + (line << 32), place, part, purpose)

    def _attempt(self, visit: Visit, asker: Asker, number: int, asked: Asked) -> None:
        """Begin one attempt, and its caller's timer, unless it is refused at once."""
        pool, rule, now = self.pools[visit.service], self.rules[visit.service], self.env.now
        pool.count("arrived")
        if number or asker.key[3]:
            pool.repeats()
        uniform = self._uniform(visit, asker.key, number, Draw.BALANCE) if rule.balance else 0.0
        is_late = pool.is_too_late(asker.deadline_s)
        lane = None if is_late else pool.admit(visit, uniform, asker.zone)
        if lane is None:
            pool.count("timed_out" if is_late else "shed")
            if not asked.attempts:
                asked.reply.settle(is_well=False)
            return
        one = Attempt(pool, lane, asked, number, asker.deadline_s)
        seconds, place = 0.0, None
        if pool.takes_server(lane):
            seconds = self._work_s(visit, asker.key, number, lane)
        else:
            place = _Promise(self.env)
            one.wait(place)
        self.env.process(self._serve(visit, asker, one, place, seconds))
        if rule.timeout > 0:
            timer = at(self.env, gives_up_at_s(now, rule.timeout), Rank.TIMEOUT)
            timer.callbacks.append(lambda _: one.give_up())

    def _work_s(self, visit: Visit, key: Key, number: int, lane: Places) -> float:
        """Return how long own work takes that begins now in a lane."""
        pool, phase = self.pools[visit.service], 0.0
        uniform = self._uniform(visit, key, number, Draw.SERVICE_TIME)
        if pool.rule.pauses is not None:
            phase = self._uniform(visit, key, number, Draw.INSTANCE)
        return pool.work_s(visit, lane, visit.time.seconds(uniform) * visit.factor, phase)

    def _serve(
        self, visit: Visit, asker: Asker, one: Attempt, place: _Promise | None, seconds: float
    ) -> Process:
        """Do own work and the calls below, with a server held or not; finish even if nobody waits."""
        env, pool, rule = self.env, one.station, one.station.rule
        if place is not None:
            if not (yield place):
                return
            seconds = self._work_s(visit, asker.key, one.number, one.lane)
        yield at(env, env.now + seconds, Rank.WORK_END)
        if rule.is_asynchronous:
            pool.release(one.lane)
        until_s = deadline_s(asker.deadline_s, one.since_s, rule.timeout)
        below = Asker(
            (*asker.key[:3], lineage(asker.key[3], one.number)),
            one.lane.lane.zone if rule.balance else asker.zone,
            until_s,
        )
        ok = True
        for group in visit.then:
            if rule.deadline == "propagated" and is_too_late(env.now, until_s):
                ok = False
            else:
                ok = yield from self.together(group, below)
            if not ok:
                break
        if not rule.is_asynchronous:
            pool.release(one.lane)
        one.end(is_well=ok)

    def together(self, group: tuple[Visit, ...], asker: Asker) -> Process:
        """Call all of a group at once; return whether every call that is not optional went well."""
        calls = [(visit, self.env.process(self.call(visit, asker))) for visit in group]
        ok = True
        for visit, process in calls:
            answered = yield process
            ok = ok and (answered or visit.optional)
        return ok

    def _switch(self, pool: ServicePool, one: Switch) -> Process:
        """Do what is injected or scheduled, until it is over."""
        yield at(self.env, one.at_s, Rank.READY)
        pool.switch(one, is_over=False)
        if one.until_s < math.inf:
            yield at(self.env, one.until_s, Rank.READY)
            pool.switch(one, is_over=True)

    def _scale(self, pool: ServicePool, rule: Service) -> Process:
        policy = rule.autoscale
        assert policy is not None
        while True:
            yield at(self.env, self.env.now + policy.interval, Rank.SCALE)
            wanted = pool.look()
            if wanted is not None:
                self.env.process(self._provision(pool, wanted, policy.delay))

    def _provision(self, pool: ServicePool, servers: int, delay_s: float) -> Process:
        yield at(self.env, self.env.now + delay_s, Rank.READY)
        pool.grow(servers)
