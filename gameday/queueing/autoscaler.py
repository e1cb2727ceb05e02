"""Autoscaling at work: what it has seen since it looked last, and how many servers it wants."""

from __future__ import annotations

import math

from gameday.scenario.blocks import Service, Station
from gameday.scenario.server_policies import METRICS, metric_of, servers_by_change, servers_wanted

__all__ = ["Scaling"]


class Scaling:
    """The autoscaling of one station, in the model and in the shop."""

    def __init__(self, station: Station, rule: Service) -> None:
        self._station, self._policy = station, rule.autoscale
        self.wanted, self.least = station.servers, station.least
        self.busy_s = self.queue_s = 0.0
        self.arrived = 0
        self._acted_s = -math.inf

    def look(self, now_s: float, working: int, lost: int) -> int | None:
        """Return how many servers there shall be, lost ones replaced; None = nothing changes."""
        policy = self._policy
        assert policy is not None
        metric = metric_of(
            METRICS.index(policy.metric),
            self.busy_s,
            self.queue_s,
            self.arrived,
            working,
            policy.interval,
        )
        self.busy_s = self.queue_s = 0.0
        self.arrived = 0
        wanted = working
        if policy.target is not None:
            wanted = servers_wanted(working, metric, policy.target)
        for step in policy.steps:
            if step.above <= metric < step.upto:
                wanted = servers_by_change(working, step.change)
                break
        wanted = max(self.least, min(wanted + lost, self._station.most))
        if wanted == self.wanted or now_s - self._acted_s < policy.cooldown:
            return None
        self.wanted, self._acted_s = wanted, now_s
        return wanted

    def schedule(self, least: int) -> None:
        """Take note of a scheduled minimum: it is there at once, what was decided before takes its time."""
        self.least = least
        self.wanted = max(self.wanted, least)
