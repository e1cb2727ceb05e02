"""What else moves the counts and is known ahead: marketing spend, the weather, a price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from gameday.scenario.ingredients.when import Part, When
from gameday.scenario.units import Block, Duration, Name

__all__ = ["Regressor"]


class Regressor(Block):
    """A column of a file, with its values to come."""

    file: str
    """CSV or Parquet, beside the scenario: a time, a value, and perhaps a region."""
    time: str = "time"
    value: str = "value"
    region: Name | None = None
    """Column that names the region; absent: one value for all."""
    lags: list[Duration] = Field(default=[0.0], min_length=1, max_length=8)
    """How long after the value its effect is looked for; each lag gets a column."""
    scale: Literal["linear", "log"] = "linear"
    """`log`: of 1 + the value, so that an effect is an elasticity."""
    ridge: float = Field(default=0.1, gt=0, le=1e3)

    def columns(self, name: str, when: When) -> Iterator[Part]:
        """Yield one column a lag, centred and scaled where the values were put together."""
        lagged = [when.regressors[f"{name}+{lag:g}"] for lag in self.lags]
        yield name, np.stack(lagged, axis=1), np.full(len(lagged), self.ridge)
