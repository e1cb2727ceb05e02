"""The books of a run balance, whatever goes wrong in it; and the record keeps what it was told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gameday.record import record_table
from gameday.record.histograms import BINS, bin_of, percentile
from gameday.record.run_record import ATTEMPTS, LOADS, SESSIONS, STEPS, RunRecord, blank_record
from gameday.simulate.reference.engine import run_reference
from gameday.vocabulary import Seed, TimeGrid
from tests.support import NIGHT, examples
from tests.support.small_shop import desk, flat_plan, load_small, merged, small_shop
from tests.support.troubled import troubled_shops


@settings(
    deadline=None,
    max_examples=40 if NIGHT else 5,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trouble=troubled_shops(), per_s=st.sampled_from([0.5, 4.0, 15.0]), seed=st.integers(0, 99))
def test_every_book_balances_whatever_goes_wrong(
    tmp_path: Path, trouble: dict[str, Any], per_s: float, seed: int
) -> None:
    scenario = load_small(tmp_path, small_shop(), trouble)
    plan = flat_plan(scenario, per_s, slots=2, seed=seed, lead_in=1)
    record = run_reference(scenario, plan, "main", seed=Seed(seed))
    assert record.imbalances() == []
    assert min(record.step_counts.min(), record.session_counts.min(), record.attempts.min()) >= 0
    assert record.session_counts[0, SESSIONS.index("planned")].sum() == len(plan.arrivals().at_s)


def test_steps_that_a_slow_target_pushed_past_the_end_are_delayed_and_not_lost_from_the_books(
    tmp_path: Path,
) -> None:
    # Each step takes just less than patience, so a walk falls further behind with every one.
    slow = {
        "services": {
            "edge": {
                "time": {"law": "deterministic", "mean": "7s"},
                "stacks": {"main": {"instances": 900}},
            }
        },
        "journeys": {
            "shopper": {
                "next": {"home": {"product": 1.0}, "product": {"product": 0.9, "exit": 0.1}},
                "think": {"other": "5s"},
            }
        },
    }
    calm = merged(small_shop(), {"services": {"edge": {"timeout": "60s"}}})
    calm["journeys"]["shopper"]["next"] = {}
    scenario = load_small(tmp_path, calm, slow)
    plan = flat_plan(scenario, 2.0, slots=2)
    for step, nominal in plan.nominal["main"].items():
        # Planned as if the target were quick.
        plan.nominal["main"][step] = type(nominal)(0.01, 0.02)
    record = run_reference(scenario, plan, "main", seed=Seed(1))
    assert record.imbalances() == []
    assert record.step_counts[0, :, STEPS.index("delayed")].sum() > 0


def test_a_record_whose_books_do_not_balance_says_which(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk())
    record = run_reference(scenario, flat_plan(scenario, 5.0, slots=2), "main", seed=Seed(1))
    assert record.imbalances() == []
    record.step_counts[0, 0, STEPS.index("sent"), 0] -= 3
    record.attempts[0, 0, ATTEMPTS.index("done"), 1] += 1
    record.session_counts[0, SESSIONS.index("finished"), 0] -= 2
    said = record.imbalances()
    assert "steps: hit: planned differs from its ends by 3" in said
    assert any(line.startswith("sessions: started") for line in said)
    assert any(line.startswith("attempts: main desk") for line in said)


def test_a_service_not_observed_is_no_imbalance(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, desk())
    record = run_reference(scenario, flat_plan(scenario, 5.0, slots=2), "main", seed=Seed(1))
    record.attempts[0, 0] = np.nan
    record.loads[0, 0] = np.nan
    assert record.imbalances() == []
    assert np.isnan(record.attempt_total("main", "desk", "done"))
    assert np.isnan(record.utilisation("main", "desk")).all()


# --- histograms ---------------------------------------------------------------------------------


@settings(max_examples=examples(60))
@given(
    seed=st.integers(0, 9999),
    size=st.integers(1, 3000),
    scale_s=st.floats(0.002, 5),
    level=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_a_percentile_is_within_one_percent_of_the_samples_own(
    seed: int, size: int, scale_s: float, level: float
) -> None:
    seconds = np.random.default_rng(seed).lognormal(0, 0.8, size) * scale_s
    seconds = np.clip(seconds, 1e-4, 100)
    histogram = np.bincount(bin_of(seconds), minlength=BINS)
    exact = np.quantile(seconds, level, method="inverted_cdf")
    assert percentile(histogram, level) == pytest.approx(exact, rel=0.01)


@given(seed=st.integers(0, 999), level=st.floats(0.01, 0.99), other=st.floats(0.01, 0.99))
def test_percentiles_rise_with_their_level(seed: int, level: float, other: float) -> None:
    seconds = np.random.default_rng(seed).exponential(0.2, 200)
    histogram = np.bincount(bin_of(seconds), minlength=BINS)
    low, high = sorted((level, other))
    assert percentile(histogram, low) <= percentile(histogram, high)


@given(parts=st.lists(st.integers(0, 999), min_size=2, max_size=5))
def test_histograms_merge_without_loss(parts: list[int]) -> None:
    samples = [np.random.default_rng(seed).exponential(0.2, 50) for seed in parts]
    merged_histogram = sum(np.bincount(bin_of(s), minlength=BINS) for s in samples)
    whole = np.bincount(bin_of(np.concatenate(samples)), minlength=BINS)
    np.testing.assert_array_equal(merged_histogram, whole)


def test_the_ends_of_the_scale_hold_what_lies_beyond_them() -> None:
    assert bin_of(np.array([0.0, 1e-9, 1e-4])).tolist() == [0, 0, 0]
    assert bin_of(np.array([110.0, 1e6])).max() == BINS - 1
    assert [int(bin_of(s)) for s in (0.0, 0.2, 1e6)] == bin_of(np.array([0.0, 0.2, 1e6])).tolist()


def test_nothing_measured_has_no_percentile() -> None:
    assert np.isnan(percentile(np.zeros(BINS), 0.99))


# --- the long table -----------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    scenario = load_small(tmp_path, small_shop(), {"services": {"pay": {"timeout": "40ms"}}})
    return run_reference(scenario, flat_plan(scenario, 6.0, lead_in=1), "main", seed=Seed(1))


def test_the_table_s_totals_are_the_arrays(record: RunRecord) -> None:
    table = record_table(record, replication=3)
    assert set(table["replication"]) == {3}
    assert (table["value"] != 0).all()
    sums = table.groupby(["table", "name", "measure"])["value"].sum()
    for s, step in enumerate(record.steps):
        for m, measure in enumerate(STEPS):
            held = record.step_counts[0, s, m].sum()
            assert sums.get(("steps", step, measure), 0) == held
        held = record.latency[0, s, 0].sum()
        assert sums.get(("latency", step, "response"), 0) == held > 0
    for v, service in enumerate(record.services):
        for m, measure in enumerate(ATTEMPTS):
            assert sums.get(("services", service, measure), 0) == record.attempts[0, v, m].sum()
        for m, measure in enumerate(LOADS):
            held = record.loads[0, v, m].sum()
            assert sums.get(("loads", service, measure), 0) == pytest.approx(held)
        assert sums["visits", service, "visit"] == record.visits[0, v].sum()
    for m, measure in enumerate(SESSIONS):
        assert sums.get(("sessions", "", measure), 0) == record.session_counts[0, m].sum()
    assert sums["sessions", "", "delay"] == record.session_delay.sum()


def test_the_table_counts_slots_from_the_window_s_start(record: RunRecord) -> None:
    table = record_table(record)
    slots = table[table["table"] == "steps"].groupby("slot")["value"].sum()
    for slot, held in enumerate(record.step_counts.sum(axis=(0, 1, 2))):
        assert slots.get(slot - record.lead_in, 0) == held


def test_the_judged_window_leaves_the_lead_in_out(record: RunRecord) -> None:
    whole = record.step_counts[0, 0, STEPS.index("sent")]
    assert record.step_total("home", "sent") == whole[1:].sum() < whole.sum()
    response = record.response("main", "home")
    assert response.sum() == record.latency[0, 0, 0, 1:].sum()


def test_a_blank_record_has_balanced_books_and_an_empty_table() -> None:
    grid = TimeGrid(datetime(2026, 3, 10, tzinfo=UTC), 4)
    blank = blank_record("simpy", grid, 1, 60.0, (("main",), ("home",), ("edge",)))
    assert blank.imbalances() == []
    assert len(record_table(blank)) == 0
