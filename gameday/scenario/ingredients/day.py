"""The daily season: one smooth curve over local time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Part, When, waves
from gameday.scenario.units import Block

__all__ = ["Day"]


class Day(Block):
    """A smooth curve over the local day; what recurs at a single minute is the profile's."""

    pairs: int = Field(default=14, ge=1, le=48)
    """Harmonics. Default: ours, by backtests."""

    def columns(self, when: When) -> Iterator[Part]:
        """Yield the harmonics of the day."""
        penalty = 1e-4 * (np.arange(2 * self.pairs) // 2 + 1.0) ** 2
        yield "time of day", waves(when.angle, self.pairs), penalty
