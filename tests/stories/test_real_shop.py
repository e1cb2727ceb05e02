"""A real multi-process shop is learned from its ladder: black-box, and with its metrics.

What it is compared with is the shop's own processor time: all of it runs on one core, the generator on another.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from gameday.calibrate import (
    PredictionScore,
    calibrate_model,
    fit_black_box,
    score_prediction,
)
from gameday.calibrate.compared import StackObserved, Target
from gameday.calibrate.compared.call_levels import type_shares, work_of
from gameday.calibrate.equivalent import SITE
from gameday.jobs.calibrate import PastRun, read_run
from gameday.vocabulary import Array, Seed
from tests.support.program import Bench
from tests.support.real_shop import (
    CpuMeter,
    demand_csv,
    missing,
    real_shop,
    scenario_text,
    watched,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(bool(missing()), reason=missing() or "can run"),
]

PER_MIN = 3_600.0
"""Views of the home page in the peak's minute, event time, a slot of the run: some 164 requests a second."""
MOST_PER_S = 200.0
BELOW_KNEE = 0.85
"""Busy share of the core up to which it grows in proportion to the load."""
STEPS, SHORT = "25,50,75,100%", "50,100%"
"""Of a ladder; of a short one."""


@dataclass
class Learned:
    """A ladder against the real shop."""

    past: PastRun
    summary: dict[str, object]
    busy: Array
    """Share of its core that the shop used, slot by slot, lead-in included."""

    @property
    def load(self) -> Array:
        """Steps of each slot that was judged."""
        record = self.past.record
        return np.asarray(record.steps_by_slot(slots=record.judged)["achieved"])

    @property
    def knee(self) -> float:
        """Multiple of the busiest slot's load at which the core is full, by its own time."""
        busy = self.busy[self.past.record.judged]
        below = busy < BELOW_KNEE
        slope, least = np.polyfit(self.load[below], busy[below], 1)
        return float((1 - least) / slope / self.load.max())

    def busy_error(self) -> float:
        """Return by how much the model fitted on every other slot is off the core's busy share in the rest, mean.

        A black box's station is as busy as the core; the application, as its visits work by themselves.
        """
        target = Target.of(self.past.plan, self.past.record, seed=Seed(1), scale=1.0)
        slots = self.past.record.judged
        fitted, scored = (
            replace(target, slots=slice(slots.start + first, slots.stop, 2)) for first in (0, 1)
        )
        scenario = self.past.scenario
        service, servers = "app", 1
        if scenario.is_black_box:
            station = fit_black_box(scenario, fitted, "site")
            assert station is not None
            scenario, (servers, _), service = station.scenario(scenario), station.station, SITE
        else:
            scenario = calibrate_model(scenario, fitted).over(scenario)
        shares = type_shares(scenario, target.plan, "site")
        work = work_of(scenario, "site", 1.0, shares)[service]
        seen = StackObserved.of(target.record, "site", (), scored.slots)
        worked_s = (work.own_s * work.visits) @ seen.achieved
        predicted = worked_s / servers / target.record.slot_wall_s
        return float(np.abs(predicted - self.busy[scored.slots]).mean())

    def score(self) -> PredictionScore:
        """Return how a fit on every other slot predicts the others."""
        target = Target.of(self.past.plan, self.past.record, seed=Seed(1), scale=1.0)
        score = score_prediction(self.past.scenario, target)
        assert score is not None
        return score


def ladder(
    bench: Bench, mean: str | None, *, speed: int, steps: str = STEPS, is_watched: bool = False
) -> Learned:
    """Play a ladder against the real shop on core 0, from core 1; `is_watched`: Prometheus observes it."""
    folder = bench.path / f"real-{len(list(bench.path.glob('real-*')))}"
    folder.mkdir()
    demand_csv(folder / "demand.csv", PER_MIN)
    meter = CpuMeter()
    with ExitStack() as stack:
        shop = stack.enter_context(real_shop(folder))
        prometheus = stack.enter_context(watched(shop, folder)) if is_watched else None
        text = scenario_text(mean=mean, prometheus=prometheus)
        (folder / "shop.yaml").write_text(text.replace("speed: 20", f"speed: {speed}"))
        stack.enter_context(meter)
        command = ["taskset", "-c", "1", sys.executable, "-m", "gameday.cli", "replay"]
        command += [
            "--ladder",
            steps,
            "--event",
            str(folder / "shop.yaml"),
            "--demand",
            str(folder / "demand.csv"),
        ]
        command += ["--target", shop.url, "--scale", "1", "--quiet", "--out", str(folder / "out")]
        done = subprocess.run(
            command,
            env=bench.environment(),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    [run] = (folder / "out").glob("*/*/run.json")
    return learned(run.parent, meter, folder)


def learned(run: Path, meter: CpuMeter, folder: Path) -> Learned:
    """Return a run with how busy the core was in its slots."""
    past = read_run(str(run), folder / "out", str(folder / "shop.yaml"))
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    [start] = [line["at_epoch_s"] for line in lines if line["what"] == "load started"]
    record = past.record
    edges = start + record.slot_wall_s * np.arange(record.grid.slots + 1)
    summary = json.loads((run / "summary.json").read_text())
    return Learned(past, summary, meter.busy(edges))


def assert_rate(run: Learned) -> None:
    assert run.load.max() / run.past.record.slot_wall_s <= MOST_PER_S


def within(measured: float, true: float, share: float) -> bool:
    return abs(measured - true) <= share * true


def test_a_black_box_is_an_equivalent_station(kept_bench: Bench) -> None:
    """Half a minute's ladder: a sixth of the time of every night's, and half as exact."""
    run = ladder(kept_bench, None, speed=60, steps=SHORT)
    [station] = run.summary["learned"]["equivalents"]  # type: ignore[index]
    assert_rate(run)
    busiest = float(np.sort(run.busy)[-5:].mean())
    assert abs(station["utilisation_at_peak"]["mid"] - busiest) <= 0.15, (station, busiest)
    assert within(station["knee"]["mid"], run.knee, 0.25), (station, run.knee)


@pytest.mark.nightly
@pytest.mark.parametrize("mean", [None, "20ms"], ids=["black box", "metrics"])
def test_slots_that_were_held_out_are_predicted(kept_bench: Bench, mean: str | None) -> None:
    run = ladder(kept_bench, mean, speed=20)
    errors = {metric.metric: metric.mean_error for metric in run.score().metrics}
    busy_error = run.busy_error()
    print("real shop", mean, errors, busy_error, run.knee)  # noqa: T201
    assert_rate(run)
    assert errors["p50"] <= 0.15, errors
    assert errors["p99"] <= 0.30, errors
    assert busy_error <= 0.08
    if mean is not None:
        [knee] = [k for k in run.summary["learned"]["knees"] if k["service"] == "app"]  # type: ignore[index]
        busiest = run.load.max() / run.load[-10:].mean()
        assert within(knee["load"]["mid"] / busiest, run.knee, 0.15), (knee, run.knee)
        return
    [station] = run.summary["learned"]["equivalents"]  # type: ignore[index]
    assert within(station["knee"]["mid"], run.knee, 0.15), (station, run.knee)


@pytest.mark.nightly
@pytest.mark.skipif(
    shutil.which("prometheus-nginx-exporter") is None
    or shutil.which("prometheus-postgres-exporter") is None
    or shutil.which("prometheus") is None,
    reason="Debian's prometheus and its exporters of nginx and PostgreSQL are missing",
)
def test_the_recipes_of_the_docs_observe_all_three_servers(kept_bench: Bench) -> None:
    run = ladder(kept_bench, "20ms", speed=20, is_watched=True)
    record = run.past.record
    for service in ("nginx", "app", "db"):
        busy = record.utilisation("site", service)[record.judged]
        served = record.attempts_by_slot("site", service)["done"]
        assert np.isfinite(busy).mean() > 0.9, (service, busy)
        assert np.nansum(served) > 0.5 * run.load.sum() * (service != "db"), (service, served)
    names = {row["name"] for row in run.summary["learned"]["parameters"] if row["service"] == "app"}  # type: ignore[index]
    assert "time_factor" in names
