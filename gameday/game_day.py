"""The main job on one screen: one line per room (`_play`); around it what every run needs."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from gameday import __version__
from gameday.capacity import as_yaml, request_capacity, verify
from gameday.errors import GamedayError, UsageError
from gameday.files import write_whole
from gameday.findings import Evidence, find, judge, unmeasured_objectives, validity
from gameday.forecast import Demand, forecast_demand
from gameday.history import History, read_history
from gameday.ledger import Ledger, RunRow
from gameday.live import Show
from gameday.report import render_report
from gameday.report.gather import gather
from gameday.run_record import RunRecord
from gameday.safety import Journal, StopWatch, allowed_target, one_run_at_a_time
from gameday.scenario import Scenario, bundled_scenarios, load_scenario
from gameday.shop import running_shops
from gameday.simulate import simulate
from gameday.swarm import Brief, Played, Progress, swarm
from gameday.traffic import Asked, LoadPlan, plan_load
from gameday.vocabulary import Seed

__all__ = ["Order", "foresee", "replay"]

_MODEL_S = 6.0
"""Wall seconds in which replications of the run as played are begun; at least five are made."""
_WORST_CASE_SLOTS = 60
_LEAD_IN_SHARE = 0.4


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
    command: str = "gameday replay"


def foresee(order: Order, show: Show) -> tuple[Scenario, History, Demand, LoadPlan]:
    """Return scenario, past, demand and plan of an order; nothing is sent."""
    scenario = load_scenario(order.event)
    with show.phase("history"):
        history = read_history(scenario, file=order.history, seed=order.seed)
        show.update(f"{history.grid.slots / 1440:.0f} days, {history.source}")
    with show.phase("forecast"):
        demand = forecast_demand(scenario, history)
        show.update(f"backtest WAPE {100 * demand.backtest_wape:.1f} % a minute")
    with show.phase("load plan"):
        plan = plan_load(
            scenario, demand, seed=order.seed, asked=order.asked, own_target=bool(order.targets)
        )
        show.update(f"{int(plan.played.sum())} sessions at {plan.speed:g}x, scale {plan.scale:g}")
    return scenario, history, demand, plan


def replay(order: Order, show: Show) -> dict[str, Any]:
    """Play an order from history to report; return the summary, its folder under `folder`.

    Raises GamedayError when it ends before load goes out; the run's folder says so then.
    """
    scenario = load_scenario(order.event)
    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    targets = _checked(order, scenario)
    folder = order.out / scenario.event.name / run_id
    with ExitStack() as stack:
        stack.enter_context(one_run_at_a_time(run_id))
        journal = Journal(folder / "journal.jsonl")
        stack.callback(journal.close)
        ledger = Ledger(order.out)
        stack.callback(ledger.close)
        row = RunRow(run_id, scenario.event.name, str(folder), started.isoformat(timespec="seconds"),
                     "RUNNING", -1, os.getpid())  # fmt: skip
        _note_run(folder, row, order, ledger)
        stop = stack.enter_context(StopWatch(folder))
        try:
            summary = _play(replace(order, targets=targets), row, folder, stop, journal, ledger, show)
        except GamedayError as error:
            journal.write("ended early", why=str(error), exit_code=error.exit_code)
            verdict = "ABORTED" if error.exit_code in (3, 4) else "ERROR"
            _note_run(folder, replace(row, verdict=verdict, exit_code=error.exit_code), order, ledger)
            raise
        verdict = summary["verdict"]
        row = replace(row, verdict=verdict["name"], exit_code=verdict["exit_code"])
        _note_run(folder, row, order, ledger)
        return summary | {"folder": str(folder)}


def _play(
    order: Order, row: RunRow, folder: Path, stop: StopWatch, journal: Journal, ledger: Ledger,
    show: Show,
) -> dict[str, Any]:  # fmt: skip
    """The chain, room by room."""
    scenario, history, demand, plan = foresee(order, show)
    stop.check()
    _write_inputs(folder, scenario, demand, history, plan)
    predicted, cost_s = _rehearse(scenario, plan, order, stop, show)
    with _real_speed_model(scenario, demand, plan, order, cost_s) as event_model:
        played = _swarm(scenario, plan, order, row, folder, stop, journal, show)
        event = event_model(played.end != "complete")
    evidence = Evidence(scenario, plan, played.record, predicted, event)
    findings = find(evidence)
    now = datetime.now(UTC)
    requests = request_capacity(scenario, demand, findings, run=row.run_id, now=now)
    after: tuple[RunRecord, ...] = ()
    if requests and played.end == "complete":
        with show.phase("capacity, proven in the model"):
            requests, after = verify(
                scenario, plan, requests, predicted, seed=order.seed, budget_s=0.0,
                scale=_servers_scale(scenario, order),
            )  # fmt: skip
    valid = validity(played.record, busiest=played.busiest, end=played.end, why=played.why)
    verdict = judge(
        findings, end=played.end, why=played.why, faults=valid.faults,
        unmeasured=unmeasured_objectives(evidence),
    )  # fmt: skip
    with show.phase("report"):
        _write_records(folder, played.record, predicted, event)
        summary = gather(
            evidence, demand, history, findings, requests, verdict, valid,
            run=_about(row, order), caveats=_caveats(evidence),
        )  # fmt: skip
        for request in requests:
            text = as_yaml(request)
            write_whole(folder / "capacity" / f"{request.id}.yaml", lambda p, t=text: p.write_text(t))
        write_whole(folder / "findings.json",
                    lambda p: p.write_text(json.dumps(summary["findings"], indent=1)))  # fmt: skip
        render_report(summary, folder)
        ledger.record_results(row.run_id, summary["findings"], summary["requests"])
        journal.write("done", verdict=verdict.name, exit_code=verdict.exit_code)
    return summary


def _checked(order: Order, scenario: Scenario) -> dict[str, str] | None:
    """Return allowed targets for every stack, names resolved; refuse others before all else."""
    if order.targets is None:
        return None
    targets = dict(order.targets)
    if "" in targets:
        url = targets.pop("")
        targets = {stack: targets.get(stack, url) for stack in scenario.stack_names}
    if unknown := sorted(set(targets) - set(scenario.stack_names)):
        raise UsageError(f"--target: unknown stack {', '.join(unknown)}; this scenario has "
                         f"{', '.join(scenario.stack_names)}")  # fmt: skip
    if missing := sorted(set(scenario.stack_names) - set(targets)):
        raise UsageError(f"--target: no target for stack {', '.join(missing)}")
    return {stack: allowed_target(url) for stack, url in targets.items()}


def _servers_scale(scenario: Scenario, order: Order) -> float | None:
    """Return the servers' scale where they are not ours to scale; None: as the plan's."""
    return scenario.replay.target_fraction if order.targets else None


def _rehearse(
    scenario: Scenario, plan: LoadPlan, order: Order, stop: StopWatch, show: Show
) -> tuple[tuple[RunRecord, ...], float]:
    """Return the model of the run as played, and what a planned step costs in core-seconds."""
    began = time.monotonic()
    with show.phase("rehearsal in the model"):
        predicted = simulate(
            scenario, plan, seed=order.seed, budget_s=_MODEL_S,
            scale=_servers_scale(scenario, order), cancelled=lambda: stop.reason is not None,
            progress=lambda n: show.update(f"{n} replications of the run as played"),
        )  # fmt: skip
    stop.check()
    steps = sum(int(r.step_counts[:, :, 9].sum()) for r in predicted)
    cores = os.cpu_count() or 1
    return predicted, (time.monotonic() - began) * cores / max(1, steps)


@contextmanager
def _real_speed_model(
    scenario: Scenario, demand: Demand, plan: LoadPlan, order: Order, cost_s: float
) -> Iterator[Any]:
    """Run the event at real speed beside the swarm, on a core that gives way; yield its taker.

    SimPy simulates some tens of thousands of calls a second, so what fits in the run's own time
    is the hottest minutes of the event in the same cell; the report says how many.
    """
    result: list[tuple[RunRecord, ...]] = []
    over = threading.Event()
    slot_steps = float(plan.forecast.sum(axis=(0, 1)).max()) * plan.scale
    fits = int((plan.duration_s - 10) / max(1e-9, 6 * cost_s * slot_steps))
    slots = min(fits, _WORST_CASE_SLOTS)
    thread: threading.Thread | None = None
    if slots >= 3 and (os.cpu_count() or 1) > 1:
        near = _hottest(demand, plan, slots)
        again = plan_load(scenario, demand, seed=order.seed, asked=near, own_target=bool(order.targets))

        def work() -> None:
            result.append(simulate(
                scenario, again, seed=order.seed.child("event"), budget_s=0.0, workers=1,
                scale=_servers_scale(scenario, order), beside_load=True, cancelled=over.is_set,
            ))  # fmt: skip

        thread = threading.Thread(target=work, name="event model")
        thread.start()

    def take(cut_short: bool) -> tuple[RunRecord, ...]:
        if cut_short:
            over.set()
        if thread is not None:
            thread.join()
        return result[0] if result else ()

    try:
        yield take
    finally:
        over.set()
        if thread is not None:
            thread.join()


def _hottest(demand: Demand, plan: LoadPlan, slots: int) -> Asked:
    """Return the window of the hottest slot: a part of `slots` as lead-in, the rest judged."""
    lead_in = max(1, int(slots * _LEAD_IN_SHARE))
    judged = slots - lead_in
    hottest = int(plan.forecast.sum(axis=(0, 1))[plan.lead_in :].argmax())
    first = max(0, min(hottest - judged // 2, plan.window.slots - judged))
    start, end = plan.window.instant(first), plan.window.instant(first + judged)
    return Asked(window=f"{start.isoformat()}/{end.isoformat()}", speed=1.0, scale=plan.scale,
                 quantile=plan.quantile, lead_in=lead_in)  # fmt: skip


def _swarm(
    scenario: Scenario, plan: LoadPlan, order: Order, row: RunRow, folder: Path, stop: StopWatch,
    journal: Journal, show: Show,
) -> Played:  # fmt: skip
    """Start the shop where no target was given, and play the plan against it."""
    def watch(p: Progress) -> None:
        show.update(f"{p.at_s:+.0f} s of {plan.duration_s:.0f}: {p.sent} steps sent, {p.done} good, "
                    f"{p.bad} bad", done=p.at_s + plan.lead_in_s)  # fmt: skip

    with ExitStack() as stack, show.phase("swarm", total=plan.duration_s + plan.lead_in_s):
        targets = order.targets
        if targets is None:
            show.update("starting the shop")
            targets, _ = stack.enter_context(running_shops(
                order.event, scenario.stack_names, scale=plan.scale,
                stock_scale=plan.scale / plan.speed, seed=order.seed.root, logs=folder,
            ))  # fmt: skip
        journal.write("targets", **targets)
        brief = Brief(row.run_id, str(order.event), targets, order.workers, plan)
        return swarm(scenario, brief, folder=folder, locustfile=_locustfile(), stop=stop,
                     journal=journal, watch=watch)  # fmt: skip


def _locustfile() -> Path:
    """Return the locustfile that plays any brief: in the wheel, or in the checkout."""
    scenarios = next(iter(bundled_scenarios().values())).parent
    return scenarios.parent / "locustfiles" / "primeday.py"


def _about(row: RunRow, order: Order) -> dict[str, Any]:
    return {"run_id": row.run_id, "event": row.event, "started_utc": row.started_utc,
            "version": __version__, "command": order.command}  # fmt: skip


def _caveats(evidence: Evidence) -> tuple[str, ...]:
    plan = evidence.plan
    out = [
        f"Played at {plan.speed:g}x: evidence of what the load does at its level, not of what time "
        "does (queue build-up over minutes, autoscaling, the sell-out minute)." if plan.speed > 1
        else "Played at real speed.",
        f"Played in a cell of {plan.scale:g} of full scale: small cells are slower at equal "
        "utilisation, so its latencies are compared with the model of that same cell.",
    ]  # fmt: skip
    if evidence.event:
        grid = evidence.event[0].grid
        out.append(
            f"At real speed the model simulated {grid.slots - evidence.event[0].lead_in} minutes "
            f"around the hottest in the same cell, {len(evidence.event)} replications: as far as "
            "SimPy's speed allows beside the run. Sizing looks at the whole event at full scale."
        )
    else:
        out.append("The event was not simulated at real speed: the run's own time was too short.")
    cells = {note for run in evidence.predicted[:1] for note in run.notes}
    return (*out, *sorted(cells))


def _note_run(folder: Path, row: RunRow, order: Order, ledger: Ledger) -> None:
    """Write the manifest and the ledger's row; the verdict is RUNNING until the end."""
    manifest = {
        "schema_version": 1, "run_id": row.run_id, "event": row.event, "verdict": row.verdict,
        "exit_code": row.exit_code, "started_utc": row.started_utc, "pid": row.pid,
        "seed": order.seed.root, "command": order.command, "gameday": __version__,
    }  # fmt: skip
    write_whole(folder / "run.json", lambda p: p.write_text(json.dumps(manifest, indent=1)))
    ledger.record_run(row)


def _write_inputs(
    folder: Path, scenario: Scenario, demand: Demand, history: History, plan: LoadPlan
) -> None:
    """Write what the run is played from."""
    text = scenario.model_dump_json(by_alias=True, indent=1)
    write_whole(folder / "scenario.json", lambda p: p.write_text(text))
    table = demand.table(plan.quantile, history.during(demand.grid))
    write_whole(folder / "demand.parquet", lambda p: table.to_parquet(p))
    write_whole(folder / "plan.parquet", lambda p: plan.table().to_parquet(p))


def _write_records(
    folder: Path, measured: RunRecord, predicted: tuple[RunRecord, ...], event: tuple[RunRecord, ...]
) -> None:
    """Write the run records."""
    for name, records in (("measured", (measured,)), ("predicted", predicted), ("event", event)):
        if records:
            table = pd.concat([r.table(i) for i, r in enumerate(records)], ignore_index=True)
            write_whole(folder / f"{name}.parquet", lambda p, t=table: t.to_parquet(p))
