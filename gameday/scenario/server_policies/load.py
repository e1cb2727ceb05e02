"""Load: the more requests an instance works on at once, the longer each takes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from gameday.scenario.policy import Policy

__all__ = ["Load", "load_factor"]


class Load(Policy):
    """How requests at once stand in each other's way; `time` is that of a request alone.

    Source: N. Gunther, the universal scalability law: past some concurrency throughput falls.
    """

    contention: float = Field(default=0.0, ge=0, le=1)
    """Share of the work that is serialised: one request at a time."""
    coherency: float = Field(default=0.0, ge=0, le=1)
    """Share that each other request in service adds: shared state, garbage to collect, thrashing."""

    real_columns: ClassVar = ("contention", "coherency")
    changes_work: ClassVar = True

    @model_validator(mode="after")
    def _slows_something(self) -> Load:
        if self.contention == self.coherency == 0:
            raise ValueError("give `contention` or `coherency` above 0, or leave `load` out")
        return self

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"contention": self.contention, "coherency": self.coherency}


def load_factor(at_once: float, contention: float, coherency: float) -> float:
    """Return the factor on work with `at_once` requests in service in an instance, this one included."""
    others = max(0.0, at_once - 1.0)
    return 1.0 + contention * others + coherency * at_once * others
