"""Queueing laws in the compiled engine, and queues on paper against one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.queueing import build_cell
from gameday.queueing.closed_forms import (
    bounded_queue,
    erlang_b,
    impatient_queue,
    mean_wait_s,
    wait_quantile_s,
)
from gameday.record.histograms import percentile
from gameday.record.intervals.of_replications import t_interval
from gameday.record.run_record import ATTEMPTS, LOADS, STEPS, RunRecord
from gameday.scenario import load_scenario
from gameday.scenario.service_times import ServiceTime
from gameday.simulate.compiled import run_compiled, run_single_queue
from gameday.vocabulary import Seed
from tests.support import examples, small_shop


def law(**fields: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(ServiceTime).validate_python(fields)


EXPONENTIAL = law(law="exponential", mean="1s")


# --- on paper -----------------------------------------------------------------------------------


@given(offered=st.floats(0.1, 40), servers=st.integers(1, 40))
def test_a_bounded_queue_lies_between_erlang_b_and_erlang_c(offered: float, servers: int) -> None:
    refused, wait = bounded_queue(offered, servers, 0, 1.0)
    assert refused == pytest.approx(erlang_b(offered, servers))
    assert wait == 0.0
    if offered < 0.9 * servers:
        refused, wait = bounded_queue(offered, servers, 5000, 1.0)
        assert refused < 1e-12
        assert wait == pytest.approx(mean_wait_s(offered, servers, 1.0), rel=1e-9)


@given(offered=st.floats(0.5, 60), servers=st.integers(1, 30), patience=st.floats(0.2, 5))
@settings(max_examples=examples(30), deadline=None)
def test_erlang_a_is_its_birth_and_death_chain(
    offered: float, servers: int, patience: float
) -> None:
    weights = [1.0]
    for n in range(1, 3000):
        leaving = min(n, servers) + max(0, n - servers) / patience
        weights.append(weights[-1] * offered / leaving)
    chance = np.array(weights) / np.sum(weights)
    queue = float((np.maximum(0, np.arange(3000) - servers) * chance).sum())
    leaves, wait = impatient_queue(offered, servers, 1.0, patience, fixed=False)
    assert wait == pytest.approx(queue / offered, rel=1e-4, abs=1e-9)
    assert leaves == pytest.approx(queue / patience / offered, rel=1e-4, abs=1e-9)


def test_who_never_gives_up_waits_as_erlang_c_says() -> None:
    leaves, wait = impatient_queue(18.0, 20, 1.0, 1000.0, fixed=True)
    assert leaves == pytest.approx(0.0, abs=1e-9)
    assert wait == pytest.approx(mean_wait_s(18.0, 20, 1.0), rel=1e-5)


# --- a service alone ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "servers", "busy"),
    [
        (EXPONENTIAL, 20, 0.9),
        (EXPONENTIAL, 3, 0.5),
        (law(law="gamma", mean="1s", cv=1.6), 1, 0.6),
        (law(law="deterministic", mean="1s"), 1, 0.7),
        (law(law="pareto", min="300ms", max="8s", alpha=1.6), 1, 0.5),
    ],
)
def test_a_queue_alone_waits_as_erlang_c_or_pollaczek_and_khinchine_say(
    time: Any, servers: int, busy: float
) -> None:
    rate = busy * servers / time.mean
    waits = []
    for seed in range(12):
        run = run_single_queue(np.full(500, rate), 60.0, servers, time, seed=Seed(seed))
        waits.append(float(run.waited_s[20:].sum() / run.arrived[20:].sum()))
    paper = mean_wait_s(busy * servers, servers, time.mean, time.scv)
    band = t_interval(waits, 0.999)
    assert band.low <= paper <= band.high


def test_a_queue_alone_at_ten_million_requests_is_within_its_goals() -> None:
    run = run_single_queue(np.full(9260, 18.0), 60.0, 20, EXPONENTIAL, seed=Seed(5))
    assert run.mean_wait_s == pytest.approx(mean_wait_s(18, 20, 1.0), rel=0.015)
    p99 = percentile(run.waits.sum(axis=0), 0.99)
    assert p99 == pytest.approx(wait_quantile_s(18, 20, 1.0, 0.99), rel=0.025)
    busy = run.busy_s.sum() / (9260 * 60 * 20)
    assert busy == pytest.approx(0.9, rel=0.005)
    assert run.waits.sum() == run.arrived.sum()


def test_a_queue_nobody_comes_to_is_empty() -> None:
    run = run_single_queue(np.array([0.0, 5.0, 0.0]), 60.0, 2, EXPONENTIAL, seed=Seed(1))
    assert run.arrived[[0, 2]].tolist() == [0, 0]
    assert run.arrived[1] > 200


# --- the engine ---------------------------------------------------------------------------------


def desk_run(folder: Path, servers: int, per_s: float, seed: int, **changes: Any) -> RunRecord:
    folder.mkdir(exist_ok=True)
    shop = small_shop.desk(servers=servers, queue_per_server=10_000, **changes)
    scenario = small_shop.load_small(folder, shop)
    plan = small_shop.flat_plan(scenario, per_s, slots=3, seed=seed)
    return run_compiled(scenario, plan, "main", seed=Seed(seed))


def wait_of(record: RunRecord) -> float:
    return float(record.loads[0, 0, LOADS.index("waited_s")].sum() / record.attempts[0, 0, 0].sum())


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    servers=st.integers(1, 8),
    more=st.integers(1, 6),
    busy=st.floats(0.3, 1.2),
    seed=st.integers(1, 10**6),
)
def test_more_servers_never_raise_a_stations_mean_wait(
    tmp_path: Path, servers: int, more: int, busy: float, seed: int
) -> None:
    per_s = busy * servers / 0.1
    few, many = (
        desk_run(tmp_path / f"{n}", n, per_s, seed, timeout="1000s")
        for n in (servers, servers + more)
    )
    assert many.attempts[0, 0, 0].sum() == few.attempts[0, 0, 0].sum()
    assert wait_of(many) <= wait_of(few) + 1e-9


def test_callers_who_give_up_in_the_queue_leave_it_as_m_m_c_d_says(tmp_path: Path) -> None:
    waits, left = [], []
    for seed in range(1, 13):
        record = desk_run(
            tmp_path, 4, 38.0, seed, timeout="120ms", retry={"attempts": 0, "backoff": "1s"}
        )
        attempts = record.attempts[0, 0].sum(axis=1)
        waits.append(wait_of(record))
        left.append(float(attempts[ATTEMPTS.index("timed_out")] / attempts[0]))
    leaves, wait = impatient_queue(3.8, 4, 0.1, 0.12, fixed=True)
    for seen, paper in ((waits, wait), (left, leaves)):
        band = t_interval(seen, 0.999)
        assert band.low <= paper <= band.high


def test_new_customers_come_as_poisson_by_the_slot_and_wait_as_erlang_c_says(
    tmp_path: Path,
) -> None:
    """A plan's whole counts have no chance of their own: at 95 % busy they hide a third of the wait."""
    scenario = small_shop.load_small(tmp_path, small_shop.desk(servers=4, queue_per_server=10_000))
    plan = small_shop.flat_plan(scenario, 38.0, slots=40)
    counts = np.stack([plan.of_new_customers(n).played.ravel() for n in range(40)])
    assert counts.var() == pytest.approx(38.0 * 60, rel=0.15)
    waits = []
    for number in range(12):
        record = run_compiled(scenario, plan.of_new_customers(number), "main", seed=Seed(number))
        attempts, waited = (
            record.attempts[0, 0, 0, 5:],
            record.loads[0, 0, LOADS.index("waited_s"), 5:],
        )
        waits.append(float(waited.sum() / attempts.sum()))
    band = t_interval(waits, 0.999)
    assert band.low <= mean_wait_s(3.8, 4, 0.1) <= band.high


def test_in_an_idle_shop_nobody_waits(tmp_path: Path) -> None:
    record = desk_run(tmp_path, 50, 0.2, 1)
    assert record.attempts[0, 0, 0].sum() > 10
    assert record.loads[0, 0, LOADS.index("queue_s")].sum() == 0.0
    assert record.loads[0, 0, LOADS.index("waited_s")].sum() == 0.0


@pytest.mark.parametrize("name", ["primeday", "diwali", "console-launch", "black-friday"])
def test_the_laws_hold_on_every_bundled_event(name: str) -> None:
    """Little, flow balance and forced flow exactly, utilisation within its interval."""
    scenario = load_scenario(name)
    plan = small_shop.flat_plan(scenario, 1.0, slots=20, scale=0.05)
    for stack in scenario.stack_names:
        record = run_compiled(scenario, plan, stack, seed=Seed(2))
        assert record.imbalances() == []
        assert record.little_residual() < 1e-9
        cell = build_cell(scenario, stack, scale=0.05)
        assert _forced(record, cell, list(scenario.products))


def _forced(record: RunRecord, cell: Any, types: list[str]) -> bool:
    """Return whether every service got at least the visits that the steps' graphs ask of it, whatever the type."""
    steps = record.step_counts[0, :, STEPS.index("done")].sum(axis=1)
    asked = dict.fromkeys(record.services, 0.0)
    for index, step in enumerate(record.steps):
        visits = []
        for product in types:
            groups = cell.exchanges(step, product)
            called = [v.service for group in groups for entry in group for v in entry.walk()]
            visits.append({name: called.count(name) for name in record.services})
        for name in record.services:
            asked[name] += steps[index] * min(each[name] for each in visits)
    return all(
        record.attempts[0, index, 0].sum() >= asked[name]
        for index, name in enumerate(record.services)
        if name in cell.stations
    )
