"""A ladder of loads: steps of constant load at the peak's mix, each long enough to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gameday.errors import UsageError
from gameday.traffic.plan.load_plan import LoadPlan, whole_starts
from gameday.traffic.plan.shape import ReplayOptions
from gameday.vocabulary import SLOT_S, Array, TimeGrid

__all__ = ["LADDER_SLOTS", "check_ladder", "ladder_options", "ladder_plan", "ladder_steps"]

LADDER_SLOTS = 10
"""Slots of each step. Ours: a mean over ten has an interval worth its name."""
_PEAK_SLOTS = 3
"""Slots around the busiest one whose mean is the peak's mix."""
_MOST_STEPS, _MOST_SHARE = 20, 5.0


def check_ladder(shares: Sequence[float]) -> None:
    """Raise UsageError where shares of the peak are no ladder."""
    told = ", ".join(f"{100 * share:g}%" for share in shares)
    if not 2 <= len(shares) <= _MOST_STEPS:
        raise UsageError(
            f"--ladder: must have 2 to {_MOST_STEPS} steps, as 25,50,75,100% (got {told})"
        )
    if any(not 0 < share <= _MOST_SHARE for share in shares):
        raise UsageError(
            f"--ladder: steps must be above 0 and at most {100 * _MOST_SHARE:g}% (got {told})"
        )
    if list(shares) != sorted(set(shares)):
        raise UsageError(f"--ladder: each step must be higher than the one before (got {told})")


def ladder_plan(plan: LoadPlan, shares: Sequence[float]) -> LoadPlan:
    """Return the plan of a ladder: `shares` of the peak of `plan`, one after another, from its
    window's start on.
    """
    factors = np.repeat([shares[0], *shares], [plan.lead_in, *[LADDER_SLOTS] * len(shares)])
    starts, forecast, caused = (
        _at_peak(plan, rates)[:, :, None] * factors
        for rates in (plan.starts, plan.forecast, plan.caused)
    )
    return replace(
        plan,
        grid=TimeGrid(plan.grid.start, len(factors)),
        starts=starts,
        forecast=forecast,
        caused=caused,
        played=whole_starts(plan.clock.played(starts), plan.seed),
        half_life_slots={},
        released={},
        injections=(),
    )


def ladder_options(options: ReplayOptions, shares: Sequence[float]) -> ReplayOptions:
    """Return the options of the window that a ladder is made of: `duration_s` is that of all steps together."""
    if options.duration_s is None:
        return options
    speed = LADDER_SLOTS * len(shares) * SLOT_S / options.duration_s
    if speed < 1:
        raise UsageError(f"--duration is longer than the ladder at real speed ({speed:.3g}x)")
    return replace(options, duration_s=None, speed=speed)


def ladder_steps(plan: LoadPlan) -> list[slice]:
    """Return the slots of each step of a ladder's plan, counted from the window's start."""
    count = plan.window.slots // LADDER_SLOTS
    return [slice(LADDER_SLOTS * n, LADDER_SLOTS * (n + 1)) for n in range(count)]


def _at_peak(plan: LoadPlan, rates: Array) -> Array:
    """Return rates (regions, names, slots) in the busiest minutes of the window, shape (regions, names)."""
    load = plan.starts.sum(axis=(0, 1))[plan.lead_in :]
    width = min(_PEAK_SLOTS, len(load))
    first = int(np.convolve(load, np.ones(width), "valid").argmax()) + plan.lead_in
    return np.asarray(rates[:, :, first : first + width].mean(axis=2))
