"""A launch's crowd as it comes to buy: who waits for the release is there at the release, not before."""

from __future__ import annotations

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey, Reaction
from gameday.scenario.events import Launch
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = ["move_waiting_to_release", "steps_of_crowd"]


def move_waiting_to_release(
    scenario: Scenario, journey: Journey, region: str, grid: TimeGrid, starts: Array
) -> Array:
    """Return a journey's session starts, shape (slots,), with those who wait for a release moved to it.

    Waiting customers return at the launch's countdown, or refresh as often as `on_waiting` lets them; a share
    leaves at each refresh. The steps they make while they wait are not counted here. A stack opens at the first
    release of its regions. Starts of other journeys are returned as they are.
    """
    if journey.launch is None or region not in scenario.launches[journey.launch].at:
        return starts
    launch = scenario.launches[journey.launch]
    opens = _release_slot(scenario, launch, region, grid)
    early = np.arange(grid.slots) + 1 <= opens
    if not starts[early].any():
        return starts
    after_release = np.where(early, 0.0, starts)
    if journey.on_waiting is None:
        return after_release
    return np.asarray(after_release + _returning(starts, early, opens, launch, journey.on_waiting))


def _returning(
    starts: Array, early: Array, opens: float, launch: Launch, reaction: Reaction
) -> Array:
    """Return when those of the early starts who are still there at the release come again, shape (slots,).

    They come evenly over the interval between two refreshes, from the release on.
    """
    every_s = launch.countdown or reaction.after
    slots = np.arange(len(starts))
    waits_s = np.maximum(0.0, opens - slots[early] - 0.5) * SLOT_S
    count = float((starts[early] * _chance_to_return(launch, reaction, waits_s)).sum())
    edges = (np.arange(len(starts) + 1) - opens) * SLOT_S / every_s
    return np.asarray(count * np.diff(np.clip(edges, 0.0, 1.0)))


def _release_slot(scenario: Scenario, launch: Launch, region: str, grid: TimeGrid) -> float:
    """Return when the launch's product is released in the region's stack, in slots of `grid`."""
    released = scenario.release(launch.product, scenario.regions[region].stack)
    assert released is not None
    return (released - grid.start).total_seconds() / SLOT_S


def _chance_to_return(launch: Launch, reaction: Reaction, waits_s: Array) -> Array:
    """Return the chance that a customer who waits so long is still there at the release."""
    every_s = launch.countdown or reaction.after
    times = np.ones(waits_s.shape) if launch.countdown else np.ceil(waits_s / every_s)
    stays = reaction.again ** np.minimum(times, reaction.most)
    return np.where(times <= reaction.most, stays, 0.0)


def steps_of_crowd(
    scenario: Scenario,
    journey: Journey,
    region: str,
    grid: TimeGrid,
    starts: Array,
    response_s: dict[str, float],
) -> Array:
    """Return the steps a minute that a launch's crowd causes, shape (the scenario's steps, slots).

    `starts` are its session starts, shape (slots,); `response_s` is each step's response in event time.
    """
    buying = move_waiting_to_release(scenario, journey, region, grid, starts)
    kernel = lag_kernel(journey, scenario.step_names, response_s)
    return caused_steps(buying[None], [kernel])
