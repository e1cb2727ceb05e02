"""What targets expose, folded into the record: counters become counts, what is missing is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.record.run_record import ATTEMPTS, LOADS, RunRecord
from gameday.scenario import Scenario
from gameday.swarm.tally.assemble import Assembly
from gameday.swarm.tally.observe import Observer, Sample
from gameday.swarm.tally.sampler import service_numbers
from gameday.traffic import LoadPlan
from tests.support import examples
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan

quickly = settings(max_examples=examples(40), deadline=None)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def plan(scenario: Scenario) -> LoadPlan:
    return flat_plan(scenario, 8.0, slots=8, lead_in=2, speed=20.0)


def samples_of(rows: list[dict[str, float] | None], every_s: float = 3.0) -> list[Sample]:
    """Return one sample a slot boundary; None: the target did not answer."""
    return [
        Sample(1000.0 + i * every_s, {("main", "pay", k): {"": v} for k, v in (row or {}).items()})
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
        cumulative([0] * len(BOUNDS)),
        cumulative([0, 0, 0, 40, 0, 0, 0]),
    ]
    record = folded(scenario, plan, samples_of(rows))
    found = np.flatnonzero(record.visits[0, record.services.index("pay"), 0])
    assert 1e-4 * 1.01 ** found[0] == pytest.approx(0.1, rel=0.02)
    assert 1e-4 * 1.01 ** (found[-1] + 1) == pytest.approx(0.7, rel=0.02)


def test_a_histogram_that_began_anew_counts_from_nothing(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        cumulative([10, 190, 0, 0, 0, 0, 0]),
        cumulative([50, 10, 0, 0, 0, 0, 0]),
    ]
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


def of_instances(rows: list[dict[str, dict[str, float]]], every_s: float = 3.0) -> list[Sample]:
    """Return one sample a slot boundary: series -> instance -> value."""
    return [
        Sample(
            1000.0 + i * every_s, {("main", "pay", name): values for name, values in row.items()}
        )
        for i, row in enumerate(rows)
    ]


def by_promql(tmp_path: Path) -> Scenario:
    """Return the shop observed through a Prometheus server."""
    return busy_shop(tmp_path, {"observe": {"source": "prometheus", "url": "http://127.0.0.1:9"}})


INSTANCES = [f"pay-{n}" for n in range(10)]


@quickly
@given(
    starts=st.lists(st.integers(0, 10**9), min_size=1, max_size=6),
    rates=st.lists(st.floats(0.0, 0.9), min_size=6, max_size=6),
    struck=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 7)), max_size=4),
)
def test_whatever_restarts_utilisation_is_never_above_what_was_worked(
    starts: list[int],
    rates: list[float],
    struck: list[tuple[int, int]],
    scenario: Scenario,
    plan: LoadPlan,
) -> None:
    born = [-start / rate if rate else 0.0 for start, rate in zip(starts, rates, strict=False)]
    rows = []
    for i in range(9):
        for n, slot in struck:
            if slot == i and n < len(born):
                born[n] = 3.0 * i - 1.0  # began anew a second ago
        busy = {f"i{n}": max(0.0, rates[n] * (3.0 * i - since)) for n, since in enumerate(born)}
        rows.append({"busy_seconds": busy, "capacity": dict.fromkeys(busy, 1.0)})
    share = folded(scenario, plan, of_instances(rows)).utilisation("main", "pay")
    known = share[~np.isnan(share)]
    assert (known <= max(rates) + 1e-6).all()
    assert (known >= -1e-9).all()


@pytest.mark.parametrize("summed", [False, True])
def test_a_restart_of_one_of_ten_instances_is_no_saturation(
    summed: bool, scenario: Scenario, plan: LoadPlan
) -> None:
    rows = []
    for i in range(9):
        busy = dict.fromkeys(INSTANCES, 50000 + 0.6 * i)
        if i >= 4:
            busy["pay-3"] = 0.6 * (i - 4) + 0.2
        shown = {"": sum(busy.values())} if summed else busy
        rows.append({"busy_seconds": shown, "capacity": {"": 10.0}})
    share = folded(scenario, plan, of_instances(rows)).utilisation("main", "pay")
    if summed:
        assert np.isnan(share[3])
        np.testing.assert_allclose(np.delete(share, 3), 0.2, rtol=1e-6)
    else:
        np.testing.assert_allclose(share, [0.2] * 3 + [0.2 * (5.6 / 6)] + [0.2] * 4, rtol=1e-6)


def test_a_sample_that_is_no_number_leaves_its_slots_unknown(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows = [
        {
            "busy_seconds": dict.fromkeys(INSTANCES, 0.6 * i),
            "capacity": dict.fromkeys(INSTANCES, 1.0),
            "done": {n: float(i) for n in INSTANCES},
        }
        for i in range(9)
    ]
    rows[4]["busy_seconds"]["pay-3"] = rows[4]["done"]["pay-3"] = float("nan")
    record = folded(scenario, plan, of_instances(rows))
    share = record.utilisation("main", "pay")
    assert np.isnan(share[3:5]).all()
    np.testing.assert_allclose(np.delete(share, [3, 4]), 0.2)
    assert np.isnan(row_of(record, "done")[3:5]).all()
    assert np.nansum(row_of(record, "done")) == 60


def test_an_instance_that_a_server_of_series_shows_late_has_not_worked_all_its_life_in_one_slot(
    tmp_path: Path,
) -> None:
    scenario = by_promql(tmp_path)
    plan = flat_plan(scenario, 8.0, slots=8, lead_in=2, speed=20.0)
    rows = [
        {
            "busy_seconds": {
                n: 50_000 + 0.6 * i for n in INSTANCES if n != "pay-3" or i not in (0, 1, 5)
            },
            "arrived": {n: 9e6 + i for n in INSTANCES if n != "pay-3" or i not in (0, 1, 5)},
            "capacity": {"": 10.0},
        }
        for i in range(9)
    ]
    record = folded(scenario, plan, of_instances(rows))
    share, arrived = record.utilisation("main", "pay"), row_of(record, "arrived")
    for slot in (1, 4, 5):
        assert np.isnan(share[slot])
        assert np.isnan(arrived[slot])
    np.testing.assert_allclose(share[[2, 3, 6, 7]], 0.2)
    np.testing.assert_allclose(arrived[[2, 3, 6, 7]], 10)


def test_a_label_that_a_target_comes_to_expose_has_counted_from_nothing(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows = [
        {"arrived": {"done": 10.0 * i} | ({"shed": 2.0 * (i - 3)} if i > 3 else {})}
        for i in range(9)
    ]
    arrived = row_of(folded(scenario, plan, of_instances(rows)), "arrived")
    np.testing.assert_array_equal(arrived[:8], [10, 10, 10, 12, 12, 12, 12, 12])


def test_attempts_that_a_restart_took_with_it_unbalance_no_books(
    scenario: Scenario, plan: LoadPlan
) -> None:
    rows: list[dict[str, float] | None] = [
        dict.fromkeys(ATTEMPTS[:-1], 0.0)
        | {"arrived": 100.0 * i, "done": 100.0 * i - 7, "in_flight": 7.0}
        for i in range(1, 6)
    ]
    rows += [
        dict.fromkeys(ATTEMPTS[:-1], 0.0)
        | {"arrived": 30.0 * i, "done": 30.0 * i - 4, "in_flight": 4.0}
        for i in range(1, 5)
    ]
    record = folded(scenario, plan, samples_of(rows))
    assert record.imbalances() == []
    assert np.isnan(row_of(record, "in_flight")).all()


@quickly
@given(counts=buckets, start=st.integers(1, 10**6))
def test_a_restart_behind_a_summed_histogram_is_not_thousands_of_visits(
    counts: list[int], start: int, scenario: Scenario, plan: LoadPlan
) -> None:
    first = {
        name: dict.fromkeys(INSTANCES, float(start + n))
        for n, name in enumerate(cumulative(counts))
    }
    after = {
        name: {i: 0.0 if i == "pay-3" else value for i, value in instances.items()}
        for name, instances in first.items()
    }
    for rows in (
        [first, after],
        [{k: {"": sum(v.values())} for k, v in row.items()} for row in (first, after)],
    ):
        record = folded(scenario, plan, of_instances(rows))
        assert record.visits[0, record.services.index("pay")].sum() == 0


def test_a_guardrail_does_not_fire_on_a_restart() -> None:
    key = ("main", "pay", "busy_seconds")
    capacity: dict[Any, Any] = {("main", "pay", "capacity"): {"": 10.0}}
    for names in (INSTANCES, [""]):
        old = dict.fromkeys(names, 500_000 / len(names))
        for new in (old | {names[0]: old[names[0]] * 0.9}, old | {names[0]: float("nan")}):
            before, now = Sample(0.0, {key: old} | capacity), Sample(2.0, {key: new} | capacity)
            assert service_numbers(before, now) == {}
            used = now.values | {("main", "pay", "in_use"): {"": 3.0}}
            assert service_numbers(before, Sample(2.0, used)) == {
                ("main", "utilisation", "pay"): 0.3
            }
