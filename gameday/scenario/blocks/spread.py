"""A number that is known with an interval: what was measured is never a point."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from gameday.scenario.units import Block

__all__ = ["Spread", "SpreadOrNumber"]

_Z95 = 1.959963984540054
"""Standard deviations to each side that hold 95 % of a normal law."""


class Spread(Block):
    """A positive number and the 95 % interval it lies in; its logarithm is taken to be normal."""

    mid: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.mid <= self.high:
            raise ValueError("must be low <= mid <= high")
        return self

    @classmethod
    def exactly(cls, number: float) -> Spread:
        """Return the spread of a number that is known."""
        return cls(mid=number, low=number, high=number)

    @classmethod
    def around(cls, mid: float, log_sd: float) -> Spread:
        """Return the spread whose logarithm has this standard deviation around that of `mid`."""
        half = _Z95 * log_sd
        return cls(mid=mid, low=mid * math.exp(-half), high=mid * math.exp(half))

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm."""
        return math.log(self.high / self.low) / (2 * _Z95)

    def times(self, factor: float) -> Spread:
        """Return the spread of the number times an exact factor."""
        return Spread(mid=self.mid * factor, low=self.low * factor, high=self.high * factor)

    def holds(self, number: float) -> bool:
        """Return whether a number lies in the interval."""
        return self.low <= number <= self.high

    def drawn(self, normal: float) -> Spread:
        """Return the number that belongs to a standard normal variate, known exactly."""
        return Spread.exactly(self.mid * math.exp(self.log_sd * normal))


def _spread_of(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"mid": float(value), "low": float(value), "high": float(value)}
    return value


SpreadOrNumber = Annotated[Spread, BeforeValidator(_spread_of)]
"""Written as a number, or as {mid, low, high}."""
