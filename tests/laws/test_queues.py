"""Queueing laws: the SimPy reference against Erlang, Little, and the utilisation law."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.queueing import RunningLane
from gameday.queueing.attempts import Attempt
from gameday.queueing.closed_forms import erlang_b, erlang_c, mean_wait_s, wait_quantile_s
from gameday.record.histograms import BINS, percentile
from gameday.record.intervals.of_replications import t_interval
from gameday.record.run_record import ATTEMPTS, LOADS, RunRecord
from gameday.scenario import Scenario
from gameday.simulate.reference.engine import run_reference
from gameday.simulate.reference.pool import ServicePool
from gameday.traffic import LoadPlan
from gameday.vocabulary import SLOT_S, Seed
from tests.support import by_night, small_shop

SERVICE_S = 0.1
SLOTS = 3


@pytest.fixture(scope="module")
def small() -> Any:
    return small_shop


def total(record: RunRecord, what: str) -> float:
    return float(record.attempts[0, 0, ATTEMPTS.index(what)].sum())


def load(record: RunRecord, what: str, first: int = 0) -> float:
    return float(record.loads[0, 0, LOADS.index(what), first:].sum())


def runs(small: Any, scenario: Scenario, per_s: float, count: int = 10) -> list[RunRecord]:
    return [
        run_reference(
            scenario,
            small.flat_plan(scenario, per_s, slots=SLOTS, seed=seed),
            "main",
            seed=Seed(100 + seed),
        )
        for seed in range(count)
    ]


# --- the book's queues --------------------------------------------------------------------------


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.6), by_night(3, 0.7), by_night(10, 0.8)])
def test_m_m_c_waits_as_erlang_c_says(
    small: Any, tmp_path: Path, servers: int, busy: float
) -> None:
    queue = small.desk(servers=servers, queue_per_server=10_000)
    scenario = small.load_small(tmp_path, queue)
    offered = busy * servers
    per_s = offered / SERVICE_S
    records = runs(small, scenario, per_s, count=8)
    # The first slot is warm-up; wait per arrival by the queue's integral.
    waits = [
        load(r, "queue_s", 1) / float(r.attempts[0, 0, ATTEMPTS.index("arrived"), 1:].sum())
        for r in records
    ]
    band = t_interval(waits, level=0.999)
    assert band.low <= mean_wait_s(offered, servers, SERVICE_S) <= band.high
    assert band.high - band.low < 1.2 * band.mid
    busy_share = t_interval([float(r.utilisation("main", "desk").mean()) for r in records], 0.999)
    assert busy_share.low <= busy <= busy_share.high


def test_m_m_c_holds_its_response_quantiles(small: Any, tmp_path: Path) -> None:
    scenario = small.load_small(tmp_path, small.desk(servers=1, queue_per_server=10_000))
    visits = sum(r.visits[0, 0, 1:].sum(axis=0) for r in runs(small, scenario, 5.0))
    # M/M/1: the time in system is exponential with rate mu - lambda = 5.
    for level in (0.5, 0.9, 0.99):
        assert percentile(visits, level) == pytest.approx(-np.log(1 - level) / 5, rel=0.1)


def test_a_share_of_erlang_c_waits_and_the_rest_is_served_at_once(
    small: Any, tmp_path: Path
) -> None:
    queue = small.desk(servers=10, queue_per_server=10_000)
    queue["services"]["desk"]["time"] = {"law": "exponential", "mean": "100ms"}
    scenario = small.load_small(tmp_path, queue)
    with pytest.MonkeyPatch.context() as patch:
        waits = spied_waits(patch)
        runs(small, scenario, 80.0, count=2)
    waited = np.array([wait for wait in waits if wait > 0])
    assert len(waited) / len(waits) == pytest.approx(erlang_c(8.0, 10), abs=0.04)
    p90 = wait_quantile_s(8.0, 10, SERVICE_S, 0.9)
    assert (np.array(waits) > p90).mean() == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(("servers", "offered"), [(1, 0.5), (4, 3.2), by_night(6, 7.0)])
@pytest.mark.parametrize("law", ["exponential", by_night("deterministic")])
def test_with_no_place_to_wait_erlang_b_are_shed_whatever_the_law_of_service(
    small: Any, tmp_path: Path, servers: int, offered: float, law: str
) -> None:
    queue = small.desk(servers=servers, queue_per_server=0, time={"law": law, "mean": "100ms"})
    scenario = small.load_small(tmp_path, queue)
    records = runs(small, scenario, offered / SERVICE_S, count=5)
    shed = t_interval([total(r, "shed") / total(r, "arrived") for r in records], level=0.999)
    assert shed.low <= erlang_b(offered, servers) <= shed.high
    assert all(load(r, "queue_s") == 0 for r in records)


@pytest.mark.parametrize(("servers", "places"), [(1, 3), by_night(3, 2)])
def test_m_m_c_k_sheds_as_its_balance_equations_say(
    small: Any, tmp_path: Path, servers: int, places: int
) -> None:
    queue = small.desk(servers=servers, queue_per_server=places / servers)
    scenario = small.load_small(tmp_path, queue)
    offered = 0.9 * servers
    chance = [1.0]
    for n in range(1, servers + places + 1):
        chance.append(chance[-1] * offered / min(n, servers))
    expected = chance[-1] / sum(chance)
    records = runs(small, scenario, offered / SERVICE_S, count=5)
    shed = t_interval([total(r, "shed") / total(r, "arrived") for r in records], level=0.999)
    assert shed.low <= expected <= shed.high


# --- laws that hold on every run ----------------------------------------------------------------


def spied_waits(patch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that fills with every wait in a queue, s, whoever leaves it and how."""
    waits: list[float] = []
    takes, wait = ServicePool.takes_server, ServicePool.wait

    def taken(pool: ServicePool, lane: RunningLane) -> bool:
        has_one = takes(pool, lane)
        if has_one:
            waits.append(0.0)
        return has_one

    def watched(pool: ServicePool, lane: RunningLane, one: Attempt) -> None:
        wait(pool, lane, one)
        grant, began = one.grant, pool.env.now
        assert isinstance(grant, simpy.Event)
        assert grant.callbacks is not None
        grant.callbacks.append(lambda _: waits.append(pool.env.now - began))

    patch.setattr(ServicePool, "takes_server", taken)
    patch.setattr(ServicePool, "wait", watched)
    return waits


@settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    servers=st.integers(1, 6),
    busy=st.floats(0.2, 1.6),
    places=st.integers(0, 20),
    timeout_ms=st.sampled_from([50, 150, 400, 30_000]),
    attempts=st.integers(0, 2),
    law=st.sampled_from(
        [
            {"law": "exponential", "mean": "100ms"},
            {"law": "deterministic", "mean": "100ms"},
            {"law": "lognormal", "mean": "100ms", "cv": 1.5},
        ]
    ),
    seed=st.integers(0, 99),
)
def test_little_s_law_and_the_utilisation_law_hold_on_every_run(
    small: Any,
    tmp_path: Path,
    servers: int,
    busy: float,
    places: int,
    timeout_ms: int,
    attempts: int,
    law: dict[str, Any],
    seed: int,
) -> None:
    queue = small.desk(
        servers=servers,
        queue_per_server=places / servers,
        timeout=f"{timeout_ms}ms",
        time=law,
        retry={"attempts": attempts, "backoff": "50ms"},
    )
    scenario = small.load_small(tmp_path, queue)
    plan: LoadPlan = small.flat_plan(scenario, busy * servers / SERVICE_S, slots=2, seed=seed)
    plan.played[:, :, 1] = 0  # the last slot drains, so that every wait ends inside the books
    with pytest.MonkeyPatch.context() as patch:
        waits = spied_waits(patch)
        record = run_reference(scenario, plan, "main", seed=Seed(seed))
    assert record.imbalances() == []
    assert total(record, "in_flight") == 0
    assert load(record, "queue_s") == pytest.approx(sum(waits), rel=1e-6, abs=1e-6)
    worked = sum(total(record, what) for what in ("done", "failed", "orphaned"))
    busy_s = load(record, "busy_s")
    if law["law"] == "deterministic":
        assert busy_s == pytest.approx(worked * SERVICE_S, rel=1e-9)
    elif worked > 500:
        assert busy_s / worked == pytest.approx(SERVICE_S, rel=0.3)
    utilisation = record.utilisation("main", "desk")
    assert utilisation.max() <= 1 + 1e-9
    assert float((utilisation * servers * SLOT_S).sum()) == pytest.approx(busy_s)
    np.testing.assert_allclose(record.loads[0, 0, LOADS.index("servers")], servers)


def test_visits_booked_are_those_that_ended_well_or_badly(small: Any, tmp_path: Path) -> None:
    scenario = small.load_small(tmp_path, small.desk(servers=3))
    record = run_reference(scenario, small.flat_plan(scenario, 25.0), "main", seed=Seed(1))
    assert record.visits.shape[-1] == BINS
    assert record.visits.sum() == total(record, "done") + total(record, "failed")
