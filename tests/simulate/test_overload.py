"""What a service does about its queue when more come than it can serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.record.histograms import percentile
from gameday.record.run_record import ATTEMPTS, RunRecord
from gameday.scenario.caller_policies import may_retry, tokens_after_answer, tokens_after_retry
from gameday.scenario.queue_policies import has_waited_too_long
from gameday.simulate import RunControl, simulate
from gameday.vocabulary import Seed
from tests.support import by_night
from tests.support.small_shop import desk, flat_plan, load_small

CODEL = {"codel": {"target": "50ms", "interval": "200ms"}}
OVERLOADED = {"timeout": "1s", "queue_per_server": 1000.0}


def played(folder: Path, per_s: float, **policy: Any) -> RunRecord:
    """Return ten minutes at a desk of 20 servers that bears 200 a second."""
    scenario = load_small(folder, desk(servers=20, mean="100ms", **(OVERLOADED | policy)))
    plan = flat_plan(scenario, per_s, slots=10)
    return simulate(scenario, plan, seed=Seed(3), control=RunControl(replications=1))[0]


def share_of(record: RunRecord, what: str) -> float:
    """Return the share of attempts that end so."""
    counts = record.attempts[0, 0].sum(axis=-1)
    return float(counts[ATTEMPTS.index(what)] / counts[0])


@pytest.mark.parametrize("order", ["lifo", "adaptive"])
def test_in_overload_the_last_served_first_does_more_good(order: str, tmp_path: Path) -> None:
    first = played(tmp_path, 260.0)
    last = played(tmp_path, 260.0, queue_order=order)
    assert share_of(last, "done") > 1.2 * share_of(first, "done")
    assert percentile(last.visits[0, 0].sum(axis=0), 0.5) < 0.3


def test_with_servers_to_spare_the_order_is_nobody_s_concern(tmp_path: Path) -> None:
    orders = [played(tmp_path, 60.0, queue_order=order) for order in ("fifo", "lifo", "adaptive")]
    assert (orders[0].attempts == orders[1].attempts).all()
    assert (orders[0].loads == orders[2].loads).all(), "no queue stood for a tenth of the time-out"


def test_with_controlled_delay_nobody_served_has_waited_longer_than_its_interval(
    tmp_path: Path,
) -> None:
    long = {"time": {"law": "deterministic", "mean": "100ms"}}
    record = played(tmp_path, 260.0, **(CODEL | long))
    served = record.visits[0, 0].sum(axis=0)
    assert percentile(served, 1.0) <= 0.3 * 1.011
    assert 0.13 < percentile(served, 0.5) <= 0.15 * 1.011, "a standing queue: up to the target"
    assert share_of(record, "shed") == pytest.approx(1 - 200 / 260, abs=0.02)
    assert share_of(record, "timed_out") == 0.0


def test_controlled_delay_leaves_a_queue_that_empties_alone(tmp_path: Path) -> None:
    calm, controlled = played(tmp_path, 80.0), played(tmp_path, 80.0, **CODEL)
    assert (calm.attempts == controlled.attempts).all()


@given(waited=st.floats(0, 10), standing=st.floats(0, 10), longer=st.floats(0, 10))
def test_who_waits_longer_is_never_the_one_who_may_stay(
    waited: float, standing: float, longer: float
) -> None:
    short = has_waited_too_long(waited, standing, 0.05, 0.2)
    assert has_waited_too_long(waited + longer, standing, 0.05, 0.2) >= short
    assert has_waited_too_long(waited, standing + longer, 0.05, 0.2) >= short


@given(ends=st.lists(st.booleans(), max_size=300), most=st.floats(1, 50))
def test_retries_never_outrun_the_bucket(ends: list[bool], most: float) -> None:
    tokens, retries, answers = most, 0, 0
    for is_well in ends:
        if is_well:
            tokens, answers = tokens_after_answer(tokens, 0.1, most), answers + 1
        elif may_retry(tokens):
            tokens, retries = tokens_after_retry(tokens), retries + 1
        assert 0 <= tokens <= most
    assert retries <= most + 0.1 * answers + 1e-9


def test_a_budget_bounds_what_retries_add_to_the_load_of_a_service_that_is_down(
    tmp_path: Path,
) -> None:
    retry = {"attempts": 3, "backoff": "10ms"}
    loads = []
    for budget in ({}, {"budget": {"ratio": 0.1, "most": 10}}):
        record = played(tmp_path, 400.0, retry=retry | budget, timeout="150ms")
        loads.append(record.attempts[0, 0, ATTEMPTS.index("arrived")].sum() / (400 * 600))
    assert loads[0] > 1.5
    assert loads[1] < 1.12
    assert np.isfinite(loads).all()


@pytest.mark.parametrize("order", ["fifo", by_night("lifo")])
def test_both_engines_refuse_the_same_of_those_who_waited_too_long(
    order: str, tmp_path: Path
) -> None:
    retry = {"attempts": 2, "backoff": "20ms", "budget": {"ratio": 0.3, "most": 20}}
    policy = OVERLOADED | CODEL | {"queue_order": order, "retry": retry}
    scenario = load_small(tmp_path, desk(servers=10, mean="100ms", **policy))
    plan = flat_plan(scenario, 130.0, slots=3)
    one, other = (
        simulate(scenario, plan, seed=Seed(4), control=RunControl(replications=1, engine=engine))[0]
        for engine in ("reference", "compiled")
    )
    assert share_of(one, "shed") > 0.1
    for name in ("attempts", "loads", "visits", "step_counts"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
