"""Services in the model: how they are called, and what callers do when one is slow or full.

Plain SimPy processes around the stations of `queueing`; the arithmetic of each policy is that of
`scenario.policies`.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from gameday.queueing import Attempt, Cell, PendingRequest, RunningLane, TimedChange, Visit
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
from gameday.scenario.server_policies import Autoscale
from gameday.simulate.instants import Rank, at
from gameday.simulate.reference.pool import ServicePool
from gameday.vocabulary import CALL_IS_MADE, Draw, draw

__all__ = ["Caller", "Key", "Process", "Services"]

Process = Generator[simpy.Event, Any, Any]

Key = tuple[int, int, int, int]
"""What a call's draws are keyed by: session, position of the step in its walk, number of its exchange, lineage
(which retries led to it)."""


@dataclass(frozen=True, slots=True)
class Caller:
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
        changes: tuple[TimedChange, ...] = (),
    ) -> None:
        self.env, self.seed = env, seed
        self.rules: dict[str, Service] = {name: scenario.services[name] for name in cell.stations}
        self.pools = {
            name: ServicePool(env, station, self.rules[name], slots, slot_s)
            for name, station in cell.stations.items()
        }
        for name, rule in self.rules.items():
            if rule.autoscale is not None:
                env.process(self._autoscale(self.pools[name], rule.autoscale))
        for change in changes:
            env.process(self._apply(self.pools[change.service], change))

    def call(self, visit: Visit, caller: Caller) -> Process:
        """Ask a service, again if its policy says so; return whether it answered well, or was not asked.

        The lineage of an exchange's own call is the number of times its step was tried before.
        """
        pool = self.pools[visit.service]
        if visit.chance < 1.0 and (
            self._uniform(visit, caller.key, CALL_IS_MADE, Draw.CACHE) >= visit.chance
        ):
            return True
        if pool.rule.cache is None:
            return (yield from self._ask(visit, caller))
        item = pool.callers.item(self._uniform(visit, caller.key, 0, Draw.CACHE))
        if pool.finds(item):
            return True
        is_well = yield from self._ask(visit, caller)
        if is_well:
            pool.callers.keep(item)
        return is_well

    def _ask(self, visit: Visit, caller: Caller) -> Process:
        """Send a request, and retries while the policy allows; return whether one was answered well."""
        env, rule = self.env, self.rules[visit.service]
        callers = self.pools[visit.service].callers
        for number in range(1 + (rule.retry.attempts if rule.retry else 0)):
            if number and rule.retry:
                uniform = self._uniform(visit, caller.key, number, Draw.BACKOFF)
                again_s = env.now + backoff_s(rule.retry.backoff, number, uniform)
                if rule.deadline == "propagated" and is_too_late(again_s, caller.deadline_s):
                    return False
                if not callers.takes_token():
                    return False
                yield at(env, again_s, Rank.RETRY)
            if not callers.may_ask(env.now):
                return False
            era = callers.era
            is_well = yield self._send(visit, caller, number)
            callers.note_answer(env.now, era, is_well=is_well)
            if is_well:
                return True
        return False

    def _send(self, visit: Visit, caller: Caller, number: int) -> _Promise:
        """Send a request, and a hedge when its answer is late; return the promise of an answer."""
        reply = _Promise(self.env)
        request, hedge = PendingRequest(reply), self.rules[visit.service].hedge
        self._attempt(visit, caller, number, request)
        if hedge is not None and not reply.is_set():
            due = at(self.env, self.env.now + hedge.after, Rank.RETRY)
            due.callbacks.append(lambda _: self._send_hedge(visit, caller, number, request))
        return reply

    def _send_hedge(
        self, visit: Visit, caller: Caller, number: int, request: PendingRequest
    ) -> None:
        """Ask a second time, where there is no answer yet and the retry budget allows it."""
        if not request.reply.is_set() and self.pools[visit.service].callers.takes_token():
            self._attempt(visit, caller, hedge_number(number), request)

    def _uniform(self, visit: Visit, key: Key, number: int, purpose: Draw) -> float:
        session, position, exchange, line = key
        part = visit.number + 64 * exchange + 2048 * number
        return draw(self.seed, session + (line << 32), position, part, purpose)

    def _attempt(self, visit: Visit, caller: Caller, number: int, request: PendingRequest) -> None:
        """Begin one attempt, and its caller's timer, unless it is refused at once."""
        lane = self._admit(visit, caller, number)
        if lane is None:
            if not request.attempts:
                request.reply.settle(is_well=False)
            return
        pool, timeout_s = self.pools[visit.service], self.rules[visit.service].timeout
        attempt = Attempt(pool, lane, request, number, caller.deadline_s)
        work_s = 0.0
        if pool.takes_server(lane):
            work_s = self._work_s(visit, caller.key, number, lane)
        else:
            attempt.wait(_Promise(self.env))
        self.env.process(self._serve(visit, caller, attempt, work_s))
        if timeout_s > 0:
            timer = at(self.env, gives_up_at_s(self.env.now, timeout_s), Rank.TIMEOUT)
            timer.callbacks.append(lambda _: attempt.give_up())

    def _admit(self, visit: Visit, caller: Caller, number: int) -> RunningLane | None:
        """Return the lane that an attempt enters, None if it is refused; count which."""
        pool = self.pools[visit.service]
        pool.count("arrived")
        if number or caller.key[3]:
            pool.repeats()
        if pool.is_too_late(caller.deadline_s):
            pool.count("timed_out")
            return None
        uniform = 0.0
        if pool.rule.balance:
            uniform = self._uniform(visit, caller.key, number, Draw.BALANCE)
        instance = self._instance(visit, caller.key, number)
        lane = pool.admit(visit, uniform, caller.zone, instance)
        if lane is None:
            pool.count("shed")
        return lane

    def _instance(self, visit: Visit, key: Key, number: int) -> float:
        """Return the uniform number that decides which instance an attempt meets; 0 where all are alike."""
        rule = self.rules[visit.service]
        if rule.pauses is None and rule.degraded is None:
            return 0.0
        return self._uniform(visit, key, number, Draw.INSTANCE)

    def _work_s(self, visit: Visit, key: Key, number: int, lane: RunningLane) -> float:
        """Return how long own work takes that begins now in a lane, s."""
        pool, phase = self.pools[visit.service], self._instance(visit, key, number)
        uniform = self._uniform(visit, key, number, Draw.SERVICE_TIME)
        return pool.work_s(visit, lane, visit.time.seconds(uniform) * visit.factor, phase)

    def _serve(self, visit: Visit, caller: Caller, attempt: Attempt, work_s: float) -> Process:
        """Do own work and the calls below, with a server held or not; finish even if nobody waits."""
        pool, rule = attempt.station, attempt.station.rule
        if attempt.grant is not None:
            if not (yield attempt.grant):
                return
            work_s = self._work_s(visit, caller.key, attempt.number, attempt.lane)
        yield at(self.env, self.env.now + work_s, Rank.WORK_END)
        if rule.is_asynchronous:
            pool.release(attempt.lane)
        is_well = True
        if visit.then:
            is_well = yield from self._call_below(visit, self._as_caller(caller, attempt))
        if not rule.is_asynchronous:
            pool.release(attempt.lane)
        attempt.end(is_well=is_well)

    def _as_caller(self, caller: Caller, attempt: Attempt) -> Caller:
        """Return an attempt as the caller of the services below it."""
        rule = attempt.station.rule
        return Caller(
            (*caller.key[:3], lineage(caller.key[3], attempt.number)),
            attempt.lane.declared.zone if rule.balance else caller.zone,
            deadline_s(caller.deadline_s, attempt.since_s, rule.timeout),
        )

    def _call_below(self, visit: Visit, caller: Caller) -> Process:
        """Make a visit's calls, group by group; return whether all that are required went well."""
        heeds_deadline = self.rules[visit.service].deadline == "propagated"
        for group in visit.then:
            if heeds_deadline and is_too_late(self.env.now, caller.deadline_s):
                return False
            if not (yield from self.together(group, caller)):
                return False
        return True

    def together(self, group: tuple[Visit, ...], caller: Caller) -> Process:
        """Call all of a group at once; return whether every call that is not optional went well."""
        calls = [(visit, self.env.process(self.call(visit, caller))) for visit in group]
        is_well = True
        for visit, process in calls:
            answered = yield process
            is_well = is_well and (answered or visit.optional)
        return is_well

    def _apply(self, pool: ServicePool, change: TimedChange) -> Process:
        """Let an injected or scheduled change begin, and end."""
        yield at(self.env, change.at_s, Rank.READY)
        pool.apply(change, is_over=False)
        if change.until_s < math.inf:
            yield at(self.env, change.until_s, Rank.READY)
            pool.apply(change, is_over=True)

    def _autoscale(self, pool: ServicePool, policy: Autoscale) -> Process:
        while True:
            yield at(self.env, self.env.now + policy.interval, Rank.SCALE)
            wanted = pool.look()
            if wanted is not None:
                self.env.process(self._provision(pool, wanted, policy.delay))

    def _provision(self, pool: ServicePool, servers: int, delay_s: float) -> Process:
        yield at(self.env, self.env.now + delay_s, Rank.READY)
        pool.grow(servers)
