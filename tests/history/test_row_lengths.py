"""Rows of any length up to a week, and of several in a file, are totals until the next row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.history import History, read_any_history

DAY = 1440
START = pd.Timestamp("2026-01-05", tz="UTC")


def totals_of(counts: np.ndarray, stretches: list[tuple[int, int]]) -> pd.DataFrame:
    """Return rows of counts a minute: so many days each of rows of so many minutes."""
    parts, first = [], 0
    for days, minutes in stretches:
        part = counts[first : first + days * DAY].reshape(-1, minutes).sum(axis=1)
        times = START + pd.to_timedelta(first + minutes * np.arange(len(part)), unit="min")
        parts.append(pd.DataFrame({"time": times, "count": part}))
        first += days * DAY
    return pd.concat(parts)


def read(table: pd.DataFrame, folder: Path, zone: str = "UTC") -> History:
    file = folder / "past.csv"
    table.to_csv(file, index=False)
    return read_any_history(file, time_zone=zone)


def counts_of_days(days: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(20.0, days * DAY)


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([1, 5, 15, 30, 60, 720]), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_rows_of_any_lengths_of_one_past_give_the_same_daily_totals(
    lengths: list[int], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    counts = counts_of_days(20 * len(lengths), seed)
    table = totals_of(counts, [(20, minutes) for minutes in lengths])
    past = read(table, tmp_path_factory.mktemp("rows"))
    daily = past.counts[0, 0].reshape(-1, DAY).sum(axis=1)
    np.testing.assert_allclose(daily, counts.reshape(-1, DAY).sum(axis=1), rtol=1e-4)


def test_old_hours_and_new_minutes_stay_what_they_are(tmp_path: Path) -> None:
    counts = counts_of_days(30)
    past = read(totals_of(counts, [(20, 60), (10, 1)]), tmp_path)
    np.testing.assert_array_equal(past.counts[0, 0, 20 * DAY :], counts[20 * DAY :])
    [rows] = past.coarse
    np.testing.assert_array_equal(rows.edges, np.arange(0, 20 * DAY + 1, 60))
    assert any("60 minutes apart from 2026-01-05 to 2026-01-24" in note for note in past.notes)


def test_days_and_weeks_are_read_with_the_days_on_which_clocks_change(tmp_path: Path) -> None:
    days = pd.date_range("2026-03-01", "2026-04-20", freq="D").strftime("%Y-%m-%d")
    past = read(pd.DataFrame({"time": days, "count": 1000}), tmp_path, "Europe/Berlin")
    assert set(np.diff(past.coarse[0].edges)) == {1380, 1440}
    assert np.nansum(past.counts) == pytest.approx(1000 * len(days), rel=1e-4)
    weeks = pd.date_range("2025-01-06", periods=60, freq="7D").strftime("%Y-%m-%d")
    past = read(pd.DataFrame({"time": weeks, "count": 7000}), tmp_path)
    assert past.grid.slots == 60 * 7 * DAY
    assert past.counts[0, 0] == pytest.approx(7000 / (7 * DAY), rel=1e-4)


@pytest.mark.parametrize(("step", "days"), [("14D", 14), ("MS", 31)])
def test_rows_of_months_are_refused_with_the_remedy(step: str, days: int, tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=40, freq=step).strftime("%Y-%m-%d")
    with pytest.raises(HistoryError, match=rf"rows lie {days} days apart .* export the history"):
        read(pd.DataFrame({"time": times, "count": 1}), tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_minutes_of_which_many_are_absent_are_minutes(share: float, tmp_path: Path) -> None:
    counts = counts_of_days(5)
    kept = np.random.default_rng(2).random(len(counts)) < share
    past = read(totals_of(counts, [(5, 1)])[kept], tmp_path)
    assert not past.coarse
    assert np.nansum(past.counts) == counts[kept].sum()


def test_a_gap_among_hours_is_a_gap(tmp_path: Path) -> None:
    table = totals_of(counts_of_days(20), [(20, 60)]).drop(index=[100, 101, 300])
    past = read(table, tmp_path)
    assert np.isnan(past.counts).sum() == 180
    assert len(past.coarse) == 3


def test_what_is_known_at_an_instant_holds_whole_rows_only(tmp_path: Path) -> None:
    past = read(totals_of(counts_of_days(20), [(20, 60)]), tmp_path)
    early = past.known_before((START + pd.Timedelta(minutes=90)).to_pydatetime())
    np.testing.assert_array_equal(early.coarse[0].edges, [0, 60])
