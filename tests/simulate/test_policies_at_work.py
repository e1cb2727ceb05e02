"""What each policy does to a service of the model: against closed forms where there are any."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.queueing.cell import least_scale
from gameday.record.histograms import percentile
from gameday.record.run_record import ATTEMPTS, LOADS, STEPS, RunRecord
from gameday.scenario import Scenario
from gameday.scenario.caller_policies import Breaker
from gameday.scenario.reading.injections import parse_injections
from gameday.simulate import RunControl, simulate
from gameday.vocabulary import Array, Seed
from tests.support.small_shop import desk, flat_plan, load_small, service

ROOMY: dict[str, Any] = {"timeout": "60s", "queue_per_server": 1000.0}


def played(
    folder: Path,
    per_s: float,
    changes: Any = None,
    *,
    slots: Any = 10,
    inject: Any = (),
    scale: Any = 1.0,
    **policy: Any,
) -> RunRecord:
    """Return minutes at one desk."""
    folder.mkdir(exist_ok=True)
    scenario = load_small(folder, desk(**policy), changes)
    plan = flat_plan(scenario, per_s, slots=slots, scale=scale)
    plan = plan.with_injections(parse_injections(list(inject), scenario, 60.0 * slots))
    return simulate(scenario, plan, seed=Seed(3), control=RunControl(replications=1))[0]


def attempts(record: RunRecord, what: str, service: int = 0) -> Array:
    """Return counts of attempts slot by slot."""
    return np.asarray(record.attempts[0, service, ATTEMPTS.index(what)])


def load(record: RunRecord, what: str, service: int = 0) -> Array:
    """Return a load slot by slot."""
    return np.asarray(record.loads[0, service, LOADS.index(what)])


def mean_wait(record: RunRecord) -> float:
    """Return seconds an arrival waits in the mean."""
    return float(load(record, "waited_s").sum() / attempts(record, "arrived").sum())


# --- which instance ---------------------------------------------------------------------------------


def test_waits_are_those_of_queues_apart_and_shrink_as_choices_are_better_made(
    tmp_path: Path,
) -> None:
    """20 instances of one server at 80 %: by chance, each is M/M/1, rho / (1 - rho) services of wait."""
    waits = {
        by: mean_wait(
            played(
                tmp_path / str(by),
                160.0,
                slots=60,
                servers=20,
                mean="100ms",
                **ROOMY,
                **({"balance": {"by": by}} if by else {}),
            )
        )
        for by in ("random", "round_robin", "two_choices", "least_connections", None)
    }
    assert waits["random"] == pytest.approx(0.1 * 0.8 / 0.2, rel=0.05)
    assert list(waits.values()) == sorted(waits.values(), reverse=True)
    assert waits["two_choices"] < 0.5 * waits["random"]


def test_callers_stay_in_their_zone_and_leave_it_when_it_is_lost(tmp_path: Path) -> None:
    fleet = {
        "services": {"desk": {"stacks": {"main": {"instances": 6, "zones": 3, "instance": "box"}}}}
    }
    balance = {"balance": {"by": "round_robin", "zone_affinity": True}}
    lost = ("zone main-b lost at +3m for 3m",)
    record = played(tmp_path, 20.0, fleet, slots=9, mean="100ms", inject=lost, **balance, **ROOMY)
    assert load(record, "servers").round(9).tolist() == [6.0] * 3 + [4.0] * 3 + [6.0] * 3
    assert attempts(record, "shed").sum() <= 4, "only who waited in the zone when it went"
    assert attempts(record, "done")[4] > 0.98 * attempts(record, "arrived")[4]


def test_a_cell_has_fewer_instances_of_the_same_size(tmp_path: Path) -> None:
    waits = [
        mean_wait(
            played(
                tmp_path / str(scale),
                800.0 * scale,
                slots=40,
                scale=scale,
                servers=50,
                mean="100ms",
                servers_per_instance=2,
                balance={"by": "random"},
                **ROOMY,
            )
        )
        for scale in (1.0, 0.2)
    ]
    assert waits[1] == pytest.approx(waits[0], rel=0.1)


# --- how long work takes ----------------------------------------------------------------------------


def test_crowded_instances_are_slower_as_the_law_says(tmp_path: Path) -> None:
    """Always full: every request shares its instance with nine others."""
    law = {"load": {"contention": 0.02, "coherency": 0.005}, "servers_per_instance": 10}
    fixed = {"time": {"law": "deterministic", "mean": "100ms"}}
    record = played(tmp_path, 300.0, servers=2, timeout="20s", queue_per_server=3, **law, **fixed)
    busy = load(record, "busy_s").sum() / attempts(record, "done").sum()
    assert busy == pytest.approx(0.1 * (1 + 0.02 * 9 + 0.005 * 10 * 9), rel=0.02)


def test_pauses_hold_up_who_comes_in_one_and_whom_one_finds_at_work(tmp_path: Path) -> None:
    calm = played(tmp_path / "calm", 50.0, servers=20, mean="100ms", **ROOMY)
    policy = {"pauses": {"every": "2s", "last": "500ms"}}
    paused = played(tmp_path / "paused", 50.0, servers=20, mean="100ms", **policy, **ROOMY)
    # A quarter come in a pause and wait half of it; the rest meet one every 1.5 s of work.
    more = 0.25 * 0.25 + 0.75 * (0.1 / 1.5) * 0.5
    ratio = load(paused, "busy_s").sum() / load(calm, "busy_s").sum()
    assert ratio == pytest.approx(1 + more / 0.1, rel=0.03)


def test_instances_that_come_back_are_cold_for_a_while(tmp_path: Path) -> None:
    fixed = {
        "time": {"law": "deterministic", "mean": "100ms"},
        "warm_up": {"last": "2m", "factor": 3},
    }
    record = played(
        tmp_path,
        20.0,
        servers=10,
        inject=("5 instances of desk lost at +2m for 2m",),
        **fixed,
        **ROOMY,
    )
    seconds = load(record, "busy_s") / attempts(record, "arrived")
    assert seconds[1] == pytest.approx(0.1, rel=0.02)
    # Half of the servers at 3 x, falling to 1 x: in the first minute 2.5 x of a half, then 1.5 x.
    assert seconds[4] == pytest.approx(0.1 * (1 + 0.5 * 1.5), rel=0.03)
    assert seconds[5] == pytest.approx(0.1 * (1 + 0.5 * 0.5), rel=0.03)
    assert seconds[7] == pytest.approx(0.1, rel=0.02)


# --- who is refused ---------------------------------------------------------------------------------


def test_what_matters_less_is_shed_before_what_matters_more(tmp_path: Path) -> None:
    shop = {
        "steps": {"look": {"entry": "desk", "exchanges": [{"path": "/look"}]}},
        "journeys": {
            "visitor": {"start": {"hit": 0.5, "look": 0.5}, "next": {"look": {"exit": 1.0}}}
        },
    }
    record = played(
        tmp_path,
        120.0,
        shop,
        servers=10,
        mean="100ms",
        timeout="20s",
        queue_per_server=4,
        queue_share={"look": 0.1},
    )
    ends = record.step_counts[0].sum(axis=-1)
    failed = dict(
        zip(
            record.steps,
            (ends[:, STEPS.index("failed")] / ends[:, STEPS.index("achieved")]).tolist(),
            strict=True,
        )
    )
    assert failed["hit"] < 0.01
    assert 2 * (1 - 100 / 120) < failed["look"] < 0.45


def test_who_heeds_deadlines_does_no_work_that_nobody_waits_for(tmp_path: Path) -> None:
    """The front gives up on the desk; the desk's helper is still asked for it, or not."""
    shop = {
        "services": {"helper": service("100ms", servers=12)},
        "steps": {"hit": {"exchanges": [{"path": "/", "calls": ["helper", "helper"]}]}},
    }
    wasted = []
    for deadline in ("own", "propagated"):
        record = played(
            tmp_path / deadline,
            80.0,
            shop,
            servers=60,
            timeout="150ms",
            mean="10ms",
            queue_per_server=5,
            deadline=deadline,
        )
        wasted.append(attempts(record, "arrived", 1).sum() / attempts(record, "done").sum())
    assert wasted[1] < 0.9 * wasted[0]


# --- what callers do --------------------------------------------------------------------------------


def test_hedged_requests_cut_the_tail_where_there_is_room(tmp_path: Path) -> None:
    tail = {"time": {"law": "pareto", "min": "20ms", "max": "3s", "alpha": 1.1}}
    plain, hedged = (
        played(tmp_path / str(len(more)), 40.0, servers=100, **tail, **ROOMY, **more)
        for more in ({}, {"hedge": {"after": "200ms"}})
    )
    p99 = [percentile(r.latency[0, 0, 0].sum(axis=0), 0.99) for r in (plain, hedged)]
    assert p99[1] < 0.5 * p99[0]
    extra = attempts(hedged, "arrived").sum() / attempts(plain, "arrived").sum() - 1
    assert 0.02 < extra < 0.15
    assert attempts(hedged, "orphaned").sum() > 0


def test_an_open_breaker_spares_what_is_down_and_closes_when_it_is_up_again(tmp_path: Path) -> None:
    policy = {"breaker": {"failures": 0.5, "calls": 20, "open": "5s"}}
    record = played(
        tmp_path,
        50.0,
        servers=20,
        mean="100ms",
        inject=("desk down at +2m for 3m",),
        **policy,
        **ROOMY,
    )
    arrived = attempts(record, "arrived")
    assert arrived[3] <= 60 / 5 + 1
    assert arrived[:2].sum() == pytest.approx(2 * 50 * 60, rel=0.05)
    assert attempts(record, "done")[6:].sum() == pytest.approx(50 * 240, rel=0.05)


def hits(record: RunRecord) -> Array:
    """Return the share found in the cache, slot by slot."""
    return load(record, "hits") / load(record, "lookups")


def expected_hits(keys: int, entries: int, skew: float) -> float:
    """Return the hit ratio of a least-recently-used cache by Che, Tung and Wang (2002)."""
    edges = np.arange(1, keys + 2, dtype=float)
    upto = np.log(edges) if skew == 1 else (edges ** (1 - skew) - 1) / (1 - skew)
    share = np.diff(upto) / upto[-1]
    low, high = 0.0, 1e9
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if (1 - np.exp(-share * mid)).sum() < entries else (low, mid)
    return float((share * (1 - np.exp(-share * low))).sum())


@pytest.mark.parametrize("skew", [0.7, 1.0])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_hits_are_as_che_s_approximation_has_them_at_any_scale(
    skew: float, scale: float, tmp_path: Path
) -> None:
    cache = {"keys": 5000, "entries": 500, "skew": skew}
    record = played(
        tmp_path,
        2000.0 * scale,
        slots=8,
        servers=2000,
        mean="10ms",
        cache=cache,
        scale=scale,
        **ROOMY,
    )
    share = load(record, "hits")[4:].sum() / load(record, "lookups")[4:].sum()
    assert share == pytest.approx(expected_hits(5000, 500, skew), abs=0.02)
    assert (
        attempts(record, "arrived").sum() == (load(record, "lookups") - load(record, "hits")).sum()
    )


def test_a_flushed_cache_is_cold_and_warms_up(tmp_path: Path) -> None:
    cache = {"keys": 20_000, "entries": 5000}
    record = played(
        tmp_path,
        100.0,
        servers=200,
        mean="10ms",
        cache=cache,
        slots=12,
        inject=("cache of desk flushed at +4m",),
        **ROOMY,
    )
    share = hits(record)
    assert share[4] < share[3] - 0.15
    assert share[4] < share[5] < share[8]
    assert share[11] == pytest.approx(share[3], abs=0.05)


# --- servers that come and go -----------------------------------------------------------------------

SCALING: dict[str, Any] = {"interval": "30s", "delay": "1m", "max_factor": 3}


def test_steps_add_servers_when_the_metric_is_in_their_band(tmp_path: Path) -> None:
    steps = {
        "steps": [{"above": 0.7, "change": 0.5}, {"below": 0.2, "change": -0.25}],
        "min_factor": 0.5,
    }
    busy = played(
        tmp_path / "busy", 90.0, servers=10, mean="100ms", autoscale=SCALING | steps, **ROOMY
    )
    idle = played(
        tmp_path / "idle", 10.0, servers=10, mean="100ms", autoscale=SCALING | steps, **ROOMY
    )
    assert load(busy, "servers")[0] == pytest.approx(10)
    assert 12.8 < load(busy, "servers")[-1] <= 30
    assert load(busy, "busy_s")[-1] / 60 / load(busy, "servers")[-1] < 0.7
    assert 5 <= load(idle, "servers")[-1] < 10


@pytest.mark.parametrize(("metric", "target"), [("requests", 5.0), ("concurrency", 0.5)])
def test_a_target_may_be_of_any_metric(metric: str, target: float, tmp_path: Path) -> None:
    policy = SCALING | {"target": target, "metric": metric}
    record = played(tmp_path, 90.0, servers=10, mean="100ms", autoscale=policy, **ROOMY)
    assert load(record, "servers")[-1] == pytest.approx(18, abs=1.5)


def test_a_schedule_has_its_servers_there_at_its_minute(tmp_path: Path) -> None:
    policy = SCALING | {"schedule": [{"at": "3m", "factor": 2}]}
    record = played(tmp_path, 20.0, servers=10, mean="100ms", autoscale=policy, **ROOMY)
    assert load(record, "servers").round(9).tolist() == [10.0] * 3 + [20.0] * 7


def test_a_cooldown_spaces_decisions(tmp_path: Path) -> None:
    grown = [
        played(
            tmp_path / str(cool),
            290.0,
            servers=10,
            mean="100ms",
            timeout="1s",
            queue_per_server=1,
            autoscale=SCALING | {"steps": [{"above": 0.7, "change": 0.1}], "cooldown": cool},
        )
        for cool in ("0s", "3m")
    ]
    assert load(grown[0], "servers")[-1] > 1.4 * load(grown[1], "servers")[-1]
    assert math.isfinite(load(grown[1], "servers").sum())


def test_a_limit_grows_with_the_servers_that_are_added(tmp_path: Path) -> None:
    """It begins with what four servers bear; twenty are needed."""
    scaled = {"target": 0.6, "interval": "10s", "delay": "0s", "max_factor": 20}
    more = {
        "limit": {"target": "900ms"},
        "autoscale": scaled,
        "queue_per_server": 1,
        "mean": "200ms",
    }
    record = played(tmp_path, 60.0, slots=20, servers=4, timeout="2s", **more)
    assert load(record, "servers")[-1] > 15
    assert attempts(record, "done")[10:].sum() > 0.98 * attempts(record, "arrived")[10:].sum()


def test_a_scheduled_minimum_does_not_bring_forward_what_was_decided(tmp_path: Path) -> None:
    """Load wants more at once; what it decides takes ten minutes, the schedule's four servers none."""
    scaled = {
        "target": 0.5,
        "schedule": [{"at": "3m", "factor": 1.2}],
        "interval": "30s",
        "delay": "10m",
        "max_factor": 4,
    }
    record = played(tmp_path, 180.0, slots=8, servers=20, autoscale=scaled, **ROOMY)
    assert load(record, "servers").round(9).tolist() == [20.0] * 3 + [24.0] * 5


def _breaker(scenario: Scenario) -> Breaker:
    breaker = scenario.services["desk"].breaker
    assert breaker is not None
    return breaker


def test_a_pool_s_few_connections_and_a_breaker_s_few_calls_are_seen(tmp_path: Path) -> None:
    """Servers are made exact by their time; connections are not, so a cell needs some of them."""
    roomy = {"servers": 400, "queue_per_server": 1}
    pooled = load_small(tmp_path, desk(**roomy, pool={"connections": 28}))
    assert least_scale(pooled) == pytest.approx(4 / 28)
    assert least_scale(load_small(tmp_path, desk(**roomy))) == pytest.approx(1 / 600)
    breaks = {"failures": 0.5, "open": "1s"}
    for calls, scale, window in ((100, 0.5, 50), (100, 0.01, 10), (4, 0.01, 4)):
        scenario = load_small(tmp_path, desk(**roomy, breaker=breaks | {"calls": calls}))
        assert _breaker(scenario).window(scale) == window
