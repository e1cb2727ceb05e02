"""Public holidays: an effect common to all, and how each one in the past differs from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Part, When
from gameday.scenario.units import Block

__all__ = ["Holidays"]


class Holidays(Block):
    """Which days they are comes from `calendar.holidays`, by country; moving ones are known there."""

    own: float = Field(default=1.0, gt=0, le=1e6)
    """Ridge that shrinks a holiday's own effect to the common one, whose ridge is 0.1. Ours."""

    def columns(self, when: When) -> Iterator[Part]:
        """Yield one column for all of them, and one for each that the past has seen."""
        if when.is_holiday is None:
            return
        yield "holiday", when.is_holiday[:, None].astype(float), np.array([0.1])
        if when.holidays:
            each = np.stack(list(when.holidays.values()), axis=1).astype(float)
            yield "holiday", each, np.full(each.shape[1], self.own)
