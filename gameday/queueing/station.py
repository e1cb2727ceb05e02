"""A station at work: its lanes, who waits in them, who is refused, how long work takes.

The one machine of both the SimPy model and the embedded shop: they differ in their clock, in how one who
waits is told, and in what they book.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gameday.queueing.autoscaler import Scaling
from gameday.queueing.callers import Callers
from gameday.queueing.cell import Visit
from gameday.queueing.timed_changes import Switch, servers_lost
from gameday.scenario.blocks import Lane, Service, Station
from gameday.scenario.caller_policies import is_too_late
from gameday.scenario.queue_policies import (
    ORDERS,
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
)
from gameday.scenario.server_policies import (
    cold_factor,
    cold_share,
    load_factor,
    seconds_with_pauses,
    stretched,
)

__all__ = ["Places", "StationAtWork", "Waiting"]


class Waiting(Protocol):
    """One who waits for a server."""

    since_s: float
    deadline_s: float

    def take(self) -> None:
        """Hear that a server is there."""

    def refuse(self, outcome: str) -> None:
        """Hear that there will be none."""


class Places:
    """The servers of one lane, and who waits for them."""

    def __init__(self, lane: Lane) -> None:
        self.lane, self.servers, self.sized, self.lost = lane, lane.servers, lane.servers, 0
        self.in_use = self.inside = self.turn = 0
        self.limit = float(lane.servers or lane.room)
        self.queue_bound = lane.places(lane.servers)
        self.queue: deque[Waiting] = deque()
        self.standing_since_s = 0.0
        self.cold_since_s, self.cold_share = -math.inf, 0.0

    @property
    def most_inside(self) -> float:
        """As many as its limit may ever let in: servers and waiting places there are."""
        return float((self.sized or self.lane.room) + self.queue_bound)


class StationAtWork:
    """A service's lanes and what they do; `touch` and `book_wait` are for who keeps books."""

    def __init__(self, station: Station, rule: Service, clock: Callable[[], float]) -> None:
        self.station, self.rule, self.clock = station, rule, clock
        self.lanes = [Places(lane) for lane in station.lanes]
        self.servers = station.servers
        self.in_use = self.queued = self.connected = 0
        self.slow, self.stretch, self.is_down = 1.0, 1.0, False
        self._outage: Switch | None = None
        self.scaling, self.callers = Scaling(station, rule), Callers(station, rule)

    def touch(self) -> None:
        """Book what was so up to now; called before any change."""

    def count(self, outcome: str) -> None:
        """Count an attempt as arrived, or under how it ended."""

    def observe(self, took_s: float) -> None:
        """Book how long a visit took, queue to reply, that somebody waited for."""

    def spend(self, seconds: float) -> None:
        """Note what was so for so long; `touch` calls it."""
        self.scaling.busy_s += self.in_use * seconds
        self.scaling.queue_s += self.queued * seconds

    def book_wait(self, since_s: float) -> None:
        """Book how long one had waited who leaves the queue."""

    def is_too_late(self, deadline_s: float) -> bool:
        """Return whether it heeds deadlines and nobody waits any more."""
        return self.rule.deadline == "propagated" and is_too_late(self.clock(), deadline_s)

    def admit(self, visit: Visit, uniform: float, zone: int) -> Places | None:
        """Return the lane an attempt from `zone` enters, None if it is refused; let it `enter` then."""
        self.scaling.arrived += 1
        lane = None if self.is_down else self._lane_for(uniform, zone)
        if lane is None:
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

    def _lane_for(self, uniform: float, zone: int) -> Places | None:
        balance = self.rule.balance
        if balance is None:
            return self.lanes[0]
        works = [one for one in self.lanes if one.servers > 0]
        if balance.zone_affinity:
            own = zone % self.station.zones
            works = [one for one in works if one.lane.zone == own] or works
        if not works:
            return None
        if balance.by == "round_robin":  # each zone's callers have a turn of their own
            own = zone % self.station.zones if balance.zone_affinity else 0
            counter = self.lanes[own % len(self.lanes)]
            counter.turn += 1
            return works[(counter.turn - 1) % len(works)]
        if balance.by == "least_connections":
            best = works[0]
            for other in works[1:]:
                if _is_less_busy(other, best):
                    best = other
            return best
        one = works[first_of(uniform, len(works))]
        other = works[second_of(uniform, len(works))]
        return other if balance.by == "two_choices" and _is_less_busy(other, one) else one

    def takes_server(self, lane: Places) -> bool:
        """Take a server now if one is free; return whether there was."""
        self.touch()
        if not self._may_begin(lane):
            return False
        self._begins(lane)
        return True

    def _begins(self, lane: Places) -> None:
        lane.in_use += 1
        self.in_use += 1
        self.connected += 1

    def _may_begin(self, lane: Places) -> bool:
        links = self.station.connections
        return may_begin(lane.in_use, lane.servers, self.connected, links)

    def wait(self, lane: Places, one: Waiting) -> None:
        """Join the queue."""
        if not lane.queue:
            lane.standing_since_s = one.since_s
        lane.queue.append(one)
        self.queued += 1

    def leave_queue(self, lane: Places, one: Waiting) -> None:
        """Give up a place in the queue."""
        self.touch()
        lane.queue.remove(one)
        self._has_left(lane, one)
        lane.inside -= 1

    def _has_left(self, lane: Places, one: Waiting) -> None:
        self.queued -= 1
        self.book_wait(one.since_s)

    def release(self, lane: Places) -> None:
        """Free a server; who is next takes it."""
        self.touch()
        lane.in_use -= 1
        self.in_use -= 1
        self.hand_over(lane)

    def hand_over(self, lane: Places) -> None:
        """Give free servers to those who wait, refuse those who have waited too long."""
        now, rule = self.clock(), self.rule
        while lane.queue and self._may_begin(lane):
            standing_s = now - lane.standing_since_s
            is_last = takes_last(ORDERS.index(rule.queue_order), standing_s, rule.timeout)
            one = lane.queue.pop() if is_last else lane.queue.popleft()
            self._has_left(lane, one)
            if self.is_too_late(one.deadline_s):
                lane.inside -= 1
                one.refuse("timed_out")
            elif (codel := rule.codel) is not None and has_waited_too_long(
                now - one.since_s, standing_s, codel.target, codel.interval
            ):
                lane.inside -= 1
                one.refuse("shed")
            else:
                self._begins(lane)
                one.take()

    def leave(self, lane: Places, took_s: float) -> None:
        """End a visit that took so long, queue to reply."""
        lane.inside -= 1
        if (limit := self.rule.limit) is not None:
            lane.limit = next_limit(lane.limit, took_s, limit.target, lane.most_inside)
        self.connected -= 1
        if self.station.connections:
            self.touch()
            for other in self.lanes:
                self.hand_over(other)

    def resize(self, lane: Places, sized: int, lost: int) -> None:
        """Give a lane so many servers, of which so many are lost; who waits where none is left is refused."""
        self.touch()
        lane.sized, lane.lost, lane.queue_bound = sized, lost, lane.lane.places(sized)
        servers = max(0, sized - lost)
        if servers > lane.servers and (policy := self.rule.warm_up) is not None:
            now = self.clock()
            lane.cold_share = cold_share(
                now - lane.cold_since_s, lane.cold_share, policy.last, lane.servers, servers
            )
            lane.cold_since_s = now
        self.servers += servers - lane.servers
        lane.servers = servers
        self.hand_over(lane)
        while lane.queue and not lane.servers:
            one = lane.queue[0]
            self.leave_queue(lane, one)
            one.refuse("shed")

    def look(self) -> int | None:
        """Let autoscaling look; return how many servers there shall be after its delay, None = as before."""
        self.touch()
        lost = sum(lane.sized - lane.servers for lane in self.lanes)
        return self.scaling.look(self.clock(), self.servers, lost)

    def grow(self, servers: int) -> None:
        """Let there be so many servers, those that are lost included; never fewer than is scheduled."""
        servers = max(servers, self.scaling.least)
        for lane in self.lanes:
            self.resize(lane, lane.lane.servers_of(servers), lane.lost)

    def switch(self, one: Switch, *, is_over: bool) -> None:
        """Let what is injected or scheduled begin, or be over."""
        if one.least:
            self.scaling.schedule(one.least)
            self.grow(sum(lane.sized for lane in self.lanes))
        elif one.is_flush:
            self.callers.flush()
        else:
            self._go_through(one, is_over=is_over)

    def _go_through(self, one: Switch, *, is_over: bool) -> None:
        """Begin an outage, or end it unless another has begun since."""
        if is_over:
            if self._outage is one:
                self._outage, self.slow, self.stretch, self.is_down = None, 1.0, 1.0, False
                for lane in self.lanes:
                    self.resize(lane, lane.sized, 0)
            return
        self._outage, self.slow, self.is_down = one, one.slow, one.is_down
        sized = [lane.sized for lane in self.lanes]
        zones = None if self.rule.balance is None else [lane.lane.zone for lane in self.lanes]
        lost = servers_lost(one, sized, zones)
        self.stretch = stretched(sum(sized), sum(sized) - sum(lost), one.share)
        for lane, servers in zip(self.lanes, lost, strict=True):
            self.resize(lane, lane.sized, servers)

    def work_s(self, visit: Visit, lane: Places, alone_s: float, uniform: float) -> float:
        """Return how long work takes that begins now in a lane; `uniform` says in which instance of it."""
        rule, now = self.rule, self.clock()
        seconds = max(0.0, alone_s * self.slow + (self.stretch - 1.0) * visit.mean_hold_s)
        if rule.load is not None:
            at_once = lane.in_use * rule.servers_per_instance / max(1, lane.servers)
            seconds *= load_factor(at_once, rule.load.contention, rule.load.coherency)
        if rule.warm_up is not None:
            since_s, policy = now - lane.cold_since_s, rule.warm_up
            seconds *= cold_factor(since_s, lane.cold_share, policy.last, policy.factor)
        if rule.pauses is not None:
            every, phase = rule.pauses.every, lane.lane.phase
            phase = uniform if phase is None else phase
            seconds = seconds_with_pauses(now, seconds, every, rule.pauses.last, phase * every)
        return seconds


def _is_less_busy(one: Places, other: Places) -> bool:
    return is_less_busy(one.inside, one.servers, other.inside, other.servers)
