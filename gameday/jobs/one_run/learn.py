"""What a run teaches: the target's parameters, why they are not as declared, and the model that rests on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gameday.calibrate import (
    Calibration,
    Equivalent,
    Knee,
    Source,
    calibrate_model,
    fit_black_box,
    knees_of,
    overlay_text,
    with_measured,
)
from gameday.calibrate.compared import Target
from gameday.experiments.diagnosis import (
    Candidate,
    Cause,
    CauseKey,
    Diagnosis,
    Effect,
    diagnose,
    effect_of,
)
from gameday.experiments.replications import Replication
from gameday.files import MEASURED, sha256_of
from gameday.jobs.foresee import Foreseen
from gameday.jobs.one_run.after_load import AfterLoad, written_after_load
from gameday.jobs.one_run.run import Run
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.scenario.blocks import Measured, MeasuredFields, Spread
from gameday.simulate import RealSpeedRuns, RealSpeedWindow, RunControl, simulate
from gameday.traffic import LoadPlan

__all__ = ["Learned", "effects_of", "knees", "learn", "learn_black_box"]

_LEAST_SLOTS = 4
"""Slots of the window that must have been played before anything is learned. Ours."""
_TOO_LITTLE = "too few replies, or too little load, to tell a station that answers like the target: play a ladder"
_LOST = 0.01
"""Share of planned steps that may be lost by us before nothing is learned. Ours."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run says of its target."""

    scenario: Scenario
    """The model's, with what was measured where it differs from what was declared."""
    calibration: Calibration | None = None
    diagnosis: tuple[Diagnosis, ...] = ()
    predicted: tuple[RunRecord, ...] = ()
    """The model of the run as played, calibrated; empty where no parameter differs."""
    why_not: str = ""
    """Why nothing was learned; empty: it was."""
    effects: Mapping[CauseKey, Effect] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether the target is not as the model had it."""
        return bool(self.predicted)

    @property
    def causes(self) -> list[Cause]:
        """Everything that is wrong, in any stack."""
        return [cause for diagnosis in self.diagnosis for cause in diagnosis.causes]


def learn(run: Run, plan: LoadPlan, after: AfterLoad, servers: float | None) -> Learned:
    """Calibrate the model on what was measured and tell why the target is not as declared.

    `servers`: share of full scale that the target's servers are; None: the plan's own.
    """
    learned = Learned(run.model, why_not="interrupted")
    with after.phase("what the run says of the target", run.show):
        if (why := _why_not(plan, after)) is not None:
            run.show.update(f"nothing is learned: {why}")
            return Learned(run.model, why_not=why)
        learned = _learned(run, _target(run, plan, after, servers))
    return learned  # noqa: RET504 - the phase may end early


def knees(run: Run, seen: Foreseen, after: AfterLoad) -> tuple[Knee, ...]:
    """Return where each service is full, of a ladder that was played to its end."""
    if after.played.end != "complete":
        return ()
    target = Target.of(seen.plan, after.played.record, seed=run.order.seed, scale=run.servers_scale)
    return knees_of(run.scenario, target, seen.peak_per_min)


def learn_black_box(run: Run, plan: LoadPlan, after: AfterLoad) -> Learned:
    """Calibrate a black box: the station that answers like each stack's target."""
    learned = Learned(run.model, why_not="interrupted")
    with after.phase("what the run says of the target", run.show):
        if (why := _why_not(plan, after)) is not None:
            run.show.update(f"nothing is learned: {why}")
            return Learned(run.model, why_not=why)
        target = _target(run, plan, after, run.servers_scale)
        stations = tuple(_stations(run, target))
        if not stations:
            return Learned(run.model, why_not=_TOO_LITTLE)
        sources = (_source(run, target),)
        written = run.loaded.played.sha256()
        calibration = Calibration(written, sources, {}, (), (), equivalents=stations)
        _keep(run, calibration)
        learned = Learned(run.model, calibration)
    return learned  # noqa: RET504 - the phase may end early


def _stations(run: Run, target: Target) -> Iterator[Equivalent]:
    for stack in run.scenario.stack_names:
        run.show.update(f"{stack}: stations that answer like it")
        if (station := fit_black_box(run.scenario, target, stack)) is not None:
            yield station


def _source(run: Run, target: Target) -> Source:
    sha256 = sha256_of(run.folder.path / MEASURED)
    return Source("run", run.row.run_id, sha256, target.peak_per_min)


def _keep(run: Run, calibration: Calibration) -> None:
    """Write the overlay of a run."""
    with written_after_load():
        run.folder.write_text("calibrated.yaml", overlay_text(calibration))


def _target(run: Run, plan: LoadPlan, after: AfterLoad, servers: float | None) -> Target:
    """Return the run as the model plays it again."""
    return Target.of(
        plan,
        after.played.record,
        seed=run.order.seed.child("calibration"),
        scale=servers,
        slots=_played_slots(plan, after),
    )


def _learned(run: Run, target: Target) -> Learned:
    """Return what was learned: the model differs by its causes, and knows the rest better."""
    run.show.update("servers, times and queues beside those declared")
    calibration = _of_run(run, calibrate_model(run.model, target, (_source(run, target),)))
    declared = None if run.declared is None else run.declared.played
    _keep(run, calibration if declared is None else calibration.of_fleets(run.scenario, declared))
    run.show.update("which differences are causes, and which follow from them")
    diagnosis = diagnose(run.model, target, calibration)
    scenario = calibration.over(run.model)
    predicted = _played_again(run, scenario, target) if calibration.differing else ()
    return Learned(scenario, calibration, diagnosis, predicted)


def _of_run(run: Run, found: Calibration) -> Calibration:
    """Return a calibration as one of the scenario as written, with the stations that stood in for services.

    Nobody can observe more of a station that stands in.
    """
    if run.scenario.services_are_known:
        return found
    stations = () if run.calibration is None else run.calibration.equivalents
    written = run.loaded.played.sha256()
    return replace(found, scenario_sha256=written, equivalents=stations, unidentified=())


def _played_again(run: Run, calibrated: Scenario, target: Target) -> tuple[RunRecord, ...]:
    """Return the run in the model as calibrated."""
    run.show.update("the run again, in the model as calibrated")
    return simulate(
        calibrated, target.plan, seed=run.order.seed, scale=target.scale, control=RunControl()
    )


def _why_not(plan: LoadPlan, after: AfterLoad) -> str | None:
    """Return why nothing can be learned from a run; None: it can."""
    played, record = after.played, after.played.record
    if played.end in ("shop_lost", "worker_lost"):
        return "the run broke"
    slots = _played_slots(plan, after)
    if slots.stop - slots.start < _LEAST_SLOTS:
        return f"fewer than {_LEAST_SLOTS} slots were played"
    steps = record.steps_by_slot(slots=record.whole)
    if steps.total("lost") > _LOST * steps.total("planned"):
        return "the generator lost steps" if played.end == "complete" else "the run was stopped"
    if played.health.machine.is_too_busy:
        return "this machine was busy with other work"
    return None


def _played_slots(plan: LoadPlan, after: AfterLoad) -> slice:
    """Return the slots of the grid that were played to their end."""
    record = after.played.record
    if after.played.end == "complete":
        return record.judged
    went_out = record.steps_by_slot(slots=record.whole)["achieved"]
    last = max((slot for slot, count in enumerate(went_out) if count), default=0)
    return slice(plan.lead_in, max(plan.lead_in, last))


def effects_of(
    run: Run,
    after: AfterLoad,
    learned: Learned,
    window: RealSpeedWindow[Replication],
    with_causes: RealSpeedRuns[Replication],
    as_declared: RealSpeedRuns[Replication],
) -> Learned:
    """Return what was learned with what each cause does to customers at the forecast's load."""
    effects: dict[CauseKey, Effect] = {}
    for cause in learned.causes:
        is_all = _is_all(learned, cause)
        without = as_declared if is_all else _played_without(run, after, learned, window, cause)
        number = learned.scenario.stack_names.index(cause.candidate.stack)
        effect = effect_of(
            learned.scenario,
            with_causes.scale or 1.0,
            [stacks[number] for stacks in with_causes.event],
            [stacks[number] for stacks in without.event],
        )
        if effect is not None:
            effects[cause.key] = effect
    return replace(learned, effects=effects)


def _is_all(learned: Learned, cause: Cause) -> bool:
    """Return whether a cause is all in which the target differs from the model."""
    found = cause.candidate
    return learned.calibration is not None and all(
        row.key[:2] == (found.stack, found.service)
        and (row.name == found.parameter.name or row.name in found.fields)
        for row in learned.calibration.differing
    )


def _played_without(
    run: Run, after: AfterLoad, learned: Learned, window: RealSpeedWindow[Replication], cause: Cause
) -> RealSpeedRuns[Replication]:
    """Return the event without one of several causes; nothing where a person ends it."""
    without: RealSpeedRuns[Replication] = RealSpeedRuns(why="interrupted")
    name = f"the event without '{cause.candidate.kind}' at {cause.candidate.service}"
    with after.phase(name, run.show):
        if after.why_cut() is None:
            without = window.play(_without(run, learned, cause), RunControl())
    return without


def _without(run: Run, learned: Learned, cause: Cause) -> Scenario:
    """Return the calibrated scenario with one cause as declared."""
    found = cause.candidate
    fleet = learned.scenario.services[found.service].stacks[found.stack]
    before = run.model.services[found.service].stacks[found.stack].measured or Measured()
    block = (fleet.measured or Measured()).told(_before(before, found))
    return with_measured(learned.scenario, found.stack, found.service, block)


def _before(block: Measured, found: Candidate) -> MeasuredFields:
    """Return the fields that a cause is about, as they were; of a step its factor alone."""
    if found.step is None:
        return {name: getattr(block, name) for name in found.fields}
    return {"step_factors": {found.step: block.step_factors.get(found.step, Spread.exactly(1.0))}}
