"""How long one visit to a service takes when nothing waits: the laws, each by inverse transform.

A draw is one uniform number in, seconds out, through scalar `math`, so that every engine that
is handed the same uniform gets the same time to the last bit (DESIGN §7.9).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["Deterministic", "Exponential", "LogNormal", "ServiceTime"]

_NORMAL = NormalDist()


class Deterministic(Block):
    """Every visit takes `mean`."""

    law: Literal["deterministic"]
    mean: Duration = Field(gt=0)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return 0.0

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        return self.mean


class Exponential(Block):
    """Memoryless, with mean `mean`."""

    law: Literal["exponential"]
    mean: Duration = Field(gt=0)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return 1.0

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        return -math.log1p(-uniform) * self.mean


class LogNormal(Block):
    """Log-normal with mean `mean` and coefficient of variation `cv`."""

    law: Literal["lognormal"]
    mean: Duration = Field(gt=0)
    cv: float = Field(gt=0, le=10)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.cv**2

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        variance = math.log1p(self.cv**2)
        z = _NORMAL.inv_cdf(uniform)
        return self.mean * math.exp(math.sqrt(variance) * z - variance / 2)


ServiceTime = Annotated[Deterministic | Exponential | LogNormal, Field(discriminator="law")]
