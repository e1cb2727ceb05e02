"""What targets expose, folded into the record: counters become counts, what is missing is unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import busy_shop
from small_shop import flat_plan

from gameday.run_record import ATTEMPTS, LOADS, RunRecord
from gameday.scenario import Scenario
from gameday.swarm.assemble import Assembly
from gameday.swarm.observe import Observer, Sample
from gameday.traffic import LoadPlan

quickly = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def plan(scenario: Scenario) -> LoadPlan:
    return flat_plan(scenario, 8.0, slots=8, lead_in=2, speed=20.0)


def samples_of(rows: list[dict[str, float] | None], every_s: float = 3.0) -> list[Sample]:
    """Return one sample a slot boundary; None: the target did not answer."""
    return [
        Sample(1000.0 + i * every_s, {("main", "pay", k): v for k, v in (row or {}).items()})
        for i, row in enumerate(rows)
    ]


def folded(scenario: Scenario, plan: LoadPlan, samples: list[Sample]) -> RunRecord:
    assembly = Assembly(scenario, plan)
    assembly.samples = samples
    return assembly.record(Observer(scenario, {"main": "http://127.0.0.1:9"}), None)


def row_of(record: RunRecord, what: str) -> Any:
    return record.attempts[0, record.services.index("pay"), ATTEMPTS.index(what)]


def test_counters_become_counts_a_slot(scenario: Scenario, plan: LoadPlan) -> None:
    record = folded(scenario, plan, samples_of([{"done": d} for d in (5, 15, 15, 35)]))
    np.testing.assert_array_equal(row_of(record, "done")[:3], [10, 0, 20])
    assert np.isnan(row_of(record, "done")[3:]).all()
    assert np.isnan(row_of(record, "shed")).all()


def test_a_counter_that_began_anew_counts_from_nothing(scenario: Scenario, plan: LoadPlan) -> None:
    record = folded(scenario, plan, samples_of([{"done": d} for d in (100, 110, 4, 9)]))
    np.testing.assert_array_equal(row_of(record, "done")[:3], [10, 4, 5])


def test_a_sample_that_is_missing_leaves_its_slots_unknown_and_not_zero(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        {"done": 1},
        {"done": 2},
        None,
        {"done": 9},
        {"done": 10},
    ]
    done = row_of(folded(scenario, plan, samples_of(rows)), "done")
    assert np.isnan(done[1])
    assert np.nansum(done[:4]) == 9  # what grew over the gap is counted once, at its middle


def test_utilisation_is_busy_time_over_servers_and_wall_time(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        {"busy_seconds": 3.0 * i, "capacity": 2, "queue_seconds": 6.0 * i} for i in range(9)
    ]
    record = folded(scenario, plan, samples_of(rows))
    np.testing.assert_allclose(record.utilisation("main", "pay"), 0.5)
    assert record.loads[0, 2, LOADS.index("queue_s")].tolist() == [6.0] * 8
    assert np.isnan(record.utilisation("main", "edge")).all()


def test_a_gauge_alone_is_taken_as_lasting(scenario: Scenario, plan: LoadPlan) -> None:
    rows: list[dict[str, float] | None] = [{"in_use": 1, "capacity": 2}] * 9
    np.testing.assert_allclose(
        folded(scenario, plan, samples_of(rows)).utilisation("main", "pay"), 0.5
    )


BOUNDS = (0.005, 0.02, 0.1, 0.7, 3.0, 60.0, float("inf"))
buckets = st.lists(st.integers(0, 50), min_size=len(BOUNDS), max_size=len(BOUNDS))


def cumulative(counts: list[int]) -> dict[str, float]:
    sums = np.cumsum(counts).tolist()
    return {f"le={bound}": float(n) for bound, n in zip(BOUNDS, sums, strict=True)}


@quickly
@given(slots=st.lists(buckets, min_size=1, max_size=6))
def test_a_histograms_buckets_spread_over_bins_keep_their_counts(
    slots: list[list[int]], scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [cumulative([7] * len(BOUNDS))]
    for counts in slots:
        before = [v for _, v in (rows[-1] or {}).items()]
        after = np.diff(before, prepend=0.0) + counts
        rows.append(cumulative(after.tolist()))
    record = folded(scenario, plan, samples_of(rows))
    visits = record.visits[0, record.services.index("pay")]
    np.testing.assert_allclose(visits[: len(slots)].sum(axis=1), [sum(s) for s in slots], rtol=1e-4)
    assert (visits >= 0).all()


def test_a_bucket_covers_only_the_bins_between_its_bounds(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        cumulative([0] * len(BOUNDS)), cumulative([0, 0, 0, 40, 0, 0, 0]),
    ]  # fmt: skip
    record = folded(scenario, plan, samples_of(rows))
    found = np.flatnonzero(record.visits[0, record.services.index("pay"), 0])
    assert 1e-4 * 1.01 ** found[0] == pytest.approx(0.1, rel=0.02)
    assert 1e-4 * 1.01 ** (found[-1] + 1) == pytest.approx(0.7, rel=0.02)


def test_a_histogram_that_began_anew_counts_from_nothing(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        cumulative([10, 190, 0, 0, 0, 0, 0]), cumulative([50, 10, 0, 0, 0, 0, 0]),
    ]  # fmt: skip
    record = folded(scenario, plan, samples_of(rows))
    assert record.visits[0, record.services.index("pay"), 0].sum() == pytest.approx(60)


def test_attempts_balance_with_what_is_in_flight(scenario: Scenario, plan: LoadPlan) -> None:
    names = [a for a in ATTEMPTS if a != "in_flight"]
    zero = dict.fromkeys(names, 0.0)
    rows: list[dict[str, float] | None] = [
        zero | {"in_flight": 2.0, "arrived": 2.0},
        zero | {"arrived": 30.0, "done": 20.0, "shed": 4.0, "in_flight": 6.0},
        zero | {"arrived": 31.0, "done": 25.0, "shed": 4.0, "failed": 1.0, "in_flight": 1.0},
    ]
    assert folded(scenario, plan, samples_of(rows)).imbalances() == []


def test_one_missed_scrape_does_not_unbalance_the_books(scenario: Scenario, plan: LoadPlan) -> None:
    names = [a for a in ATTEMPTS if a != "in_flight"]
    zero = dict.fromkeys(names, 0.0)
    rows: list[dict[str, float] | None] = [
        zero | {"arrived": 10.0 * i, "done": 10.0 * i - i, "in_flight": float(i)} for i in range(9)
    ]
    rows[4] = None
    assert folded(scenario, plan, samples_of(rows)).imbalances() == []
