"""The main job: an event from its history to its report, room by room (`_play`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gameday.calibrate import read_calibration
from gameday.errors import UsageError
from gameday.experiments.rehearsal import series_table
from gameday.experiments.replications import Look, Replication
from gameday.findings import (
    RULES,
    Evidence,
    Finding,
    Tests,
    Validity,
    Verdict,
    find,
    judge,
    judge_ladder,
    run_rules,
    standing_of,
    unmeasured_objectives,
    validity,
)
from gameday.jobs.foresee import Foreseen, foresee
from gameday.jobs.one_run.after_load import (
    AfterLoad,
    cut_short,
    not_asked,
    not_identified,
    not_judged,
    report,
)
from gameday.jobs.one_run.learn import effects_of, knees, learn, learn_black_box
from gameday.jobs.one_run.lives import Found, lives_after
from gameday.jobs.one_run.load import play_load, predict, target
from gameday.jobs.one_run.order import Order, checked, past_of
from gameday.jobs.one_run.questions import Asked, Questions
from gameday.jobs.one_run.run import Run, begun
from gameday.live import Show, show_to
from gameday.python_words import path_of, seed_of, texts_of
from gameday.report import Judged, Lives, Summary, gather
from gameday.safety import check_ceilings
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario
from gameday.simulate import RealSpeedRuns, RealSpeedWindow, compiling
from gameday.swarm.control import check_listen
from gameday.traffic import ReplayOptions

__all__ = ["Replayed", "replay", "replay_order"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay that was played and judged."""

    summary: Summary
    folder: Path
    """Where its files lie."""
    loaded: LoadedScenario
    """The scenario that was played."""
    placed: int = 0
    """Fleets that were placed before, with which it was played."""


def replay(
    event: str,
    *,
    targets: Mapping[str, str] | None = None,
    window: str = "peak",
    speed: float | None = None,
    scale: float | None = None,
    quantile: float | None = None,
    inject: Sequence[str] = (),
    drift: float | None = None,
    n_minus_one: bool = True,
    workers: int = 1,
    history: str | Path | None = None,
    demand: str | Path | None = None,
    calibration: str | Path | None = None,
    seed: int = 1,
    out: str | Path = "reports",
    progress: Callable[[str], None] | None = None,
) -> Replayed:
    """Play an event: forecast, model, swarm, findings, capacity requests, report.

    `event`: a bundled scenario's name, or a YAML file. `targets`: stack -> URL; None: the embedded shop.
    `window`: peak, all, or START/END. `speed`: event time per wall time, >= 1; `scale`: share of full scale;
    `quantile`: of the event's strength, 0-1; None: the scenario's own. `history`: file of a past, None: a
    synthetic one; `demand`: file of the event's own counts, in place of a past. `calibration`: file of what was
    measured of the target before. `progress` is told what goes on,
    line by line. GamedayError says what is wrong; a missed objective is no error: it stands in the verdict.
    """
    order = Order(
        event=str(path_of("--event", event)),
        seed=seed_of(seed),
        out=path_of("--out", out),
        asked=ReplayOptions(window, speed, None, scale, quantile),
        past=past_of(history, demand),
        calibration=None if calibration is None else path_of("--calibration", calibration),
        targets=targets,
        workers=workers,
        inject=texts_of("--inject", inject),
        drift=drift,
        n_minus_one=n_minus_one,
        command="gameday.replay",
    )
    return replay_order(order, show_to(progress))


def replay_order(order: Order, show: Show) -> Replayed:
    """Play an order from history to report.

    Raises GamedayError when it ends before load goes out; the run's folder says so then.
    """
    loaded = read_scenario(order.event, drift=order.drift)
    _check_target(order, loaded.played)
    order = checked(order, loaded.played)
    check_listen(order.listen)
    calibration = None if order.calibration is None else read_calibration(order.calibration)
    with begun(order, loaded, show, calibration) as run:
        with run.ending_aloud():
            summary = _play(run)
        run.end(summary.verdict)
        placed = 0 if run.placed is None else len(run.placed.fleets)
        return Replayed(summary, run.folder.path, loaded, placed)


def _check_target(order: Order, scenario: Scenario) -> None:
    """Raise UsageError where there is nothing to play against."""
    if scenario.is_black_box and order.targets is None:
        raise UsageError(
            f"{scenario.event.name} has no `services`, of which the embedded shop is made: give --target "
            "URL, or write them (`gameday history import --traces` makes them of traces)"
        )


def _play(run: Run) -> Summary:
    """The chain, room by room."""
    seen = foresee(run.loaded, run.order, run.show)
    run.stop.check()
    run.place(seen.plan.window)
    check_ceilings(run.scenario, seen.plan)
    run.keep_hashes(seen.history, seen.plan)
    run.folder.write_inputs(run.scenario, seen.demand, seen.history, seen.plan)
    shown = _show(run, seen)
    judged = _judge(run, seen, shown)
    summary = gather(judged, run.about())
    report(run, summary, event=series_table(shown.modelled.event))
    return summary


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a run showed, and what the model says of it."""

    after: AfterLoad
    questions: Questions
    evidence: Evidence
    modelled: RealSpeedRuns[Replication]


def _show(run: Run, seen: Foreseen) -> _Shown:
    """Play the plan in the model and against the target, then ask the model what the load alone cannot show."""
    scenario, plan = run.scenario, seen.plan
    servers = run.servers_scale
    load_share = 1.0 if servers is None else plan.scale / servers
    if scenario.is_black_box:
        return _show_black_box(run, seen, load_share)
    if run.order.ladder:
        return _show_ladder(run, seen, load_share)
    with ExitStack() as stack:
        wait_for_code = stack.enter_context(compiling())
        shops = stack.enter_context(target(run, plan))
        predicted = predict(run, plan, servers, wait_for_code)
        look_at, seed = partial(Look.at, scenario), run.order.seed
        window = RealSpeedWindow.of(scenario, seen.demand, plan, look_at, seed=seed, scale=servers)
        event_model = stack.enter_context(window.beside_load(run.model))
        after = AfterLoad(play_load(run, plan, shops), run.stop)
        after.keep(run.folder, predicted)
        modelled = after.real_speed(event_model, run.show)
        learned = learn(run, plan, after, servers)
        if learned.differs:
            as_declared, modelled = modelled, after.calibrated(window, learned.scenario, run.show)
            learned = effects_of(run, after, learned, window, modelled, as_declared)
        questions = Questions(run, seen, after, learned.scenario, not learned.why_not)
        lost = questions.losses(load_share) if run.order.n_minus_one else {}
        evidence = Evidence(
            scenario=learned.scenario,
            plan=plan,
            measured=after.played.record,
            predicted=predicted,
            calibration=learned.calibration,
            calibrated=learned.predicted,
            diagnosis=learned.diagnosis,
            effects=learned.effects,
            not_calibrated=learned.why_not,
            known_before=run.known_before,
            event=modelled.event,
            event_scale=modelled.scale,
            n_minus_one=lost,
            load_share=load_share,
            calm=modelled.calm,
            machine=after.played.health.machine,
            peak=questions.peak(load_share),
            event_missing=modelled.why,
        )
    return _Shown(after, questions, evidence, modelled)


_ONLY_LADDER = "a ladder is played to learn the target, not to judge it"


def _show_ladder(run: Run, seen: Foreseen, load_share: float) -> _Shown:
    """Play a ladder of loads, and learn the target from it."""
    plan, servers = seen.plan, run.servers_scale
    with ExitStack() as stack:
        wait_for_code = stack.enter_context(compiling())
        shops = stack.enter_context(target(run, plan))
        predicted = predict(run, plan, servers, wait_for_code)
        after = AfterLoad(play_load(run, plan, shops), run.stop)
    after.keep(run.folder, predicted)
    learned = learn(run, plan, after, servers)
    evidence = Evidence(
        scenario=learned.scenario,
        plan=plan,
        measured=after.played.record,
        predicted=predicted,
        calibration=learned.calibration,
        knees=knees(run, seen, after),
        calibrated=learned.predicted,
        diagnosis=learned.diagnosis,
        not_calibrated=learned.why_not,
        known_before=run.known_before,
        load_share=load_share,
        machine=after.played.health.machine,
        event_missing=_ONLY_LADDER,
    )
    modelled: RealSpeedRuns[Replication] = RealSpeedRuns(why=_ONLY_LADDER)
    return _Shown(after, Questions(run, seen, after, learned.scenario), evidence, modelled)


_NOT_TOLD = "what can be lost, and how many servers to order: the scenario has no services"
_NO_MODEL = "the scenario has no services, so nothing can be modelled"


def _show_black_box(run: Run, seen: Foreseen, load_share: float) -> _Shown:
    """Play the plan against a target of which nothing is known but how it answers."""
    with compiling():
        after = AfterLoad(play_load(run, seen.plan, None), run.stop)
        after.keep(run.folder, ())
        learned = learn_black_box(run, seen.plan, after)
    modelled: RealSpeedRuns[Replication] = RealSpeedRuns(why=_NO_MODEL)
    evidence = Evidence(
        scenario=run.scenario,
        plan=seen.plan,
        measured=after.played.record,
        predicted=(),
        equivalents=() if learned.calibration is None else learned.calibration.equivalents,
        not_calibrated=learned.why_not,
        load_share=load_share,
        machine=after.played.health.machine,
        event_missing=_NO_MODEL,
    )
    return _Shown(after, Questions(run, seen, after, run.scenario), evidence, modelled)


def _judge(run: Run, seen: Foreseen, shown: _Shown) -> Judged:
    """Return findings, orders and verdict of what a run showed."""
    played, evidence = shown.after.played, shown.evidence
    tests = run_rules(evidence)
    findings = _found(run, shown, tests)
    valid = validity(played.record, health=played.health, end=played.end, why=played.why)
    if run.order.ladder:
        verdict, asked, lives = judge_ladder(played.end, played.why, valid.faults), Asked(), Lives()
    else:
        asked = shown.questions.capacity(evidence, findings, standing_of(findings, tests))
        lives = lives_after(run, evidence, Found(findings, tests, asked, _faults(shown, valid)))
        verdict = _verdict(run, shown, findings, valid, lives.waived)
    return Judged(
        evidence=evidence,
        run=played.record,
        demand=seen.demand,
        history=seen.history,
        tests=tests,
        findings=findings,
        requests=lives.as_they_stand(asked.requests),
        withheld=asked.withheld,
        lives=lives,
        verdict=verdict.warning_as(run.order.warn_exit),
        validity=valid,
    )


def _faults(shown: _Shown, valid: Validity) -> tuple[str, ...]:
    """Return why a run can tell nothing of the runs before: it is invalid, or ended early."""
    return valid.faults or cut_short(shown.after.played.end, shown.after.played.why)


def _found(run: Run, shown: _Shown, tests: Tests) -> tuple[Finding, ...]:
    """Return the findings; of a ladder, why the target is not as declared; none of a shop of ours that died."""
    if shown.after.played.end == "shop_lost":
        return ()
    findings = find(shown.evidence, tests)
    return tuple(f for f in findings if not run.order.ladder or RULES[f.rule].is_cause)


def _verdict(
    run: Run,
    shown: _Shown,
    findings: tuple[Finding, ...],
    valid: Validity,
    waived: frozenset[str],
) -> Verdict:
    """Return the verdict of a run that was to be judged."""
    end, why = shown.after.outcome(shown.modelled)
    return judge(
        findings,
        end=end,
        why=why,
        faults=valid.faults,
        unjudged=tuple(_not_judged(run, shown)),
        unmeasured=unmeasured_objectives(shown.evidence, findings),
        waived=waived,
    )


def _not_judged(run: Run, shown: _Shown) -> Iterator[str]:
    """Yield what nobody can tell from this run: not of the model at the event's load, nor of the target."""
    yield from not_judged(shown.modelled, peak_played=bool(shown.evidence.peak))
    if not run.scenario.services_are_known:
        yield _NOT_TOLD
    yield from not_asked(shown.evidence.n_minus_one)
    yield from not_identified(shown.evidence.calibration, shown.evidence.not_calibrated)
