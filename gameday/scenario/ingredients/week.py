"""The weekly season: each weekday has a level and a change of the daily curve."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Part, When, waves
from gameday.scenario.units import Block

__all__ = ["Week"]


class Week(Block):
    """Day shape times weekday."""

    pairs: int = Field(default=3, ge=0, le=24)
    """Harmonics in which a weekday may differ. Default: ours; in backtests on real traces three beat five."""

    def columns(self, when: When) -> Iterator[Part]:
        """Yield the columns of each weekday."""
        level = np.ones((len(when.angle), 1))
        basis = (
            np.concatenate([level, waves(when.angle, self.pairs)], axis=1) if self.pairs else level
        )
        penalty = np.concatenate([[0.1], 0.02 * (np.arange(2 * self.pairs) // 2 + 1.0)])
        for number in range(7):
            yield "weekday", basis * (when.weekday == number)[:, None], penalty
