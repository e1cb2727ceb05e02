"""The yearly season."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Origin, Part, waves
from gameday.scenario.units import Block

__all__ = ["Year"]


class Year(Block):
    """A smooth curve over the year, once a whole one is known."""

    pairs: int = Field(default=6, ge=1, le=26)
    """Harmonics. Default: ours; six resolve a season of two months."""
    from_days: int = Field(default=350, ge=300)
    """Days of past below which there is no yearly season."""

    def columns(self, when: Origin) -> Iterator[Part]:
        """Yield the harmonics of the year."""
        if when.days_known >= self.from_days:
            penalty = 0.1 * (np.arange(2 * self.pairs) // 2 + 1.0) ** 2
            yield "year", waves(when.year_angle, self.pairs), penalty
