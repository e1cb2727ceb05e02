"""The recent level as a random walk: one step a day, and the last level stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Origin, Part
from gameday.scenario.units import Block

__all__ = ["Walk"]


class Walk(Block):
    """A random walk by the day; how far it may go in one is raced."""

    days: int = Field(default=60, ge=1, le=400)
    """Days before the origin that have steps. Default: ours; what lies further back is the trend's."""

    def columns(self, when: Origin) -> Iterator[Part]:
        """Yield a step for each of the last days."""
        if when.shape.walk_min is None:
            return
        days = int(min(self.days, when.days_known - 1))
        starts = when.days_known - np.arange(days, 0, -1)
        steps = (when.day[:, None] >= starts).astype(np.float32)
        # A penalty in minutes of data: negative, so that the solver does not scale it.
        yield "recent level", steps, np.full(days, -when.shape.walk_min)
