"""Warm-up: servers that are new or come back work slower at first."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["WarmUp", "cold_factor", "cold_share"]


class WarmUp(Policy):
    """How cold a new server is, and for how long."""

    last: Duration = Field(gt=0)
    """Until it works as fast as the others, s (wall time at any speed)."""
    factor: float = Field(gt=1, le=100)
    """Factor on its work at first; it falls linearly to 1."""

    real_columns: ClassVar = ("cold_s", "cold_factor")
    changes_work: ClassVar = True

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"cold_s": self.last, "cold_factor": self.factor}


def cold_share(since_s: float, share: float, last_s: float, before: int, servers: int) -> float:
    """Return the share of servers that are cold once `before` servers have become `servers`.

    The new ones are cold; of those there were, `share` was cold `since_s` ago and has warmed up in part.
    """
    still_cold = share * max(0.0, 1.0 - since_s / last_s) * before
    return (servers - before + still_cold) / servers


def cold_factor(since_s: float, share: float, last_s: float, factor: float) -> float:
    """Return the factor on work, averaged over the servers, `since_s` after `share` (0-1) of them was cold."""
    return 1.0 + share * (factor - 1.0) * max(0.0, 1.0 - since_s / last_s)
