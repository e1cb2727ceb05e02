"""Services: instances, service times and policies; and the station that a service is at a scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pydantic import Field, model_validator

from gameday.scenario.blocks.measured import Measured
from gameday.scenario.caller_policies import Breaker, Cache, Deadline, Hedge, Retry
from gameday.scenario.policy import Policy
from gameday.scenario.queue_policies import (
    Balance,
    CoDel,
    Limit,
    Pool,
    QueueOrder,
    RateLimit,
    places_of,
)
from gameday.scenario.server_policies import Autoscale, Degraded, Load, Pauses, WarmUp
from gameday.scenario.service_times import ServiceTime
from gameday.scenario.units import Block, Duration, Name, Share

__all__ = ["Fleet", "Lane", "Service", "Station"]


class Fleet(Block):
    """A service's instances in one stack."""

    UNKNOWN: ClassVar[str] = "(unknown)"
    """Instance type of a station that stands in for services that are not declared."""
    instances: int = Field(ge=1, le=1_000_000)
    zones: int = Field(default=3, ge=1, le=6)
    """Zones the instances are spread over evenly. Default: the usual three of a cloud region."""
    instance: str
    """Instance type, as named in `capacity.instances`."""
    measured: Measured | None = None
    """What was measured of the service here, in place of what is declared of it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Servers with a queue of their own: an instance; where nothing balances, all of a service."""

    first: int
    """Servers of the lanes before it: autoscaling removes the last added first."""
    room: int
    """Most servers it can have."""
    servers: int
    """Servers it begins with; 0 = it exists only once autoscaling has added it."""
    queue_per_server: float
    zone: int
    """Zone it is in, from 0."""
    phase: float | None
    """Phase of its pauses among those of the other lanes, 0-1; None = it stands for several instances."""

    def servers_of(self, total: int) -> int:
        """Return its servers when its service has `total`."""
        return min(max(0, total - self.first), self.room)

    def places(self, servers: int) -> int:
        """Return its waiting places with `servers` servers; with 0, those of all the servers it can have."""
        return places_of(self.first, servers or self.room, self.queue_per_server)


@dataclass(frozen=True, slots=True)
class Station:
    """A service of one stack at scale k: what the model simulates and the shop runs."""

    service: str
    scale: float
    """k."""
    servers: int
    """c' = max(1, round(k c)), c the servers at full scale."""
    time_factor: float
    """c'/(k c): service times are multiplied by it so that utilisation is exact."""
    queue_bound: int
    """Waiting places, >= 0."""
    most: int
    """Most servers that autoscaling may reach."""
    least: int
    """Fewest servers that autoscaling may reach."""
    zones: int
    lanes: tuple[Lane, ...]


class Service(Block):
    """A pool of servers with a queue."""

    stacks: dict[Name, Fleet]
    servers_per_instance: int = Field(ge=1, le=1_000_000)
    """Requests that one instance serves at once."""
    queue_per_server: float = Field(ge=0, le=1_000_000)
    """Waiting places per server; beyond them an arrival is shed."""
    time: ServiceTime
    """Own work per visit, without the calls it makes."""
    step_time: dict[Name, ServiceTime] = Field(default_factory=dict)
    """Own work for visits from these steps, where it differs."""
    threads: Literal["held", "asynchronous"] = "held"
    """While it calls other services: `held`, the server waits with the caller, as a thread does;
    `asynchronous`, it serves others once its own work is done. Default: a thread a request."""
    timeout: Duration = Field(gt=0)
    """How long a caller waits for one attempt, s."""
    deadline: Deadline = "own"
    """Whether it observes the deadline of its callers' callers. Default: most services do not."""
    retry: Retry | None = None
    hedge: Hedge | None = None
    breaker: Breaker | None = None
    cache: Cache | None = None
    pool: Pool | None = None
    autoscale: Autoscale | None = None
    balance: Balance | None = None
    """Absent: one queue for all instances, served by whichever is free."""
    rate_limit: RateLimit | None = None
    limit: Limit | None = None
    queue_order: QueueOrder = "fifo"
    """Who of those who wait is served next. Default: whoever has waited longest."""
    codel: CoDel | None = None
    queue_share: dict[Name, Share] = Field(default_factory=dict)
    """Step -> share of the queue's places, and of the limit, that visits from it may fill; others may
    fill all. Less important steps are shed first."""
    load: Load | None = None
    pauses: Pauses | None = None
    warm_up: WarmUp | None = None
    degraded: Degraded | None = None
    tier: int = Field(default=1, ge=0, le=3)
    """Criticality: 0 = orders are lost without it, 3 = the least."""

    @model_validator(mode="after")
    def _policies_can_act(self) -> Service:
        for name, policy in self.policies():
            seconds = policy.acts_after_s
            if seconds is not None and seconds >= self.timeout:
                raise ValueError(
                    f"`{name}` acts after {seconds:g} s, when callers have left: `timeout` is sooner"
                )
        return self

    @model_validator(mode="after")
    def _hedges_have_numbers(self) -> Service:
        if self.hedge is not None and self.retry is not None and self.retry.attempts > 7:
            raise ValueError("with `hedge`, `retry.attempts` may be 7 at most")
        return self

    @property
    def may_repeat_attempts(self) -> bool:
        """Whether its callers may ask again what they have asked: after a failure, or as a hedge."""
        return self.hedge is not None or (self.retry is not None and self.retry.attempts > 0)

    @property
    def is_asynchronous(self) -> bool:
        """Whether it frees its server before it calls others."""
        return self.threads == "asynchronous"

    @property
    def why_no_closed_form(self) -> str | None:
        """Why no closed form covers this queue; None: fixed servers, work that depends on nothing, one queue."""
        if self.autoscale is not None:
            return "its servers change"
        without = [name for name, policy in self.policies() if not policy.has_closed_form]
        if self.queue_share:
            without.append("queue_share")
        return f"no form on paper has its {without[0]}" if without else None

    @classmethod
    def policy_kinds(cls) -> dict[str, type[Policy]]:
        """Return the policies that a service may have, by the field that holds each."""
        return {
            name: kind
            for name, field in cls.model_fields.items()
            for kind in get_args(field.annotation)
            if isinstance(kind, type) and issubclass(kind, Policy)
        }

    def policies(self) -> Iterator[tuple[str, Policy]]:
        """Yield the policies it has, each with its field."""
        for name in self.policy_kinds():
            if (policy := getattr(self, name)) is not None:
                yield name, policy

    def time_for(self, step: str) -> ServiceTime:
        """Return the law of own work for a visit from `step`."""
        return self.step_time.get(step, self.time)

    def servers(self, stack: str) -> int:
        """Return servers at full scale in `stack`: as measured, or else as declared."""
        fleet = self.stacks[stack]
        if fleet.measured is not None and fleet.measured.servers is not None:
            return max(1, round(fleet.measured.servers.mid))
        return fleet.instances * self.servers_per_instance

    def servers_each(self, stack: str) -> float:
        """Return servers of one instance in `stack`: as declared, or the mean of all as measured."""
        return self.servers(stack) / self.stacks[stack].instances

    def visits_factor(self, stack: str) -> float:
        """Return how many times as often it is visited in `stack` as the calls say; 1 if not measured."""
        fleet = self.stacks.get(stack)
        return 1.0 if fleet is None or fleet.measured is None else fleet.measured.visits_factor.mid

    def with_instances(self, stack: str, instances: int) -> Service:
        """Return the service with so many instances in `stack`, each with the servers that one has now: where a
        third of those that should be at work were measured to be missing, a third of these are.
        """
        fleet = self.stacks[stack]
        changed: dict[str, object] = {"instances": instances}
        if fleet.measured is not None and fleet.measured.servers is not None:
            servers = fleet.measured.servers.times(instances / fleet.instances)
            changed["measured"] = fleet.measured.model_copy(update={"servers": servers})
        stacks = {**self.stacks, stack: fleet.model_copy(update=changed)}
        return self.model_copy(update={"stacks": stacks})

    def as_measured(self, stack: str) -> Service:
        """Return the service as it was measured in a stack: its declaration is then what was measured."""
        fleet = self.stacks[stack]
        if fleet.measured is None:
            return self
        left = fleet.model_copy(update={"measured": fleet.measured.of_fleet})
        stacks = {**self.stacks, stack: left}
        return fleet.measured.applied(self).model_copy(update={"stacks": stacks})

    def station(self, name: str, stack: str, scale: float) -> Station:
        """Return this service as a station of `stack` at scale k."""
        exact = scale * self.servers(stack)
        servers = max(1, round(exact))
        most = self.autoscale.most_servers(servers) if self.autoscale else servers
        zones = self.stacks[stack].zones
        lanes = self._lanes(servers, most, zones)
        return Station(
            service=name,
            scale=scale,
            servers=servers,
            time_factor=servers / exact,
            queue_bound=sum(lane.places(lane.servers) for lane in lanes if lane.servers),
            most=most,
            least=self.autoscale.fewest_servers(servers) if self.autoscale else servers,
            zones=zones,
            lanes=lanes,
        )

    def _lanes(self, servers: int, most: int, zones: int) -> tuple[Lane, ...]:
        """Return the lanes of a station that begins with `servers` servers and may reach `most`."""
        rooms = self._lane_rooms(servers, most)
        lanes, first = [], 0
        for number, room in enumerate(rooms):
            begins = min(max(0, servers - first), room)
            phase = number / len(rooms) if self.balance is not None else None
            lanes.append(Lane(first, room, begins, self.queue_per_server, number % zones, phase))
            first += room
        return tuple(lanes)

    def _lane_rooms(self, servers: int, most: int) -> list[int]:
        """Return the most servers of each lane: an instance as at full scale, or all where nothing balances."""
        if self.balance is None:
            return [most]
        each = self.servers_per_instance
        count = max(1, round(servers / each))
        rooms = [servers // count + (n < servers % count) for n in range(count)]
        more = most - servers
        return rooms + [min(each, more - done) for done in range(0, more, each)]
