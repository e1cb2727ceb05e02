"""What is injected does what it says: to servers, times, refusals and customers; and who comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.experiments.failures.recovery import does_it_recover
from gameday.experiments.replications import Look
from gameday.record.run_record import ATTEMPTS, LOADS, RunRecord
from gameday.scenario import Scenario
from gameday.scenario.reading.injections import outages, parse_injections
from gameday.scenario.server_policies import servers_left, stretched
from gameday.simulate import RunControl, replicate, simulate
from gameday.traffic import LoadPlan
from gameday.vocabulary import Array, Seed
from tests.support.small_shop import desk, flat_plan, load_small

SLOTS = 9


def struck(
    folder: Path, text: str, changes: dict[str, Any] | None = None, **shop: Any
) -> tuple[Scenario, LoadPlan]:
    """Return a desk with a steady stream of customers to whom that happens."""
    scenario = load_small(folder, desk(**{"servers": 20, "mean": "200ms"} | shop), changes)
    plan = flat_plan(scenario, 20.0, slots=SLOTS)
    return scenario, plan.with_injections(parse_injections([text], scenario, 60.0 * SLOTS))


def series(record: RunRecord, what: str) -> Array:
    """Return a load or a count of attempts of the desk, slot by slot."""
    table, names = (record.loads, LOADS) if what in LOADS else (record.attempts, ATTEMPTS)
    return np.asarray(table[0, 0, names.index(what)])


def played(scenario: Scenario, plan: LoadPlan) -> RunRecord:
    """Return one replication."""
    return simulate(scenario, plan, seed=Seed(3), control=RunControl(replications=1))[0]


def test_work_that_is_slowed_keeps_servers_busy_so_many_times_as_long(tmp_path: Path) -> None:
    record = played(*struck(tmp_path, "desk slowed 3x at +3m for 3m"))
    share = series(record, "busy_s") / series(record, "arrived") / 0.2
    assert share[:3] == pytest.approx(1.0, rel=0.1)
    assert share[3:6] == pytest.approx(3.0, rel=0.15)
    assert share[7:] == pytest.approx(1.0, rel=0.1)


def test_who_is_down_refuses_everybody_and_nobody_else_time(tmp_path: Path) -> None:
    record = played(*struck(tmp_path, "desk down at +3m for 3m"))
    share = series(record, "shed") / series(record, "arrived")
    assert share.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "left"), [("2 instances of desk lost", 0.5), ("zone main-b lost", 3 / 4)]
)
def test_servers_that_are_lost_are_gone_until_it_is_over(
    text: str, left: float, tmp_path: Path
) -> None:
    fleet = {"instances": 4, "zones": 4, "instance": "box"}
    changes = {"services": {"desk": {"stacks": {"main": fleet}, "servers_per_instance": 5}}}
    record = played(*struck(tmp_path, f"{text} at +3m for 3m", changes))
    assert (series(record, "servers") / 20).round(9).tolist() == [1] * 3 + [left] * 3 + [1] * 3


def test_a_surge_brings_so_many_times_the_customers(tmp_path: Path) -> None:
    scenario, plan = struck(tmp_path, "traffic 2x at +3m for 3m")
    came = series(played(scenario, plan), "arrived")
    assert came[3:6].mean() / came[[0, 1, 2, 6, 7, 8]].mean() == pytest.approx(2.0, rel=0.05)
    assert plan.of_new_customers(1).played[0, 0, 3:6].mean() > 1.8 * plan.played[0, 0, :3].mean()


def test_what_happens_to_servers_leaves_the_customers_as_they_were(tmp_path: Path) -> None:
    scenario, plan = struck(tmp_path, "desk down at +3m for 3m")
    calm = flat_plan(scenario, 20.0, slots=SLOTS)
    assert (plan.played == calm.played).all()
    assert plan.sha256() != calm.sha256()


@pytest.mark.parametrize("servers", [1, 2, 3, 7, 20, 1000])
@pytest.mark.parametrize("share", [0.01, 1 / 3, 0.5, 2 / 3, 0.9, 1.0])
def test_the_capacity_that_is_left_is_exact_though_servers_are_whole(
    servers: int, share: float
) -> None:
    left = servers_left(servers, share)
    assert 1 <= left <= servers
    assert left / stretched(servers, left, share) == pytest.approx(servers * share)


def test_with_nothing_left_nobody_works() -> None:
    assert servers_left(10, 0.0) == 0


NAIVE: dict[str, Any] = {
    "retry": {"attempts": 3, "backoff": "50ms"},
    "timeout": "1s",
    "queue_per_server": 1000.0,
}
BUDGET = {"retry": NAIVE["retry"] | {"budget": {"ratio": 0.1}}}
CURES: list[tuple[str, dict[str, Any], str]] = [
    ("none", {}, "stays down"),
    ("a short queue", {"queue_per_server": 1.0}, "comes back by itself"),
    ("a retry budget", BUDGET, "comes back by itself"),
]


@pytest.mark.parametrize(("cure", "policy", "said"), CURES, ids=[name for name, *_ in CURES])
@pytest.mark.parametrize("trigger", ["traffic 1.4x", "10 instances of desk lost"])
def test_retries_keep_a_long_queue_full_after_its_trigger_is_gone_unless_a_policy_stops_them(
    cure: str, policy: dict[str, Any], said: str, trigger: str, tmp_path: Path
) -> None:
    """The load amplifier of Huang et al. (OSDI 2022): 80 % load, a trigger, retries."""
    shop = load_small(
        tmp_path,
        desk(servers=40, mean="200ms"),
        {"services": {"desk": NAIVE | policy}, "journeys": {"visitor": {"patience": "60s"}}},
    )
    plan = flat_plan(shop, 160.0, slots=16)
    injections = parse_injections([f"{trigger} at +3m for 2m"], shop, 60.0 * 16)
    plan = plan.with_injections(injections)
    runs = replicate(
        shop, plan, Look.at(shop, plan), seed=Seed(1), control=RunControl(replications=4, workers=1)
    )
    seen = does_it_recover(injections, runs)
    assert seen is not None
    main = seen["main"]
    assert main.said == said
    assert main.before.mid > 0.95
    assert (main.after.mid < 0.5) == (said == "stays down")
    assert (main.minutes_to_recover is None) == (said == "stays down")


def test_what_lasts_to_the_end_is_not_asked_whether_it_comes_back(tmp_path: Path) -> None:
    scenario, plan = struck(tmp_path, "desk slowed 2x at +3m")
    runs = replicate(
        scenario,
        plan,
        Look.at(scenario, plan),
        seed=Seed(1),
        control=RunControl(replications=2, workers=1),
    )
    seen = does_it_recover(plan.injections, runs)
    assert seen is not None
    assert (seen["main"].after, seen["main"].recovers) == (None, None)
    assert "not asked" in seen["main"].said
    assert does_it_recover((), runs) is None


WRONG = {
    "desk": "must read WHAT at",
    "desk melts at +1m": "no such injection",
    "dsk down at +1m": "did you mean 'desk'",
    "desk down at +1m for 0s": "lasts no time",
    "desk down at +20m": "begins after the window",
    "desk slowed 0x at +1m": "above 0",
    "2 instances of desk lost at +1m": "1 to 1 may go",
    "zone moon-a lost at +1m": "no stack 'moon'",
    "zone main-z lost at +1m": "has zones a to",
    "desk in moon down at +1m": "is not in stack 'moon'",
    "traffic 2x at +90s": "whole minutes",
    "traffic 1x at +1m": "changes nothing",
    "desk down at +1": "must read WHAT at",
    "desk down at +1y": "duration with its unit",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_injected_is_said_with_a_remedy(text: str, tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk(servers=2))
    with pytest.raises(ValueError, match=WRONG[text]):
        parse_injections([text], scenario, 600.0)


def test_two_that_meet_one_service_at_one_time_are_refused_and_one_after_the_other_are_not(
    tmp_path: Path,
) -> None:
    scenario = load_small(tmp_path, desk(servers=2))
    with pytest.raises(ValueError, match="two injections meet desk of main"):
        parse_injections(["desk down at +1m", "desk slowed 2x at +3m"], scenario, 600.0)
    with pytest.raises(ValueError, match="change the traffic at one time"):
        parse_injections(["traffic 2x at +1m for 2m", "traffic 2x at +2m"], scenario, 600.0)
    one_by_one = ["desk down at +1m for 1m", "desk slowed 2x at +2m"]
    assert len(outages(parse_injections(one_by_one, scenario, 600.0), scenario, "main")) == 2
