"""A curve that is given stands in for a forecast: it is the demand, whole, or it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError, UsageError
from gameday.forecast import Demand, forecast_demand, given_demand
from gameday.history import read_given, read_history
from gameday.jobs.one_run.order import Past
from gameday.scenario import Scenario
from gameday.traffic import ReplayOptions, plan_load
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, small_shop

LAUNCH = {
    "launches": {
        "drop": {
            "product": "console",
            "at": {"eu": "2026-03-10T19:00"},
            "crowd": {"eu": 4_000},
            "stock": {"eu": 500},
            "half_life": "6m",
        }
    },
    "journeys": {
        "fan": {
            "launch": "drop",
            "start": {"product": 1.0},
            "think": {"other": "5s"},
            "patience": "8s",
            "next": {"product": {"checkout": 0.5, "exit": 0.5}, "checkout": {"exit": 1.0}},
        }
    },
    "products": {"console": {"share": {"eu": 0.0}}, "other": {"share": {"eu": 1.0}}},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return load_small(tmp_path_factory.mktemp("given"), small_shop())


@pytest.fixture(scope="module")
def forecast(shop: Scenario) -> Demand:
    return forecast_demand(shop, read_history(shop, file=None, seed=Seed(1)))


def written(demand: Demand, curve: np.ndarray[Any, Any], file: Path) -> Path:
    """Write a curve over a demand's minutes as a person would: a row a minute, region and step."""
    minutes = pd.to_datetime(demand.grid.minutes(), unit="m", utc=True)
    index = pd.MultiIndex.from_product([demand.regions, demand.steps, minutes])
    table = pd.DataFrame({"count": curve.ravel()}, index=index).reset_index()
    table.columns = pd.Index(["region", "step", "time", "count"])
    table.to_csv(file, index=False)
    return file


def test_a_forecast_given_back_makes_the_same_plan(
    shop: Scenario, forecast: Demand, tmp_path: Path
) -> None:
    file = written(forecast, forecast.median, tmp_path / "curve.csv")
    back = given_demand(shop, read_given(shop, file))
    np.testing.assert_allclose(back.median, forecast.median, rtol=1e-6)
    plans = [
        plan_load(shop, demand, seed=Seed(3), options=ReplayOptions("peak", 20, None, 0.01, 0.5))
        for demand in (forecast, back)
    ]
    assert plans[0].window == plans[1].window
    np.testing.assert_array_equal(plans[0].played, plans[1].played)


@settings(max_examples=20, deadline=None)
@given(level=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1))
def test_every_quantile_of_a_given_curve_is_the_curve(
    shop: Scenario,
    forecast: Demand,
    tmp_path_factory: pytest.TempPathFactory,
    level: float,
    seed: int,
) -> None:
    curve = np.random.default_rng(seed).integers(0, 500, forecast.median.shape)
    file = written(forecast, curve, tmp_path_factory.mktemp("curve") / "curve.csv")
    demand = given_demand(shop, read_given(shop, file))
    np.testing.assert_array_equal(demand.path(level), curve)
    np.testing.assert_array_equal(demand.mean, curve)
    assert demand.is_given
    assert any("no spread" in note for note in demand.notes)


def test_minutes_without_a_count_are_refused_in_the_event_and_said_around_it(
    shop: Scenario, forecast: Demand, tmp_path: Path
) -> None:
    file = written(forecast, np.ones(forecast.median.shape), tmp_path / "curve.csv")
    table = pd.read_csv(file)
    first, last = forecast.spans[0]
    times = pd.to_datetime(table["time"], utc=True)
    begin, end = forecast.grid.instant(first), forecast.grid.instant(last)
    only = table[(times >= begin) & (times < end)]
    only.to_csv(tmp_path / "only.csv", index=False)
    notes = given_demand(shop, read_given(shop, tmp_path / "only.csv")).notes
    around = forecast.grid.slots - (last - first)
    assert any(f"{around} minutes before and behind the event have no count" in n for n in notes)
    short = only[pd.to_datetime(only["time"], utc=True) < end - pd.Timedelta("90min")]
    short.to_csv(tmp_path / "short.csv", index=False)
    given_short = read_given(shop, tmp_path / "short.csv")
    with pytest.raises(
        HistoryError, match=r"no count of eu home in 90 of the \d+ minutes of the event"
    ):
        given_demand(shop, given_short)


def test_a_hole_in_the_event_is_not_taken_for_nobody(shop: Scenario, forecast: Demand) -> None:
    history = read_history(shop, file=None, seed=Seed(1))
    grid = forecast.grid
    counts = np.ones((1, len(forecast.steps), grid.slots), np.float32)
    counts[0, 1, forecast.spans[0][0] + 7] = np.nan
    holed = replace(history, grid=grid, counts=counts)
    with pytest.raises(HistoryError, match=r"no count of eu product in 1 of"):
        given_demand(shop, holed)


def test_launches_come_on_top_of_a_given_curve(tmp_path: Path) -> None:
    shop = load_small(tmp_path, small_shop(), LAUNCH)
    plain = forecast_demand(shop, read_history(shop, file=None, seed=Seed(1)))
    file = written(plain, plain.median, tmp_path / "curve.csv")
    demand = given_demand(shop, read_given(shop, file))
    np.testing.assert_allclose(
        demand.launch_crowd("drop", 0.5).sum(), plain.launch_crowd("drop", 0.5).sum()
    )
    assert any("drop" in note and "on top" in note for note in demand.notes)


def test_a_past_and_a_curve_are_not_asked_for_at_once() -> None:
    with pytest.raises(UsageError, match="--demand takes the place of a past"):
        Past(Path("past.csv"), Path("curve.csv"))
