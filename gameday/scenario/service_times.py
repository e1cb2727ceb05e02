"""How long one visit to a service takes when nothing waits: the laws, each by inverse transform.

A draw is one uniform number in, seconds out, through scalar `math`, so that every engine that
is handed the same uniform gets the same time to the last bit (DESIGN §7.9).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["Deterministic", "Exponential", "LogNormal", "ServiceTime", "normal_quantile"]


_MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_NEAR = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959,
     1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
     6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1.0),
)  # fmt: skip
"""AS 241's rational functions, highest power first: above and below the line."""


def normal_quantile(p: float) -> float:
    """Return the standard normal quantile of p in (0, 1).

    Source: Wichura (1988), algorithm AS 241, PPND16; about 1e-16 relative.
    """
    q = p - 0.5
    middle = abs(q) <= 0.425
    if middle:
        r, tops, bottoms = 0.180625 - q * q, _MIDDLE[0], _MIDDLE[1]
    else:
        r = math.sqrt(-math.log(p if q < 0 else 1.0 - p))
        tops, bottoms = (_NEAR[0], _NEAR[1]) if r <= 5.0 else (_FAR[0], _FAR[1])
        r -= 1.6 if r <= 5.0 else 5.0
    top = bottom = 0.0
    for number in tops:
        top = top * r + number
    for number in bottoms:
        bottom = bottom * r + number
    if middle:
        return q * top / bottom
    return -top / bottom if q < 0 else top / bottom


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
        z = normal_quantile(uniform)
        return self.mean * math.exp(math.sqrt(variance) * z - variance / 2)


ServiceTime = Annotated[Deterministic | Exponential | LogNormal, Field(discriminator="law")]
