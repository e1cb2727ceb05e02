"""Circuit breaker: callers stop calling a service that fails too often, and try again later."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["Breaker", "failing_after", "trips"]


_FEWEST_CALLS = 10.0
"""Calls that a scaled-down system's breaker counts: with fewer a single failure would open it. Ours."""


class Breaker(Policy):
    """Opens when too many calls fail; while open nobody asks; then one call at a time decides.

    Source: M. Nygard, "Release It!", 2007; one breaker for all callers of a service.
    """

    failures: float = Field(gt=0, le=1)
    """Share of the latest calls that fail, at which it opens."""
    calls: float = Field(default=100, ge=1, le=1e9)
    """How many calls the share is of, at full scale; each new one weighs 1/calls. Default: Resilience4j's."""
    open: Duration = Field(gt=0)
    """How long nobody asks, s (wall time at any speed)."""

    real_columns: ClassVar = ("open_s", "failures", "window", "failing", "open_until_s")
    whole_columns: ClassVar = ("is_trying", "era")
    has_closed_form: ClassVar = True

    def window(self, scale: float) -> float:
        """Return the calls its failure share is of in a system at scale k: x k, but at least `_FEWEST_CALLS`."""
        return max(scale * self.calls, min(self.calls, _FEWEST_CALLS))

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns; `open_until_s` below 0: it is closed."""
        return {
            "open_s": self.open,
            "failures": self.failures,
            "window": self.window(scale),
            "open_until_s": -1.0,
        }


def failing_after(failing: float, failed: float, calls: float) -> float:
    """Return the exponentially weighted share of failed calls after one more (`failed`: 0 or 1)."""
    return failing + (failed - failing) / calls


def trips(failing: float, failures: float) -> bool:
    """Return whether the share of failed calls opens the breaker."""
    return failing >= failures
