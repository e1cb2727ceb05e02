"""The room's verb: demand in, load plan out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.traffic.fit.by_type import steps_by_type
from gameday.traffic.fit.crowds import move_waiting_to_release
from gameday.traffic.fit.demand_with_launches import launch_steps, nominal_at
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps, fit_starts
from gameday.traffic.plan.load_plan import LoadPlan, whole_starts
from gameday.traffic.plan.nominal import StackResponses, event_response_s
from gameday.traffic.plan.products import mix_of_journeys
from gameday.traffic.plan.shape import (
    ReplayOptions,
    check_speed,
    choose_scale,
    choose_speed,
    choose_window,
    fastest_speed,
    larger_scales,
)
from gameday.vocabulary import SLOT_S, Array, Clock, Seed, TimeGrid

__all__ = ["event_steps", "plan_load"]

_UNDER_WAY = 0.95
"""Share of visits that the lead-in must let fall before the window opens."""
_MOST_LEAD_IN = 12
"""Slots of the lead-in, at most."""


@dataclass(frozen=True, slots=True)
class _Path:
    """One day that could happen: the demand at one quantile of the event's strength."""

    scenario: Scenario
    demand: Demand
    quantile: float
    steps: Array
    """Steps a minute without launches, shape (regions, steps, slots)."""
    crowds: Array
    """Launch sessions that start in a minute, shape (regions, journeys, slots); 0 for other journeys."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """Session starts that cause a forecast."""

    starts: Array
    """Session starts a minute, launches included, shape (regions, journeys, slots)."""
    kernels: dict[str, list[Array]]
    """Region -> lag kernel of each journey, shape (steps, lag in slots)."""


@dataclass(frozen=True, slots=True)
class _Size:
    """How fast and how large a plan is played."""

    speed: float
    scale: float
    nominal: StackResponses
    """Responses with no queue, at that scale."""


def plan_load(
    scenario: Scenario,
    demand: Demand,
    *,
    seed: Seed,
    options: ReplayOptions,
    own_target: bool = False,
) -> LoadPlan:
    """Return the plan that plays a window of `demand`; UsageError says what of it cannot be met.

    `own_target`: the servers are not ours to scale, so the scale applies to arrivals alone.
    """
    path = _path_at(scenario, demand, options.quantile or scenario.replay.quantile)
    window = _find_window(path, options.window)
    speed = choose_speed(options, scenario, window.slots * SLOT_S)
    size = _choose_size(path, window, options.scale, speed, own_target=own_target)
    check_speed(speed, scenario, size.nominal)
    fit = _fit(path, size.nominal, speed)
    lead_in = _lead_in(fit.kernels) if options.lead_in is None else options.lead_in
    grid = _with_lead_in(demand.grid, window, lead_in)
    return _assemble(path, fit, size, window, grid, seed)


def _path_at(scenario: Scenario, demand: Demand, quantile: float) -> _Path:
    """Return the demand and the launches' crowds at a quantile."""
    crowds = np.zeros((len(demand.regions), len(scenario.journeys), demand.grid.slots))
    for j, journey in enumerate(scenario.journeys.values()):
        if journey.launch is not None:
            crowds[:, j] = demand.launch_crowd(journey.launch, quantile)
    return _Path(scenario, demand, quantile, demand.path(quantile), crowds)


def _find_window(path: _Path, window: str) -> TimeGrid:
    """Return the window that the option means; `peak` is that of session starts at real speed and full scale."""
    scenario, demand = path.scenario, path.demand
    starts = np.zeros(path.crowds.shape)
    if window == "peak":
        starts = _fit(path, nominal_at(scenario, 1.0), 1.0).starts
    return choose_window(window, scenario, demand.grid, starts.sum(axis=1), demand.spans)


def _choose_size(
    path: _Path, window: TimeGrid, scale: float | None, speed: float, *, own_target: bool
) -> _Size:
    """Return the scale that is given, or one whose cell is quick enough for `speed`."""
    scenario, demand = path.scenario, path.demand
    launched = launch_steps(scenario, demand, _launch_crowds(demand, path.quantile))
    total = sum(launched.values(), path.steps)[:, :, _slots_of(demand.grid, window)]
    chosen = choose_scale(scale, scenario, total, own_target=own_target)
    if scale is None and not own_target:
        return _quick_enough(scenario, chosen, speed)
    servers = scenario.replay.target_fraction if own_target else chosen
    return _Size(speed, chosen, nominal_at(scenario, servers))


def _quick_enough(scenario: Scenario, scale: float, speed: float) -> _Size:
    """Return the first scale from `scale` on whose cell replies quickly enough for `speed`.

    Where none does, `scale` itself.
    """
    for larger in larger_scales(scale):
        nominal = nominal_at(scenario, larger)
        if speed <= max(1.0, fastest_speed(scenario, nominal)[0]):
            return _Size(speed, larger, nominal)
    return _Size(speed, scale, nominal_at(scenario, scale))


def event_steps(scenario: Scenario, demand: Demand, quantile: float) -> dict[str | None, Array]:
    """Return product type -> steps a minute of the whole event at full scale and real speed, shaped as `median`.

    The steps of launch crowds are under the product they come for; without products all steps are under None.
    They are those of one day that could happen, at `quantile` of the event's strength.
    """
    steps = demand.path(quantile)
    out: dict[str | None, Array] = {}
    for r, region in enumerate(demand.regions):
        for product, rows in steps_by_type(scenario, demand.grid, region, steps[r]).items():
            out.setdefault(product, np.zeros_like(steps))[r] = rows
    for launch, added in launch_steps(scenario, demand, _launch_crowds(demand, quantile)).items():
        out[scenario.launches[launch].product] += added
    return out


def _launch_crowds(demand: Demand, quantile: float) -> dict[str, Array]:
    """Return launch -> its sessions at a quantile of its crowd, shape (regions, slots)."""
    return {name: demand.launch_crowd(name, quantile) for name in demand.launches}


def _fit(path: _Path, nominal: StackResponses, speed: float) -> _Fit:
    """Return the session starts that cause the path's steps when replies take as long as `nominal`."""
    scenario, demand = path.scenario, path.demand
    starts, kernels = path.crowds.copy(), {}
    journeys = list(scenario.journeys.values())
    daily = [j for j, journey in enumerate(journeys) if journey.launch is None]
    for r, region in enumerate(demand.regions):
        response_s = event_response_s(nominal[scenario.regions[region].stack], speed=speed)
        kernels[region] = [lag_kernel(journey, demand.steps, response_s) for journey in journeys]
        if daily:
            of_daily = [kernels[region][j] for j in daily]
            starts[r, daily] = _fit_daily(scenario, demand.grid, region, path.steps[r], of_daily)
    return _Fit(starts, kernels)


def _fit_daily(
    scenario: Scenario, grid: TimeGrid, region: str, steps: Array, kernels: list[Array]
) -> Array:
    """Return the starts of journeys without a launch in a region, shape (journeys, slots)."""
    mix, jumps = mix_of_journeys(scenario, grid, region), _jumps(scenario, grid, region)
    return fit_starts(steps, kernels, mix=mix, jumps=jumps)


def _jumps(scenario: Scenario, grid: TimeGrid, region: str) -> Array:
    """Return where starts may differ from the slot before: an event begins or ends, shape (slots,)."""
    out = np.zeros(grid.slots, bool)
    for _, start, end in scenario.occurrences(region):
        for instant in (start, end):
            if 0 <= (slot := grid.index_of(instant)) < grid.slots:
                out[slot] = True
    return out


def _lead_in(kernels: dict[str, list[Array]]) -> int:
    """Return the slots after which 95 % of any journey's visits have fallen, twelve at most."""
    slots = 0
    for rows in kernels.values():
        for kernel in rows:
            fallen = np.cumsum(kernel.sum(axis=0)) / kernel.sum()
            slots = max(slots, int(np.argmax(fallen >= _UNDER_WAY)) + 1)
    return min(slots, _MOST_LEAD_IN)


def _with_lead_in(grid: TimeGrid, window: TimeGrid, lead_in: int) -> TimeGrid:
    """Return a window with `lead_in` slots before it, or as many as `grid` has."""
    first = grid.index_of(window.start)
    lead_in = min(lead_in, first)
    return grid.part(first - lead_in, window.slots + lead_in)


def _assemble(
    path: _Path, fit: _Fit, size: _Size, window: TimeGrid, grid: TimeGrid, seed: Seed
) -> LoadPlan:
    """Return the plan of a window; `grid` is the window with the lead-in before it."""
    scenario, demand = path.scenario, path.demand
    part = _slots_of(demand.grid, grid)
    starts = fit.starts[:, :, part]
    return LoadPlan(
        grid=grid,
        lead_in=grid.index_of(window.start),
        regions=demand.regions,
        steps=demand.steps,
        journeys=tuple(scenario.journeys),
        starts=starts,
        forecast=(path.steps + _caused(path, path.crowds, fit.kernels))[:, :, part],
        caused=_caused(path, fit.starts, fit.kernels)[:, :, part],
        played=whole_starts(Clock(size.speed, size.scale).played(starts), seed),
        half_life_slots=_half_lives(scenario, demand),
        speed=size.speed,
        scale=size.scale,
        quantile=path.quantile,
        seed=seed,
        nominal=size.nominal,
        released=_releases(scenario, grid),
        spacing=scenario.replay.spacing,
        dispersion=scenario.replay.dispersion,
    )


def _caused(path: _Path, starts: Array, kernels: dict[str, list[Array]]) -> Array:
    """Return the steps that starts (regions, journeys, slots) cause, shape (regions, steps, slots)."""
    journeys, grid = path.scenario.journeys.values(), path.demand.grid
    out = []
    for rows, region in zip(starts, path.demand.regions, strict=True):
        buying = [
            move_waiting_to_release(path.scenario, journey, region, grid, row)
            for journey, row in zip(journeys, rows, strict=True)
        ]
        out.append(caused_steps(np.stack(buying), kernels[region]))
    return np.stack(out)


def _half_lives(scenario: Scenario, demand: Demand) -> dict[str, float]:
    """Return launch journey -> half-life of its crowd, slots."""
    return {
        name: demand.launches[journey.launch].half_life_s / SLOT_S
        for name, journey in scenario.journeys.items()
        if journey.launch
    }


def _releases(scenario: Scenario, grid: TimeGrid) -> dict[str, dict[str, int]]:
    """Return launch journey -> region -> slot of `grid` in which its product is released."""
    return {
        name: {
            region: grid.index_of(scenario.launch_at(journey.launch, region))
            for region in scenario.launches[journey.launch].at
        }
        for name, journey in scenario.journeys.items()
        if journey.launch
    }


def _slots_of(grid: TimeGrid, part: TimeGrid) -> slice:
    """Return the slots of `grid` that `part` covers."""
    first = grid.index_of(part.start)
    return slice(first, first + part.slots)
