"""The brief carries the plan to other processes unchanged; what is planned there is planned here."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.record.run_record import STEPS
from gameday.scenario import Scenario
from gameday.scenario.reading import LoadedScenario, read_scenario
from gameday.scenario.reading.assets import Assets
from gameday.swarm.control.run_spec import RUN_SPEC_VARIABLE, RunSpec, read_run_spec, write_run_spec
from gameday.swarm.tally.assemble import Assembly
from gameday.traffic import LoadPlan, Walks
from tests.support.small_runs import busy_shop, played
from tests.support.small_shop import flat_plan

LAUNCH: dict[str, Any] = {
    "products": {"toy": {"share": {"eu": 1.0}}},
    "launches": {
        "drop": {
            "product": "toy",
            "at": {"eu": "2026-03-10T01:00"},
            "crowd": {"eu": 900},
            "stock": {"eu": 20},
            "half_life": "90s",
        }
    },
    "journeys": {
        "fan": {
            "start": {"product": 1.0},
            "think": {"other": "5s"},
            "patience": "8s",
            "next": {"product": {"checkout": 0.6, "exit": 0.4}, "checkout": {"exit": 1.0}},
            "launch": "drop",
        }
    },
}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("brief"), LAUNCH)


def same_plan(one: LoadPlan, other: LoadPlan) -> None:
    for field in fields(LoadPlan):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype, field.name
        else:
            assert a == b, field.name
    mine, theirs = one.arrivals(), other.arrivals()
    for name in ("at_s", "region", "journey"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


def brief_of_plan(plan: LoadPlan, **changes: Any) -> RunSpec:
    given: dict[str, Any] = {
        "run_id": "r1",
        "loaded": LoadedScenario("{}", Assets(), Path("/shop")),
        "targets": {"main": "http://127.0.0.1:8080"},
        "workers": 1,
    } | changes
    return RunSpec(plan=plan, **given)


feeds = st.dictionaries(
    st.text(max_size=5),
    st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=9))),
    max_size=3,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    per_s=st.floats(0, 5),
    seed=st.integers(0, 2**63),
    speed=st.floats(1, 60),
    scale=st.floats(1e-4, 1),
    lead_in=st.integers(0, 3),
    workers=st.integers(1, 4),
    spacing=st.sampled_from(["poisson", "even"]),
    assets=st.builds(Assets, feeds, st.none() | st.text()),
)
def test_a_brief_read_back_is_the_brief_that_was_written(
    per_s: float,
    seed: int,
    speed: float,
    scale: float,
    lead_in: int,
    workers: int,
    spacing: str,
    assets: Assets,
    scenario: Scenario,
    tmp_path: Path,
) -> None:
    plan = flat_plan(scenario, per_s, seed=seed, speed=speed, scale=scale, lead_in=lead_in)
    spec = brief_of_plan(
        replace(plan, spacing=spacing, dispersion=1.0 + workers),
        workers=workers,
        loaded=LoadedScenario("{}", assets, Path("/shop")),
    )
    write_run_spec(tmp_path / "swarm.json", spec)
    back = read_run_spec(tmp_path / "swarm.json")
    same_plan(spec.plan, back.plan)
    for field in fields(RunSpec):
        if field.name != "plan":
            assert getattr(back, field.name) == getattr(spec, field.name), field.name


def test_a_worker_reads_in_the_brief_the_scenario_the_master_loaded(tmp_path: Path) -> None:
    """Workers need no file: feeds and all, includes merged, every rule as checked at the door."""
    (tmp_path / "people.csv").write_text("name\nada\n")
    scenario = busy_shop(
        tmp_path,
        {
            "feeds": {"people": {"file": "people.csv"}},
            "steps": {"home": {"exchanges": [{"path": "/{people.name}/{lot}"}]}},
            "values": {"lot": {"choice": {"a": 1.0, "b": 2.5}}},
        },
    )
    loaded = read_scenario(str(tmp_path / "small.yaml"))
    write_run_spec(tmp_path / "b.json", brief_of_plan(played(scenario, 1.0), loaded=loaded))
    assert read_run_spec(tmp_path / "b.json").loaded == loaded
    assert loaded.written == scenario


def test_a_process_finds_its_brief_by_the_environment(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = brief_of_plan(played(scenario, 1.0))
    write_run_spec(tmp_path / "b.json", spec)
    monkeypatch.setenv(RUN_SPEC_VARIABLE, str(tmp_path / "b.json"))
    same_plan(spec.plan, read_run_spec().plan)


@pytest.mark.parametrize(("lead_in", "speed"), [(0, 1.0), (2, 20.0), (3, 7.0)])
def test_the_assembly_plans_every_step_of_every_session_that_the_walks_plan(
    lead_in: int, speed: float, scenario: Scenario
) -> None:
    plan = flat_plan(scenario, 1.5, slots=8, lead_in=lead_in, speed=speed)
    record = Assembly(scenario, plan)._record
    planned = Walks(scenario, plan).planned_steps(plan.arrivals())
    np.testing.assert_array_equal(record.step_counts[0, :, STEPS.index("planned")], planned[0])
    np.testing.assert_array_equal(record.session_counts[0, 0], plan.played.sum(axis=(0, 1)))
