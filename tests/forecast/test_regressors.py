"""Regressors, slope breaks, masks: what a person knows and the counts alone do not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gameday.errors import HistoryError, ScenarioError
from gameday.forecast import forecast_demand
from gameday.forecast.data.breaks import propose_breaks
from gameday.forecast.data.calendars import RegionCalendar, region_calendars
from gameday.forecast.data.outliers import asked_masks, find_outliers, mask
from gameday.history import History, read_history
from gameday.scenario import Scenario
from gameday.scenario.blocks.forecasting import ForecastBlock, Stretch
from gameday.scenario.ingredients import Ingredients
from gameday.scenario.ingredients.trend import Trend
from gameday.vocabulary import Seed
from tests.support.made_up import counts_of, forecast_of, later, model_of, past_of
from tests.support.small_shop import load_small, small_shop


def spend(days: int, seed: int = 1) -> pd.DataFrame:
    """Return a spend a day from the small shop's first day on."""
    rng = np.random.default_rng(seed)
    at = pd.date_range("2025-12-14", periods=days, freq="D", tz="UTC")
    return pd.DataFrame({"day": at.strftime("%Y-%m-%d"), "eur": rng.choice([100.0, 1000.0], days)})


def with_spend(folder: Path, table: pd.DataFrame, **changes: Any) -> Scenario:
    table.to_csv(folder / "spend.csv", index=False)
    block = {"file": "spend.csv", "time": "day", "value": "eur", "scale": "log"} | changes
    past = {"days": 75, "robots_per_year": 0, "outages_per_year": 0}
    return load_small(
        folder,
        small_shop(),
        {
            "forecast": {"ingredients": {"regressors": {"marketing": block}}},
            "history": {"synthetic": past},
        },
    )


def moved_by(history: History, table: pd.DataFrame, elasticity: float) -> History:
    """Return a history as the spend would have made it."""
    first = (pd.Timestamp(history.grid.start) - pd.Timestamp(table["day"][0], tz="UTC")).days
    day = first + np.arange(history.grid.slots) // 1440
    effect = elasticity * (np.log1p(table["eur"].to_numpy())[day] - np.log1p(table["eur"]).mean())
    return replace(history, counts=(history.counts * np.exp(effect)).astype(np.float32))


def test_a_spend_to_come_moves_the_forecast_as_it_moved_the_past(tmp_path: Path) -> None:
    table = spend(100)
    low, high = table.copy(), table.copy()
    low.loc[77:, "eur"], high.loc[77:, "eur"] = 100.0, 1000.0
    medians = []
    for name, known in (("low", low), ("high", high)):
        folder = tmp_path / name
        folder.mkdir()
        scenario = with_spend(folder, known)
        past = moved_by(read_history(scenario, file=None, seed=Seed(3)), table, 0.2)
        medians.append(forecast_demand(scenario, past).median.sum())
    assert medians[1] / medians[0] == pytest.approx((1001 / 101) ** 0.2, rel=0.05)


def test_a_spend_not_known_as_far_as_the_forecast_goes_is_refused(tmp_path: Path) -> None:
    scenario = with_spend(tmp_path, spend(80))
    with pytest.raises(
        HistoryError, match=r"marketing: known in eu until .*; add the values to come"
    ):
        forecast_demand(scenario, read_history(scenario, file=None, seed=Seed(3)))


@pytest.mark.nightly
def test_a_spend_that_never_moved_is_left_out_of_the_sum(tmp_path: Path) -> None:
    table = spend(100)
    table["eur"] = np.where(np.arange(100) < 78, 3.3, 5.0)
    scenario = with_spend(tmp_path, table, scale="linear")
    past = read_history(scenario, file=None, seed=Seed(3))
    plain = forecast_demand(load_small(tmp_path, small_shop()), past).median
    np.testing.assert_allclose(forecast_demand(scenario, past).median, plain, rtol=0.01)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file": "none.csv"}, "cannot be read"),
        ({"file": ["a"]}, "must be a file's name"),
        ({"value": "usd"}, "has no column usd"),
        ({"time": "eur"}, "row 1: must be an ISO 8601 time"),
    ],
)
def test_a_file_that_tells_no_regressor_is_one_clear_fault(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ScenarioError, match=said) as caught:
        with_spend(tmp_path, spend(100), **changes)
    assert "forecast.ingredients.regressors.marketing.file" in str(caught.value)


def test_a_declared_slope_break_is_followed() -> None:
    counts = counts_of(42, (2000.0,), seed=1)
    counts *= np.exp(0.04 * np.maximum(np.arange(counts.shape[1]) / 1440 - 35, 0))
    block = ForecastBlock(
        ingredients=Ingredients(
            trend=Trend.model_validate({"slope_breaks": [later(35).isoformat()]})
        )
    )
    model = model_of(past_of(counts, RegionCalendar("here", "UTC", block=block)))
    at = np.array([model.past.end_min - 1.0])
    parts = model.blend.parts(at)
    # Candidates share it with their own knots; together they follow.
    assert float(parts["slope breaks"][0, 0] + parts["trend"][0, 0]) > 0.15


def robots(counts: np.ndarray, *bursts: tuple[float, int, float]) -> np.ndarray:
    """Return counts times so much from a day on, for so many minutes."""
    out = counts.copy()
    for day, minutes, times in bursts:
        first = int(day * 1440)
        out[:, first : first + minutes] *= times
    return out


BURSTS = ((5.3, 90, 5.0), (11.6, 60, 8.0), (17.2, 120, 0.02), (20.9, 45, 4.0))


@pytest.mark.parametrize("level", [400.0, 40.0, 4.0])
def test_robots_and_outages_are_found_and_nearly_nothing_else(level: float) -> None:
    clean = counts_of(28, (level,), seed=2)
    past = past_of(robots(clean, *BURSTS))
    found = find_outliers(past, ("step",))
    truth, told = (np.zeros(past.grid.slots, bool) for _ in range(2))
    for day, minutes, _ in BURSTS:
        truth[int(day * 1440) : int(day * 1440) + minutes] = True
    for one in found:
        told[past.grid.index_of(one.start) : past.grid.index_of(one.end)] = True
    assert (told & truth).sum() / truth.sum() > 0.85
    assert (told & ~truth).sum() < 0.01 * past.grid.slots
    assert {one.kind for one in found} <= {"robots", "outage", "suppressed"}


def test_masked_they_change_the_forecast_less_than_a_hundredth() -> None:
    clean = counts_of(28, (400.0,), seed=3)
    haunted = past_of(robots(clean, *BURSTS))
    cured = mask(haunted, find_outliers(haunted, ("step",)), ("step",))
    truth, found = (forecast_of(model_of(p)) for p in (past_of(clean), cured))
    assert np.abs(found / truth - 1).mean() < 0.01


def test_a_mask_is_the_same_as_missing_data() -> None:
    counts = counts_of(21, (300.0,), seed=4)
    stretch = Stretch(start=later(9).isoformat(), end=(later(9) + timedelta(hours=7)).isoformat())  # type: ignore[arg-type]
    calendar = RegionCalendar("here", "UTC", block=ForecastBlock(mask=[stretch]))
    past = past_of(counts, calendar)
    masked = mask(past, asked_masks(past, ("step",)), ("step",))
    holed = counts.copy()
    holed[:, 9 * 1440 : 9 * 1440 + 420] = np.nan
    np.testing.assert_array_equal(
        forecast_of(model_of(masked)), forecast_of(model_of(past_of(holed)))
    )


def test_what_a_person_keeps_is_never_left_out() -> None:
    counts = robots(counts_of(21, (300.0,), seed=5), *BURSTS[:2])
    kept = Stretch(start=later(5).isoformat(), end=later(6).isoformat())  # type: ignore[arg-type]
    calendar = RegionCalendar("here", "UTC", block=ForecastBlock(keep=[kept]))
    days = {one.start.date() for one in find_outliers(past_of(counts, calendar), ("step",))}
    assert later(5.3).date() not in days
    assert later(11.6).date() in days


def test_nothing_inside_a_declared_event_is_ever_taken_for_robots(tmp_path: Path) -> None:
    sale = {"name": "old", "kind": "sale", "start": "2026-01-20T10:00", "duration": "24h"}
    scenario = load_small(tmp_path, small_shop(), {"calendar": {"events": [sale]}})
    history = read_history(scenario, file=None, seed=Seed(3))
    calendar = region_calendars(scenario, history)["eu"]
    past = replace(
        past_of(history.counts[0], calendar, start=history.grid.start), calendar=calendar
    )
    event = calendar.occurrences[0]
    for one in find_outliers(past, scenario.step_names):
        assert not (
            one.start.timestamp() / 60 < event.end_min
            and one.end.timestamp() / 60 > event.start_min
        )


@pytest.mark.parametrize("rises", [False, True])
def test_a_slope_break_is_proposed_where_there_is_one(rises: bool) -> None:
    pytest.importorskip("ruptures")
    counts = counts_of(120, (2000.0,), seed=6)
    counts *= np.exp(0.01 * rises * np.maximum(np.arange(counts.shape[1]) / 1440 - 70, 0))
    found = propose_breaks(past_of(counts))
    assert len(found) == rises
    for one in found:
        assert abs((one.start - later(70)).days) <= 7
        assert one.after_per_year > 10 * one.before_per_year


def test_masks_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    everything = {"start": "2020-01-01T00:00Z", "end": "2026-03-01T00:00Z", "step": "checkout"}
    scenario = load_small(tmp_path, small_shop(), {"forecast": {"mask": [everything]}})
    with pytest.raises(HistoryError, match="eu checkout: masks leave no minute"):
        forecast_demand(scenario, read_history(scenario, file=None, seed=Seed(3)))
