"""`gameday simulate`: the event in the queueing model, and what would change it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gameday.cli.replay import (
    EventOption,
    HistoryOption,
    QuantileOption,
    ScaleOption,
    SeedOption,
    WindowOption,
    asked_of,
)
from gameday.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gameday.findings.rehearsal import Replications
    from gameday.live import Show
    from gameday.scenario import Scenario
    from gameday.traffic import LoadPlan

__all__ = ["add_to"]

WhatIfOption = Annotated[
    list[str] | None,
    typer.Option(help="as 'checkout.instances = 40' or 'forecast = 1.3x'; may be repeated"),
]
HeadroomOption = Annotated[
    bool, typer.Option("--headroom", help="find the multiple each objective bears; ~15x the time")
]


def add_to(app: typer.Typer) -> None:
    """Add this file's verb."""
    app.command()(simulate)


def simulate(
    event: EventOption, window: WindowOption = "peak", scale: ScaleOption = "auto",
    quantile: QuantileOption = None, history: HistoryOption = None, seed: SeedOption = 1,
    what_if: WhatIfOption = None, headroom: HeadroomOption = False,
    replications: Annotated[int, typer.Option(min=2, max=1000, help="of each variant")] = 10,
    budget: Annotated[
        float, typer.Option(min=1, max=86400, help="seconds for each variant; sets the auto scale")
    ] = 30.0,
    workers: Annotated[int | None, typer.Option(min=1, help="processes; default: the cores")] = None,
    cluster: Annotated[str | None, typer.Option(help="a dask scheduler, as tcp://HOST:8786")] = None,
    out: Annotated[Path, typer.Option(help="folder of the pictures")] = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:  # fmt: skip
    """Rehearse an event in the queueing model, at real speed after an hour of warm-up; send nothing.

    Example: gameday simulate --event primeday --what-if 'checkout.instances = 40'
    """
    from gameday.cli.simulated import drawn, say
    from gameday.scenario import load_scenario
    from gameday.scenario.what_if import what_if as changed
    from gameday.simulate import compiling
    from gameday.simulate.cluster import on_cluster

    asked = asked_of(window, "1x", None, scale, quantile)
    scenario = load_scenario(event)
    variants = [changed(event, text) for text in what_if or []]
    from gameday.live import Show

    show = Show()
    _check_folder(out)
    with on_cluster(cluster), compiling() as wait_for_code:
        demand_of = _demand(scenario, history, seed, show)
        how = {"replications": replications, "workers": workers}
        rehearsal = Rehearsal(scenario, demand_of, asked, seed, budget, how, show)
        rehearsal.begin(wait_for_code)
        result = rehearsal.result(event)
        result["what_ifs"] = [rehearsal.compared(v.text, v.scenario, v.factor) for v in variants]
        result["headroom"] = rehearsal.headroom() if headroom else None
    result["drawn"] = drawn(result)
    result["page"] = str(_picture(result, out, show))
    if as_json:
        typer.echo(json.dumps(result, allow_nan=False))
    else:
        say(result)
    raise typer.Exit(rehearsal.exit_code)


def _check_folder(out: Path) -> None:
    """Refuse a folder that cannot be written before the work is done, not after."""
    import os

    nearest = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UsageError(f"--out: {out} cannot be written")


def _demand(scenario: Scenario, history: Path | None, seed: int, show: Show) -> Any:
    from gameday.forecast import forecast_demand
    from gameday.history import read_history
    from gameday.vocabulary import Seed

    with show.phase("forecast"):
        past = read_history(scenario, file=history, seed=Seed(seed))
        return forecast_demand(scenario, past)


def _picture(result: dict[str, Any], out: Path, show: Show) -> Path:
    from gameday.report import render_rehearsal

    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    with show.phase("pictures"):
        return render_rehearsal(result, out / result["event"] / f"rehearsal-{stamp}.html")


class Rehearsal:
    """One event in the model: as it is, and as it would be."""

    def __init__(
        self, scenario: Scenario, demand: Any, asked: Any, seed: int, budget_s: float,
        how: dict[str, Any], show: Show,
    ) -> None:  # fmt: skip
        import os

        from gameday.scenario.cells import least_scale
        from gameday.simulate import at_real_speed
        from gameday.vocabulary import Seed

        self.scenario, self.show, self.seed = scenario, show, Seed(seed)
        self._how = how
        cores = how["workers"] or os.cpu_count() or 1
        with show.phase("load plan"):
            self.plan: LoadPlan = at_real_speed(
                scenario, demand, seed=self.seed, window=asked.window, scale=asked.scale,
                quantile=asked.quantile, core_s=budget_s * cores * 10 / how["replications"],
                at_least=least_scale(scenario),
            )  # fmt: skip
            show.update(f"{int(self.plan.played.sum())} sessions, scale {self.plan.scale:g}")

    def begin(self, wait_for_code: Callable[[Callable[[str], None]], None]) -> None:
        """Play the event as it is, once the engine is there."""
        with self.show.phase("engine"):
            wait_for_code(self.show.update)
        self.before = self.play("as it is", self.scenario, self.plan)

    def play(self, name: str, scenario: Scenario, plan: LoadPlan) -> Replications:
        """Return replications of a variant; every one draws the same chance."""
        from gameday.findings import Look
        from gameday.simulate import replicate

        done: Callable[[int], None] = lambda n: self.show.update(f"{n} replications")  # noqa: E731
        with self.show.phase(f"model: {name}"):
            return replicate(
                scenario, plan, Look.at(scenario, plan), seed=self.seed, progress=done,
                new_customers=True, **self._how,
            )  # fmt: skip

    def result(self, event: str) -> dict[str, Any]:
        """Return what the model says of the event as it is, checked against paper."""
        from gameday.findings.cross_check import cross_check
        from gameday.findings.full_scale import full_scale
        from gameday.findings.rehearsal import rehearsal, series_of

        plan, stacks = self.plan, [list(runs) for runs in zip(*self.before, strict=True)]
        self.as_is = rehearsal(self.scenario, self.before, plan.scale)
        return {
            "schema_version": 2, "event": self.scenario.event.name, "asked": event,
            "window_start": plan.window.start.isoformat(), "window_end": plan.window.end.isoformat(),
            "lead_in_slots": plan.lead_in, "speed": plan.speed, "scale": plan.scale,
            "quantile": plan.quantile, "seed": plan.seed.root, **self.as_is,
            "series": series_of(self.before),
            "small_stations": self._small_stations(),
            "full_scale": {
                runs[0].stack: full_scale(self.scenario, plan.scale, runs, self.seed)
                for runs in stacks
            },
            "cross_check": {
                runs[0].stack: cross_check(self.scenario, plan.scale, runs) for runs in stacks
            },
        }  # fmt: skip

    def _small_stations(self) -> dict[str, list[str]]:
        """Return stack -> services with few servers in the cell that have more at full scale."""
        from gameday.cli.simulated import FEW_SERVERS
        from gameday.scenario import build_cell

        out = {}
        for stack in self.scenario.stack_names:
            stations = build_cell(self.scenario, stack, scale=self.plan.scale).stations
            whole = {name: self.scenario.services[name].servers(stack) for name in stations}
            few = [n for n, at in stations.items() if at.servers < FEW_SERVERS <= whole[n]]
            if few:
                out[stack] = few
        return out

    def compared(self, text: str, scenario: Scenario, factor: float) -> dict[str, Any]:
        """Return what the model says of a variant, and the change pair by pair."""
        from gameday.findings.rehearsal import (
            objective_change,
            rehearsal,
            series_of,
            service_change,
        )

        plan = self.plan if factor == 1.0 else self.plan.times(factor)
        after = self.play(text, scenario, plan)
        return {
            "text": text, "unseen": self._unseen(scenario), **rehearsal(scenario, after, plan.scale),
            "series": series_of(after),
            "change": service_change(self.before, after),
            "objectives_change": objective_change(self.before, after),
        }  # fmt: skip

    def _unseen(self, scenario: Scenario) -> list[str]:
        """Return what a variant changes that a cell of this size cannot show."""
        from gameday.scenario import build_cell

        out = []
        for stack in scenario.stack_names:
            before, after = (build_cell(s, stack, scale=self.plan.scale).stations
                             for s in (self.scenario, scenario))  # fmt: skip
            for name, station in after.items():
                whole = [s.services[name].servers(stack) for s in (self.scenario, scenario)]
                if whole[0] != whole[1] and before[name].servers == station.servers:
                    out.append(
                        f"{stack}: {name} has {station.servers} server(s) in this cell before and after, "
                        f"for {whole[0]} and {whole[1]}: only its times change; take a larger --budget"
                    )
        return out

    def headroom(self) -> dict[str, Any]:
        """Return the multiples of the forecast between which each objective first fails."""
        from gameday.findings.headroom import headroom

        return headroom(
            self.scenario, self.before,
            lambda factor: self.play(f"{factor:.3g}x", self.scenario, self.plan.times(factor)),
        )  # fmt: skip

    @property
    def exit_code(self) -> int:
        """1 where an objective fails in the model, as it is."""
        rows = [row for stack in self.as_is["stacks"].values() for row in stack["objectives"]]
        return int(any(row["said"] == "fails" for row in rows))
