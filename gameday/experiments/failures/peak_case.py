"""The case that orders are sized for, in the model: the event's peak at a quantile of its strength, zones lost.

Played at real speed, with the zones lost from the first of the busiest minutes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gameday.calibrate import FURTHEST
from gameday.experiments.failures.event_phases import EventPhase, event_phases
from gameday.experiments.failures.losses import PEAK_SLOTS, as_scheduled, busiest_window, peak_plan
from gameday.experiments.replications.replication import Look, Replication
from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.scenario.reading import parse_injections
from gameday.simulate import REPLICATIONS, RunControl, replicate_each
from gameday.traffic import LoadPlan, event_steps
from gameday.vocabulary import SLOT_S, Array, Seed, TimeGrid

__all__ = ["PeakCase", "case_words", "far_words", "level_words", "peak_cases", "played_with"]


@dataclass(frozen=True, slots=True)
class PeakCase:
    """The busiest minutes of one stack at the quantile that its fleets are sized for, zones lost."""

    stack: str
    plan: LoadPlan
    """Those minutes at real speed, nothing injected; its quantile is that of the capacity block."""
    zones_lost: int
    """Zones lost, as the capacity block has it."""
    whole: tuple[str, ...]
    """Services in one zone alone: their zone is not lost, nor are they sized for its loss."""
    later_s: float
    """Event seconds from the start of the run's window, from which schedules count, to that of these minutes."""
    runs: tuple[Replication, ...]
    """One a replication, with the fleets as they are."""
    times_played: float = 1.0
    """Session starts in its busiest minute, as a multiple of those that the run's servers met."""
    phase: EventPhase | None = None
    """Part of the event whose busiest minutes these are; None: the whole event's."""
    is_highest: bool = True
    """Whether they are the busiest of the whole event."""


def peak_cases(
    in_minutes: Callable[[TimeGrid], Scenario],
    demand: Demand,
    plan: LoadPlan,
    *,
    seed: Seed,
    core_s: float,
    load_share: float = 1.0,
    progress: Callable[[str], None] = lambda phase: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[PeakCase, ...]:
    """Return the cases of each stack, one a phase of the event, the busiest first; what was cut short is left out.

    `plan` is the run's own, `load_share` the load of its servers as a share of what it means for them.
    `core_s` bounds the work, in seconds of a core, as far as a cell that can be judged allows. `in_minutes`: the
    scenario with the fleets that it has in some minutes.
    """
    cases, scenario = [], in_minutes(plan.window)
    steps = np.asarray(sum(event_steps(scenario, demand, scenario.capacity.quantile).values()))
    places = [
        (stack, phase, number == 0)
        for stack in scenario.stack_names
        for number, phase in enumerate(_by_load(scenario, demand, steps, stack))
    ]
    for stack, phase, is_highest in places:
        load = steps if phase is None else steps * phase.alone
        window = _busiest_window(scenario, demand, load, stack)
        peak = peak_plan(
            scenario,
            demand,
            window,
            seed=seed,
            quantile=scenario.capacity.quantile,
            core_s=core_s / len(places),
        )
        case = PeakCase(
            stack=stack,
            plan=peak,
            zones_lost=scenario.capacity.zones_lost if scenario.services_are_known else 0,
            whole=_of_one_zone(scenario, stack),
            later_s=(peak.window.start - plan.window.start).total_seconds(),
            runs=(),
            times_played=_peak(scenario, stack, peak) / _peak(scenario, stack, plan) / load_share,
            phase=phase,
            is_highest=is_highest,
        )
        progress(f"{stack}: {case_words(case)}")
        runs = played_with(case, in_minutes(peak.window), seed=seed, cancelled=cancelled)
        if len(runs) > 1 and not cancelled():
            cases.append(replace(case, runs=runs))
    return tuple(cases)


def _by_load(
    scenario: Scenario, demand: Demand, steps: Array, stack: str
) -> list[EventPhase] | list[None]:
    """Return the phases of a stack's event, that with the busiest minute first; [None] where there is but one."""
    regions = [demand.regions.index(region) for region in scenario.stack_regions(stack)]
    load = steps[regions].sum(axis=(0, 1))
    phases = event_phases(scenario, demand, stack)
    if len(phases) < 2:
        return [None]
    return sorted(phases, key=lambda phase: -float((load * phase.slots).max()))


def _peak(scenario: Scenario, stack: str, plan: LoadPlan) -> float:
    """Return session starts in a plan's busiest minute of a stack, at full scale."""
    regions = [plan.regions.index(region) for region in scenario.stack_regions(stack)]
    return max(1e-9, float(plan.starts[regions].sum(axis=(0, 1))[plan.lead_in :].max()))


def _of_one_zone(scenario: Scenario, stack: str) -> tuple[str, ...]:
    """Return the services of a stack that stand in one zone alone."""
    fleets = scenario.stack_fleets(stack)
    return tuple(name for name, fleet in fleets.items() if fleet.zones == 1)


def _busiest_window(scenario: Scenario, demand: Demand, steps: Array, stack: str) -> str:
    """Return the busiest minutes of the event in a stack's regions; `steps` are (regions, steps, slots)."""
    names = scenario.stack_regions(stack)
    regions = [demand.regions.index(region) for region in names]
    load = steps[regions].sum(axis=(0, 1)) * demand.during(names)
    return busiest_window(demand.grid, load, PEAK_SLOTS)


def played_with(
    case: PeakCase,
    scenario: Scenario,
    *,
    seed: Seed,
    replications: int = REPLICATIONS,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Replication, ...]:
    """Return the case with the fleets of `scenario`; the same `seed` shares customers and chance."""
    injected = parse_injections(_losses(scenario, case), scenario, case.plan.window.slots * SLOT_S)
    [seen] = replicate_each(
        as_scheduled(scenario, case.later_s),
        [case.plan.with_injections(injected)],
        Look.at(scenario, case.plan),
        seed=seed,
        stacks=(case.stack,),
        scale=case.plan.scale,
        new_customers=True,
        control=RunControl(replications, cancelled=cancelled),
    )
    return tuple(replication[0] for replication in seen)


def level_words(case: PeakCase) -> str:
    """Return the quantile and the zones lost in words."""
    zones = {0: "all zones up", 1: "a zone lost"}.get(
        case.zones_lost, f"{case.zones_lost} zones lost"
    )
    return f"p{100 * case.plan.quantile:g}, {zones}"


def far_words(case: PeakCase) -> str:
    """Return that its load lies so far above what was played that no model need hold; empty: it does not."""
    if case.times_played <= FURTHEST:
        return ""
    return f"extrapolated: {case.times_played:.2g} x the load that was played"


def case_words(case: PeakCase) -> str:
    """Return the case in words: quantile, zones lost, minutes in UTC, cell."""
    window = case.plan.window
    minutes = f"{window.start:%Y-%m-%dT%H:%MZ} to {window.end:%H:%MZ}"
    kept = (
        f" ({', '.join(case.whole)} in one zone alone, kept)"
        if case.whole and case.zones_lost
        else ""
    )
    far = f", {words}" if (words := far_words(case)) else ""
    phase = f", {case.phase.name}" if case.phase else ""
    return f"{level_words(case)}{kept}{phase}, {minutes}, real speed, cell of {case.plan.scale:.2g}{far}"


def _losses(scenario: Scenario, case: PeakCase) -> list[str]:
    """Return what is injected: of each service the instances of the zones lost; one zone is left."""
    texts = []
    for name in scenario.stack_services(case.stack):
        fleet = scenario.services[name].stacks[case.stack]
        zones = min(case.zones_lost, fleet.zones - 1)
        gone = min(math.ceil(fleet.instances * zones / fleet.zones), fleet.instances - 1)
        if gone > 0:
            texts.append(f"{gone} instances of {name} in {case.stack} lost at +0m")
    return texts
