"""A launch: a product released at a known minute with limited stock."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt

from gameday.scenario.units import Block, Duration, LocalTime, Name
from gameday.vocabulary import Array

__all__ = ["Launch"]


class Launch(Block):
    """A crowd that arrives at the minute, halves every `half_life`, and buys until it is gone."""

    name: ClassVar[str] = "launch"
    start_knots_min: ClassVar[tuple[float, ...]] = ()
    end_knots_min: ClassVar[tuple[float, ...]] = ()
    plateau: ClassVar[bool] = False
    masked_min: ClassVar[float | None] = 60.0
    """A crowd adds to a day, it does not multiply it: these minutes after it are not learned."""

    product: Name
    """The product type sold."""
    at: dict[Name, LocalTime]
    """Region -> the release, in the region's event zone."""
    crowd: dict[Name, NonNegativeInt]
    """Region -> sessions it brings at full scale, in all."""
    stock: dict[Name, NonNegativeInt]
    """Region -> units to sell at full scale."""
    half_life: Duration = Field(gt=0)
    """Time in which arrivals halve, s of event time."""

    @staticmethod
    def log_effect(from_start_min: Array, from_end_min: Array) -> Array:
        """Return 0: a launch's crowd comes as sessions of its own journey, not as a multiplier."""
        return np.zeros_like(np.asarray(from_start_min, float))

    def crowd_share(self, from_start_min: Array) -> Array:
        """Return the share of the crowd that starts in each whole minute after the release."""
        half_min = self.half_life / 60
        t = np.asarray(from_start_min, float)
        share = 0.5 ** (np.maximum(t, 0) / half_min) * (1 - 0.5 ** (1 / half_min))
        return np.where(t >= 0, share, 0.0)
