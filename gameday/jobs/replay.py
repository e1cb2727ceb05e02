"""The main job on one screen: one line per room (`_play`); around it what every run needs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gameday import __version__
from gameday.errors import GamedayError, PreflightFailed
from gameday.experiments import Look, series_table
from gameday.findings import Evidence, find, judge, unmeasured_objectives, validity
from gameday.forecast import Demand, forecast_demand
from gameday.forecast.evaluation import wape_words
from gameday.history import History, read_history
from gameday.jobs.after_load import AfterLoad, not_judged, report, written_after_load
from gameday.jobs.questions import Questions
from gameday.ledger import Ledger, RunFolder, RunRow
from gameday.live import Show
from gameday.record import RunRecord
from gameday.report import gather
from gameday.safety import (
    Journal,
    StopWatch,
    check_ceilings,
    check_guardrails,
    one_run_at_a_time,
    targets_by_stack,
)
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, injected, read_scenario
from gameday.shop import Shops, begin_run, running_shops
from gameday.simulate import compiling, real_speed_model, simulate
from gameday.swarm import Brief, Played, Progress, swarm
from gameday.swarm.control import Listen, check_listen, forget_brief, forget_killed
from gameday.traffic import Asked, LoadPlan, plan_load
from gameday.traffic.plan import check_asked
from gameday.vocabulary import SLOT_S, Seed

__all__ = ["Order", "check_targets", "expect", "foresee", "replay"]

_LIBRARIES = ("locust", "gevent", "numba", "numpy", "scipy", "pandas", "bokeh")


@dataclass(frozen=True, slots=True)
class Order:
    """A replay as ordered on the command line."""

    event: str
    seed: Seed
    out: Path
    asked: Asked = field(default_factory=Asked)
    history: Path | None = None
    targets: dict[str, str] | None = None
    """Stack -> URL; None: the embedded shop."""
    workers: int = 1
    listen: Listen | None = None
    """Where workers of elsewhere join; None: they are started here."""
    inject: tuple[str, ...] = ()
    """What happens in the window, as `scenario/reading/injections.py` reads it."""
    drift: float | None = None  # None: as the scenario says
    n_minus_one: bool = True
    command: str = "gameday replay"


def expect(scenario: Scenario, file: Path | None, seed: Seed, show: Show) -> tuple[History, Demand]:
    """Return the past, of a file or the scenario's own, and the demand forecast from it."""
    with show.phase("history"):
        history = read_history(scenario, file=file, seed=seed)
        show.update(f"{history.grid.slots / 1440:.0f} days, {history.source}")
    for note in history.notes:
        show.say(f"history: {note}")
    with show.phase("forecast"):
        demand = forecast_demand(scenario, history)
        show.update(wape_words(demand.benchmark))
    return history, demand


def foresee(loaded: LoadedScenario, order: Order, show: Show) -> tuple[History, Demand, LoadPlan]:
    """Return past, demand and plan of an order; nothing is sent."""
    history, demand = expect(loaded.written, order.history, order.seed, show)
    scenario = loaded.played
    with show.phase("load plan"):
        plan = plan_load(
            scenario, demand, seed=order.seed, asked=order.asked, own_target=bool(order.targets)
        )
        plan = plan.struck(
            injected(
                order.inject, scenario, plan.window.slots * SLOT_S, is_ours=order.targets is None
            )
        )
        check_guardrails(scenario, plan)
        show.update(f"{int(plan.played.sum())} sessions at {plan.speed:g}x, scale {plan.scale:g}")
    return history, demand, plan


def replay(order: Order, show: Show) -> dict[str, Any]:
    """Play an order from history to report; return the summary, its folder under `folder`.

    Raises GamedayError when it ends before load goes out; the run's folder says so then.
    """
    loaded = read_scenario(order.event, drift=order.drift)
    scenario = loaded.played
    order = check_targets(order, scenario)
    check_listen(order.listen)
    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    with ExitStack() as stack:
        stack.enter_context(one_run_at_a_time(run_id))
        path = order.out / scenario.event.name / run_id
        forget_killed(order.out)
        stack.callback(forget_brief, path)  # once the journal is closed
        journal = Journal(path / "journal.jsonl")
        stack.callback(journal.close)
        ledger = Ledger(order.out)
        stack.callback(ledger.close)
        folder = RunFolder(path, ledger)
        row = RunRow(
            run_id,
            scenario.event.name,
            str(path),
            started.isoformat(timespec="seconds"),
            "RUNNING",
            -1,
            os.getpid(),
        )
        facts: dict[str, Any] = {
            "seed": order.seed.root,
            "command": order.command,
            "gameday": __version__,
            "libraries": {name: version(name) for name in _LIBRARIES},
        }
        folder.note(row, **facts)
        stop = stack.enter_context(StopWatch(path))
        try:
            summary = _play(loaded, order, row, folder, stop, journal, show, facts)
        except BaseException as error:
            code = error.exit_code if isinstance(error, GamedayError) else 9
            code = 4 if isinstance(error, KeyboardInterrupt) else code
            verdict = "ABORTED" if code in (3, 4) else "ERROR"
            with suppress(PreflightFailed):  # a full disk must not hide the first error
                journal.write("ended early", why=str(error), exit_code=code)
                folder.note(replace(row, verdict=verdict, exit_code=code), **facts)
            raise
        verdict = summary["verdict"]
        row = replace(row, verdict=verdict["name"], exit_code=verdict["exit_code"])
        with written_after_load():
            folder.note(row, **facts)
        return summary | {"folder": str(path)}


def _play(
    loaded: LoadedScenario,
    order: Order,
    row: RunRow,
    folder: RunFolder,
    stop: StopWatch,
    journal: Journal,
    show: Show,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """The chain, room by room."""
    history, demand, plan = foresee(loaded, order, show)
    scenario = loaded.played
    stop.check()
    check_ceilings(scenario, plan)
    facts["sha256"] = _hashes(scenario, history, plan)
    folder.write_inputs(scenario, demand, history, plan)
    servers = scenario.replay.target_fraction if order.targets else None  # None: as the plan's
    with ExitStack() as stack:
        wait_for_code = stack.enter_context(compiling())
        shop = stack.enter_context(_target(loaded, plan, order, folder.path))
        predicted = _rehearse(scenario, plan, servers, order.seed, stop, show, wait_for_code)
        look_at = partial(Look.at, scenario)
        event_model = stack.enter_context(
            real_speed_model(scenario, demand, plan, look_at, seed=order.seed, scale=servers)
        )
        played = _swarm(loaded, plan, order, row, folder.path, stop, journal, show, shop)
        after = AfterLoad(played, stop)
        after.keep(folder, predicted)
        modelled = after.real_speed(event_model, show)
        questions = Questions(scenario, demand, plan, order.seed, show, after)
        load_share = 1.0 if servers is None else plan.scale / servers
        lost = questions.losses(load_share) if order.n_minus_one else {}
        evidence = Evidence(
            scenario,
            plan,
            played.record,
            predicted,
            modelled.event,
            modelled.scale,
            lost,
            load_share,
            modelled.calm,
            played.health.machine,
            questions.peak(),
            modelled.why,
        )
    findings = () if played.end == "shop_lost" else find(evidence)  # it is no news of the target
    orders = questions.capacity(evidence, findings, row.run_id)
    valid = validity(played.record, health=played.health, end=played.end, why=played.why)
    end, why = after.outcome(modelled)
    verdict = judge(
        findings,
        end=end,
        why=why,
        faults=valid.faults,
        unjudged=not_judged(modelled, peak_played=bool(evidence.peak)),
        unmeasured=unmeasured_objectives(evidence, findings),
    )
    about = _about(row, order)
    summary = gather(evidence, demand, history, findings, *orders, verdict, valid, run=about)
    report(summary, orders[0], folder, journal, show, event=series_table(modelled.event))
    return summary


def _hashes(scenario: Scenario, history: History, plan: LoadPlan) -> dict[str, str]:
    return {"scenario": scenario.sha256(), "history": history.sha256, "plan": plan.sha256()}


def _about(row: RunRow, order: Order) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "event": row.event,
        "started_utc": row.started_utc,
        "version": __version__,
        "command": order.command,
        "target": order.targets or "the embedded shop",
    }


def check_targets(order: Order, scenario: Scenario) -> Order:
    """Return the order with an allowed target for every stack; refuse what cannot be, before all else."""
    if order.targets is not None:
        order = replace(order, targets=targets_by_stack(order.targets, scenario.stack_names))
    check_asked(order.asked, scenario, order.inject, own_target=bool(order.targets))
    return order


def _rehearse(
    scenario: Scenario,
    plan: LoadPlan,
    servers: float | None,
    seed: Seed,
    stop: StopWatch,
    show: Show,
    wait_for_code: Callable[[Callable[[str], None]], None],
) -> tuple[RunRecord, ...]:
    """Return the model of the run as played."""
    with show.phase("rehearsal in the model"):
        wait_for_code(show.update)
        predicted = simulate(
            scenario,
            plan,
            seed=seed,
            scale=servers,
            cancelled=lambda: stop.reason is not None,
            progress=lambda n: show.update(f"{n} replications of the run as played"),
        )
    stop.check()
    return predicted


@contextmanager
def _target(
    loaded: LoadedScenario, plan: LoadPlan, order: Order, folder: Path
) -> Iterator[Shops | None]:
    """Start the shop where no target was given; None where one was."""
    if order.targets is not None:
        yield None
        return
    with running_shops(
        loaded,
        scale=plan.scale,
        stock_scale=plan.clock.stock_scale,
        seed=order.seed.root,
        logs=folder,
    ) as shops:
        yield shops


def _swarm(
    loaded: LoadedScenario,
    plan: LoadPlan,
    order: Order,
    row: RunRow,
    folder: Path,
    stop: StopWatch,
    journal: Journal,
    show: Show,
    shop: Shops | None,
) -> Played:
    """Play the plan against the targets, once they are there."""

    def watch(progress: Progress) -> None:
        show.watch(progress, progress.at_s + plan.lead_in_s)

    def began(at_s: float) -> None:
        for url in targets.values() if order.targets is None else ():
            begin_run(
                url,
                window_at_s=at_s + plan.lead_in_s,
                window_start=plan.window.start,
                speed=plan.speed,
                inject=[one.text for one in plan.injections],
            )

    with show.phase("swarm", total=plan.duration_s + plan.lead_in_s):
        show.update("waiting for the target")
        targets = (order.targets or {}) if shop is None else shop.addresses()
        journal.write("targets", **targets)
        brief = Brief(
            row.run_id,
            loaded,
            targets,
            order.workers,
            plan,
        )
        with nullcontext() if shop is None else shop.answer_for_failures():
            played = swarm(
                loaded.played,
                brief,
                folder=folder,
                listen=order.listen,
                stop=stop,
                journal=journal,
                watch=watch,
                began=began,
                broken=None if shop is None else shop.fault,
            )
    if shop is None:
        return played  # how long its own callers wait is not known
    time_outs_s = [service.timeout for service in loaded.played.services.values()]
    return replace(played, record=played.record.with_time_outs(time_outs_s))
