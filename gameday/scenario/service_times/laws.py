"""Laws of service time: how long one visit takes when nothing waits, drawn by inverse transform.

A draw is one uniform number in, seconds out, through the scalar functions of `quantile_functions`: an
engine that is handed the same uniform gets the same time to the last bit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gameday.scenario.service_times.quantile_functions import (
    between,
    cubic,
    exponential,
    gamma_place,
    gamma_rows,
    lognormal,
    normal_quantile,
    pareto,
)
from gameday.scenario.units import Block, Duration

__all__ = [
    "Deterministic",
    "Empirical",
    "Erlang",
    "Exponential",
    "Gamma",
    "LogNormal",
    "Pareto",
    "ServiceTime",
    "with_mean_times",
]


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
        return exponential(uniform, self.mean)


class LogNormal(Block):
    """Log-normal with mean `mean` and coefficient of variation `cv`."""

    law: Literal["lognormal"]
    mean: Duration = Field(gt=0)
    cv: float = Field(gt=0, le=10)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.cv**2

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.sqrt(math.log1p(self.cv**2))

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        return lognormal(normal_quantile(uniform), self.mean, self.sigma)


class _GammaShaped(Block):
    mean: Duration = Field(gt=0)

    @property
    def shape(self) -> float:
        """Shape of the gamma law."""
        raise NotImplementedError

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return 1 / self.shape

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        rows, position = gamma_rows(self.shape), gamma_place(normal_quantile(uniform))
        row = int(position)
        before, first, second, behind = rows[row - 1 : row + 3]
        return self.mean * math.exp(cubic(before, first, second, behind, position - row))


class Gamma(_GammaShaped):
    """Gamma with mean `mean` and coefficient of variation `cv`."""

    law: Literal["gamma"]
    cv: float = Field(ge=0.02, le=10)

    @property
    def shape(self) -> float:
        """Shape of the gamma law."""
        return 1 / self.cv**2


class Erlang(_GammaShaped):
    """The sum of `stages` exponential times that together have mean `mean`."""

    law: Literal["erlang"]
    stages: int = Field(ge=1, le=2500)

    @property
    def shape(self) -> float:
        """Shape of the gamma law."""
        return float(self.stages)


class Pareto(Block):
    """Pareto's law from `min` on, without what lies above `max`: a tail of power `alpha`."""

    law: Literal["pareto"]
    min: Duration = Field(gt=0)
    max: Duration = Field(gt=0)
    alpha: float = Field(gt=0, le=20)

    @model_validator(mode="after")
    def _in_order(self) -> Pareto:
        if self.min >= self.max:
            raise ValueError("`min` must be less than `max`")
        return self

    @property
    def share(self) -> float:
        """Share of the whole law that lies below `max`."""
        return float(1 - (self.min / self.max) ** self.alpha)

    def _moment(self, order: int) -> float:
        ratio, power = self.max / self.min, order - self.alpha
        spread = (
            math.log(ratio) if abs(power) < 1e-9 else math.expm1(power * math.log(ratio)) / power
        )
        return self.alpha * self.min**order * spread / self.share

    @property
    def mean(self) -> float:
        """Mean, s."""
        return self._moment(1)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self._moment(2) / self.mean**2 - 1

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        return pareto(uniform, self.min, self.share, self.alpha)


class Empirical(Block):
    """What was measured: quantiles, `p0` and `p100` among them, straight lines between."""

    law: Literal["empirical"]
    quantiles: dict[str, Duration] = Field(min_length=2, max_length=200)
    """p0, p50, p99.9 ... p100 -> seconds; rising."""

    @field_validator("quantiles")
    @classmethod
    def _are_named_as_levels(cls, quantiles: dict[str, float]) -> dict[str, float]:
        try:
            for name in quantiles:
                float(name.removeprefix("p"))
        except ValueError:
            raise ValueError("quantiles are named p0, p50, p99.9 ... p100") from None
        if any(not name.startswith("p") for name in quantiles):
            raise ValueError("quantiles are named p0, p50, p99.9 ... p100")
        return quantiles

    @field_validator("quantiles")
    @classmethod
    def _are_complete_and_rising(cls, quantiles: dict[str, float]) -> dict[str, float]:
        rows = sorted((float(name.removeprefix("p")), s) for name, s in quantiles.items())
        if rows[0][0] != 0 or rows[-1][0] != 100:
            raise ValueError("the first quantile must be p0 and the last p100")
        if any(a[0] == b[0] or a[1] > b[1] for a, b in pairwise(rows)) or rows[-1][1] <= 0:
            raise ValueError("each quantile must be named once, and none be below the one before")
        return quantiles

    @cached_property
    def rows(self) -> tuple[tuple[float, float], ...]:
        """(level in 0..1, seconds), rising."""
        return tuple(sorted((float(name[1:]) / 100, s) for name, s in self.quantiles.items()))

    @property
    def mean(self) -> float:
        """Mean, s."""
        return sum((q - p) * (a + b) / 2 for (p, a), (q, b) in pairwise(self.rows))

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        second = sum(
            (q - p) * (a * a + a * b + b * b) / 3 for (p, a), (q, b) in pairwise(self.rows)
        )
        return second / self.mean**2 - 1

    def seconds(self, uniform: float) -> float:
        """Return the time in seconds that belongs to `uniform` in (0, 1)."""
        rows = self.rows
        above = bisect_right(rows, uniform, hi=len(rows) - 1, key=lambda row: row[0])
        return between(uniform, *rows[above - 1], *rows[above])


ServiceTime = Annotated[
    Deterministic | Exponential | LogNormal | Gamma | Erlang | Pareto | Empirical,
    Field(discriminator="law"),
]


def with_mean_times(law: ServiceTime, factor: float, cv: float | None = None) -> ServiceTime:
    """Return a law of the same shape whose times are `factor` times as long; with `cv`, a log-normal one."""
    if cv is not None:
        return LogNormal.model_construct(law="lognormal", mean=law.mean * factor, cv=cv)
    if factor == 1.0:
        return law
    fields = {name: getattr(law, name) for name in type(law).model_fields}
    for name in ("mean", "min", "max"):
        if name in fields:
            fields[name] *= factor
    if isinstance(law, Empirical):
        fields["quantiles"] = {level: s * factor for level, s in law.quantiles.items()}
    return type(law).model_construct(**fields)
