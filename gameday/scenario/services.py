"""Services: where they run, how long they work, when they refuse, who asks again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from gameday.scenario.policies import Autoscale, CoDel, Limit, QueueOrder, Retry
from gameday.scenario.service_times import ServiceTime
from gameday.scenario.units import Block, Duration, Name

__all__ = ["Fleet", "Service", "Station"]


class Fleet(Block):
    """A service's instances in one stack."""

    instances: int = Field(ge=1, le=1_000_000)
    zones: int = Field(default=3, ge=1, le=6)
    """Zones the instances are spread over evenly. Default: the usual three of a cloud region."""
    instance: str
    """Instance type, as named in `capacity.instances`."""


@dataclass(frozen=True, slots=True)
class Station:
    """A service of one stack at one scale: what the model simulates and the shop runs."""

    service: str
    servers: int
    """c' = max(1, round(k c)), DESIGN §7.3."""
    time_factor: float
    """c'/(k c): service times are multiplied by it so that utilisation is exact."""
    queue_bound: int
    """Waiting places, >= 0."""
    tokens: float
    """Of the retry budget of its callers, x k; 0 where there is none."""


class Service(Block):
    """A pool of servers with a queue."""

    stacks: dict[Name, Fleet]
    servers_per_instance: int = Field(ge=1, le=1_000_000)
    """Requests one instance works on at once."""
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
    retry: Retry | None = None
    autoscale: Autoscale | None = None
    limit: Limit | None = None
    queue_order: QueueOrder = "fifo"
    """Who of those who wait is served next. Default: whoever has waited longest."""
    codel: CoDel | None = None
    tier: int = Field(default=1, ge=0, le=3)
    """Criticality: 0 = orders are lost without it. Source: anchors/practice.md §1.4."""

    @property
    def is_asynchronous(self) -> bool:
        """Whether it frees its server before it calls others."""
        return self.threads == "asynchronous"

    def time_for(self, step: str) -> ServiceTime:
        """Return the law of own work for a visit from `step`."""
        return self.step_time.get(step, self.time)

    def servers(self, stack: str) -> int:
        """Return servers at full scale in `stack`."""
        return self.stacks[stack].instances * self.servers_per_instance

    def station(self, name: str, stack: str, scale: float) -> Station:
        """Return this service as a station of `stack` at scale k (DESIGN §7.3)."""
        exact = scale * self.servers(stack)
        servers = max(1, round(exact))
        budget = self.retry.budget if self.retry is not None else None
        tokens = max(1.0, scale * budget.most) if budget is not None else 0.0
        return Station(
            name, servers, servers / exact, round(servers * self.queue_per_server), tokens
        )
