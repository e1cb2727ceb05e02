"""The load of a run: the model of it beforehand, the target, and the swarm that plays the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from gameday.errors import UsageError
from gameday.jobs.one_run.run import Run
from gameday.record import RunRecord
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario
from gameday.shop import Shops, begin_run, running_shops
from gameday.simulate import RunControl, simulate
from gameday.swarm import Played, Progress, RunSpec, Supervision, swarm
from gameday.traffic import LoadPlan

__all__ = ["play_load", "predict", "target"]


def predict(
    run: Run,
    plan: LoadPlan,
    servers: float | None,
    wait_for_code: Callable[[Callable[[str], None]], None],
) -> tuple[RunRecord, ...]:
    """Return the model of the run as played, one record a replication.

    `servers`: share of full scale that the target's servers are; None: the plan's own.
    """
    with run.show.phase("rehearsal in the model"):
        wait_for_code(run.show.update)
        predicted = simulate(
            run.model,
            plan,
            seed=run.order.seed,
            scale=servers,
            control=RunControl(
                cancelled=lambda: run.stop.reason is not None,
                progress=lambda n: run.show.update(f"{n} replications of the run as played"),
            ),
        )
    run.stop.check()
    return predicted


@contextmanager
def target(run: Run, plan: LoadPlan) -> Iterator[Shops | None]:
    """Start the embedded shop where no target was given; None where one was."""
    if run.order.has_own_target:
        yield None
        return
    with running_shops(
        _shop(run),
        scale=plan.scale,
        stock_scale=plan.clock.stock_scale,
        seed=run.order.seed.root,
        logs=run.folder.path,
    ) as shops:
        yield shops


def _shop(run: Run) -> LoadedScenario:
    """Return what the embedded shop is made of: of another scenario, as many times its own fleets as placed."""
    if run.order.shop is None:
        return run.loaded
    shop = read_scenario(str(run.order.shop))
    declared, real = (run.declared or run.loaded).played, shop.played
    if (names := set(declared.services)) != set(real.services):
        raise UsageError(
            f"{run.order.shop}: has not the services of {run.row.event} "
            f"({', '.join(sorted(names ^ set(real.services)))})"
        )
    return shop if run.placed is None else shop.with_instances(_as_many_times(run, real))


def _as_many_times(run: Run, real: Scenario) -> dict[tuple[str, str], int]:
    """Return the shop's own fleets, as many times as those of the run's scenario were placed."""
    placed = () if run.placed is None else run.placed.fleets
    out = {}
    for fleet in placed:
        own, now = (s.services[fleet.service].stacks[fleet.stack] for s in (real, run.scenario))
        times = now.instances / fleet.instances_from
        out[fleet.stack, fleet.service] = max(1, round(own.instances * times))
    return out


def play_load(run: Run, plan: LoadPlan, shops: Shops | None) -> Played:
    """Play the plan against the targets, once they are there."""
    with run.show.phase("swarm", total=plan.duration_s + plan.lead_in_s):
        run.show.update("waiting for the target")
        targets = {**(run.order.targets or {})} if shops is None else shops.addresses()
        run.journal.write("targets", **targets)
        with nullcontext() if shops is None else shops.answer_for_failures():
            played = _swarm(run, plan, targets, shops)
    if shops is None:
        return played  # how long its own callers wait is not known
    time_outs_s = [service.timeout for service in run.scenario.services.values()]
    return replace(played, record=played.record.with_time_outs(time_outs_s))


def _swarm(run: Run, plan: LoadPlan, targets: dict[str, str], shops: Shops | None) -> Played:
    def watch(progress: Progress) -> None:
        run.show.watch(progress, progress.at_s + plan.lead_in_s)

    def began(at_s: float) -> None:
        for url in () if shops is None else targets.values():
            begin_run(
                url,
                window_at_s=at_s + plan.lead_in_s,
                window_start=plan.window.start,
                speed=plan.speed,
                inject=[injection.text for injection in plan.injections],
            )

    return swarm(
        run.scenario,
        RunSpec(run.row.run_id, run.loaded, targets, run.order.workers, plan),
        folder=run.folder.path,
        listen=run.order.listen,
        supervision=Supervision(
            run.stop, run.journal, watch, began, None if shops is None else shops.fault
        ),
    )
