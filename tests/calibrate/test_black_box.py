"""What answers alone tell: the station that answers like a target, and what of it is another by the next run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.calibrate import Calibration, Equivalent, calibrate_model, fit_black_box
from gameday.calibrate.compared import Target
from gameday.experiments.diagnosis import Diagnosis, diagnose
from gameday.record import RunRecord, blank_record
from gameday.scenario import Scenario
from gameday.simulate import RunControl, simulate
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed
from tests.support.random_systems import rising_plan
from tests.support.small_shop import black_box, load_small, merged, small_shop

pytestmark = (
    pytest.mark.nightly
)  # half a minute to fit; by day a log's station, in test_logs_and_traces.py

ONCE = RunControl(replications=1, workers=1)
SERVERS, WORK_S = 4, 0.1
"""Of `stock`, which a product page and a checkout visit once each."""


def shop(folder: Path, **measured: Any) -> Scenario:
    """Return a shop whose stock alone has waits; its home page waits for nothing."""
    data = merged(
        small_shop(), {"services": {"stock": {"time": {"law": "exponential", "mean": "100ms"}}}}
    )
    for name, servers in (("edge", 200), ("stock", SERVERS), ("pay", 40)):
        data["services"][name]["stacks"]["main"]["instances"] = servers
    data["services"]["stock"]["stacks"]["main"]["measured"] = measured
    return load_small(folder, data)


def plan_of(scenario: Scenario) -> LoadPlan:
    """Return half an hour of a load that rises and falls, at the speed of the clock."""
    plan = rising_plan(scenario, 22.0, 1, slots=30)
    mean = plan.starts / plan.starts.max() * 22.0 * 60
    return replace(plan, speed=1.0, starts=mean, played=Seed(1).stream("counts").poisson(mean))


def answers(folder: Path, plan: LoadPlan, services: tuple[str, ...], seed: int, **m: Any) -> Target:
    """Return a run of the shop of which nothing is seen but its answers."""
    [record] = simulate(shop(folder, **m), plan, seed=Seed(seed), control=ONCE)
    return Target.of(plan, _hidden(record, services), seed=Seed(3), control=ONCE, scale=1.0)


def _hidden(record: RunRecord, services: tuple[str, ...]) -> RunRecord:
    names = (record.stacks, record.steps, services)
    blank = blank_record("swarm", record.grid, record.lead_in, record.slot_wall_s, names)
    attempts, loads = (np.full(x.shape, np.nan) for x in (blank.attempts, blank.loads))
    return replace(record, services=services, visits=blank.visits, attempts=attempts, loads=loads)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadPlan, Scenario, Equivalent]:
    """Return the plan, the black box with the station that answers like it, and that station."""
    folder = tmp_path_factory.mktemp("shop")
    plan, box = plan_of(shop(folder)), load_small(folder, black_box(small_shop()))
    station = fit_black_box(box, answers(folder, plan, (), 1), "main")
    assert station is not None
    calibration = Calibration(box.sha256(), (), {}, (), (), equivalents=(station,))
    return plan, calibration.applied(box), station


def test_its_knee_is_the_target_s(
    known: tuple[LoadPlan, Scenario, Equivalent], tmp_path: Path
) -> None:
    plan, _, station = known
    target = answers(tmp_path, plan, (), 1)
    sent = target.record.steps_by_slot("main", ["product", "checkout"], slots=target.record.judged)
    busy = sent["achieved"].max() * WORK_S / target.record.slot_wall_s
    assert station.knee.mid == pytest.approx(SERVERS / busy, rel=0.1)
    assert {time.step for time in station.times if not time.waits} == {"home"}


def diagnosed(
    known: tuple[LoadPlan, Scenario, Equivalent], folder: Path, **measured: Any
) -> Diagnosis:
    plan, model, _ = known
    target = answers(folder, plan, tuple(model.services), 7, **measured)
    [found] = diagnose(model, target, calibrate_model(model, target))
    return found


def test_the_same_target_is_the_same(
    known: tuple[LoadPlan, Scenario, Equivalent], tmp_path: Path
) -> None:
    assert diagnosed(known, tmp_path).causes == ()


def test_a_step_that_changed_is_named_by_its_answers_alone(
    known: tuple[LoadPlan, Scenario, Equivalent], tmp_path: Path
) -> None:
    [cause] = diagnosed(known, tmp_path, step_factors={"checkout": 2.5}).causes
    assert (cause.candidate.kind, cause.candidate.step) == ("slow_endpoint", "checkout")


@pytest.mark.parametrize("measured", [{"servers": 3}, {"time_factor": 1.3}])
def test_a_target_that_carries_less_has_a_cause(
    known: tuple[LoadPlan, Scenario, Equivalent], tmp_path: Path, measured: dict[str, Any]
) -> None:
    assert diagnosed(known, tmp_path, **measured).causes
