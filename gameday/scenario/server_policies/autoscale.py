"""Autoscale: servers follow a metric (target tracking or step scaling) and a schedule, after a delay."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from gameday.scenario.policy import Policy
from gameday.scenario.units import Block, Duration

__all__ = [
    "METRICS",
    "Autoscale",
    "Band",
    "Scheduled",
    "metric_of",
    "servers_by_change",
    "servers_wanted",
]

METRICS = ("utilisation", "concurrency", "requests")


class Band(Block):
    """What is done while the metric lies in a band; no two bands meet."""

    above: float = Field(default=0.0, ge=0)
    """From here on, itself included."""
    below: float | None = Field(default=None, gt=0)
    """Up to here. Default: without end."""
    change: float = Field(ge=-0.9, le=10)
    """Servers more (or less, below 0), as a share of those there are."""

    @model_validator(mode="after")
    def _is_a_band(self) -> Band:
        if self.above >= self.upto:
            raise ValueError("`above` must be less than `below`")
        return self

    @property
    def upto(self) -> float:
        """Where the band ends; inf = nowhere."""
        return math.inf if self.below is None else self.below


class Scheduled(Block):
    """From an instant on there are never fewer servers than this, until the next one says otherwise."""

    at: Duration
    """Event time from the window's start."""
    factor: Annotated[float, Field(gt=0, le=20)]
    """As a multiple of those provisioned; it begins to count at once."""


class Autoscale(Policy):
    """Adds servers, and removes them where `min_factor` is below 1 or it has added some."""

    target: float | None = Field(default=None, gt=0, le=1e6)
    """What to steer the metric for. Source: target tracking as in AWS Application Auto Scaling."""
    steps: list[Band] = Field(default_factory=list)
    """In place of a target: step scaling."""
    schedule: list[Scheduled] = Field(default_factory=list)
    metric: Literal["utilisation", "concurrency", "requests"] = "utilisation"
    """Of the last interval: server time in use per server there is at its end; requests in service or waiting
    a server; requests a second and server."""
    interval: Duration = Field(gt=0)
    """How often the metric is read, s (wall time at any speed)."""
    delay: Duration
    """From the decision to servers at work, s (wall time at any speed)."""
    cooldown: Duration = 0.0
    """How long nothing is decided after a decision, s (wall time at any speed)."""
    min_factor: float = Field(default=1.0, gt=0, le=1)
    """Fewest servers, as a multiple of those provisioned. Default: it removes only what it added."""
    max_factor: float = Field(gt=1, le=20)
    """Most servers, as a multiple of those provisioned."""

    real_columns: ClassVar = (
        "scale_interval_s",
        "scale_target",
        "scale_delay_s",
        "scale_cooldown_s",
        "acted_s",
        "busy_since_scaling",
        "queue_since_scaling",
    )
    whole_columns: ClassVar = ("scale_metric", "bands_from", "bands_to", "arrived_since_scaling")

    @model_validator(mode="after")
    def _has_a_rule(self) -> Autoscale:
        if (self.target is not None) + bool(self.steps) > 1:
            raise ValueError("give `target` or `steps`, not both")
        if self.target is None and not self.steps and not self.schedule:
            raise ValueError("give a `target`, `steps` or a `schedule`: it would never act")
        if self.metric == "utilisation" and self.target is not None and self.target >= 1:
            raise ValueError("a `target` of utilisation must be below 1")
        if self.metric == "utilisation" and any(band.above > 1 for band in self.steps):
            raise ValueError("a step `above` 1 never acts: utilisation is a share, 0-1")
        return self

    @model_validator(mode="after")
    def _steps_do_not_overlap(self) -> Autoscale:
        for band, following in pairwise(sorted(self.steps, key=lambda band: band.above)):
            if following.above < band.upto:
                raise ValueError(
                    f"two steps meet from {following.above:g} on: end the first with "
                    f"`below: {following.above:g}`"
                )
        return self

    @model_validator(mode="after")
    def _schedule_is_within_bounds(self) -> Autoscale:
        if late := [s.factor for s in self.schedule if s.factor > self.max_factor]:
            raise ValueError(f"`schedule` asks for {late[0]:g} x, more than `max_factor` allows")
        if early := [s.factor for s in self.schedule if s.factor < self.min_factor]:
            raise ValueError(f"`schedule` asks for {early[0]:g} x, less than `min_factor` allows")
        return self

    def most_servers(self, provisioned: int) -> int:
        """Return the most servers it may reach from those provisioned."""
        return max(provisioned, round(provisioned * self.max_factor))

    def fewest_servers(self, provisioned: int) -> int:
        """Return the fewest servers it may reach from those provisioned."""
        return max(1, round(provisioned * self.min_factor))

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns but for where its steps stand."""
        return {
            "scale_interval_s": self.interval,
            "scale_target": self.target or 0.0,
            "scale_delay_s": self.delay,
            "scale_cooldown_s": self.cooldown,
            "scale_metric": METRICS.index(self.metric),
            "acted_s": -math.inf,
        }


def metric_of(
    number: int, busy_s: float, queue_s: float, arrived: int, servers: int, interval_s: float
) -> float:
    """Return a metric's value over an interval; `number`: its index in METRICS, `servers`: those at the end."""
    if number == 2:
        return arrived / (max(1, servers) * interval_s)
    return (busy_s + queue_s * number) / (max(1, servers) * interval_s)


def servers_wanted(servers: int, metric: float, target: float) -> int:
    """Return the servers at which the metric would have been at `target`: servers x metric / target."""
    return math.ceil(servers * metric / target - 1e-9)


def servers_by_change(servers: int, change: float) -> int:
    """Return the servers after a scaling step: at least one more or fewer, unless `change` is 0."""
    if change > 0:
        return servers + math.ceil(servers * change - 1e-9)
    return servers - math.ceil(-servers * change - 1e-9)
