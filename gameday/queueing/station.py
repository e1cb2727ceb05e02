"""A station while it runs: its lanes, who waits in them, who is refused, how long work takes.

The SimPy model and the embedded shop share it: they differ in their clock, in how a waiting attempt learns
that a server is free, and in the statistics they keep.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gameday.queueing.autoscaler import Autoscaler
from gameday.queueing.callers import Callers
from gameday.queueing.cell import Visit
from gameday.queueing.timed_changes import TimedChange, servers_lost
from gameday.scenario.blocks import Lane, Service, Station
from gameday.scenario.caller_policies import is_too_late
from gameday.scenario.queue_policies import (
    ORDERS,
    Balance,
    RateLimit,
    first_of,
    has_waited_too_long,
    is_less_busy,
    is_over_limit,
    is_shed,
    may_begin,
    next_limit,
    second_of,
    share_of,
    takes_last,
    tokens_at,
)
from gameday.scenario.server_policies import (
    WarmUp,
    cold_factor,
    cold_share,
    load_factor,
    seconds_with_pauses,
    stretched,
)

__all__ = ["RunningLane", "RunningStation", "Waiting"]


class Waiting(Protocol):
    """One who waits for a server."""

    since_s: float
    deadline_s: float

    def take(self) -> None:
        """Learn that a server is free for it."""

    def refuse(self, outcome: str) -> None:
        """Learn that it gets no server."""


class RunningLane:
    """A lane while it runs: its servers, and who waits for them; `declared` is the scenario's lane."""

    def __init__(self, declared: Lane) -> None:
        self.declared = declared
        self.servers = self.sized = declared.servers
        """Servers that work, and those with the lost ones."""
        self.lost = 0
        self.in_use = self.inside = 0
        """Attempts in service, and in service or waiting."""
        self.turn = 0
        """Of round robin."""
        self.limit = float(declared.servers or declared.room)
        self.queue_bound = declared.places(declared.servers)
        self.queue: deque[Waiting] = deque()
        self.standing_since_s = 0.0
        """Since when its queue has not been empty."""
        self.cold_since_s, self.cold_share = -math.inf, 0.0

    @property
    def most_inside(self) -> float:
        """The most that its concurrency limit may ever admit: all servers and waiting places."""
        return float((self.sized or self.declared.room) + self.queue_bound)


class _TokenBucket:
    """The rate limit of a station while it runs."""

    def __init__(self, policy: RateLimit, scale: float, now_s: float) -> None:
        self._per_s, self._burst = policy.per_s_at(scale), policy.burst_at(scale)
        self._tokens, self._since_s = self._burst, now_s

    def takes_token(self, now_s: float) -> bool:
        """Take a token for a request; return whether there was one."""
        self._tokens = tokens_at(self._tokens, now_s - self._since_s, self._per_s, self._burst)
        self._since_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class RunningStation:
    """A service's lanes while they run; `declared` is the scenario's station, `rule` its policies.

    `touch`, `count`, `observe` and `book_wait` are overridden by those who keep statistics.
    """

    def __init__(self, declared: Station, rule: Service, clock: Callable[[], float]) -> None:
        self.declared, self.rule, self.clock = declared, rule, clock
        self.lanes = [RunningLane(lane) for lane in declared.lanes]
        self.servers = declared.servers
        self.in_use = self.queued = 0
        self.connected = 0
        """Attempts that hold a connection of the callers' pool."""
        self._connections = rule.pool.connections_at(declared.scale) if rule.pool is not None else 0
        self._bucket = (
            _TokenBucket(rule.rate_limit, declared.scale, clock()) if rule.rate_limit else None
        )
        self.slow, self.stretch, self.is_down = 1.0, 1.0, False
        self._outage: TimedChange | None = None
        self.autoscaler, self.callers = Autoscaler(declared, rule), Callers(declared, rule)

    def touch(self) -> None:
        """Add up server-seconds and waiting-seconds to now; called before any change."""

    def count(self, outcome: str) -> None:
        """Count an attempt as arrived, or under how it ended."""

    def observe(self, took_s: float) -> None:
        """Note the duration of a visit that somebody waited for, queue to reply."""

    def spend(self, seconds: float) -> None:
        """Let autoscaling measure the state of the last `seconds`; `touch` calls it."""
        self.autoscaler.busy_s += self.in_use * seconds
        self.autoscaler.queue_s += self.queued * seconds

    def book_wait(self, since_s: float) -> None:
        """Note the wait of an attempt that leaves the queue."""

    def is_too_late(self, deadline_s: float) -> bool:
        """Return whether nobody waits for an attempt any more, where the service heeds deadlines."""
        return self.rule.deadline == "propagated" and is_too_late(self.clock(), deadline_s)

    def admit(
        self, visit: Visit, uniform: float, zone: int, instance: float = 0.0
    ) -> RunningLane | None:
        """Return the lane that an attempt from `zone` enters; None if it is refused.

        `instance`: a uniform number that decides which instance of the lane it meets.
        """
        self.autoscaler.arrived += 1
        lane = None if self.is_down else self._lane_for(uniform, zone)
        if lane is None or self._is_refusing(lane, instance):
            return None
        if self._bucket is not None and not self._bucket.takes_token(self.clock()):
            return None
        bound = share_of(lane.queue_bound, visit.share)
        if not self._may_begin(lane) and is_shed(
            lane.servers, lane.servers, len(lane.queue), bound
        ):
            return None
        if self.rule.limit is not None and is_over_limit(lane.inside, lane.limit * visit.share):
            return None
        lane.inside += 1
        return lane

    def _is_refusing(self, lane: RunningLane, instance: float) -> bool:
        degraded, phase = self.rule.degraded, lane.declared.phase
        if degraded is None or not degraded.refuses:
            return False
        return (instance if phase is None else phase) < degraded.share

    def _lane_for(self, uniform: float, zone: int) -> RunningLane | None:
        """Return the lane that balancing chooses, by a uniform number; None if none has servers."""
        balance = self.rule.balance
        if balance is None:
            return self.lanes[0]
        lanes = self._working_lanes(balance, zone)
        if not lanes:
            return None
        if balance.by == "round_robin":
            return self._next_in_turn(balance, lanes, zone)
        if balance.by == "least_connections":
            best = lanes[0]
            for other in lanes[1:]:
                if _is_less_busy(other, best):
                    best = other
            return best
        first = lanes[first_of(uniform, len(lanes))]
        second = lanes[second_of(uniform, len(lanes))]
        return second if balance.by == "two_choices" and _is_less_busy(second, first) else first

    def _working_lanes(self, balance: Balance, zone: int) -> list[RunningLane]:
        """Return the lanes with servers: the zone's own where it has some and that is preferred."""
        lanes = [lane for lane in self.lanes if lane.servers > 0]
        if balance.zone_affinity:
            own = zone % self.declared.zones
            return [lane for lane in lanes if lane.declared.zone == own] or lanes
        return lanes

    def _next_in_turn(self, balance: Balance, lanes: list[RunningLane], zone: int) -> RunningLane:
        """Return the next of `lanes` by round robin; with zone affinity each zone has turns of its own."""
        own = zone % self.declared.zones if balance.zone_affinity else 0
        counter = self.lanes[own % len(self.lanes)]
        counter.turn += 1
        return lanes[(counter.turn - 1) % len(lanes)]

    def takes_server(self, lane: RunningLane) -> bool:
        """Take a server now if one is free; return whether there was."""
        self.touch()
        if not self._may_begin(lane):
            return False
        self._begins(lane)
        return True

    def _begins(self, lane: RunningLane) -> None:
        lane.in_use += 1
        self.in_use += 1
        self.connected += 1

    def _may_begin(self, lane: RunningLane) -> bool:
        return may_begin(lane.in_use, lane.servers, self.connected, self._connections)

    def wait(self, lane: RunningLane, waiting: Waiting) -> None:
        """Join the queue."""
        if not lane.queue:
            lane.standing_since_s = waiting.since_s
        lane.queue.append(waiting)
        self.queued += 1

    def leave_queue(self, lane: RunningLane, waiting: Waiting) -> None:
        """Leave the queue, wherever one stands in it."""
        self.touch()
        lane.queue.remove(waiting)
        self._has_left(waiting)
        lane.inside -= 1

    def _has_left(self, waiting: Waiting) -> None:
        self.queued -= 1
        self.book_wait(waiting.since_s)

    def release(self, lane: RunningLane) -> None:
        """Free a server; who is next takes it."""
        self.touch()
        lane.in_use -= 1
        self.in_use -= 1
        self.hand_over(lane)

    def hand_over(self, lane: RunningLane) -> None:
        """Give free servers to those who wait; refuse those past their deadline, or by CoDel."""
        now, rule = self.clock(), self.rule
        while lane.queue and self._may_begin(lane):
            standing_s = now - lane.standing_since_s
            is_last = takes_last(ORDERS.index(rule.queue_order), standing_s, rule.timeout)
            waiting = lane.queue.pop() if is_last else lane.queue.popleft()
            self._has_left(waiting)
            refused_as = self._refused_as(waiting, now, standing_s)
            if refused_as is None:
                self._begins(lane)
                waiting.take()
            else:
                lane.inside -= 1
                waiting.refuse(refused_as)

    def _refused_as(self, waiting: Waiting, now: float, standing_s: float) -> str | None:
        """Return the outcome under which one who has waited is refused; None: it is served."""
        if self.is_too_late(waiting.deadline_s):
            return "timed_out"
        codel, waited_s = self.rule.codel, now - waiting.since_s
        if codel is not None and has_waited_too_long(
            waited_s, standing_s, codel.target, codel.interval
        ):
            return "shed"
        return None

    def leave(self, lane: RunningLane, took_s: float) -> None:
        """End a visit that took so long, queue to reply."""
        lane.inside -= 1
        if (limit := self.rule.limit) is not None:
            lane.limit = next_limit(lane.limit, took_s, limit.target, lane.most_inside)
        self.connected -= 1
        if self._connections:
            self.touch()
            for other in self.lanes:
                self.hand_over(other)

    def resize(self, lane: RunningLane, sized: int, lost: int) -> None:
        """Give a lane `sized` servers, `lost` of which do not work; with none left its queue is refused."""
        self.touch()
        lane.sized, lane.lost, lane.queue_bound = sized, lost, lane.declared.places(sized)
        servers = max(0, sized - lost)
        if servers > lane.servers and self.rule.warm_up is not None:
            self._add_cold_servers(self.rule.warm_up, lane, servers)
        self.servers += servers - lane.servers
        lane.servers = servers
        self.hand_over(lane)
        while lane.queue and not lane.servers:
            waiting = lane.queue[0]
            self.leave_queue(lane, waiting)
            waiting.refuse("shed")

    def _add_cold_servers(self, policy: WarmUp, lane: RunningLane, servers: int) -> None:
        """Note that a lane has more servers from now on, which are cold."""
        now = self.clock()
        lane.cold_share = cold_share(
            now - lane.cold_since_s, lane.cold_share, policy.last, lane.servers, servers
        )
        lane.cold_since_s = now

    def look(self) -> int | None:
        """Let autoscaling look; return how many servers there shall be after its delay, None = as before."""
        self.touch()
        lost = sum(lane.sized - lane.servers for lane in self.lanes)
        return self.autoscaler.look(self.clock(), self.servers, lost)

    def grow(self, servers: int) -> None:
        """Provide `servers` in all, lost ones included; never fewer than is scheduled."""
        servers = max(servers, self.autoscaler.least)
        for lane in self.lanes:
            self.resize(lane, lane.declared.servers_of(servers), lane.lost)

    def apply(self, change: TimedChange, *, is_over: bool) -> None:
        """Let an injected or scheduled change begin, or end."""
        if change.least_servers:
            self.autoscaler.schedule(change.least_servers)
            self.grow(sum(lane.sized for lane in self.lanes))
        elif change.is_flush:
            self.callers.flush()
        elif not is_over:
            self._begin_outage(change)
        elif self._outage is change:  # else another has begun since
            self._end_outage()

    def _begin_outage(self, outage: TimedChange) -> None:
        self._outage, self.slow, self.is_down = outage, outage.slow_factor, outage.is_down
        sized = [lane.sized for lane in self.lanes]
        zones = None
        if self.rule.balance is not None:
            zones = [lane.declared.zone for lane in self.lanes]
        lost = servers_lost(outage, sized, zones)
        self.stretch = stretched(sum(sized), sum(sized) - sum(lost), outage.share_left)
        for lane, servers in zip(self.lanes, lost, strict=True):
            self.resize(lane, lane.sized, servers)

    def _end_outage(self) -> None:
        self._outage, self.slow, self.stretch, self.is_down = None, 1.0, 1.0, False
        for lane in self.lanes:
            self.resize(lane, lane.sized, 0)

    def work_s(self, visit: Visit, lane: RunningLane, alone_s: float, uniform: float) -> float:
        """Return how long work takes that begins now in a lane, s.

        `alone_s`: what it takes where nothing slows it; `uniform` decides in which instance of the lane
        it is, and so when that one pauses and whether it is degraded.
        """
        rule, now = self.rule, self.clock()
        phase = uniform if lane.declared.phase is None else lane.declared.phase
        seconds = max(0.0, alone_s * self.slow + (self.stretch - 1.0) * visit.mean_hold_s)
        if rule.degraded is not None and phase < rule.degraded.share:
            seconds *= rule.degraded.slowed
        if rule.load is not None:
            at_once = lane.in_use * rule.servers_per_instance / max(1, lane.servers)
            seconds *= load_factor(at_once, rule.load.contention, rule.load.coherency)
        if rule.warm_up is not None:
            since_s, policy = now - lane.cold_since_s, rule.warm_up
            seconds *= cold_factor(since_s, lane.cold_share, policy.last, policy.factor)
        if rule.pauses is not None:
            every = rule.pauses.every
            seconds = seconds_with_pauses(now, seconds, every, rule.pauses.last, phase * every)
        return seconds


def _is_less_busy(lane: RunningLane, other: RunningLane) -> bool:
    return is_less_busy(lane.inside, lane.servers, other.inside, other.servers)
