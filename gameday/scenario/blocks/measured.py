"""What was measured of a service in one stack, in place of what is declared of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gameday.scenario.blocks.spread import Spread, SpreadOrNumber
from gameday.scenario.caller_policies import Cache, Retry
from gameday.scenario.queue_policies import Pool
from gameday.scenario.server_policies import Autoscale, Degraded, Load
from gameday.scenario.service_times import ServiceTime, normal_quantile, with_mean_times
from gameday.scenario.units import Block, Name
from gameday.vocabulary import Seed

if TYPE_CHECKING:
    from gameday.scenario.blocks.services import Service

__all__ = ["Measured", "MeasuredFields"]

MeasuredFields = Mapping[str, object]
"""Some fields of `Measured`, by their names."""

_REPLACED = (
    "queue_per_server",
    "threads",
    "retry",
    "pool",
    "cache",
    "autoscale",
    "load",
    "degraded",
)
"""Fields that take the place of the service's own of the same name."""


class Measured(Block):
    """What differs from the declaration in this stack; `gameday calibrate` writes it, with intervals."""

    servers: SpreadOrNumber | None = None
    """Servers at full scale, in place of instances x servers_per_instance."""
    visits_factor: SpreadOrNumber = Spread.exactly(1.0)
    """How many times as often it is visited as `calls` say; visits beyond those follow one another."""
    time_factor: SpreadOrNumber = Spread.exactly(1.0)
    """How many times as long own work takes."""
    step_factors: dict[Name, SpreadOrNumber] = Field(default_factory=dict)
    """Step -> the same for visits from it, on top of `time_factor`."""
    cv: SpreadOrNumber | None = None
    """Coefficient of variation of own work, which is then log-normal."""
    queue_per_server: float | None = Field(default=None, ge=0, le=1_000_000)
    threads: Literal["held", "asynchronous"] | None = None
    retry: Retry | None = None
    pool: Pool | None = None
    cache: Cache | None = None
    autoscale: Autoscale | None = None
    load: Load | None = None
    degraded: Degraded | None = None

    def spreads(self) -> dict[tuple[str, ...], Spread]:
        """Return every number that has an interval, by the path of its field."""
        found: dict[tuple[str, ...], Spread] = {
            ("time_factor",): self.time_factor,
            ("visits_factor",): self.visits_factor,
        }
        found |= {("step_factors", step): spread for step, spread in self.step_factors.items()}
        for name in ("servers", "cv"):
            if (spread := getattr(self, name)) is not None:
                found[(name,)] = spread
        return found

    def with_spreads(self, spreads: dict[tuple[str, ...], Spread]) -> Measured:
        """Return this with other numbers, by the path of their fields."""
        plain = {path[0]: spread for path, spread in spreads.items() if len(path) == 1}
        of_steps = {path[1]: spread for path, spread in spreads.items() if len(path) == 2}
        steps = {**self.step_factors, **of_steps}
        return self.model_copy(update={**plain, "step_factors": steps})

    def told(self, fields: MeasuredFields) -> Measured:
        """Return this with other values of some fields; factors of steps that are not named stay."""
        steps = fields.get("step_factors")
        if not isinstance(steps, Mapping):
            return self.model_copy(update=dict(fields))
        return self.model_copy(update={**fields, "step_factors": {**self.step_factors, **steps}})

    def drawn(self, seed: Seed) -> Measured:
        """Return this with each number that is not known exactly drawn from its interval."""
        numbers = {}
        for path, spread in self.spreads().items():
            if spread.low < spread.high:
                [uniform] = seed.stream(*path).uniform(1e-9, 1 - 1e-9, 1)
                numbers[path] = spread.drawn(normal_quantile(float(uniform)))
        return self.with_spreads(numbers) if numbers else self

    def applied(self, service: Service) -> Service:
        """Return a service as it was measured, its numbers taken at the middle of their intervals."""
        cv = None if self.cv is None else self.cv.mid
        factor = self.time_factor.mid
        steps = dict.fromkeys([*service.step_time, *self.step_factors])
        times: dict[str, ServiceTime] = {
            step: with_mean_times(service.time_for(step), factor * self._step_factor(step), cv)
            for step in steps
        }
        replaced = {name: value for name in _REPLACED if (value := getattr(self, name)) is not None}
        return service.model_copy(
            update={
                "time": with_mean_times(service.time, factor, cv),
                "step_time": times,
                **replaced,
            }
        )

    @property
    def of_fleet(self) -> Measured | None:
        """What of it no declaration of a service can hold: its servers, and how often it is visited."""
        kept = Measured(servers=self.servers, visits_factor=self.visits_factor)
        return None if kept == Measured() else kept

    def _step_factor(self, step: str) -> float:
        spread = self.step_factors.get(step)
        return 1.0 if spread is None else spread.mid
