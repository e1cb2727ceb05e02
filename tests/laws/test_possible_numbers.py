"""No number is printed that cannot be: no wait beyond patience, no share beyond all."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.experiments.failures.goodput import planned_goodput
from gameday.record.histograms import bin_of, percentile
from gameday.record.intervals.of_replications import level_interval
from gameday.record.measures.of_criteria import service_number
from gameday.record.run_record import blank_record
from gameday.vocabulary import Band, TimeGrid

GRID = TimeGrid(datetime(2026, 3, 10, tzinfo=UTC), 3)
AXES = (("main",), ("home", "checkout"), ("edge",))


@given(
    st.lists(st.floats(0.001, 1.5), min_size=1, max_size=50), st.integers(0, 50), st.floats(0.01, 1)
)
def test_no_percentile_is_beyond_the_patience_of_those_who_waited(
    responses: list[float], left: int, level: float
) -> None:
    """Who loses patience is counted in a bin that reaches up to 1 % beyond it."""
    histogram = np.bincount(bin_of(np.array([*responses, *[1.5] * left])), minlength=1400)
    assert percentile(histogram, level, 1.5) <= 1.5
    assert percentile(histogram, level, 1.5) == min(1.5, percentile(histogram, level))


def test_a_step_s_longest_response_is_the_longest_patience_of_those_who_come_to_it() -> None:
    record = blank_record("swarm", GRID, 0, 3.0, AXES, np.array([1.5, 8.0]))
    assert record.longest_response_s(["home"]) == 1.5
    assert record.longest_response_s(["home", "checkout"]) == 8.0
    assert blank_record("swarm", GRID, 0, 3.0, AXES).longest_response_s(["home"]) == math.inf


def test_no_visit_is_longer_than_its_callers_wait() -> None:
    record = blank_record("swarm", GRID, 0, 3.0, AXES)
    record.visits[0, 0, 1, int(bin_of(1.5))] = 200
    assert service_number(record, "main", "edge", "p99") > 1.5
    known = record.with_time_outs([1.5])
    assert service_number(known, "main", "edge", "p99") == 1.5


@given(st.floats(0, 1e4), st.floats(0.01, 100))
def test_no_service_is_busier_than_all_its_servers(busy_s: float, servers: float) -> None:
    record = blank_record("swarm", GRID, 0, 3.0, AXES)
    record.loads[0, 0, 0], record.loads[0, 0, 2] = busy_s, servers
    assert (
        (record.utilisation("main", "edge") >= 0) & (record.utilisation("main", "edge") <= 1)
    ).all()


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_no_share_nor_its_interval_is_below_nothing_or_above_all(values: list[float]) -> None:
    band = level_interval(values, "share")
    assert 0 <= band.low <= band.mid <= band.high <= 1
    assert level_interval(values, "s").low >= 0


@given(st.data())
def test_no_goodput_is_above_all_of_what_was_planned_or_went_out(data: st.DataObject) -> None:
    """What was planned in one minute and went out in the next is of the next one's."""
    counts = st.lists(st.integers(0, 9), min_size=3, max_size=3).map(np.array)
    done, failed, unreached = (data.draw(counts) for _ in range(3))
    run = SimpleNamespace(done=done, achieved=done + failed, unreached=unreached)
    share = planned_goodput(run)  # type: ignore[arg-type]
    assert 0 <= share <= 1 or not (done + failed + unreached).any()


@pytest.mark.parametrize(("low", "high"), [(1.1, 1.3), (0.5, 0.9)])
def test_an_interval_that_does_not_hold_its_number_cannot_be_made(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="must hold its number"):
        Band(1.041, low, high)
    assert Band(math.nan, math.nan, math.nan).level == 0.95
