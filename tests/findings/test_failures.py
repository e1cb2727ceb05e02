"""How systems fail: the drills in the model, what the rules make of them, and what can be lost.

The shop's side of the metastability table is in tests/shop/test_drills.py.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.experiments.failures import LossBudget, StackLosses
from gameday.experiments.failures.goodput import Goodput, Phases, phases
from gameday.experiments.failures.losses import losses, n_minus_one
from gameday.experiments.failures.recovery import does_it_recover, measured_recovery
from gameday.experiments.failures.remedies import find_remedies
from gameday.experiments.replications import Look
from gameday.findings import Evidence, Finding, find
from gameday.jobs.one_run.after_load import not_asked
from gameday.products import to_json
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading.injections import Injection, parse_injections
from gameday.simulate import RunControl, replicate, simulate
from gameday.simulate.replications import replicate_each
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, flat_demand, flat_plan, load_small, service

DRILLS = ("surge-retries", "outage-retries", "surge-thrashing", "flush-cold-cache")
MINUTES = 6


def struck(scenario: Scenario, per_s: float, texts: list[str], slots: int = MINUTES) -> LoadPlan:
    """Return a steady stream of customers to whom that happens; its forecast says what is played."""
    plan = flat_plan(scenario, per_s, slots=slots)
    steps = np.full((1, len(scenario.steps), slots), 60.0 * per_s)
    return replace(plan, forecast=steps).with_injections(
        parse_injections(texts, scenario, 60.0 * slots)
    )


def evidence(
    scenario: Scenario, plan: LoadPlan, calm: LoadPlan | None = None, **more: Any
) -> Evidence:
    """Return a run of the model in the place of the shop's, and four at real speed beside it, calm ones too."""
    [measured, *predicted] = simulate(
        scenario,
        plan,
        seed=Seed(9),
        control=RunControl(replications=3, workers=1),
    )
    plans = [plan, calm] if calm else [plan]
    event, *calm_runs = replicate_each(
        scenario,
        plans,
        Look.at(scenario, plan),
        seed=Seed(4),
        control=RunControl(replications=4, workers=1),
    )
    return Evidence(
        scenario,
        plan,
        measured,
        tuple(predicted),
        event=event,
        event_scale=1.0,
        calm=calm_runs[0] if calm else (),
        **more,
    )


def found(scenario: Scenario, plan: LoadPlan, rule: str, **more: Any) -> list[Finding]:
    """Return the findings of a rule."""
    return [f for f in find(evidence(scenario, plan, **more)) if f.rule == rule]


# --- metastability ----------------------------------------------------------------------------------


@pytest.mark.parametrize("drill", DRILLS)
@pytest.mark.parametrize("kind", ["naive", "sound"])
def test_in_the_model_naive_stays_down_and_sound_comes_back(drill: str, kind: str) -> None:
    scenario = load_scenario(f"drills/{drill}" + "-sound" * (kind == "sound"))
    plan = struck(scenario, 80.0, scenario.replay.inject)
    seen = evidence(scenario, plan, struck(scenario, 80.0, []))
    assert seen.measured is not None
    modelled = does_it_recover(plan.injections, seen.event, seen.calm)
    measured = measured_recovery(plan.injections, seen.measured, 1.0, seen.calm)
    assert modelled is not None
    assert measured is not None
    said = "stays down" if kind == "naive" else "comes back by itself"
    assert modelled["main"].said == measured["main"].said == said
    assert modelled["main"].before.mid > 0.97
    assert (modelled["main"].after.mid < 0.5) == (kind == "naive")
    stable = [f for f in find(seen) if f.rule == "metastable"]
    assert [f.basis for f in stable] == (["measured"] if kind == "naive" else [])
    assert all(f.severity == "S1" for f in stable)


@pytest.mark.parametrize(
    ("drill", "helps", "does_not"),
    [
        (
            "surge-retries",
            {"a retry budget of a tenth", "controlled delay (codel)"},
            {"propagated deadlines"},
        ),
        (
            "surge-thrashing",
            {"a limit on half the time-out"},
            {"last in, first out under overload"},
        ),
        ("flush-cold-cache", {"a queue served within half the time-out"}, {"propagated deadlines"}),
    ],
)
def test_what_brings_it_back_is_told_load_and_policies(
    drill: str, helps: set[str], does_not: set[str]
) -> None:
    scenario = load_scenario(f"drills/{drill}")
    calm = struck(scenario, 80.0, [])
    injections = parse_injections(scenario.replay.inject, scenario, 60.0 * MINUTES)

    def play(_: str, variant: Scenario, plan: LoadPlan) -> Any:
        return replicate(
            variant,
            plan,
            Look.at(variant, plan),
            seed=Seed(4),
            control=RunControl(replications=2, workers=1),
        )

    told = find_remedies(scenario, calm, injections, {"main"}, play)["main"]
    said = {row.policy: row.said for row in told.policies}
    assert 0.2 <= told.load.share <= 0.7
    assert told.load.not_at == pytest.approx(told.load.share + 0.1)
    assert told.replications == 2
    assert {said[name] for name in helps} == {"comes back by itself"}
    assert {said[name] for name in does_not} == {"stays down"}


def test_what_another_stack_suffers_for_good_is_not_waited_for() -> None:
    scenario = load_scenario("drills/surge-retries")
    own = parse_injections(scenario.replay.inject, scenario, 60.0 * MINUTES)
    other = Injection("elsewhere", 120.0, math.inf, stack="elsewhere", service="orders", slow=2.0)

    def play(_: str, variant: Scenario, plan: LoadPlan) -> Any:
        return replicate(
            variant,
            plan,
            Look.at(variant, plan),
            seed=Seed(4),
            control=RunControl(replications=2, workers=1),
        )

    told = find_remedies(scenario, struck(scenario, 80.0, []), (*own, other), {"main"}, play)
    assert told["main"].load is not None


def shares_after(after: list[float], calm: float = 1.0) -> tuple[Goodput, Phases]:
    """Return a run of two good minutes, a bad one, and these."""
    done = np.array([1000.0, 1000.0, 100.0, *(1000.0 * share for share in after)])
    part = phases((Injection("x", 120.0, 60.0, stack="main"),), "main", len(done))
    assert part is not None
    return Goodput(np.full(len(done), 1000.0), done, np.full(len(done), calm)), part


@pytest.mark.parametrize(
    ("after", "minutes"),
    [
        ([1.0] * 5, 0.0),
        ([0.2, 0.3] + [0.97] * 4, 2.0),
        ([1.0] * 3 + [0.1] * 6, None),  # it came back and fell again, for good
        ([0.1] * 3 + [1.0] * 2, None),
        ([1.0, 1.0], None),
    ],
)
def test_back_is_three_good_minutes_and_good_ones_at_the_end(
    after: list[float], minutes: float | None
) -> None:
    run, part = shares_after(after)
    assert run.minutes_to_recover(part) == minutes
    assert run.goes_down(part)


def test_what_never_goes_down_does_not_come_back() -> None:
    scenario = load_scenario("drills/surge-retries-sound")
    mild = ["orders slowed 1.05x at +1m for 1m"]
    seen = evidence(scenario, struck(scenario, 40.0, mild), struck(scenario, 40.0, []))
    told = does_it_recover(struck(scenario, 40.0, mild).injections, seen.event, seen.calm)
    assert told is not None
    assert told["main"].said == "does not go down"


def test_a_run_that_ends_before_its_phases_says_so_in_numbers_json_can_hold() -> None:
    scenario = load_scenario("drills/surge-retries")
    plan = struck(scenario, 80.0, scenario.replay.inject)
    [record] = simulate(
        scenario,
        plan,
        seed=Seed(9),
        control=RunControl(replications=1, workers=1),
    )
    record.step_counts[:, :, :, 1:] = 0  # stopped in its first minute
    told = measured_recovery(plan.injections, record, 1.0)
    assert told is not None
    assert told["main"].said == "not observed"
    assert (told["main"].during, told["main"].after) == (None, None)
    json.dumps(to_json(told["main"]), allow_nan=False)


def test_played_faster_than_real_time_a_run_does_not_say_whether_it_comes_back() -> None:
    scenario = load_scenario("drills/surge-retries")
    plan = struck(scenario, 80.0, scenario.replay.inject)
    seen = evidence(scenario, replace(plan, speed=20.0))
    assert seen.measured is not None
    told = measured_recovery(plan.injections, seen.measured, 20.0)
    assert told is not None
    assert "the model's to say" in told["main"].said
    assert told["main"].minutes_to_recover is None
    assert not [f for f in find(seen) if f.rule == "metastable" and f.basis == "measured"]


def growing(scenario: Scenario, per_s: list[float], texts: list[str]) -> LoadPlan:
    """Return a stream whose rate is another in each minute."""
    plan = flat_plan(scenario, 1.0, slots=len(per_s))
    played = np.rint(plan.played * np.array(per_s)).astype(plan.played.dtype)
    plan = replace(
        plan, played=played, starts=played.astype(float), forecast=60.0 * np.ones((1, 1, 1)) * per_s
    )
    return plan.with_injections(parse_injections(texts, scenario, 60.0 * len(per_s)))


def test_what_a_growing_forecast_does_is_not_put_down_to_the_injection(tmp_path: Path) -> None:
    """Two servers of 100 ms bear 20 a second; from minute 4 on 40 come, with or without the slow minute."""
    scenario = load_small(tmp_path, desk(servers=2, queue_per_server=2, mean="100ms", timeout="5s"))
    rates, slow = [5.0] * 4 + [40.0] * 6, ["desk slowed 4x at +2m for 2m"]
    plan, calm = growing(scenario, rates, slow), growing(scenario, rates, [])
    seen = evidence(scenario, plan, calm)
    told = does_it_recover(plan.injections, seen.event, seen.calm)
    blind = does_it_recover(plan.injections, seen.event, ())
    assert told is not None
    assert blind is not None
    assert blind["main"].said == "stays down", "against the minutes before alone"
    assert told["main"].said == "comes back by itself"
    assert told["main"].after.mid < 0.8
    assert not [f for f in find(seen) if f.rule == "metastable"]


def test_what_is_on_its_way_at_the_window_s_end_is_no_metastable_state(tmp_path: Path) -> None:
    """A cache that warms slowly: every minute the service behind it has less to bear."""
    scenario = load_small(
        tmp_path,
        desk(
            servers=2,
            queue_per_server=2,
            mean="100ms",
            timeout="5s",
            cache={"keys": 12000, "entries": 12000, "skew": 0.3},
        ),
    )
    plan = growing(scenario, [60.0] * 16, ["cache of desk flushed at +10m"])
    seen = evidence(scenario, plan, growing(scenario, [60.0] * 16, []))
    assert seen.measured is not None
    told = does_it_recover(plan.injections, seen.event, seen.calm)
    measured = measured_recovery(plan.injections, seen.measured, 1.0, seen.calm)
    assert told is not None
    assert measured is not None
    said = "still recovering at the window's end"
    assert told["main"].said == measured["main"].said == said
    assert told["main"].recovers.mid == 0.0
    assert not [f for f in find(seen) if f.rule == "metastable"]


def test_what_begins_with_the_window_is_measured_by_the_calm_run(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk(servers=2, queue_per_server=2, mean="100ms", timeout="5s"))
    plan = growing(scenario, [15.0] * 8, ["desk slowed 4x at +0m for 2m"])
    seen = evidence(scenario, plan, growing(scenario, [15.0] * 8, []))
    told = does_it_recover(plan.injections, seen.event, seen.calm)
    assert told is not None
    assert told["main"].said == "comes back by itself"
    assert told["main"].before is None


# --- findings ---------------------------------------------------------------------------------------


def test_a_retry_storm_is_found_where_retries_multiply_the_work() -> None:
    naive, sound = (load_scenario(f"drills/surge-retries{end}") for end in ("", "-sound"))
    storm = found(naive, struck(naive, 80.0, naive.replay.inject), "retry_storm")
    assert [f.subject for f in storm] == ["orders"]
    assert storm[0].value.mid > 0.6
    assert "budget" in storm[0].suggestion
    assert not found(sound, struck(sound, 80.0, sound.replay.inject), "retry_storm")


def test_a_cold_cache_is_found_where_the_service_behind_cannot_bear_it() -> None:
    naive = load_scenario("drills/flush-cold-cache")
    cold = found(naive, struck(naive, 80.0, naive.replay.inject), "cold_cache")
    assert [f.subject for f in cold] == ["orders"]
    assert not found(naive, struck(naive, 80.0, []), "cold_cache")


def test_scaling_that_comes_after_the_edge_is_found_and_one_on_schedule_is_not(
    tmp_path: Path,
) -> None:
    policy = {"target": 0.6, "interval": "30s", "delay": "2m", "max_factor": 4}
    late = load_small(
        tmp_path, desk(servers=20, mean="200ms", queue_per_server=2, autoscale=policy)
    )
    surge = ["traffic 2x at +3m"]
    slow = found(late, struck(late, 60.0, surge, 12), "slow_scaling")
    assert [f.subject for f in slow] == ["desk"]
    planned = policy | {"schedule": [{"at": "2m", "factor": 2.4}]}
    early = load_small(
        tmp_path, desk(servers=20, mean="200ms", queue_per_server=2, autoscale=planned)
    )
    assert not found(early, struck(early, 60.0, surge, 12), "slow_scaling")


def test_a_pool_smaller_than_its_concurrency_is_found(tmp_path: Path) -> None:
    more = {"servers": 40, "mean": "200ms", "timeout": "20s", "queue_per_server": 100}
    small, large = (load_small(tmp_path, desk(**more, pool={"connections": n})) for n in (16, 40))
    [finding] = found(small, struck(small, 90.0, []), "small_pool")
    assert (finding.subject, finding.value.mid > 0.95) == ("desk", True)
    assert not found(large, struck(large, 90.0, []), "small_pool")
    assert not found(small, struck(small, 40.0, []), "small_pool"), "half of it would do"


def test_servers_scaled_past_their_pool_are_a_finding(tmp_path: Path) -> None:
    """Ten connections for 8 servers are enough, and not for the forty that autoscaling adds."""
    scaled = {"target": 0.5, "interval": "10s", "delay": "0s", "max_factor": 5}
    scenario = load_small(
        tmp_path,
        desk(
            servers=8,
            mean="200ms",
            timeout="20s",
            queue_per_server=40,
            pool={"connections": 10},
            autoscale=scaled,
        ),
    )
    [finding] = found(scenario, struck(scenario, 90.0, []), "small_pool")
    assert finding.value.mid > 0.95


# --- N-1 --------------------------------------------------------------------------------------------


def two_services(folder: Path, servers: int) -> Scenario:
    """Return a desk in three zones with a helper it must have, and one it can do without."""
    fleet = {"stacks": {"main": {"instances": servers, "zones": 3, "instance": "box"}}}
    shop = desk(mean="100ms", queue_per_server=2, **fleet)
    shop["services"] |= {
        "helper": service("1ms", servers=500),
        "extra": service("1ms", servers=500),
    }
    for name in ("helper", "extra"):
        shop["services"][name]["stacks"]["main"]["zones"] = 3
    shop["steps"]["hit"]["exchanges"] = [{"path": "/", "calls": ["helper", "extra?"]}]
    shop["objectives"] = ["error rate of hit < 1 %"]
    return load_small(folder, shop)


def answer(scenario: Scenario) -> StackLosses:
    """Return what can be lost while 60 customers come a second."""
    plan = struck(scenario, 60.0, [])
    demand = flat_demand(scenario, np.full((1, 1, 300), 3600.0))
    control = RunControl(replications=6, workers=1)
    return n_minus_one(
        scenario, demand, plan, seed=Seed(1), budget=LossBudget(100.0), control=control
    )["main"]


def test_what_costs_latency_alone_in_a_cell_of_one_server_is_asked_again_of_eight(
    tmp_path: Path,
) -> None:
    """Sixty servers, a third of them lost, the others 80 % busy: one server alone makes its callers wait 3 s."""
    fleet = {"stacks": {"main": {"instances": 60, "zones": 3, "instance": "box"}}}
    shop = desk(mean="100ms", queue_per_server=50, **fleet)
    shop["services"]["desk"]["timeout"] = "20s"
    shop["objectives"] = ["p99 of hit < 2s"]
    scenario, per_s = load_small(tmp_path, shop), 320.0
    demand = flat_demand(scenario, np.full((1, 1, 300), 60 * per_s))
    lost = n_minus_one(
        scenario,
        demand,
        struck(scenario, per_s, []),
        seed=Seed(1),
        budget=LossBudget(0.0001),
        control=RunControl(replications=6, workers=1),
    )["main"]
    zone, instances, down = lost.rows
    for row in (zone, instances):
        assert row.scale == pytest.approx(8 * lost.scale)
        assert row.said == "can be lost"
    assert (down.said, down.scale) == ("cannot be lost", None)


def test_what_the_time_does_not_suffice_for_is_named(tmp_path: Path) -> None:
    scenario = two_services(tmp_path, 12)
    plan, demand = struck(scenario, 60.0, []), flat_demand(scenario, np.full((1, 1, 300), 3600.0))
    control = RunControl(replications=2, workers=1)
    budget = LossBudget(1.0, wall_s=0.0)
    lost = n_minus_one(scenario, demand, plan, seed=Seed(1), budget=budget, control=control)
    every = [loss.what for loss in losses(scenario, "main")]
    assert len(lost["main"].rows) == 5
    assert [row.what for row in lost["main"].rows] + list(lost["main"].not_asked) == every
    assert lost["main"].not_asked
    [line] = not_asked(lost)
    assert f"whether {len(every) - 5} of {len(every)} losses are borne" in line


def test_what_can_be_lost_is_what_the_rest_can_bear(tmp_path: Path) -> None:
    rows = {}
    for servers in (12, 8):  # 60 a second of 0.1 s keep 6 busy: of 8, 5 or 6 are left
        rows[servers] = answer(two_services(tmp_path, servers)).rows
    said = {n: {(r.kind, r.text.split()[-4]): r.said for r in table} for n, table in rows.items()}
    assert said[12]["zone", "main-a"] == "can be lost"
    assert said[8]["zone", "main-a"] == "cannot be lost"
    for table in rows.values():
        down = {r.what: r.said for r in table if r.kind == "dependency"}
        assert down == {
            "desk": "cannot be lost",
            "helper": "cannot be lost",
            "extra": "can be lost",
        }
        helper = next(r for r in table if r.what == "helper")
        assert helper.goodput_change.mid == pytest.approx(-1.0, abs=0.01)
        assert helper.misses_more == (
            "error rate of hit < 1 %",
            "goodput >= 95% of that with nothing lost",
        )


def test_no_headroom_for_a_lost_zone_is_a_finding(tmp_path: Path) -> None:
    for servers, findings in ((12, 0), (8, 1)):
        scenario = two_services(tmp_path, servers)
        plan = struck(scenario, 60.0, [])
        lost = found(scenario, plan, "lost_zone", n_minus_one={"main": answer(scenario)})
        assert len(lost) == findings


def test_what_is_missed_with_nothing_lost_is_said_of_every_row(tmp_path: Path) -> None:
    seen = answer(two_services(tmp_path, 5))
    assert seen.as_it_is.misses == {"error rate of hit < 1 %": 1.0}
    said = {row.what: row.said for row in seen.rows if row.kind == "dependency"}
    more = "missed with nothing lost, and more with it"
    assert said == {"desk": more, "helper": more, "extra": "missed with nothing lost"}


def test_what_fails_fast_or_is_met_by_nobody_is_not_called_borne(tmp_path: Path) -> None:
    """The only objective is one of time: a step that is refused at once is quick."""
    scenario = two_services(tmp_path, 12)
    [criterion] = load_small(tmp_path, desk() | {"objectives": ["p99 of hit < 2s"]}).objectives
    seen = answer(scenario.model_copy(update={"objectives": [criterion]}))
    said = {row.what: row.said for row in seen.rows if row.kind == "dependency"}
    assert said == {"desk": "cannot be lost", "helper": "cannot be lost", "extra": "can be lost"}


def test_the_peak_is_the_forecast_s_not_an_injected_surge_s(tmp_path: Path) -> None:
    scenario = two_services(tmp_path, 12)
    calm = growing(scenario, [60.0, 61.0] + [60.0] * 38, [])
    surge = growing(scenario, [60.0, 61.0] + [60.0] * 38, ["traffic 3x at +25m for 5m"])
    demand = flat_demand(scenario, np.full((1, 1, 300), 3600.0))
    control = RunControl(replications=2, workers=1)
    begins = [
        n_minus_one(scenario, demand, p, seed=Seed(1), budget=LossBudget(1.0), control=control)[
            "main"
        ].from_utc
        for p in (calm, surge)
    ]
    assert begins[0] == begins[1]


def test_a_service_in_one_zone_has_no_zone_to_lose(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk(servers=4))
    assert [one.kind for one in losses(scenario, "main")] == ["dependency"]
