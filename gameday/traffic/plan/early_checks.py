"""What options and the scenario alone show to be impossible, refused before a forecast is made."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.errors import UsageError
from gameday.forecast import demand_grid
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.scenario.reading import choose_injections
from gameday.traffic.plan.nominal import nominal_response
from gameday.traffic.plan.shape import Asked, check_speed, named_window
from gameday.vocabulary import SLOT_S, TimeGrid

__all__ = ["check_asked", "longest_window_s"]


def check_asked(
    asked: Asked, scenario: Scenario, inject: Sequence[str], *, own_target: bool
) -> None:
    """Raise UsageError, naming the option, where no forecast could make the run possible.

    `inject` is as written after --inject; nothing stands for the scenario's own. `own_target`: the servers
    are not ours, so neither broken nor scaled.
    """
    window_s = longest_window_s(asked, scenario)
    choose_injections(inject, scenario, window_s, is_ours=not own_target)
    speed = asked.speed or scenario.replay.speed
    if asked.duration_s:
        speed = window_s / asked.duration_s
        if speed < 1:
            raise UsageError(f"--duration is longer than the window itself ({speed:.3g}x)")
    scale = scenario.replay.target_fraction if own_target else asked.scale
    if scale is not None:
        cells = {s: build_cell(scenario, s, scale=scale) for s in scenario.stack_names}
        check_speed(speed, scenario, {s: nominal_response(scenario, c) for s, c in cells.items()})


def longest_window_s(asked: Asked, scenario: Scenario) -> float:
    """Return the event seconds of the window asked for, at most: where `peak` lies, the forecast says."""
    if asked.window == "peak":
        return max(1, round(scenario.replay.peak / SLOT_S)) * SLOT_S
    if asked.window == "all":
        spans = [scenario.span(scenario.event, region) for region in scenario.regions]
        return TimeGrid.between(min(s for s, _ in spans), max(e for _, e in spans)).slots * SLOT_S
    return named_window(asked.window, scenario, demand_grid(scenario)).slots * SLOT_S
