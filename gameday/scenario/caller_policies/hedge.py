"""Hedged requests: a caller who has waited long calls a second time and takes the first good answer."""

from __future__ import annotations

from pydantic import Field

from gameday.scenario.units import Block, Duration

__all__ = ["Hedge", "hedge_number"]


class Hedge(Block):
    """When a second request goes out; the one that is not needed leaves the queue, or ends for nobody.

    Source: Dean & Barroso, "The Tail at Scale", 2013. A retry budget pays for it where there is one.
    """

    after: Duration = Field(gt=0)
    """How long the first request must be unanswered, s."""


def hedge_number(number: int) -> int:
    """Return the number of the second request of try `number` (0-7), which keys its draws and its calls' draws."""
    return 8 + number
