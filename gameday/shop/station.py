"""Services of the shop: the model's stations and callers on the event loop's clock."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from gameday.queueing import (
    Attempt,
    Cell,
    PendingRequest,
    RunningLane,
    RunningStation,
    TimedChange,
    Visit,
)
from gameday.scenario import Scenario
from gameday.scenario.blocks import Service, Station
from gameday.scenario.caller_policies import (
    backoff_s,
    deadline_s,
    gives_up_at_s,
    hedge_number,
    is_too_late,
    lineage,
)
from gameday.vocabulary import CALL_IS_MADE, Draw, draw

__all__ = ["BUCKETS_S", "OUTCOMES", "Asker", "LiveServices", "LiveStation"]

OUTCOMES = ("arrived", "done", "failed", "shed", "timed_out", "cancelled", "orphaned")

BUCKETS_S = tuple(round(1e-3 * 1.15**k, 7) for k in range(67))
"""Upper bounds of the visit histogram, 1 ms to 10 s, each 15 % above the last."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who calls: the request it is part of, its lineage, its zone, and until when anybody waits."""

    request: int
    line: int = 0
    zone: int = 0
    deadline_s: float = math.inf


class _Promise(asyncio.Future[bool]):
    """A future that is settled with yes or no."""

    def is_set(self) -> bool:
        return self.done()

    def settle(self, *, is_well: bool) -> None:
        self.set_result(is_well)


@dataclass(frozen=True, slots=True)
class _Try:
    """One try of a call: its attempts (a second one where it is hedged) and what ends them."""

    visit: Visit
    asker: Asker
    awaited: PendingRequest
    timers: list[asyncio.TimerHandle]
    """Time-outs of its attempts, and the hedge; cancelled once there is an answer."""


class LiveStation(RunningStation):
    """A service on the event loop's clock, its callers, and its counts since it began."""

    def __init__(self, station: Station, rule: Service) -> None:
        super().__init__(station, rule, asyncio.get_running_loop().time)
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.busy_s = self.queue_s = self.overslept_s = 0.0
        self.lookups = self.hits = self.repeats = 0
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.visit_sum_s = 0.0
        self._since = self.clock()

    @property
    def in_flight(self) -> int:
        """Attempts that have not ended yet."""
        return 2 * self.counts["arrived"] - sum(self.counts.values())

    def touch(self) -> None:
        """Add server-seconds and waiting-seconds up to now."""
        now = self.clock()
        spent = now - self._since
        self.busy_s += self.in_use * spent
        self.queue_s += self.queued * spent
        self.spend(spent)
        self._since = now

    def count(self, outcome: str) -> None:
        """Count an attempt."""
        self.counts[outcome] += 1

    def observe(self, took_s: float) -> None:
        """Add a finished visit to the histogram."""
        self.buckets[bisect_left(BUCKETS_S, took_s)] += 1
        self.visit_sum_s += took_s

    def finds(self, item: int) -> bool:
        """Return whether the callers' cache holds an answer, and count the lookup."""
        is_hit = self.callers.finds(item)
        self.lookups += 1
        self.hits += is_hit
        return is_hit

    async def work(self, seconds: float) -> None:
        """Sleep for `seconds`, less what earlier timers overslept, so that the mean is exact.

        What was overslept is paid back by one work alone: several at a time that all paid it would owe one another
        ever more.
        """
        loop = asyncio.get_running_loop()
        began, left_s = loop.time(), seconds - self.overslept_s
        self.overslept_s = 0.0
        await asyncio.sleep(max(0.0, left_s))
        self.overslept_s += loop.time() - began - left_s
        self.overslept_s = min(max(self.overslept_s, -0.05), 0.05)


class LiveServices:
    """The stations of one cell and the calls between them."""

    def __init__(self, scenario: Scenario, cell: Cell, seed: int) -> None:
        self.rules: dict[str, Service] = {name: scenario.services[name] for name in cell.stations}
        self.stations = {
            name: LiveStation(station, self.rules[name]) for name, station in cell.stations.items()
        }
        self._seed, self._requests = seed, 0
        self._tasks: set[asyncio.Task[None]] = set()
        for name, rule in self.rules.items():
            if rule.autoscale is not None:
                self._keep(self._scale(self.stations[name], rule))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin(self, planned: tuple[TimedChange, ...]) -> None:
        """Schedule what is injected or planned at its instants of the event loop's clock."""
        loop = asyncio.get_running_loop()
        for change in planned:
            apply = self.stations[change.service].apply
            loop.call_at(change.at_s, partial(apply, change, is_over=False))
            if change.until_s < math.inf:
                loop.call_at(change.until_s, partial(apply, change, is_over=True))

    def next_asker(self) -> Asker:
        """Return the caller of a new request, which has a number of its own."""
        self._requests += 1
        return Asker(self._requests, zone=self._requests)

    def _uniform(self, visit: Visit, asker: Asker, number: int, purpose: Draw) -> float:
        part = visit.number + 2048 * number
        return draw(self._seed, asker.request + (asker.line << 32), 0, part, purpose)

    async def call(self, visit: Visit, asker: Asker) -> bool:
        """Call a service, with its cache and its retries; return whether the answer was good, or none needed."""
        station = self.stations[visit.service]
        if (
            visit.chance < 1.0
            and self._uniform(visit, asker, CALL_IS_MADE, Draw.CACHE) >= visit.chance
        ):
            return True
        if station.rule.cache is None:
            return await self._ask(visit, asker)
        item = station.callers.item(self._uniform(visit, asker, 0, Draw.CACHE))
        if station.finds(item):
            return True
        is_well = await self._ask(visit, asker)
        if is_well:
            station.callers.keep(item)
        return is_well

    async def _ask(self, visit: Visit, asker: Asker) -> bool:
        """Call a service, again after a bad answer as its retry policy says; return whether one was good."""
        rule, clock = self.rules[visit.service], asyncio.get_running_loop().time
        callers = self.stations[visit.service].callers
        for number in range(1 + (rule.retry.attempts if rule.retry else 0)):
            if number and not await self._back_off(visit, asker, number):
                return False
            if not callers.may_ask(clock()):
                return False
            era = callers.era
            is_well = await self._try(visit, asker, number)
            callers.note_answer(clock(), era, is_well=is_well)
            if is_well:
                return True
        return False

    async def _back_off(self, visit: Visit, asker: Asker, number: int) -> bool:
        """Wait before retry `number`; return False where deadline or retry budget allow none."""
        rule, clock = self.rules[visit.service], asyncio.get_running_loop().time
        assert rule.retry is not None
        uniform = self._uniform(visit, asker, number, Draw.BACKOFF)
        pause_s = backoff_s(rule.retry.backoff, number, uniform)
        if rule.deadline == "propagated" and is_too_late(clock() + pause_s, asker.deadline_s):
            return False
        if not self.stations[visit.service].callers.takes_token():
            return False
        await asyncio.sleep(pause_s)
        return True

    async def _try(self, visit: Visit, asker: Asker, number: int) -> bool:
        """Call once, or a second time when the answer is late; return whether one answer was good."""
        loop, rule, reply = asyncio.get_running_loop(), self.rules[visit.service], _Promise()
        this_try = _Try(visit, asker, PendingRequest(reply), [])
        self._attempt(this_try, number)

        def hedge() -> None:
            if not reply.done() and self.stations[visit.service].callers.takes_token():
                self._attempt(this_try, hedge_number(number))

        if rule.hedge is not None and not reply.done():
            this_try.timers.append(loop.call_later(rule.hedge.after, hedge))
        is_well = await reply
        for timer in this_try.timers:
            timer.cancel()
        return is_well

    def _attempt(self, this_try: _Try, number: int) -> None:
        """Begin one attempt, and its caller's time-out, unless it is refused at once."""
        visit, asker = this_try.visit, this_try.asker
        station, rule = self.stations[visit.service], self.rules[visit.service]
        lane = self._admit(this_try, number)
        if lane is None:
            return
        attempt = Attempt(station, lane, this_try.awaited, number, asker.deadline_s)
        seconds, turn = 0.0, None
        if station.takes_server(lane):
            seconds = self._work_s(visit, asker, attempt)
        else:
            turn = _Promise()
            attempt.wait(turn)
        self._keep(self._serve(visit, asker, attempt, turn, seconds))
        gives_up_s = gives_up_at_s(attempt.since_s, rule.timeout)
        timer = asyncio.get_running_loop().call_at(gives_up_s, attempt.give_up)
        this_try.timers.append(timer)

    def _admit(self, this_try: _Try, number: int) -> RunningLane | None:
        """Return the lane that an attempt joins; None where it is refused, which its caller hears at once."""
        visit, asker = this_try.visit, this_try.asker
        station, rule = self.stations[visit.service], self.rules[visit.service]
        station.count("arrived")
        station.repeats += bool(number or asker.line)
        uniform = self._uniform(visit, asker, number, Draw.BALANCE) if rule.balance else 0.0
        is_late = station.is_too_late(asker.deadline_s)
        instance = self._instance(visit, asker, number)
        lane = None if is_late else station.admit(visit, uniform, asker.zone, instance)
        if lane is None:
            station.count("timed_out" if is_late else "shed")
            if not this_try.awaited.attempts:
                this_try.awaited.reply.settle(is_well=False)
        return lane

    def _work_s(self, visit: Visit, asker: Asker, attempt: Attempt) -> float:
        """Return how long an attempt's own work takes, s, if it begins now."""
        number, lane = attempt.number, attempt.lane
        station, phase = self.stations[visit.service], self._instance(visit, asker, number)
        uniform = self._uniform(visit, asker, number, Draw.SERVICE_TIME)
        return station.work_s(visit, lane, visit.time.seconds(uniform) * visit.factor, phase)

    def _instance(self, visit: Visit, asker: Asker, number: int) -> float:
        """Return the uniform number that decides which instance an attempt meets; 0 where all are alike."""
        rule = self.rules[visit.service]
        if rule.pauses is None and rule.degraded is None:
            return 0.0
        return self._uniform(visit, asker, number, Draw.INSTANCE)

    async def _serve(
        self, visit: Visit, asker: Asker, attempt: Attempt, turn: _Promise | None, seconds: float
    ) -> None:
        """Do own work and the calls below, with a server held or not; finish even if nobody waits.

        `turn`: whether a server becomes free for it; None: it has one, and its work takes `seconds`.
        """
        station, rule = self.stations[visit.service], self.rules[visit.service]
        if turn is not None:
            if not await turn:
                return
            seconds = self._work_s(visit, asker, attempt)
        await station.work(seconds)
        if rule.is_asynchronous:
            station.release(attempt.lane)
        is_well = await self._call_below(visit, asker, attempt)
        if not rule.is_asynchronous:
            station.release(attempt.lane)
        attempt.end(is_well=is_well)

    async def _call_below(self, visit: Visit, asker: Asker, attempt: Attempt) -> bool:
        """Make the calls of a visit, group after group; return whether all went well."""
        station, rule = self.stations[visit.service], self.rules[visit.service]
        until_s = deadline_s(asker.deadline_s, attempt.since_s, rule.timeout)
        zone = attempt.lane.declared.zone if rule.balance else asker.zone
        below = Asker(asker.request, lineage(asker.line, attempt.number), zone, until_s)
        for group in visit.then:
            is_late = rule.deadline == "propagated" and is_too_late(station.clock(), until_s)
            if is_late or not await self.together(group, below):
                return False
        return True

    async def together(self, group: tuple[Visit, ...], asker: Asker) -> bool:
        """Call all of a group at once; return whether every call that is not optional went well."""
        if len(group) == 1:
            return await self.call(group[0], asker) or group[0].optional
        answers = await asyncio.gather(*(self.call(visit, asker) for visit in group))
        return all(a or visit.optional for a, visit in zip(answers, group, strict=True))

    async def _scale(self, station: LiveStation, rule: Service) -> None:
        policy = rule.autoscale
        assert policy is not None
        while True:
            await asyncio.sleep(policy.interval)
            wanted = station.look()
            if wanted is not None:
                self._keep(self._provision(station, wanted, policy.delay))

    async def _provision(self, station: LiveStation, servers: int, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        station.grow(servers)
