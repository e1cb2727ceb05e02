"""The month: its days, and working days before its end. Paydays, billing runs and month ends recur by them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Origin, Part
from gameday.scenario.units import Block

__all__ = ["Month"]

_LAST_WORKING_DAYS = 4
"""The last working day and those before it that have an effect of their own. Ours."""


class Month(Block):
    """An effect of each day of the month, and of its last working days; only the level model `paydays` has it."""

    from_days: int = Field(default=100, ge=62)
    """Days of past below which there is none. Ours: three of each."""
    ridge: float = Field(default=0.3, gt=0, le=1e3)

    def columns(self, when: Origin) -> Iterator[Part]:
        """Yield a column for each day of the month, and for each of the last working days."""
        if when.month is None or when.days_known < self.from_days:
            return
        days = when.month.day[:, None] == np.arange(1, 32)
        left = when.month.working_days_left[:, None] == np.arange(_LAST_WORKING_DAYS)
        values = np.concatenate([days, left], axis=1).astype(np.float32)
        yield "day of the month", values, np.full(values.shape[1], self.ridge)
