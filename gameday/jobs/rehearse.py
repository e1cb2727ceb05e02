"""The event in the queueing model at real speed: as it is, as it would be, what fails first; nothing is sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gameday.calibrate import Calibration, read_calibration
from gameday.errors import UsageError
from gameday.experiments.failures import (
    LossBudget,
    Remedies,
    StackLosses,
    does_it_recover,
    find_remedies,
    n_minus_one,
)
from gameday.experiments.rehearsal import (
    FullScaleWait,
    Headroom,
    QueueCheck,
    check_against_queues,
    find_headroom,
    full_scale_waits,
    objective_change,
    sell_outs,
    series_of,
    service_change,
    small_stations,
    unseen,
)
from gameday.experiments.rehearsal import rehearse as answers_of
from gameday.experiments.replications import Look, Replication, Replications
from gameday.forecast import Demand
from gameday.jobs.foresee import expect
from gameday.jobs.one_run.order import Past, past_of
from gameday.jobs.rehearsal import Rehearsal, Variant
from gameday.live import Show, show_to
from gameday.python_words import check_number, path_of, seed_of, texts_of
from gameday.queueing import least_scale
from gameday.scenario import Scenario
from gameday.scenario.reading import (
    LoadedScenario,
    WhatIf,
    choose_injections,
    read_scenario,
    what_if,
)
from gameday.simulate import (
    CoreBudget,
    RunControl,
    compiling,
    on_cluster,
    plan_at_real_speed,
    replicate,
)
from gameday.traffic import LoadPlan, ReplayOptions
from gameday.traffic.plan import check_options
from gameday.vocabulary import SLOT_S, Seed

__all__ = ["RehearsalOrder", "checked", "rehearse", "rehearse_order"]

_REMEDY_REPLICATIONS = 4
"""Of each load and policy that is tried: which of many helps, not how much."""


@dataclass(frozen=True, slots=True)
class RehearsalOrder:
    """A rehearsal as it is asked for."""

    event: str
    seed: Seed
    asked: ReplayOptions
    past: Past = field(default_factory=Past)
    calibration: Path | None = None
    """File of what was measured of the target; None: the model is as declared."""
    what_if: tuple[str, ...] = ()
    """As 'checkout.instances = 40', each a variant."""
    inject: tuple[str, ...] = ()
    headroom: bool = False
    n_minus_one: bool = True
    replications: int = 10
    """Of each variant."""
    budget_s: float = 30.0
    """Seconds a variant; sets the scale where none is asked for."""
    workers: int | None = None
    """Processes; None: the cores."""
    cluster: str | None = None
    """A dask scheduler, as tcp://HOST:8786; None: this machine."""

    def __post_init__(self) -> None:
        """Raise UsageError where a value is of another kind, or out of its range."""
        check_number("--replications", self.replications, least=2, is_whole=True)
        check_number("--budget", self.budget_s, least=0, is_open=True)
        check_number("--workers", self.workers, least=1, is_whole=True)

    @property
    def core_s(self) -> float:
        """Core seconds that a variant may take."""
        return self.budget_s * (self.workers or os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class CheckedOrder:
    """A rehearsal that can be played as asked; nothing is made or written yet."""

    asked: RehearsalOrder
    loaded: LoadedScenario
    scenario: Scenario
    """What is simulated: calibrated where that was asked for."""
    variants: list[WhatIf]
    calibration: Calibration | None = None

    @property
    def loses_servers(self) -> bool:
        """Whether to ask what can be lost: of a station that stands in for services nobody knows."""
        return self.asked.n_minus_one and self.scenario.services_are_known


def rehearse(
    event: str,
    *,
    window: str = "peak",
    scale: float | None = None,
    quantile: float | None = None,
    history: str | Path | None = None,
    demand: str | Path | None = None,
    calibration: str | Path | None = None,
    seed: int = 1,
    what_if: Sequence[str] = (),
    inject: Sequence[str] = (),
    headroom: bool = False,
    n_minus_one: bool = True,
    replications: int = 10,
    budget_s: float = 30.0,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Rehearsal:
    """Rehearse an event in the queueing model, at real speed after an hour of warm-up; send nothing.

    `what_if`: changes such as 'checkout.instances = 40', each a variant. `inject`: what breaks, such as 'payment
    down at +10m for 5m'. `calibration`: file of what was measured of the target. `budget_s`:
    seconds a variant, which set a scale that is None. The others are as of `replay`. GamedayError
    says what is wrong.
    """
    order = RehearsalOrder(
        event=str(path_of("--event", event)),
        seed=seed_of(seed),
        asked=ReplayOptions(window, 1.0, None, scale, quantile),
        past=past_of(history, demand),
        calibration=None if calibration is None else path_of("--calibration", calibration),
        what_if=texts_of("--what-if", what_if),
        inject=texts_of("--inject", inject),
        headroom=headroom,
        n_minus_one=n_minus_one,
        replications=replications,
        budget_s=budget_s,
        workers=workers,
    )
    return rehearse_order(checked(order), show_to(progress))


def rehearse_order(order: CheckedOrder, show: Show) -> Rehearsal:
    """Play the event and its variants in the model, and answer what was asked."""
    asked, loaded, variants = order.asked, order.loaded, order.variants
    with on_cluster(asked.cluster), compiling() as wait_for_code:
        _, demand = expect(loaded.written, asked.past, asked.seed, show)
        model = _Model.of(asked, order.scenario, demand, show)
        model.check_injections(variants)
        with show.phase("engine"):
            wait_for_code(show.update)
        before = model.play("as it is", order.scenario, model.plan)
        result = model.as_it_is(before)
        return replace(
            result,
            what_ifs=tuple(model.variant(before, variant) for variant in variants),
            headroom=model.headroom(before) if asked.headroom else None,
            cures=model.remedies(result),
            n_minus_one=model.losses(demand) if order.loses_servers else None,
            notes=_notes(order.calibration, model.plan),
        )


_STANDS_IN = (
    "the scenario has no services: one station that answers like the target stands in for them, of which nothing "
    "can be ordered or lost"
)


def _notes(calibration: Calibration | None, plan: LoadPlan) -> tuple[str, ...]:
    if calibration is None:
        return ()
    peak_per_min = float(plan.starts.sum(axis=(0, 1))[plan.lead_in :].max())
    stands_in = _STANDS_IN if calibration.equivalents else ""
    return tuple(filter(None, [calibration.extrapolation(peak_per_min), stands_in]))


def checked(order: RehearsalOrder) -> CheckedOrder:
    """Read the scenario and its variants; UsageError where one of them cannot be played as asked."""
    if order.asked.scale is not None and order.asked.scale > 1:
        raise UsageError(f"--scale: must be at most 1, the whole (got {order.asked.scale:g})")
    loaded = read_scenario(order.event)
    if loaded.written.is_black_box and order.calibration is None:
        raise UsageError(
            f"{order.event} has no `services`: there is nothing to model; write them (`gameday history "
            "import --traces` makes them of traces), or replay a ladder against its target (--ladder), "
            "calibrate on it, and give --calibration"
        )
    variants = [what_if(loaded, text) for text in order.what_if]
    for scenario in (loaded.played, *(variant.scenario for variant in variants)):
        check_options(order.asked, scenario, order.inject, own_target=False)
    scenario, calibration = loaded.played, None
    if order.calibration is not None:
        calibration = read_calibration(order.calibration)
        variants = [
            replace(v, scenario=calibration.over(v.scenario, declared=loaded.played))
            for v in variants
        ]
        scenario = calibration.applied(loaded.played)
    return CheckedOrder(order, loaded, scenario, variants, calibration)


@dataclass(frozen=True, slots=True)
class _Model:
    """One event in the model; every variant of it draws the same chance."""

    order: RehearsalOrder
    scenario: Scenario
    calm: LoadPlan
    """With nothing injected."""
    plan: LoadPlan
    show: Show

    @staticmethod
    def of(order: RehearsalOrder, scenario: Scenario, demand: Demand, show: Show) -> _Model:
        """Plan the event at real speed, in the largest scaled-down system that the budget carries."""
        with show.phase("load plan"):
            plan = plan_at_real_speed(
                scenario,
                demand,
                seed=order.seed,
                window=order.asked.window,
                scale=order.asked.scale,
                quantile=order.asked.quantile,
                budget=CoreBudget(order.core_s, order.replications, least_scale(scenario)),
            )
            show.update(f"{int(plan.played.sum())} sessions, scale {plan.scale:g}")
        window_s = plan.window.slots * SLOT_S
        struck = plan.with_injections(
            choose_injections(order.inject, scenario, window_s, is_ours=True)
        )
        return _Model(order, scenario, plan, struck, show)

    def check_injections(self, variants: list[WhatIf]) -> None:
        """Raise UsageError where what is injected cannot happen to a variant."""
        window_s = self.plan.window.slots * SLOT_S
        for variant in variants:
            choose_injections(self.order.inject, variant.scenario, window_s, is_ours=True)

    def control(self, most: int | None = None) -> RunControl:
        """Return how replications are run, at most so many."""
        count = self.order.replications if most is None else min(most, self.order.replications)
        return RunControl(
            replications=count,
            workers=self.order.workers,
            progress=lambda done: self.show.update(f"{done} replications"),
        )

    def play(
        self, name: str, scenario: Scenario, plan: LoadPlan, most: int | None = None
    ) -> Replications:
        """Return replications of a variant, at most so many."""
        with self.show.phase(f"model: {name}"):
            return replicate(
                scenario,
                plan,
                Look.at(scenario, plan),
                seed=self.order.seed,
                new_customers=True,
                control=self.control(most),
            )

    def undisturbed(self, name: str, scenario: Scenario, factor: float = 1.0) -> Replications:
        """Return a variant with nothing injected: what its recovery is measured by; empty where nothing is."""
        if not self.plan.injections:
            return ()
        return self.play(f"{name}, nothing injected", scenario, self.calm.times(factor))

    def as_it_is(self, before: Replications) -> Rehearsal:
        """Return what the model says of the event as it is, checked against paper."""
        scenario, plan = self.scenario, self.plan
        stacks = {runs[0].stack: list(runs) for runs in zip(*before, strict=True)}
        answers = answers_of(scenario, before, plan.scale)
        undisturbed = self.undisturbed("as it is", scenario)
        return Rehearsal(
            event=scenario.event.name,
            asked=self.order.event,
            window_start=plan.window.start.isoformat(),
            window_end=plan.window.end.isoformat(),
            lead_in_slots=plan.lead_in,
            speed=plan.speed,
            scale=plan.scale,
            quantile=plan.quantile,
            seed=plan.seed.root,
            replications=answers.replications,
            stacks=answers.stacks,
            series=series_of(before),
            sell_out=sell_outs(scenario, before),
            injected=tuple(injection.text for injection in plan.injections),
            recovery=does_it_recover(plan.injections, before, undisturbed),
            small_stations=small_stations(scenario, plan.scale),
            full_scale={stack: self._full_scale(runs) for stack, runs in stacks.items()},
            cross_check={stack: self._cross_check(runs) for stack, runs in stacks.items()},
        )

    def _cross_check(self, runs: list[Replication]) -> tuple[QueueCheck, ...]:
        """Return the queues of a stack beside their answers on paper."""
        is_struck = bool(self.plan.injections)
        return check_against_queues(self.scenario, self.plan.scale, runs, is_struck=is_struck)

    def _full_scale(self, runs: list[Replication]) -> tuple[FullScaleWait, ...]:
        """Return what busy services wait at full scale; empty where something is injected."""
        if self.plan.injections:
            return ()
        return full_scale_waits(self.scenario, self.plan.scale, runs, self.order.seed)

    def variant(self, before: Replications, changed: WhatIf) -> Variant:
        """Return what the model says of a variant, and the change pair by pair."""
        scenario, plan = changed.scenario, self.plan
        if changed.factor != 1.0:
            plan = plan.times(changed.factor)
        after = self.play(changed.text, scenario, plan)
        undisturbed = self.undisturbed(changed.text, scenario, changed.factor)
        answers = answers_of(scenario, after, plan.scale)
        return Variant(
            text=changed.text,
            unseen=unseen(self.scenario, scenario, plan.scale),
            replications=answers.replications,
            stacks=answers.stacks,
            series=series_of(after),
            recovery=does_it_recover(plan.injections, after, undisturbed),
            sell_out=sell_outs(scenario, after),
            change=service_change(before, after),
            objectives_change=objective_change(before, after),
        )

    def remedies(self, result: Rehearsal) -> dict[str, Remedies] | None:
        """Return what brings back the stacks that stay down; None where none does."""
        down = result.stays_down()
        if not down:
            return None
        play = partial(self.play, most=_REMEDY_REPLICATIONS)
        return find_remedies(self.scenario, self.calm, self.plan.injections, down, play)

    def headroom(self, before: Replications) -> dict[str, tuple[Headroom, ...]]:
        """Return the multiples of the forecast between which each objective first fails."""
        return find_headroom(
            self.scenario,
            before,
            lambda factor: self.play(f"{factor:.3g}x", self.scenario, self.plan.times(factor)),
        )

    def losses(self, demand: Demand) -> dict[str, StackLosses]:
        """Return what can be lost at the peak with the objectives held."""
        with self.show.phase("model: what can be lost"):
            return n_minus_one(
                self.scenario,
                demand,
                self.plan,
                seed=self.order.seed,
                budget=LossBudget(self.order.core_s),
                progress=self.show.update,
                control=self.control(),
            )
