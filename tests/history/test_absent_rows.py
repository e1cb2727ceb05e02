"""Minutes without a row, and rows of more than a minute: what they say is asked for, told, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.history import History, read_history
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, load_small

START = pd.Timestamp("2026-01-05T00:00Z")
OFFER = "`history: {absent: zero}`"


def read(folder: Path, rows: list[tuple[Any, Any]], **history: Any) -> History:
    """Return the past of rows (time, count) as a shop of one region and step reads it."""
    scenario = load_small(folder, desk(), {"history": history} if history else None)
    file = folder / "past.csv"
    pd.DataFrame(rows, columns=["time", "count"]).to_csv(file, index=False)
    return read_history(scenario, file=file, seed=Seed(1))


def at(minute: float) -> str:
    return (START + pd.Timedelta(minutes=minute)).isoformat()


def grouped(counts: list[int]) -> list[tuple[str, int]]:
    """Return rows as a query writes them that groups by the minute: none of a minute in which nothing came."""
    return [(at(m), count) for m, count in enumerate(counts) if count]


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    counts=st.lists(st.sampled_from([0, 0, 0, 1, 2, 9]), min_size=2, max_size=80).filter(
        lambda c: c[0] > 0 and c[-1] > 0
    )
)
def test_minutes_without_a_row_are_zero_where_the_scenario_says_so(
    counts: list[int], tmp_path: Path
) -> None:
    np.testing.assert_array_equal(
        read(tmp_path, grouped(counts), absent="zero").counts[0, 0], counts
    )


def test_an_export_without_empty_minutes_is_suspected_and_the_line_to_write_is_told(
    tmp_path: Path,
) -> None:
    draw = np.random.default_rng(1)
    counts = [1, *(draw.random(2000) < 0.04).astype(int).tolist(), 1]
    history = read(tmp_path, grouped(counts))
    [said] = [note for note in history.notes if OFFER in note]
    assert "`history: {absent: unknown}`" in said
    assert "1 a minute like the rest" in said
    assert f"({sum(counts) / len(counts):.3g} a minute)" in said
    assert np.isnan(history.counts).sum() == counts.count(0)


def test_a_shop_that_sells_nothing_at_night_is_suspected_too(tmp_path: Path) -> None:
    counts = [0 if m % 1440 in range(60, 360) else 20 + m % 5 for m in range(8 * 1440)]
    assert any(OFFER in note for note in read(tmp_path, grouped(counts)).notes)


@pytest.mark.parametrize(
    "counts",
    [
        [0 if m % 5 else 3 for m in range(500)],  # no row is left out
        [20] * 300 + [-1] * 200 + [20] * 300,  # one outage
        [20 if m % 100 else -1 for m in range(2000)],  # one minute in a hundred
    ],
)
def test_zeros_that_stand_there_and_mere_gaps_are_not_suspected(
    counts: list[int], tmp_path: Path
) -> None:
    rows = [(at(m), count) for m, count in enumerate(counts) if count >= 0]
    assert not any(OFFER in note for note in read(tmp_path, rows).notes)


@pytest.mark.parametrize("absent", ["unknown", "zero"])
def test_what_the_scenario_says_is_no_longer_asked(absent: str, tmp_path: Path) -> None:
    rows = grouped([m % 2 for m in range(1, 400)])
    assert not any(OFFER in note for note in read(tmp_path, rows, absent=absent).notes)


def test_a_row_without_a_count_and_an_hour_that_clocks_repeat_are_not_zero(tmp_path: Path) -> None:
    rows = [
        ("2025-10-26T01:58", 1),
        ("2025-10-26T01:59", ""),
        ("2025-10-26T02:30", 50),
        ("2025-10-26T03:01", 2),
    ]
    counts = read(tmp_path, rows, absent="zero", time_zone="Europe/Berlin").counts[0, 0]
    assert len(counts) == 124
    assert sorted(np.flatnonzero(np.isnan(counts))) == [1, 32, 92]
    assert np.nansum(counts) == 3


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    width=st.sampled_from([2, 5, 15, 30, 60]),
    counts=st.lists(st.integers(0, 10_000), min_size=26, max_size=60),
)
def test_rows_farther_apart_are_totals_spread_evenly_and_said(
    width: int, counts: list[int], tmp_path: Path
) -> None:
    history = read(tmp_path, [(at(width * n), count) for n, count in enumerate(counts)])
    assert history.grid.slots == width * len(counts)
    sums = history.counts[0, 0].reshape(-1, width).sum(axis=1)
    np.testing.assert_allclose(sums, counts, rtol=1e-5, atol=1e-3)
    assert any(f"rows lie {width} minutes apart" in note for note in history.notes)


def test_rows_of_parts_of_minutes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"rows lie 2.5 minutes apart"):
        read(tmp_path, [(at(2.5 * n), 5) for n in range(40)])
