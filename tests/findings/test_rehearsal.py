"""What is said of replications: who breaks first, since when, with what interval; headroom; paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.experiments.rehearsal import objective_change, series_of, series_table, service_change
from gameday.experiments.rehearsal.cross_check import QueueCheck, check_against_queues
from gameday.experiments.rehearsal.full_scale_wait import full_scale_waits
from gameday.experiments.rehearsal.headroom import find_headroom
from gameday.experiments.rehearsal.stack_answers import TOO_SMALL, rehearse, said_of
from gameday.experiments.replications import Look
from gameday.experiments.replications.replication import (
    QUANTITIES,
    Replication,
    first_run,
    peak_hour,
)
from gameday.queueing.closed_forms import mean_wait_s
from gameday.record.intervals.of_replications import t_interval
from gameday.scenario import Scenario
from gameday.simulate import RunControl, replicate
from gameday.traffic import LoadPlan
from gameday.vocabulary import Band, Seed
from tests.support.small_runs import busy_shop
from tests.support.small_shop import desk, flat_plan, load_small, small_shop

OBJECTIVES = ["p99 of home < 800ms", "error rate of all steps < 1%", "utilisation of stock < 10%"]


def played(scenario: Scenario, plan: LoadPlan, count: int = 4) -> Any:
    return replicate(
        scenario,
        plan,
        Look.at(scenario, plan),
        seed=Seed(1),
        control=RunControl(replications=count, workers=1),
    )


@pytest.fixture(scope="module")
def drowning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, LoadPlan, Any]:
    changes = {
        "objectives": OBJECTIVES,
        "services": {"stock": {"stacks": {"main": {"instances": 1}}, "queue_per_server": 5}},
    }
    scenario = load_small(tmp_path_factory.mktemp("drowning"), small_shop(), changes)
    plan = flat_plan(scenario, 60.0, slots=6, lead_in=1)
    return scenario, plan, played(scenario, plan)


def test_the_service_without_servers_breaks_first_and_at_once(drowning: Any) -> None:
    scenario, _, runs = drowning
    model = rehearse(scenario, runs, 1.0).stacks["main"]
    first = model.bottlenecks[0]
    assert first.service == "stock"
    assert first.is_first.mid == 1.0
    assert first.minutes_to_break.mid == 0.0
    assert model.imbalances == ()
    assert model.little_residual < 1e-9


def test_objectives_fail_hold_or_are_undecided_by_their_whole_interval(drowning: Any) -> None:
    scenario, _, runs = drowning
    rows = rehearse(scenario, runs, 1.0).stacks["main"].objectives
    said = {row.text: row.said for row in rows}
    assert said["error rate of all steps < 1%"] == "fails"
    assert said["utilisation of stock < 10%"] == "fails"
    assert said["p99 of home < 800ms"] == "holds"
    assert said_of(Band(1.0, 0.5, 1.5), lambda x: x < 1.2) == "undecided"
    assert said_of(Band(float("nan"), 0.0, 0.0), bool) == "not observed"
    failing = {row.text: row.at_utc for row in rows}
    assert failing["error rate of all steps < 1%"].startswith("2026-03-10T00:01")
    assert failing["p99 of home < 800ms"] is None


def test_more_servers_are_a_paired_change_for_the_better(drowning: Any, tmp_path: Path) -> None:
    _, plan, before = drowning
    more = load_small(tmp_path, small_shop(), {"objectives": OBJECTIVES})
    after = played(more, plan)
    change = {row.service: row for row in service_change(before, after)["main"]}
    assert change["stock"].peak_hour.utilisation.high < -0.3
    assert change["edge"].peak_hour.p99_s.mid is not None
    moved = objective_change(before, after)["main"]
    assert moved[1].change.high < 0
    same = service_change(before, before)["main"]
    assert all(row.event.utilisation.mid == 0.0 for row in same)


def test_of_those_that_break_in_one_minute_the_deepest_comes_first(drowning: Any) -> None:
    scenario, _, runs = drowning
    names = runs[0][0].services
    both = tuple(
        (replace(run, breaks_at=np.array([2 if n in ("edge", "pay") else -1 for n in names])),)
        for [run] in runs
    )
    model = rehearse(scenario, both, 1.0).stacks["main"]
    assert model.bottlenecks[0].service == "pay"
    assert model.bottlenecks[0].is_first.mid == 1.0


def test_every_minute_has_its_band_in_table_and_picture(drowning: Any) -> None:
    _, plan, runs = drowning
    table = series_table(runs)
    minutes = plan.window.slots
    assert len(table) == len(QUANTITIES) * 3 * minutes
    known = table.dropna()
    assert (known.low <= known.mid).all()
    assert (known.mid <= known.high).all()
    drawn = series_of(runs)["main"]
    assert len(drawn.slot_utc) == minutes
    mid, low, high = drawn.services["stock"]["utilisation"]
    one = t_interval([run.series[0, 1, 0] for [run] in runs])
    assert (mid[0], low[0], high[0]) == pytest.approx((one.mid, one.low, one.high), abs=1e-3)


@pytest.mark.parametrize(
    ("bad", "for_s", "first"),
    [
        ("00110", 0, 2),
        ("00110", 60, 2),
        ("01011", 120, 3),
        ("0101", 120, -1),
        ("000", 0, -1),
        ("1", 600, -1),
    ],
)
def test_a_breach_begins_where_it_lasts_as_long_as_asked(
    bad: str, for_s: float, first: int
) -> None:
    assert first_run(np.array([c == "1" for c in bad]), for_s) == first


def test_the_peak_hour_is_the_window_where_that_is_shorter(drowning: Any) -> None:
    scenario, plan, _ = drowning
    assert peak_hour(scenario, plan, "main") == slice(0, plan.window.slots)


# --- headroom -----------------------------------------------------------------------------------


def fake(scenario: Scenario, base: Any, bears: float) -> Any:
    """Return what gives replications whose every objective fails beyond `bears`."""

    def play(factor: float) -> tuple[tuple[Replication, ...], ...]:
        good = [criterion.value * 0.5 for criterion in scenario.objectives]
        bad = [criterion.value * 2.0 for criterion in scenario.objectives]
        numbers = np.array([[x, 100.0] for x in (good if factor < bears else bad)])
        return tuple((replace(run, numbers=numbers),) for [run] in base)

    return play


@pytest.mark.parametrize("bears", [0.11, 0.5, 0.97, 1.03, 1.7, 5.0])
def test_headroom_lies_between_the_multiples_that_are_found(drowning: Any, bears: float) -> None:
    scenario, _, base = drowning
    play = fake(scenario, base, bears)
    for row in find_headroom(scenario, play(1.0), play)["main"]:
        assert row.holds < bears <= row.fails
        assert row.fails <= 1.07 * row.holds


def test_who_bears_anything_and_who_bears_nothing_are_said_so(drowning: Any) -> None:
    scenario, _, base = drowning
    endless, hopeless = fake(scenario, base, 1e9), fake(scenario, base, 0.0)
    for row in find_headroom(scenario, endless(1.0), endless)["main"]:
        assert (row.holds, row.fails) == (8.0, None)
    for row in find_headroom(scenario, hopeless(1.0), hopeless)["main"]:
        assert row.holds is None
        assert row.fails <= 1 / 16


def test_times_brings_so_many_times_the_customers(drowning: Any) -> None:
    _, plan, _ = drowning
    twice = plan.times(2.0)
    assert twice.played.sum() == pytest.approx(2 * plan.starts.sum() / plan.speed, rel=0.01)
    assert (twice.scale, twice.speed, twice.nominal) == (plan.scale, plan.speed, plan.nominal)


def test_a_service_waits_less_at_full_scale_than_in_its_cell(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk(servers=100, queue_per_server=500))
    plan = flat_plan(scenario, 34.0, slots=30, scale=0.04, lead_in=1)
    runs = [run for [run] in played(scenario, plan, 6)]
    [row] = full_scale_waits(scenario, 0.04, runs, Seed(1))
    assert (row.servers, row.replications) == (100, 5)
    assert row.load == pytest.approx(0.85, abs=0.02)
    assert row.wait_s.high < 0.2 * row.cell_wait_s.low
    assert row.wait_s.mid == pytest.approx(mean_wait_s(85.0, 100, 0.1), rel=0.25)


def test_who_waits_for_others_or_is_idle_is_not_played_alone(drowning: Any) -> None:
    scenario, plan, runs = drowning
    names = {
        row.service for row in full_scale_waits(scenario, plan.scale, [r for [r] in runs], Seed(1))
    }
    assert names <= {"stock"}


# --- paper --------------------------------------------------------------------------------------


def paper(folder: Path, per_s: float, shop: dict[str, Any]) -> QueueCheck:
    folder.mkdir(exist_ok=True)
    scenario = load_small(folder, shop)
    plan = flat_plan(scenario, per_s, slots=30, lead_in=1)
    runs = [run for [run] in played(scenario, plan, 10)]
    [row] = check_against_queues(scenario, 1.0, runs)
    return row


@pytest.mark.parametrize(
    ("form", "per_s", "changes"),
    [
        ("Erlang C", 30.0, {"servers": 4}),
        ("M/M/c/K", 30.0, {"servers": 4, "queue_per_server": 1}),
        ("Erlang B", 36.0, {"servers": 4, "queue_per_server": 0}),
        (
            "M/M/c+D",
            30.0,
            {
                "servers": 4,
                "queue_per_server": 500,
                "timeout": "80ms",
                "retry": {"attempts": 0, "backoff": "1s"},
            },
        ),
        ("M/G/1", 5.0, {"servers": 1, "time": {"law": "lognormal", "mean": "100ms", "cv": 0.6}}),
    ],
)
def test_a_service_that_fits_a_queue_on_paper_agrees_with_it(
    form: str, per_s: float, changes: dict[str, Any], tmp_path: Path
) -> None:
    row = paper(tmp_path, per_s, desk(**changes))
    assert row.form == form
    assert row.exact
    assert row.said == "agrees", row


def test_a_simulation_that_is_wrong_disagrees_with_paper(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk(servers=4))
    plan = flat_plan(scenario, 30.0, slots=30, lead_in=1)
    runs = [run for [run] in played(scenario, plan, 10)]
    wrong = [replace(run, spans=run.spans * 1.3) for run in runs]
    assert check_against_queues(scenario, 1.0, wrong)[0].said == "DISAGREES"


def test_what_paper_cannot_say_is_not_compared(tmp_path: Path) -> None:
    scaling = {"target": 0.5, "interval": "5s", "delay": "10s", "max_factor": 3}
    for folder, per_s, changes, why in (
        ("a", 30.0, {"servers": 4, "autoscale": scaling}, "its servers change"),
        ("b", 39.9, {"servers": 4}, "too near its capacity"),
        ("c", 0.0, {"servers": 4}, "nobody came"),
    ):
        assert why in paper(tmp_path / folder, per_s, desk(**changes)).said


def test_a_busy_shop_is_read_as_its_record_says(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    plan = flat_plan(scenario, 3.0, slots=3)
    [[run]] = played(scenario, plan, 1)
    assert run.spans.shape == (2, len(QUANTITIES), 3)
    assert np.nanmax(run.series[0]) <= 1.0
    assert run.number_of(0)[1] >= 0


def test_in_a_cell_too_small_nothing_holds_or_fails(drowning: Any) -> None:
    scenario, _, runs = drowning
    rows = rehearse(scenario, runs, 0.001).stacks["main"].objectives
    assert {row.said for row in rows} == {TOO_SMALL}
