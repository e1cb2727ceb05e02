"""One service, two engines: the shop's station and the model's pool given the same arrivals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from gameday.queueing import build_cell
from gameday.record.run_record import ATTEMPTS
from gameday.scenario import Scenario
from gameday.scenario.blocks import Service
from gameday.scenario.queue_policies import is_shed
from gameday.shop.station import BUCKETS_S, OUTCOMES, LiveServices, LiveStation
from gameday.shop.station import Asker as LiveAsker
from gameday.simulate.reference.station import Caller, Services
from tests.bench.simulate import EVERY_POLICY
from tests.support import NIGHT, troubled
from tests.support.small_shop import desk, load_small, service
from tests.support.virtual_shop import in_virtual_time

SLOTS, SLOT_S = 60, 60.0


def arrivals(per_s: float, until_s: float, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    return list(np.sort(rng.random(rng.poisson(per_s * until_s)) * until_s))


def in_model(scenario: Scenario, at_s: list[float], seed: int) -> dict[str, dict[str, float]]:
    """Return what each service of the model counts; request n is session n."""
    cell = build_cell(scenario, "main", scale=1.0)
    env = simpy.Environment()
    services = Services(env, scenario, cell, seed, SLOTS, SLOT_S)
    visit = cell.exchanges("hit", None)[0][0]

    def one(at: float, number: int) -> Iterator[Any]:
        yield env.timeout(at)
        yield from services.call(visit, Caller((number, 0, 0, 0), number))

    for number, at in enumerate(at_s, start=1):
        env.process(one(at, number))
    env.run(until=SLOTS * SLOT_S)
    out = {}
    for name, pool in services.pools.items():
        pool.touch()
        counts = np.array(pool.attempts).sum(axis=0)
        loads = np.array(pool.loads).sum(axis=0)
        out[name] = {o: float(counts[ATTEMPTS.index(o)]) for o in OUTCOMES}
        out[name] |= {"busy_s": loads[0], "queue_s": loads[1], "hits": loads[5]}
    return out


def in_shop(scenario: Scenario, at_s: list[float], seed: int) -> dict[str, dict[str, float]]:
    """Return what each station of the shop counts, in virtual time."""

    async def whole() -> dict[str, dict[str, float]]:
        cell = build_cell(scenario, "main", scale=1.0)
        live = LiveServices(scenario, cell, seed)
        visit = cell.exchanges("hit", None)[0][0]

        async def one(at: float, number: int) -> None:
            await asyncio.sleep(at)
            await live.call(visit, LiveAsker(number, zone=number))

        await asyncio.gather(*(one(at, n) for n, at in enumerate(at_s, start=1)))
        await asyncio.sleep(SLOTS * SLOT_S - asyncio.get_running_loop().time())
        out = {}
        for name, station in live.stations.items():
            station.touch()
            assert station.in_flight == station.in_use == station.queued == 0
            out[name] = {o: float(station.counts[o]) for o in OUTCOMES}
            out[name] |= {"busy_s": station.busy_s, "queue_s": station.queue_s}
            out[name]["hits"] = station.hits
        return out

    return in_virtual_time(whole)


def chain(**helper: Any) -> dict[str, Any]:
    """Return a desk that holds its server while it calls a helper."""
    shop = desk(servers=6, queue_per_server=3, mean="40ms", timeout="900ms")
    shop["services"]["helper"] = service(helper.pop("mean", "100ms"), **helper)
    shop["steps"]["hit"]["exchanges"] = [{"path": "/", "calls": ["helper"]}]
    return shop


RETRY = {"attempts": 2, "backoff": "100ms"}
POLICIES: list[dict[str, Any]] = [
    {},
    {"queue_order": "lifo"},
    {"queue_order": "adaptive"},
    {"codel": {"target": "20ms", "interval": "80ms"}},
    {"limit": {"target": "200ms"}},
    {"rate_limit": {"per_s": 25, "burst": 4}},
    {"retry": RETRY},
    {"retry": RETRY | {"budget": {"ratio": 0.2, "most": 2}}},
    *(
        {
            "balance": {"by": by, "zone_affinity": True},
            "servers_per_instance": 2,
            "stacks": {"main": {"instances": 4, "zones": 2, "instance": "box"}},
        }
        for by in ("round_robin", "random", "least_connections", "two_choices")
    ),
    {"load": {"contention": 0.2, "coherency": 0.05}, "servers_per_instance": 3},
    {"pauses": {"every": "900ms", "last": "300ms"}},
    {"queue_share": {"hit": 0.5}, "limit": {"target": "200ms"}},
    {"deadline": "propagated", "retry": RETRY},
    {"hedge": {"after": "70ms"}, "retry": RETRY | {"budget": {"ratio": 0.3, "most": 9}}},
    {"breaker": {"failures": 0.4, "calls": 10, "open": "700ms"}, "retry": RETRY},
    {"cache": {"keys": 300, "entries": 40}},
    {"pool": {"connections": 2}},
    {"degraded": {"share": 0.4, "slowed": 3}},
    {"degraded": {"share": 0.3, "refuses": True}, "retry": RETRY},
    {"cache": {"keys": 300, "entries": 40, "begins": "empty"}},
    {
        "autoscale": {"target": 0.4, "interval": "3s", "delay": "2s", "max_factor": 3},
        "warm_up": {"last": "4s", "factor": 3},
    },
    {
        "autoscale": {
            "steps": [{"above": 0.6, "change": 0.5}, {"below": 0.4, "change": -0.3}],
            "metric": "concurrency",
            "interval": "2s",
            "delay": "0s",
            "cooldown": "5s",
            "min_factor": 0.5,
            "max_factor": 3,
        }
    },
]
"""What a station can be told to do; every new policy joins here."""
IN_A_CHAIN: list[dict[str, Any]] = [
    {},
    {"deadline": "propagated"},
    {"deadline": "propagated", "retry": RETRY},
    {"hedge": {"after": "70ms"}},
    {"breaker": {"failures": 0.4, "calls": 10, "open": "700ms"}},
    {"cache": {"keys": 300, "entries": 40}},
    {"pool": {"connections": 2}, "threads": "asynchronous"},
    {"balance": {"by": "two_choices", "zone_affinity": True}},
]
"""Those that speak of callers and of whom they call, at both ends of a call."""


def test_every_policy_of_a_service_is_compared() -> None:
    compared = {name for policy in POLICIES for name in policy}
    kinds = Service.policy_kinds().keys()
    assert kinds - compared == set()
    shops = Path(str(troubled.__file__)).read_text()
    assert [kind for kind in kinds if f'"{kind}"' not in shops] == []
    assert kinds - EVERY_POLICY.keys() - {"autoscale", "codel", "hedge", "limit", "retry"} == set()


# --- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: "-".join(policy) or "none")
@settings(
    deadline=None,
    max_examples=8 if NIGHT else 1,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    servers=st.integers(1, 5),
    places=st.integers(0, 8),
    timeout_ms=st.sampled_from([90, 250, 20_000]),
    busy=st.floats(0.3, 2.0),
    seed=st.integers(0, 999),
)
def test_with_the_same_draws_shop_and_model_count_the_same(
    tmp_path: Path,
    servers: int,
    places: int,
    timeout_ms: int,
    busy: float,
    policy: dict[str, Any],
    seed: int,
) -> None:
    assume(timeout_ms > 200 or "limit" not in policy)  # else it is refused: it could not act
    scenario = load_small(
        tmp_path,
        desk(
            servers=servers, queue_per_server=places / servers, timeout=f"{timeout_ms}ms", **policy
        ),
    )
    at_s = arrivals(busy * servers / 0.1, 20, seed)
    model, shop = in_model(scenario, at_s, seed)["desk"], in_shop(scenario, at_s, seed)["desk"]
    slack = 2 + 0.02 * model["arrived"]
    for outcome in (*OUTCOMES, "hits"):
        # Timers a nanosecond apart may change places; what comes after takes another course.
        assert shop[outcome] == pytest.approx(model[outcome], abs=slack), outcome
    assert shop["busy_s"] == pytest.approx(model["busy_s"], rel=0.02, abs=0.5)
    assert shop["queue_s"] == pytest.approx(model["queue_s"], rel=0.03, abs=0.5)


@pytest.mark.parametrize("timeout", ["120ms", pytest.param("30s", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("policy", IN_A_CHAIN, ids=lambda policy: "-".join(policy) or "none")
def test_with_the_same_draws_a_chain_of_calls_counts_the_same(
    tmp_path: Path, timeout: str, policy: dict[str, Any]
) -> None:
    shop_of = chain(servers=3, queue_per_server=2, timeout=timeout)
    for rule in shop_of["services"].values():
        rule |= policy
    scenario = load_small(tmp_path, shop_of)
    at_s = arrivals(35.0, 30, 5)
    model, shop = in_model(scenario, at_s, 9), in_shop(scenario, at_s, 9)
    for name in ("desk", "helper"):
        slack = 3 + 0.02 * model[name]["arrived"]
        for outcome in OUTCOMES:
            near = pytest.approx(model[name][outcome], abs=slack)
            assert shop[name][outcome] == near, (name, outcome)


def test_a_call_that_a_share_of_visits_make_is_made_so_often_in_shop_and_model(
    tmp_path: Path,
) -> None:
    shop_of = chain(servers=200)
    shop_of["services"]["desk"] |= {"stacks": {"main": {"instances": 200, "instance": "box"}}}
    shop_of["steps"]["hit"]["exchanges"] = [{"path": "/", "calls": [["30% helper", "80% helper?"]]}]
    scenario = load_small(tmp_path, shop_of)
    at_s = arrivals(200.0, 30, 5)
    model, shop = in_model(scenario, at_s, 9), in_shop(scenario, at_s, 9)
    assert shop["helper"]["arrived"] == model["helper"]["arrived"]
    share = shop["helper"]["arrived"] / shop["desk"]["arrived"]
    assert share == pytest.approx(1.1, abs=4 * np.sqrt(0.37 / len(at_s)))
    cell = build_cell(scenario, "main", scale=1.0)
    entry = cell.exchanges("hit", None)[0][0]
    assert [visit.per_exchange for visit in entry.walk()] == [1.0, 0.3, 0.8]
    # the longer of two calls of 100 ms: 0.3 + 0.7 x 0.8 of them
    assert entry.mean_response_s == pytest.approx(0.040 + 0.100 * 0.86)
    assert shop["desk"]["busy_s"] / shop["desk"]["arrived"] == pytest.approx(0.138, rel=0.1)


@pytest.mark.parametrize("policy", IN_A_CHAIN[2:], ids="-".join)
def test_every_policy_makes_a_difference_in_a_chain(tmp_path: Path, policy: dict[str, Any]) -> None:
    """Or its conformance would say nothing."""
    seen = []
    for more in (policy, {"retry": policy.get("retry"), "threads": policy.get("threads", "held")}):
        shop_of = chain(servers=3, queue_per_server=2, timeout="120ms")
        for rule in shop_of["services"].values():
            rule |= {name: value for name, value in more.items() if value is not None}
        seen.append(in_model(load_small(tmp_path, shop_of), arrivals(35.0, 30, 5), 9))
    assert seen[0] != seen[1]


@pytest.mark.parametrize(
    "policy", [p for p in POLICIES[1:] if "deadline" not in p], ids=lambda policy: "-".join(policy)
)
def test_every_policy_makes_a_difference_at_a_desk(tmp_path: Path, policy: dict[str, Any]) -> None:
    base = {n: v for n, v in policy.items() if n == "servers_per_instance"}
    if len(policy) > 1 and "retry" in policy:
        base["retry"] = RETRY
    at_s = arrivals(60.0 * policy.get("servers_per_instance", 1), 20, 3)
    seen = [
        in_model(
            load_small(tmp_path, desk(servers=4, queue_per_server=3, timeout="250ms", **more)),
            at_s,
            7,
        )
        for more in (policy, base)
    ]
    assert seen[0] != seen[1]


@pytest.mark.parametrize(
    "policy",
    [POLICIES[0], *(pytest.param(policy, marks=pytest.mark.nightly) for policy in POLICIES[1:])],
    ids=lambda policy: "-".join(policy) or "none",
)
def test_in_overload_shop_and_model_differ_by_no_more_than_chance(
    policy: dict[str, Any], tmp_path: Path
) -> None:
    """The same draws in both, others in each run: the gaps of counts and busy time, by their 99 % interval."""
    scenario = load_small(
        tmp_path, desk(**{"servers": 4, "queue_per_server": 3, "timeout": "250ms"} | policy)
    )
    model, shop = [], []
    for seed in range(8):
        at_s = arrivals(50.0 * scenario.services["desk"].servers_per_instance, 15, seed)
        model.append(in_model(scenario, at_s, seed)["desk"])
        shop.append(in_shop(scenario, at_s, seed)["desk"])
    for what in model[0]:
        gaps = [(s[what] - m[what]) / m["arrived"] for s, m in zip(shop, model, strict=True)]
        half = 3.499 * np.std(gaps, ddof=1) / np.sqrt(len(gaps))  # Student's t, 7 degrees, 99 %
        assert abs(np.mean(gaps)) <= half + 1e-3, what


# --- stories ------------------------------------------------------------------------------------


def test_an_autoscaled_station_adds_servers_when_the_model_does(tmp_path: Path) -> None:
    policy = {"target": 0.5, "interval": "5s", "delay": "8s", "max_factor": 3}
    scenario = load_small(tmp_path, desk(servers=2, queue_per_server=4, autoscale=policy))

    async def watched() -> list[int]:
        cell = build_cell(scenario, "main", scale=1.0)
        live = LiveServices(scenario, cell, 1)
        visit = cell.exchanges("hit", None)[0][0]
        seen = []

        async def one(at: float, number: int) -> None:
            await asyncio.sleep(at)
            await live.call(visit, LiveAsker(number, zone=number))

        tasks = [asyncio.ensure_future(one(at, n)) for n, at in enumerate(arrivals(60, 40, 1))]
        for _ in range(40):
            seen.append(live.stations["desk"].servers)
            await asyncio.sleep(1)
        await asyncio.gather(*tasks)
        return seen

    servers = in_virtual_time(watched)
    assert servers[:13] == [2] * 13
    assert servers[14] > 2
    assert max(servers) == servers[-1] == 6


def test_work_lasts_as_long_as_asked_in_the_mean_when_timers_oversleep(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk())
    cell = build_cell(scenario, "main", scale=1.0)

    async def whole() -> float:
        station = LiveStation(cell.stations["desk"], scenario.services["desk"])
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(400):
            await station.work(0.01)
        return (loop.time() - began) / 400

    assert in_virtual_time(whole, late_s=0.002) == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("late_s", [0.0, 0.002])
def test_works_at_once_do_not_owe_one_another_what_timers_overslept(
    tmp_path: Path, late_s: float
) -> None:
    scenario = load_small(tmp_path, desk())
    cell = build_cell(scenario, "main", scale=1.0)
    rng = np.random.default_rng(4)
    asked = rng.lognormal(-3, 0.3, 4000)
    begins = np.cumsum(rng.exponential(1 / 90, len(asked)))

    async def whole() -> list[float]:
        station = LiveStation(cell.stations["desk"], scenario.services["desk"])
        loop = asyncio.get_running_loop()

        async def one(at_s: float, seconds: float) -> float:
            await asyncio.sleep(at_s)
            began = loop.time()
            await station.work(seconds)
            return loop.time() - began

        return await asyncio.gather(*map(one, begins, asked))

    off = np.array(in_virtual_time(whole, late_s=late_s)) - asked
    assert abs(off.mean()) < 1e-4
    assert np.abs(off).max() <= 8 * late_s + 1e-9  # what a few works owe, and no more


def test_a_retry_meets_new_luck_in_the_services_below(tmp_path: Path) -> None:
    # The helper alone decides: half of its visits outlast the desk's timeout of 100 ms.
    shop = chain(servers=2000, mean="144.27ms")
    shop["services"]["desk"] = service(
        "1ms",
        servers=2000,
        time={"law": "deterministic", "mean": "1ms"},
        timeout="101ms",
        retry={"attempts": 3, "backoff": "1ms"},
    )
    scenario = load_small(tmp_path, shop)

    async def whole() -> list[bool]:
        cell = build_cell(scenario, "main", scale=1.0)
        live = LiveServices(scenario, cell, 1)
        visit = cell.exchanges("hit", None)[0][0]
        return list(await asyncio.gather(*(live.call(visit, LiveAsker(n)) for n in range(1000))))

    answers = in_virtual_time(whole)
    assert 1 - np.mean(answers) == pytest.approx(0.5**4, abs=0.03)


def test_a_visit_s_histogram_holds_every_visit_in_its_bucket(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk())
    cell = build_cell(scenario, "main", scale=1.0)
    seconds = [0.0, 0.001, 0.0011, 0.5, 9.9, 60.0]

    async def whole() -> LiveStation:
        station = LiveStation(cell.stations["desk"], scenario.services["desk"])
        for s in seconds:
            station.observe(s)
        return station

    station = in_virtual_time(whole)
    assert sum(station.buckets) == len(seconds)
    assert station.visit_sum_s == pytest.approx(sum(seconds))
    for bound, upto in zip(BUCKETS_S, np.cumsum(station.buckets), strict=False):
        assert upto == sum(s <= bound for s in seconds)


@given(in_use=st.integers(0, 9), servers=st.integers(1, 9), queued=st.integers(0, 9))
def test_no_arrival_is_shed_while_a_server_or_a_place_is_free(
    in_use: int, servers: int, queued: int
) -> None:
    assert is_shed(in_use, servers, queued, 5) == (in_use >= servers and queued >= 5)
