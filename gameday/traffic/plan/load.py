"""The room's verb: demand in, load plan out."""

from __future__ import annotations

import numpy as np

from gameday.errors import UsageError
from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.traffic.fit.by_type import steps_by_type
from gameday.traffic.fit.crowds import as_they_buy
from gameday.traffic.fit.demand_with_launches import launch_steps, nominal_at
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps, fit_starts
from gameday.traffic.plan.load_plan import LoadPlan, whole_starts
from gameday.traffic.plan.nominal import Nominal
from gameday.traffic.plan.products import mix_of_journeys
from gameday.traffic.plan.shape import (
    Asked,
    check_speed,
    choose_scale,
    choose_window,
    fastest_speed,
    larger_scales,
)
from gameday.vocabulary import SLOT_S, Array, Clock, Seed, TimeGrid

__all__ = ["event_steps", "plan_load"]

_UNDER_WAY = 0.95
"""Share of visits that the lead-in must let fall before the window opens."""
_MOST_LEAD_IN = 12


def plan_load(
    scenario: Scenario, demand: Demand, *, seed: Seed, asked: Asked, own_target: bool = False
) -> LoadPlan:
    """Return the plan that plays a window of `demand`; UsageError says which flag cannot be met.

    `own_target`: the servers are not ours to scale, so k scales arrivals alone (DESIGN §7.3).
    """
    quantile = asked.quantile or scenario.replay.quantile
    steps, crowds = demand.path(quantile), _sessions(scenario, demand, quantile)
    starts = np.zeros((len(demand.regions), len(scenario.journeys), demand.grid.slots))
    if asked.window == "peak":
        draft = nominal_at(scenario, 1.0)
        starts, _ = _fit_all(scenario, demand, steps, crowds, draft, 1.0)
    window = choose_window(asked.window, scenario, demand.grid, starts.sum(axis=1), demand.spans)
    speed = asked.speed or scenario.replay.speed
    if asked.duration_s:
        speed = window.slots * SLOT_S / asked.duration_s
    if speed < 1:
        raise UsageError(f"--duration is longer than the window itself ({speed:.3g}x)")
    part = _slots_of(demand.grid, window)
    launched = launch_steps(scenario, demand, _crowds(demand, quantile))
    total = sum(launched.values(), steps)[:, :, part]
    scale = choose_scale(asked.scale, scenario, total, own_target=own_target)
    nominal = nominal_at(scenario, scenario.replay.target_fraction if own_target else scale)
    if asked.scale is None and not own_target:
        scale, nominal = _slow_enough(scenario, scale, speed)
    check_speed(speed, scenario, nominal)
    starts, kernels = _fit_all(scenario, demand, steps, crowds, nominal, speed)
    lead_in = _lead_in(kernels) if asked.lead_in is None else asked.lead_in
    return _assemble(
        scenario,
        demand,
        window,
        min(lead_in, demand.grid.index_of(window.start)),
        starts,
        kernels,
        speed,
        scale,
        quantile,
        seed,
        nominal,
    )


def _slow_enough(
    scenario: Scenario, scale: float, speed: float
) -> tuple[float, dict[str, dict[str, Nominal]]]:
    """Return the first scale from `scale` on whose cell is quick enough for `speed`, and its responses.

    Where none is, `scale` itself.
    """
    for larger in larger_scales(scale):
        nominal = nominal_at(scenario, larger)
        if speed <= max(1.0, fastest_speed(scenario, nominal)[0]):
            return larger, nominal
    return scale, nominal_at(scenario, scale)


def event_steps(scenario: Scenario, demand: Demand, quantile: float) -> dict[str | None, Array]:
    """Return product type -> steps a minute of the whole event at full scale and real speed, shaped as `median`.

    Launch crowds are with the product they come for; without products all of it is of None. One path at
    `quantile` of the event's strength.
    """
    steps = demand.path(quantile)
    out: dict[str | None, Array] = {}
    for r, region in enumerate(demand.regions):
        for product, rows in steps_by_type(scenario, demand.grid, region, steps[r]).items():
            out.setdefault(product, np.zeros_like(steps))[r] = rows
    for launch, added in launch_steps(scenario, demand, _crowds(demand, quantile)).items():
        out[scenario.launches[launch].product] += added
    return out


def _assemble(
    scenario: Scenario,
    demand: Demand,
    window: TimeGrid,
    lead_in: int,
    starts: Array,
    kernels: dict[str, list[Array]],
    speed: float,
    scale: float,
    quantile: float,
    seed: Seed,
    nominal: dict[str, dict[str, Nominal]],
) -> LoadPlan:
    grid = TimeGrid(
        demand.grid.instant(demand.grid.index_of(window.start) - lead_in), window.slots + lead_in
    )
    part = _slots_of(demand.grid, grid)
    steps, crowds = demand.path(quantile), _sessions(scenario, demand, quantile)
    caused, launch = (
        np.stack(
            [
                caused_steps(_buying(scenario, demand, name, rows[r]), kernels[name])
                for r, name in enumerate(demand.regions)
            ]
        )
        for rows in (starts, crowds)
    )
    cut = starts[:, :, part]
    return LoadPlan(
        grid=grid,
        lead_in=lead_in,
        regions=demand.regions,
        steps=demand.steps,
        journeys=tuple(scenario.journeys),
        starts=cut,
        forecast=(steps + launch)[:, :, part],
        caused=caused[:, :, part],
        played=whole_starts(Clock(speed, scale).played(cut), seed),
        half_life_slots={
            name: demand.launches[journey.launch].half_life_s / SLOT_S
            for name, journey in scenario.journeys.items()
            if journey.launch
        },
        speed=speed,
        scale=scale,
        quantile=quantile,
        seed=seed,
        nominal=nominal,
        released={
            name: {
                region: grid.index_of(scenario.launch_at(journey.launch, region))
                for region in scenario.launches[journey.launch].at
            }
            for name, journey in scenario.journeys.items()
            if journey.launch
        },
        spacing=scenario.replay.spacing,
        dispersion=scenario.replay.dispersion,
    )


def _buying(scenario: Scenario, demand: Demand, region: str, starts: Array) -> Array:
    """Return session starts, (journeys, slots), with those who wait for a release moved to it."""
    walks = scenario.journeys.values()
    return np.stack(
        [
            as_they_buy(scenario, journey, region, demand.grid, row)
            for journey, row in zip(walks, starts, strict=True)
        ]
    )


def _slots_of(grid: TimeGrid, part: TimeGrid) -> slice:
    first = grid.index_of(part.start)
    return slice(first, first + part.slots)


def _crowds(demand: Demand, quantile: float) -> dict[str, Array]:
    """Return launch -> its sessions at a quantile of its crowd, shape (regions, slots)."""
    return {name: demand.launch_crowd(name, quantile) for name in demand.launches}


def _sessions(scenario: Scenario, demand: Demand, quantile: float) -> Array:
    """Return launch sessions per journey, shape (regions, journeys, slots)."""
    out = np.zeros((len(demand.regions), len(scenario.journeys), demand.grid.slots))
    for index, journey in enumerate(scenario.journeys.values()):
        if journey.launch is not None:
            out[:, index] = demand.launch_crowd(journey.launch, quantile)
    return out


def _fit_all(
    scenario: Scenario,
    demand: Demand,
    steps: Array,
    crowds: Array,
    nominal: dict[str, dict[str, Nominal]],
    speed: float,
) -> tuple[Array, dict[str, list[Array]]]:
    """Return starts (regions, journeys, slots) and each region's kernels by journey."""
    starts, kernels = crowds.copy(), {}
    daily = [i for i, j in enumerate(scenario.journeys.values()) if j.launch is None]
    for r, region in enumerate(demand.regions):
        response = nominal[scenario.regions[region].stack]
        kernels[region] = [
            lag_kernel(
                journey,
                demand.steps,
                {s: Clock(speed).event_s(n.mean_s) for s, n in response.items()},
            )
            for journey in scenario.journeys.values()
        ]
        if daily:
            starts[r, daily] = fit_starts(
                steps[r],
                [kernels[region][i] for i in daily],
                mix=mix_of_journeys(scenario, demand.grid, region),
                jumps=_jumps(scenario, demand.grid, region),
            )
    return starts, kernels


def _jumps(scenario: Scenario, grid: TimeGrid, region: str) -> Array:
    """Return where starts may differ from the slot before: an event begins or ends, shape (slots,)."""
    out = np.zeros(grid.slots, bool)
    for _, start, end in scenario.occurrences(region):
        for instant in (start, end):
            if 0 <= (slot := grid.index_of(instant)) < grid.slots:
                out[slot] = True
    return out


def _lead_in(kernels: dict[str, list[Array]]) -> int:
    """Return the slots after which 95 % of any journey's visits have fallen."""
    slots = 0
    for rows in kernels.values():
        for kernel in rows:
            fallen = np.cumsum(kernel.sum(axis=0)) / kernel.sum()
            slots = max(slots, int(np.argmax(fallen >= _UNDER_WAY)) + 1)
    return min(slots, _MOST_LEAD_IN)
