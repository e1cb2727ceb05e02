"""Autoscaling at work: what it has measured since it looked last, and how many servers it wants."""

from __future__ import annotations

import math

from gameday.scenario.blocks import Service, Station
from gameday.scenario.server_policies import (
    METRICS,
    Autoscale,
    metric_of,
    servers_by_change,
    servers_wanted,
)

__all__ = ["Autoscaler"]


class Autoscaler:
    """The autoscaling of one station, in the model and in the shop."""

    def __init__(self, station: Station, rule: Service) -> None:
        self._station, self._policy = station, rule.autoscale
        self.wanted, self.least = station.servers, station.least
        self.busy_s = self.queue_s = 0.0
        """Server-seconds and waiting-seconds since it looked last."""
        self.arrived = 0
        self._acted_s = -math.inf

    def look(self, now_s: float, working: int, lost: int) -> int | None:
        """Return how many servers there shall be, lost ones replaced; None = nothing changes."""
        policy = self._policy
        assert policy is not None
        wanted = self._wanted(policy, working) + lost
        self.busy_s = self.queue_s = 0.0
        self.arrived = 0
        wanted = max(self.least, min(wanted, self._station.most))
        if wanted == self.wanted or now_s - self._acted_s < policy.cooldown:
            return None
        self.wanted, self._acted_s = wanted, now_s
        return wanted

    def _wanted(self, policy: Autoscale, working: int) -> int:
        """Return the servers that the metric of the last interval asks for, by target or by step."""
        metric = metric_of(
            METRICS.index(policy.metric),
            self.busy_s,
            self.queue_s,
            self.arrived,
            working,
            policy.interval,
        )
        for step in policy.steps:
            if step.above <= metric < step.upto:
                return servers_by_change(working, step.change)
        return working if policy.target is None else servers_wanted(working, metric, policy.target)

    def schedule(self, least: int) -> None:
        """Raise or lower the minimum at once; what was decided before still takes its delay."""
        self.least = least
        self.wanted = max(self.wanted, least)
