"""Hedged requests: a caller who has waited long calls a second time and takes the first good answer."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gameday.scenario.policy import Policy
from gameday.scenario.units import Duration

__all__ = ["Hedge", "hedge_number"]


class Hedge(Policy):
    """When a second request goes out; the one that is not needed leaves the queue, or ends for nobody.

    Source: Dean & Barroso, "The Tail at Scale", 2013. A retry budget pays for it where there is one.
    """

    after: Duration = Field(gt=0)
    """How long the first request must be unanswered, s."""

    real_columns: ClassVar = ("hedge_s",)

    @property
    def acts_after_s(self) -> float:
        """Return when the second request goes out."""
        return self.after

    def columns(self, scale: float) -> dict[str, float]:
        """Return its columns."""
        return {"hedge_s": self.after}


def hedge_number(number: int) -> int:
    """Return the number of the second request of try `number` (0-7), which keys its draws and its calls' draws."""
    return 8 + number
