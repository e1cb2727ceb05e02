"""Regressors: what else moves the counts and is known ahead, as marketing spend, the weather, a price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from gameday.scenario.events import KINDS
from gameday.scenario.ingredients.when import Part, When
from gameday.scenario.units import Block, Duration, Instant, Name
from gameday.vocabulary import Array

__all__ = ["Regressor"]

_MOST_VALUES = 200_000


class Regressor(Block):
    """Values over time, each good until the next; those to come are as needed as those that were.

    Written as lists, or as a `file` beside the scenario, which is read into them when the scenario is.
    """

    at: list[Instant] = Field(min_length=2, max_length=_MOST_VALUES)
    """From when on each value holds; within a region in order."""
    values: list[float]
    regions: list[Name] | None = None
    """Region of each value; absent: every region."""
    lags: list[Duration] = Field(default=[0.0], min_length=1, max_length=8)
    """How long after the value its effect comes; each lag gets a column."""
    scale: Literal["linear", "log"] = "linear"
    """`log`: of 1 + the value, so that an effect is an elasticity; values must be 0 or more."""
    ridge: float = Field(default=0.1, gt=0, le=1e3)
    strength_of: list[Name] = Field(default_factory=list)
    """Kinds of event whose strength it is, in place of an ingredient of its own: each is as many times as
    strong as declared as its mean value within the event is of that within past events of its kind."""

    @model_validator(mode="after")
    def _lists_agree(self) -> Regressor:
        lengths = {len(self.at), len(self.values), len(self.regions or self.at)}
        if len(lengths) > 1:
            raise ValueError("at, values and regions must be of one length")
        if unknown := [kind for kind in self.strength_of if kind not in KINDS]:
            raise ValueError(
                f"strength_of: no kind of event is called '{unknown[0]}' (there are: {', '.join(KINDS)})"
            )
        if self.strength_of and min(self.values) < 0:
            raise ValueError("with strength_of, values must be 0 or more")
        if self.scale == "log" and min(self.values) < 0:
            raise ValueError("with scale log, values must be 0 or more")
        return self

    def of(self, region: str) -> tuple[Array, Array]:
        """Return (minutes since 1970 UTC, values that hold from then on) of a region, in order of time."""
        rows = [
            (instant.timestamp() / 60, value)
            for instant, value, whose in zip(
                self.at, self.values, self.regions or [region] * len(self.at), strict=True
            )
            if whose == region
        ]
        table = np.array(sorted(rows), float).reshape(-1, 2)
        return table[:, 0], np.log1p(table[:, 1]) if self.scale == "log" else table[:, 1]

    def mean_within(self, region: str, start_min: float, end_min: float) -> float:
        """Return its mean value of a region between two minutes since 1970 UTC; NaN where it says nothing."""
        since, values = self.of(region)
        minute = np.arange(start_min, end_min)
        place = np.searchsorted(since, minute, "right") - 1
        return (
            float(values[place].mean())
            if len(since) and place.min(initial=0) >= 0
            else float("nan")
        )

    def columns(self, name: str, when: When) -> Iterator[Part]:
        """Yield one column for each lag, none of an event's strength; `when` holds values centred and scaled."""
        if self.strength_of:
            return
        lagged = [when.regressors[f"{name}+{lag:g}"] for lag in self.lags]
        yield name, np.stack(lagged, axis=1), np.full(len(lagged), self.ridge)
