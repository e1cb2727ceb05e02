"""A service of the shop: real waiting for real time, by the same policies as the model."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

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
from gameday.vocabulary import Draw, draw

__all__ = ["BUCKETS_S", "OUTCOMES", "LiveStation", "LiveServices"]

OUTCOMES = ("arrived", "done", "failed", "shed", "timed_out", "cancelled", "orphaned")

BUCKETS_S = tuple(round(1e-3 * 1.15**k, 7) for k in range(67))
"""Upper bounds of the visit histogram, 1 ms to 10 s, each 15 % above the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One who waits for a server."""

    place: asyncio.Future[bool]
    """Whether it got one."""
    reply: asyncio.Future[bool]
    """What its caller hears."""
    since_s: float


class LiveStation:
    """Servers and a first-in-first-out queue on the event loop's clock."""

    def __init__(self, station: Station, rule: Service) -> None:
        self.station, self.rule = station, rule
        self.servers, self.in_use, self.inside = station.servers, 0, 0
        self.limit = float(station.servers)
        self.tokens = station.tokens
        self.queue: deque[Waiting] = deque()
        self.standing_since_s = 0.0
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.busy_s = self.queue_s = self.since_scaling_s = self.overslept_s = 0.0
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.visit_sum_s = 0.0
        self._since = asyncio.get_running_loop().time()

    @property
    def in_flight(self) -> int:
        """Attempts that have not ended yet."""
        return 2 * self.counts["arrived"] - sum(self.counts.values())

    def touch(self) -> None:
        """Book server-seconds and waiting-seconds up to now; call before any change."""
        now = asyncio.get_running_loop().time()
        spent = now - self._since
        self.busy_s += self.in_use * spent
        self.since_scaling_s += self.in_use * spent
        self.queue_s += len(self.queue) * spent
        self._since = now

    def hand_over(self) -> None:
        """Give free servers to those who wait, refuse those who have waited too long."""
        now, codel = asyncio.get_running_loop().time(), self.rule.codel
        while self.queue and self.in_use < self.servers:
            one = self.queue.popleft() if self.rule.queue_order == "fifo" else self.queue.pop()
            if codel is not None and has_waited_too_long(
                now - one.since_s, now - self.standing_since_s, codel.target, codel.interval
            ):
                self.inside -= 1
                self.counts["shed"] += 1
                one.reply.set_result(False)
                one.place.set_result(False)
                continue
            self.in_use += 1
            one.place.set_result(True)

    def release(self) -> None:
        """Free a server; the longest waiting takes it."""
        self.touch()
        self.in_use -= 1
        self.hand_over()

    def observe(self, seconds: float) -> None:
        """Add a finished visit to the histogram."""
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.visit_sum_s += seconds

    async def work(self, seconds: float) -> None:
        """Pass `seconds`; what timers overslept before is taken off, so that the mean is exact."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(max(0.0, seconds - self.overslept_s))
        self.overslept_s += loop.time() - began - seconds
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

    def next_request(self) -> tuple[int, int]:
        """Return the key of a new request's draws: a number of its own, and its lineage."""
        self._requests += 1
        return self._requests, 0

    def _uniform(self, visit: Visit, request: tuple[int, int], number: int, purpose: Draw) -> float:
        part = visit.number + 2048 * number
        return draw(self._seed, request[0] + (request[1] << 32), 0, part, purpose)

    async def call(self, visit: Visit, request: tuple[int, int]) -> bool:
        """Ask a service, again if its policy says so; return whether it answered well."""
        rule, loop = self.rules[visit.service], asyncio.get_running_loop()
        station, budget = self.stations[visit.service], rule.retry.budget if rule.retry else None
        for number in range(1 + (rule.retry.attempts if rule.retry else 0)):
            if number and rule.retry:
                if budget is not None:
                    if not may_retry(station.tokens):
                        return False
                    station.tokens = tokens_after_retry(station.tokens)
                uniform = self._uniform(visit, request, number, Draw.BACKOFF)
                await asyncio.sleep(backoff_s(rule.retry.backoff, number, uniform))
            reply: asyncio.Future[bool] = loop.create_future()
            give_up = self._attempt(visit, request, number, reply)
            if give_up is None:
                continue
            timer = loop.call_at(gives_up_at_s(loop.time(), rule.timeout), give_up)
            answered = await reply
            timer.cancel()
            if answered:
                if budget is not None:
                    most = station.station.tokens
                    station.tokens = tokens_after_answer(station.tokens, budget.ratio, most)
                return True
        return False

    def _attempt(
        self, visit: Visit, request: tuple[int, int], number: int, reply: asyncio.Future[bool]
    ) -> Callable[[], None] | None:
        """Begin one attempt; return what the caller's timer does, None if it was shed."""
        station = self.stations[visit.service]
        station.counts["arrived"] += 1
        bound, limit = station.station.queue_bound, self.rules[visit.service].limit
        is_full = is_shed(station.in_use, station.servers, len(station.queue), bound)
        if is_full or (limit is not None and is_over_limit(station.inside, station.limit)):
            station.counts["shed"] += 1
            return None
        station.inside += 1
        station.touch()
        place: asyncio.Future[bool] | None = None
        waiting: Waiting | None = None
        if station.in_use < station.servers:
            station.in_use += 1
        else:
            loop = asyncio.get_running_loop()
            place = loop.create_future()
            waiting = Waiting(place, reply, loop.time())
            if not station.queue:
                station.standing_since_s = waiting.since_s
            station.queue.append(waiting)
        self._keep(self._serve(visit, request, number, reply, place))

        def give_up() -> None:
            if reply.done():
                return
            reply.set_result(False)
            if waiting is not None and not waiting.place.done():
                station.touch()
                station.queue.remove(waiting)
                station.inside -= 1
                station.counts["timed_out"] += 1
                waiting.place.set_result(False)

        return give_up

    async def _serve(
        self, visit: Visit, request: tuple[int, int], number: int, reply: asyncio.Future[bool],
        place: asyncio.Future[bool] | None,
    ) -> None:  # fmt: skip
        """Do own work and the calls below, with a server held or not; finish even if nobody waits."""
        began = asyncio.get_running_loop().time()
        if place is not None and not await place:
            return
        station = self.stations[visit.service]
        uniform = self._uniform(visit, request, number, Draw.SERVICE_TIME)
        await station.work(visit.time.seconds(uniform) * visit.factor)
        is_held = not self.rules[visit.service].is_asynchronous
        if not is_held:
            station.release()
        ok = True
        for group in visit.then:
            ok = await self.together(group, (request[0], lineage(request[1], number)))
            if not ok:
                break
        if is_held:
            station.release()
        station.inside -= 1
        if (limit := self.rules[visit.service].limit) is not None:
            most, took = station.station, asyncio.get_running_loop().time() - began
            station.limit = next_limit(
                station.limit, took, limit.target, float(most.servers + most.queue_bound)
            )
        if reply.done():
            station.counts["orphaned"] += 1
            return
        station.counts["done" if ok else "failed"] += 1
        station.observe(asyncio.get_running_loop().time() - began)
        reply.set_result(ok)

    async def together(self, group: tuple[Visit, ...], request: tuple[int, int]) -> bool:
        """Call all of a group at once; return whether every call that is not optional went well."""
        if len(group) == 1:
            return await self.call(group[0], request) or group[0].optional
        answers = await asyncio.gather(*(self.call(visit, request) for visit in group))
        return all(a or visit.optional for a, visit in zip(answers, group, strict=True))

    async def _scale(self, station: LiveStation, rule: Service) -> None:
        policy = rule.autoscale
        assert policy is not None
        provisioned, target = station.servers, station.servers
        most = max(provisioned, round(provisioned * policy.max_factor))
        while True:
            await asyncio.sleep(policy.interval)
            station.touch()
            utilisation = station.since_scaling_s / (station.servers * policy.interval)
            station.since_scaling_s = 0.0
            wanted = servers_wanted(station.servers, utilisation, policy.target, provisioned, most)
            if wanted > target:
                target = wanted
                self._keep(self._provision(station, wanted, policy.delay))

    async def _provision(self, station: LiveStation, servers: int, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        if servers > station.servers:
            station.touch()
            station.servers = servers
            station.hand_over()
