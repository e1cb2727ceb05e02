"""From a past to a demand: blind to the future, robust to faults, right about a longer sale."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.forecast import Demand, forecast_demand
from gameday.forecast.data.calendars import region_calendars
from gameday.forecast.data.fit_rows import make_rows
from gameday.forecast.model.design import Design
from gameday.forecast.model.solve import fit_rows
from gameday.history import History, read_history
from gameday.scenario import Scenario
from gameday.scenario.ingredients import Shape
from gameday.vocabulary import Array, Seed, TimeGrid
from tests.support.small_shop import load_small, merged, small_shop

SALES = [
    {"name": "january", "kind": "sale", "start": "2026-01-13T00:00", "duration": "24h"},
    {"name": "february", "kind": "sale", "start": "2026-02-05T00:00", "duration": "24h"},
]
"""A Tuesday and a Thursday."""
WEEKEND = {"name": "weekend", "kind": "sale", "start": "2026-03-07T00:00", "duration": "48h"}
CALM = {"days": 56, "robots_per_year": 0, "outages_per_year": 0, "growth_per_year": 1.0}


def two_sales(**synthetic: Any) -> dict[str, Any]:
    """Return the small shop with two past sales of 24 h, before one of 48 h at a weekend."""
    return merged(
        small_shop(),
        {
            "event": WEEKEND,
            "calendar": {"events": SALES},
            "history": {"synthetic": CALM | synthetic},
        },
    )


def past(scenario: Scenario) -> History:
    return read_history(scenario, file=None, seed=Seed(3))


def unlike(one: Array, other: Array) -> float:
    """Return the weighted absolute difference of two arrays, relative to the first."""
    return float(np.abs(one - other).sum() / one.sum())


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, History]:
    folder = tmp_path_factory.mktemp("sold")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMEDAY_CACHE", str(folder))
        scenario = load_small(folder, two_sales())
        return scenario, past(scenario)


@pytest.fixture(scope="module")
def forecast(sold: tuple[Scenario, History]) -> Demand:
    return forecast_demand(*sold)


@pytest.fixture(scope="module")
def short(sold: tuple[Scenario, History]) -> tuple[Scenario, History]:
    """The last twenty days alone: quick to fit."""
    scenario, history = sold
    first = history.grid.slots - 20 * 1440
    grid = history.grid.part(first, 20 * 1440)
    return scenario, replace(history, grid=grid, counts=history.counts[:, :, first:])


# --- laws ---------------------------------------------------------------------------------------


@settings(
    deadline=None, max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    later=st.integers(1, 6000), level=st.sampled_from([0.0, 1e5, np.nan]), seed=st.integers(0, 9)
)
def test_nothing_at_or_after_until_can_change_the_forecast(
    short: tuple[Scenario, History], later: int, level: float, seed: int
) -> None:
    scenario, history = short
    assert history.grid.end == scenario.history.until
    after = np.random.default_rng(seed).random((1, 3, later)) * level
    longer = replace(
        history,
        grid=TimeGrid(history.grid.start, history.grid.slots + later),
        counts=np.concatenate([history.counts, after.astype(np.float32)], axis=2),
    )
    blind, tempted = forecast_demand(scenario, history), forecast_demand(scenario, longer)
    np.testing.assert_array_equal(blind.median, tempted.median)
    for quantile, band in blind.marginal.items():
        np.testing.assert_array_equal(band, tempted.marginal[quantile])
    assert blind.strength_sigma == tempted.strength_sigma
    assert blind.benchmark == tempted.benchmark


def test_the_same_past_gives_the_same_forecast(short: tuple[Scenario, History]) -> None:
    one, other = forecast_demand(*short), forecast_demand(*short)
    np.testing.assert_array_equal(one.median, other.median)


def test_marginal_quantiles_are_ordered_and_never_negative(forecast: Demand) -> None:
    bands = [forecast.marginal[level] for level in sorted(forecast.marginal)]
    assert bands[0].min() >= 0
    for lower, upper in itertools.pairwise(bands):
        assert (upper >= lower).all()


def test_the_median_path_of_a_fitted_demand_is_its_median(forecast: Demand) -> None:
    np.testing.assert_array_equal(forecast.path(0.5), forecast.median)
    assert np.isfinite(forecast.median).all()


def test_past_events_known_are_counted(forecast: Demand) -> None:
    assert forecast.past_events == 2
    assert forecast.calibrated_to == pytest.approx(2 / 3)
    assert any("2 past events of kind 'sale'" in note for note in forecast.notes)


@pytest.mark.parametrize("days", [0.5, 13.9])
def test_less_than_a_fortnight_known_is_refused_with_what_is_needed(
    sold: tuple[Scenario, History], days: float
) -> None:
    scenario, history = sold
    with pytest.raises(HistoryError, match="at least 14") as caught:
        forecast_demand(scenario, history.known_before(history.grid.start + timedelta(days=days)))
    assert caught.value.exit_code == 2


def test_a_fortnight_known_is_enough(sold: tuple[Scenario, History]) -> None:
    scenario, history = sold
    known = history.known_before(history.grid.start + timedelta(days=14))
    assert np.isfinite(forecast_demand(scenario, known).median).all()


# --- stories ------------------------------------------------------------------------------------


def test_two_sales_of_a_day_on_weekdays_predict_one_of_two_days_at_a_weekend(
    tmp_path: Path, sold: tuple[Scenario, History], forecast: Demand
) -> None:
    # The truth: the same past made longer, so that the weekend lies in it. Growth is 1, so the
    # two pasts agree minute by minute where both hold one.
    truth_shop = merged(
        two_sales(days=65),
        {
            "event": {"name": "later", "start": "2026-06-09T00:00"},
            "calendar": {"events": [*SALES, WEEKEND]},
            "history": {"until": "2026-03-10T00:00Z"},
        },
    )
    truth = past(load_small(tmp_path, truth_shop))
    scenario, history = sold
    assert truth.grid.start == history.grid.start
    assert unlike(history.counts, truth.counts[:, :, : history.grid.slots]) < 0.1
    start, end = scenario.span(scenario.event, "eu")
    event = TimeGrid.between(start, end)
    actual = truth.during(event)
    assert actual is not None
    first = forecast.grid.index_of(start)
    expected = forecast.median[:, :, first : first + event.slots]
    assert unlike(actual, expected) < 0.25
    for step in range(3):
        hourly = [a[0, step].reshape(-1, 60).mean(axis=1) for a in (actual, expected)]
        assert hourly[1].max() / hourly[0].max() == pytest.approx(1, abs=0.25)
    second_day = [a[0, 0, 1440 + 360 : 1440 + 1080].mean() for a in (actual, expected)]
    assert second_day[1] / second_day[0] == pytest.approx(1, abs=0.25)


@pytest.mark.nightly
def test_robots_in_the_past_change_the_forecast_little(tmp_path: Path, forecast: Demand) -> None:
    scenario = load_small(tmp_path, two_sales(robots_per_year=120))
    haunted = past(scenario)
    assert unlike(forecast.median, forecast_demand(scenario, haunted).median) < 0.08


@pytest.mark.nightly
def test_an_outage_in_the_past_changes_the_forecast_little(
    tmp_path: Path, forecast: Demand
) -> None:
    scenario = load_small(tmp_path, two_sales(outages_per_year=20))
    assert unlike(forecast.median, forecast_demand(scenario, past(scenario)).median) < 0.08


def holed(history: History, *gaps: slice) -> History:
    counts = history.counts.copy()
    for gap in gaps:
        counts[:, :, gap] = np.nan
    return replace(history, counts=counts)


def test_a_tenth_of_the_minutes_unknown_here_and_there_changes_the_forecast_little(
    sold: tuple[Scenario, History], forecast: Demand
) -> None:
    scenario, history = sold
    counts = history.counts.copy()
    counts[np.random.default_rng(5).random(counts.shape) < 0.1] = np.nan
    found = forecast_demand(scenario, replace(history, counts=counts))
    assert unlike(forecast.median, found.median) < 0.05


@pytest.mark.nightly
def test_a_lost_week_changes_the_forecast_little(
    sold: tuple[Scenario, History], forecast: Demand
) -> None:
    scenario, history = sold
    week = slice(18 * 1440, 25 * 1440)
    found = forecast_demand(scenario, holed(history, week))
    assert unlike(forecast.median, found.median) < 0.08


def test_ordinary_days_known_for_two_fifths_alone_are_not_taken_for_robots(
    sold: tuple[Scenario, History], forecast: Demand
) -> None:
    scenario, history = sold
    gone = (np.arange(history.grid.slots) // 360) % 5 >= 2
    for event in scenario.calendar.events:
        first = history.grid.index_of(scenario.span(event, "eu")[0])
        gone[first - 1440 : first + 2 * 1440] = False
    counts = np.where(gone, np.nan, history.counts).astype(np.float32)
    found = forecast_demand(scenario, replace(history, counts=counts))
    said = re.search(r"eu: .*, (\d+) minutes in all, left out", " ".join(found.notes))
    assert (int(said[1]) if said else 0) < 0.05 * 3 * (~gone).sum()
    assert unlike(forecast.median, found.median) < 0.1


def test_the_spread_of_residuals_is_that_of_the_rows_known(
    sold: tuple[Scenario, History],
) -> None:
    scenario, history = sold
    calendar = region_calendars(scenario, history)["eu"]
    rows = make_rows(history.counts[0], history.grid, calendar)
    first = float(history.grid.epoch_min)
    shape = Shape("growing", 14.0, 7.0, 60.0)
    design = Design(calendar, first, first + history.grid.slots, shape)
    # Of each day's quarter hours, by turns two of five are known.
    lost = (rows.minute // 15) % 5 >= 2
    fewer = replace(rows, mean=np.where(lost[:, None], np.nan, rows.mean))
    whole, part = fit_rows(rows, design), fit_rows(fewer, design)
    np.testing.assert_allclose(part.scale, whole.scale, rtol=0.25)


def test_a_past_sale_that_fell_in_a_gap_is_no_event_known_and_breaks_nothing(
    sold: tuple[Scenario, History],
) -> None:
    scenario, history = sold
    start, _ = scenario.span(scenario.calendar.events[0], "eu")
    first = history.grid.index_of(start)
    found = forecast_demand(scenario, holed(history, slice(first - 60, first + 1500)))
    assert np.isfinite(found.strength_sigma)
    assert np.isfinite(found.path(0.9)).all()
    assert all(np.isfinite(band).all() for band in found.marginal.values())
    assert found.past_events == 1


def test_a_region_silent_in_the_last_days_still_has_finite_bands(
    short: tuple[Scenario, History],
) -> None:
    scenario, history = short
    found = forecast_demand(scenario, holed(history, slice(10 * 1440, None)))
    assert all(np.isfinite(band).all() for band in found.marginal.values())
