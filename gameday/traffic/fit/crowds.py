"""A launch's crowd as it comes to buy: who waits for the release is there at the release, not before."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = ["as_they_buy"]


def as_they_buy(
    scenario: Scenario, journey: Journey, region: str, grid: TimeGrid, starts: Array
) -> Array:
    """Return a journey's session starts, shape (slots,), with those who wait for a release moved to it.

    They come again by the launch's countdown, or as often as `on_waiting` lets them refresh; of each time they do,
    some go. What they look at while they wait comes on top. A stack opens at the first release of its regions.
    Other journeys come as they start.
    """
    if journey.launch is None or region not in scenario.launches[journey.launch].at:
        return starts
    launch = scenario.launches[journey.launch]
    released = scenario.release(launch.product, scenario.regions[region].stack)
    assert released is not None
    opens = (released - grid.start).total_seconds() / SLOT_S
    early = np.arange(grid.slots) + 1 <= opens
    if not starts[early].any():
        return starts
    reaction = journey.on_waiting
    if reaction is None:
        return np.where(early, 0.0, starts)
    every_s = launch.countdown or reaction.after
    waits_s = np.maximum(0.0, opens - np.arange(grid.slots)[early] - 0.5) * SLOT_S
    times = np.ones(waits_s.shape) if launch.countdown else np.ceil(waits_s / every_s)
    stay = np.where(times <= reaction.most, reaction.again ** np.minimum(times, reaction.most), 0.0)
    out = np.where(early, 0.0, starts)
    edges = np.clip((np.arange(grid.slots + 1) - opens) * SLOT_S / every_s, 0.0, 1.0)
    return np.asarray(out + float((starts[early] * stay).sum()) * np.diff(edges))
