"""A past told in other words is the same past, and gives the same forecast; one that tells nothing says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gameday.errors import HistoryError
from gameday.forecast.data.calendars import bare_calendars
from gameday.forecast.data.preparation import prepare
from gameday.forecast.evaluation.backtest import origins_of
from gameday.forecast.model.reconciliation import reconciled_models
from gameday.history import History, read_any_history
from gameday.scenario.blocks.history_block import Columns
from gameday.vocabulary import Array
from tests.support import by_night
from tests.support.made_up import counts_of

START = datetime(2026, 3, 9, tzinfo=UTC)
"""Berlin's clocks go forward on 2026-03-29, in the third week; and back on 2026-10-25."""
DAYS = 28


def rows_of(start: datetime = START) -> pd.DataFrame:
    counts = counts_of(DAYS, (300.0, 40.0), seed=41, start=start)
    at = pd.date_range(start, periods=counts.shape[1], freq="min")
    parts = [
        pd.DataFrame({"time": at, "step": name, "count": row})
        for name, row in zip(("home", "cart"), counts, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def forecast_of(history: History) -> Array:
    """Return two days after the past, hour by hour, shape (minutes, series)."""
    (past,), _ = prepare(bare_calendars(history, "Europe/Berlin", None), history)
    model = reconciled_models([past], past.end_min, past.end_min + 2 * 1440, "sale")[0]
    return model.blend.counts(past.end_min + np.arange(0, 2 * 1440, 60.0))


def read(table: pd.DataFrame, folder: Path, zone: str = "UTC") -> History:
    file = folder / "past.csv"
    table.to_csv(file, index=False)
    return read_any_history(file, time_zone=zone)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Array:
    return forecast_of(read(rows_of(), tmp_path_factory.mktemp("clean")))


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    return table.sample(frac=1, random_state=1)


def doubled(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[5_000:9_000], table.iloc[::7]])


def corrected_later(table: pd.DataFrame) -> pd.DataFrame:
    wrong = table.iloc[100:4_000].assign(count=1e6)
    return pd.concat([wrong, table])


def with_offsets(table: pd.DataFrame) -> pd.DataFrame:
    local = table["time"].dt.tz_convert("Europe/Berlin")
    return shuffled(table.assign(time=[t.isoformat() for t in local]))


@pytest.mark.parametrize(
    "told", [corrected_later, with_offsets, by_night(shuffled), by_night(doubled)]
)
def test_the_same_past_told_otherwise_gives_the_same_forecast(
    told: Callable[[pd.DataFrame], pd.DataFrame], clean: Array, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(forecast_of(read(told(rows_of()), tmp_path)), clean)


@pytest.mark.parametrize("month", [3, by_night(10)])
def test_wall_clock_times_over_a_change_of_clocks_give_the_same_forecast(
    month: int, tmp_path: Path
) -> None:
    start = datetime(2026, month, 9, tzinfo=UTC)
    table = rows_of(start)
    local = table["time"].dt.tz_convert("Europe/Berlin").dt.tz_localize(None)
    wall = read(table.assign(time=local), tmp_path, "Europe/Berlin")
    assert wall.notes == ()
    np.testing.assert_array_equal(forecast_of(wall), forecast_of(read(table, tmp_path)))


def test_a_gap_moves_the_forecast_by_little_and_is_said(clean: Array, tmp_path: Path) -> None:
    table = rows_of()
    at = table["time"]
    gone = (at >= pd.Timestamp("2026-03-24T03:00Z")) & (at < pd.Timestamp("2026-03-24T11:00Z"))
    history = read(table[~gone], tmp_path)
    assert any("480 minutes not known in 1 gaps" in note for note in history.notes)
    # A quarter hour at the edge of what stands out is kept in one and not in the other.
    found = forecast_of(history)
    np.testing.assert_allclose(found, clean, rtol=0.04)
    assert np.abs(found / clean - 1).mean() < 0.005


# --- what tells nothing -------------------------------------------------------------------------


def test_a_single_day_is_too_little_to_be_judged_on_and_the_error_says_how_much_is_needed(
    tmp_path: Path,
) -> None:
    day = rows_of().query("time < '2026-03-10T00:00Z'")
    with pytest.raises(HistoryError, match=r"1\.0 days known; a backtest of 1 days ahead needs 14"):
        origins_of(read(day, tmp_path), 1440, 3)


def test_a_series_without_one_count_is_refused_by_name(tmp_path: Path) -> None:
    table = rows_of()
    table.loc[table["step"] == "cart", "count"] = np.nan
    with pytest.raises(HistoryError, match="region 'all' has no count of step 'cart'"):
        read(table, tmp_path)


def test_a_negative_count_is_refused_with_its_row(tmp_path: Path) -> None:
    table = rows_of()
    table.loc[7, "count"] = -3
    with pytest.raises(HistoryError, match=r"row 8: count: must be a count of 0 or more"):
        read(table, tmp_path)


def test_a_count_that_is_none_is_refused_with_its_row(tmp_path: Path) -> None:
    table = rows_of().astype({"count": float})
    table.loc[3, "count"] = 1e301
    with pytest.raises(HistoryError, match=r"row 4: count: must be .* at most 1e\+15"):
        read(table, tmp_path)


@pytest.mark.parametrize("level", [0.0, 1.0, 5_000.0])
def test_a_constant_past_gives_the_constant(level: float, tmp_path: Path) -> None:
    said = forecast_of(read(rows_of().assign(count=level), tmp_path))
    np.testing.assert_allclose(said, level, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("minutes", [5, 60])
def test_rows_of_wider_slots_are_totals_and_not_taken_for_minutes(
    minutes: int, tmp_path: Path
) -> None:
    table = rows_of()
    coarse = table[table["time"].dt.minute % minutes == 0]
    past = read(coarse, tmp_path)
    assert np.nansum(past.counts) == pytest.approx(coarse["count"].sum(), rel=1e-4)
    assert any(f"rows lie {minutes} minutes apart" in note for note in past.notes)


def test_a_file_may_be_read_by_the_columns_of_a_scenario_or_by_usual_names(tmp_path: Path) -> None:
    table, file = rows_of(), tmp_path / "past.csv"
    table.rename(columns={"time": "t", "step": "what", "count": "n"}).to_csv(file, index=False)
    mapped = Columns(time="t", count="n", step="what")
    assert read_any_history(file, time_zone="UTC", columns=mapped).steps == ("cart", "home")
    table.to_csv(file, index=False)
    assert read_any_history(file, time_zone="UTC", columns=mapped).steps == ("cart", "home")
