"""A launch: a product released at a known minute with limited stock."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat

from gameday.scenario.units import Block, Duration, LocalTime, Name, Share
from gameday.vocabulary import Array

__all__ = ["Launch"]


class Waiting(Block):
    """Those of a crowd who come before the release, evenly."""

    share: Share
    """Of the crowd."""
    since: Duration = Field(ge=60)
    """How long before the release the first come."""


class Launch(Block):
    """A crowd that arrives at the minute, halves every `half_life`, and buys until it is gone."""

    name: ClassVar[str] = "launch"
    nearest: ClassVar[tuple[str, ...]] = ()
    """Kinds whose effect it borrows until one of its own was seen, the nearest first."""
    start_knots_min: ClassVar[tuple[float, ...]] = ()
    end_knots_min: ClassVar[tuple[float, ...]] = ()
    plateau: ClassVar[bool] = False
    masked_min: ClassVar[float | None] = 60.0
    """A crowd adds to the day's traffic, it does not multiply it: the fit leaves out these minutes after it."""

    product: Name
    """The product type sold."""
    at: dict[Name, LocalTime]
    """Region -> the release, in the region's event zone."""
    crowd: dict[Name, NonNegativeInt] = Field(default_factory=dict)
    """Region -> sessions it brings at full scale, in all; of a region not named: what past launches there say."""
    stock: dict[Name, NonNegativeInt]
    """Region -> units to sell at full scale."""
    half_life: Duration | None = Field(default=None, gt=0)
    """Time in which arrivals halve, s of event time; absent: what past launches say, one law for all."""
    strength: float = Field(default=1.0, gt=0, le=20)
    """Times the crowd."""
    waiting: Waiting | None = None
    """Who is there before the release; absent: nobody."""
    countdown: Duration | None = Field(default=None, gt=0)
    """The page counts down: customers told "not yet" come again within this time after the release, evenly.
    Absent: when the journey's `on_waiting` says."""
    admits: dict[Name, PositiveFloat] | None = Field(default=None, min_length=1)
    """Region -> customers a minute let on to the cart at full scale; the others see a queue page. Absent: all."""
    per_customer: int | None = Field(default=None, ge=1)
    """Units a customer may have; absent: as many as they put in the cart."""

    @staticmethod
    def log_effect(from_start_min: Array, from_end_min: Array) -> Array:
        """Return 0: a launch's crowd comes as sessions of its own journey, not as a multiplier."""
        return np.zeros_like(np.asarray(from_start_min, float))

    def crowd_share(self, from_start_min: Array, half_life_s: float) -> Array:
        """Return the share of the crowd that starts in each whole minute, counted from the release."""
        half_min = half_life_s / 60
        t = np.asarray(from_start_min, float)
        after = 0.5 ** (np.maximum(t, 0) / half_min) * (1 - 0.5 ** (1 / half_min))
        if self.waiting is None:
            return np.where(t >= 0, after, 0.0)
        minutes = self.waiting.since / 60
        before = (
            np.clip(t + 1 + minutes, 0, 1) / minutes
        )  # a first minute that is not whole counts in part
        share = self.waiting.share
        return np.where(t >= 0, (1 - share) * after, share * before)
