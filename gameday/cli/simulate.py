"""`gameday simulate`: the event in the queueing model, and what would change it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.replay import (
    EventOption,
    HistoryOption,
    InjectOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    SpareOption,
    WindowOption,
    asked_of,
    check_folder,
)
from gameday.cli.streams import verdict_stands
from gameday.errors import UsageError

if TYPE_CHECKING:
    from gameday.experiments import Replications
    from gameday.forecast import Demand
    from gameday.live import Show
    from gameday.scenario import Scenario
    from gameday.scenario.reading import LoadedScenario, WhatIf
    from gameday.simulate import RunControl
    from gameday.traffic import Asked, LoadPlan
    from gameday.vocabulary import Seed

__all__ = ["add_to"]

WhatIfOption = Annotated[
    list[str] | None,
    typer.Option(help="as 'checkout.instances = 40' or 'forecast = 1.3x'; may be repeated"),
]
HeadroomOption = Annotated[
    bool,
    typer.Option(
        "--headroom",
        help="find the multiple of the forecast each objective bears: some ten variants more",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(simulate)


def simulate(
    event: EventOption,
    window: WindowOption = "peak",
    scale: ScaleOption = "auto",
    quantile: QuantileOption = None,
    history: HistoryOption = None,
    seed: SeedOption = 1,
    what_if: WhatIfOption = None,
    headroom: HeadroomOption = False,
    inject: InjectOption = None,
    spare: SpareOption = True,
    replications: Annotated[int, typer.Option(min=2, max=1000, help="of each variant")] = 10,
    budget: Annotated[
        float, typer.Option(min=1, max=86400, help="seconds a variant; sets an auto scale")
    ] = 30.0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes; default: the cores")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="a dask scheduler, as tcp://HOST:8786")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder of the pictures")] = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Rehearse an event in the queueing model, at real speed after an hour of warm-up; send nothing.

    Example: gameday simulate --event primeday --what-if 'checkout.instances = 40'
    """
    from gameday.jobs.replay import expect
    from gameday.live import Show
    from gameday.simulate import RunControl, compiling, on_cluster
    from gameday.vocabulary import Seed

    asked = _asked(window, scale, quantile)
    loaded, variants = _read(event, what_if or [], asked, inject or [])
    show = Show()
    check_folder(out)
    with on_cluster(cluster), compiling() as wait_for_code:
        _, demand = expect(loaded.written, history, Seed(seed), show)
        control = RunControl(replications=replications, workers=workers)
        rehearsal = Rehearsal(loaded.played, demand, asked, Seed(seed), budget, control, show)
        rehearsal.strike(inject or [], [v.scenario for v in variants])
        with show.phase("engine"):
            wait_for_code(show.update)
        result = rehearsal.result(event)
        result["what_ifs"] = [rehearsal.compared(v.text, v.scenario, v.factor) for v in variants]
        result["headroom"] = rehearsal.headroom() if headroom else None
        result["cures"] = rehearsal.cures(result)
        result["n_minus_one"] = rehearsal.n_minus_one(demand, budget) if spare else None
    _tell(result, out, show, as_json=as_json)
    raise typer.Exit(rehearsal.exit_code)


def _read(
    event: str, what_if: list[str], asked: Asked, inject: list[str]
) -> tuple[LoadedScenario, list[WhatIf]]:
    """Return the scenario and its variants; UsageError where one of them cannot be played as asked."""
    from gameday.scenario.reading import read_scenario
    from gameday.scenario.reading import what_if as changed
    from gameday.traffic.plan import check_asked

    loaded = read_scenario(event)
    variants = [changed(loaded, text) for text in what_if]
    for each in (loaded.played, *(variant.scenario for variant in variants)):
        check_asked(asked, each, inject, own_target=False)
    return loaded, variants


def _asked(window: str, scale: str, quantile: str | None) -> Asked:
    asked = asked_of(window, "1x", None, scale, quantile)
    if asked.scale is not None and asked.scale > 1:
        raise UsageError(f"--scale: must be at most 1, the whole (got {scale})")
    return asked


def _tell(result: dict[str, Any], out: Path, show: Show, *, as_json: bool) -> None:
    """Print what was found before it is drawn; JSON names its page, so that comes last."""
    from gameday.cli.rehearsal_text import drawn, say
    from gameday.report import render_rehearsal

    result["drawn"] = drawn(result)
    page = out / result["event"] / f"rehearsal-{datetime.now(UTC):%Y%m%dT%H%M%S}.html"
    with verdict_stands(f"the pictures are in {page}"):
        if not as_json:
            say(result)
    with show.phase("pictures"):
        result["page"] = str(render_rehearsal(result, page))
    with verdict_stands(f"the pictures are in {page}"):
        typer.echo(json.dumps(result, allow_nan=False) if as_json else f"pictures: {page}")


_CURE_REPLICATIONS = 4
"""Of each load and policy that is tried: which of many helps, not how much."""


class Rehearsal:
    """One event in the model: as it is, and as it would be."""

    def __init__(
        self,
        scenario: Scenario,
        demand: Demand,
        asked: Asked,
        seed: Seed,
        budget_s: float,
        control: RunControl,
        show: Show,
    ) -> None:
        from gameday.queueing import least_scale
        from gameday.simulate import CoreBudget, plan_at_real_speed

        self.scenario, self.show, self.seed, self._control = scenario, show, seed, control
        cores = control.workers or os.cpu_count() or 1
        with show.phase("load plan"):
            self.plan: LoadPlan = plan_at_real_speed(
                scenario,
                demand,
                seed=self.seed,
                window=asked.window,
                scale=asked.scale,
                quantile=asked.quantile,
                budget=CoreBudget(budget_s * cores, control.replications, least_scale(scenario)),
            )
            show.update(f"{int(self.plan.played.sum())} sessions, scale {self.plan.scale:g}")

    def strike(self, texts: list[str], variants: list[Scenario]) -> None:
        """Inject what is written into every variant; UsageError says what is wrong with it."""
        from gameday.scenario.reading import injected
        from gameday.vocabulary import SLOT_S

        window_s = self.plan.window.slots * SLOT_S
        for variant in variants:  # it must be able to happen there too
            injected(texts, variant, window_s, is_ours=True)
        injections = injected(texts, self.scenario, window_s, is_ours=True)
        self._calm, self.plan = self.plan, self.plan.struck(injections)

    def play(
        self, name: str, scenario: Scenario, plan: LoadPlan, most: int | None = None
    ) -> Replications:
        """Return replications of a variant, at most so many; every one draws the same chance."""
        from gameday.experiments import Look
        from gameday.simulate import replicate

        replications = self._control.replications
        control = replace(
            self._control,
            replications=replications if most is None else min(most, replications),
            progress=lambda done: self.show.update(f"{done} replications"),
        )
        with self.show.phase(f"model: {name}"):
            return replicate(
                scenario,
                plan,
                Look.at(scenario, plan),
                seed=self.seed,
                control=control,
                new_customers=True,
            )

    def calm(self, name: str, scenario: Scenario, factor: float = 1.0) -> Replications:
        """Return a variant with nothing injected: what its recovery is measured by; empty where nothing is."""
        if not self.plan.injections:
            return ()
        return self.play(f"{name}, nothing injected", scenario, self._calm.times(factor))

    def result(self, event: str) -> dict[str, Any]:
        """Play the event as it is; return what the model says of it, checked against paper."""
        from gameday.experiments import (
            check_against_queues,
            does_it_recover,
            full_scale_waits,
            rehearse,
            sell_outs,
            series_of,
            small_stations,
        )

        plan = self.plan
        self.before = self.play("as it is", self.scenario, plan)
        stacks = [list(runs) for runs in zip(*self.before, strict=True)]
        self.as_is = rehearse(self.scenario, self.before, plan.scale)
        return {
            "schema_version": 3,
            "event": self.scenario.event.name,
            "asked": event,
            "window_start": plan.window.start.isoformat(),
            "window_end": plan.window.end.isoformat(),
            "lead_in_slots": plan.lead_in,
            "speed": plan.speed,
            "scale": plan.scale,
            "quantile": plan.quantile,
            "seed": plan.seed.root,
            **self.as_is,
            "series": series_of(self.before),
            "sell_out": sell_outs(self.scenario, self.before),
            "injected": [one.text for one in plan.injections],
            "recovery": does_it_recover(
                plan.injections, self.before, self.calm("as it is", self.scenario)
            ),
            "small_stations": small_stations(self.scenario, plan.scale),
            "full_scale": {  # what is injected, no service alone could show
                runs[0].stack: []
                if plan.injections
                else full_scale_waits(self.scenario, plan.scale, runs, self.seed)
                for runs in stacks
            },
            "cross_check": {
                runs[0].stack: check_against_queues(
                    self.scenario, plan.scale, runs, is_struck=bool(plan.injections)
                )
                for runs in stacks
            },
        }

    def compared(self, text: str, scenario: Scenario, factor: float) -> dict[str, Any]:
        """Return what the model says of a variant, and the change pair by pair."""
        from gameday.experiments import (
            does_it_recover,
            objective_change,
            rehearse,
            sell_outs,
            series_of,
            service_change,
            unseen,
        )

        plan = self.plan if factor == 1.0 else self.plan.times(factor)
        after = self.play(text, scenario, plan)
        return {
            "text": text,
            "unseen": unseen(self.scenario, scenario, plan.scale),
            **rehearse(scenario, after, plan.scale),
            "series": series_of(after),
            "recovery": does_it_recover(plan.injections, after, self.calm(text, scenario, factor)),
            "sell_out": sell_outs(scenario, after),
            "change": service_change(self.before, after),
            "objectives_change": objective_change(self.before, after),
        }

    def cures(self, result: dict[str, Any]) -> dict[str, Any] | None:
        """Return what brings back a stack that mostly stays down though its trigger is gone."""
        from gameday.experiments import find_remedies

        seen = result["recovery"] or {}
        down = {
            stack for stack, row in seen.items() if row["recovers"] and row["recovers"]["mid"] < 0.5
        }
        if not down:
            return None
        return find_remedies(
            self.scenario,
            self._calm,
            self.plan.injections,
            down,
            partial(self.play, most=_CURE_REPLICATIONS),
        )

    def n_minus_one(self, demand: Demand, budget_s: float) -> dict[str, Any]:
        """Return what can be lost at the peak with the objectives held."""
        from gameday.experiments import n_minus_one

        cores = self._control.workers or os.cpu_count() or 1
        with self.show.phase("model: what can be lost"):
            return n_minus_one(
                self.scenario,
                demand,
                self.plan,
                seed=self.seed,
                core_s=budget_s * cores,
                progress=self.show.update,
                control=self._control,
            )

    def headroom(self) -> dict[str, Any]:
        """Return the multiples of the forecast between which each objective first fails."""
        from gameday.experiments import find_headroom

        return find_headroom(
            self.scenario,
            self.before,
            lambda factor: self.play(f"{factor:.3g}x", self.scenario, self.plan.times(factor)),
        )

    @property
    def exit_code(self) -> int:
        """1 where an objective fails in the model, as it is; 10 where nobody came by whom one could be judged."""
        from gameday.experiments import NOBODY

        rows = [row for stack in self.as_is["stacks"].values() for row in stack["objectives"]]
        said = {row["said"] for row in rows}
        return 1 if "fails" in said else 10 if NOBODY in said else 0
