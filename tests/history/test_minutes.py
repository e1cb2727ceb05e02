"""Counts a minute from events, and how finely they can be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gameday.history.importers.clickstream import Clickstream, read_clickstream
from gameday.history.importers.minutes import MinuteCounts, assess_grains

UCI = Path(__file__).parents[3] / "shared" / "data" / "uci_retail2_orders.parquet"


def series(per_minute: float, days: int = 28, *, open_hours: range = range(24)) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    at = pd.date_range("2026-01-05", periods=1440 * days, freq="min", tz="UTC")
    mean = np.where(np.isin(at.hour, list(open_hours)), per_minute, 0.0)
    return pd.DataFrame({"time": at, "region": "uk", "step": "cart", "count": rng.poisson(mean)})


@pytest.mark.parametrize(
    ("per_minute", "finest"),
    [(40.0, 1), (3.0, 15), (0.6, 60), (0.05, 1440), (0.003, None)],
    ids=str,
)
def test_the_finest_grain_is_the_first_in_which_chance_says_no_more_than_a_quarter(
    per_minute: float, finest: int | None
) -> None:
    [row] = assess_grains(series(per_minute))
    assert row.finest_min == finest
    for minutes, seen in row.grains.items():
        assert seen.mean == pytest.approx(per_minute * minutes, rel=0.15)
        assert seen.noise == pytest.approx(seen.mean**-0.5, rel=0.01)
        assert seen.dispersion == pytest.approx(1.0, abs=1.0 if minutes == 1440 else 0.2)


def test_a_shop_that_is_shut_at_night_is_told_by_its_open_hours() -> None:
    [row] = assess_grains(series(0.6, open_hours=range(9, 18)))
    assert row.grains[60].mean == pytest.approx(36.0, rel=0.05)
    assert row.grains[60].empty < 0.01
    assert row.finest_min == 60


def test_every_minute_from_first_to_last_is_in_the_table_whatever_the_parts() -> None:
    at_s = np.array([60.0, 61.0, 125.0, 600.0, 600.0])
    steps = np.array(["cart", "cart", "home", "home", "cart"], object)
    whole, parts = MinuteCounts(), MinuteCounts()
    whole.add(at_s, "uk", steps)
    for number in (*range(5), *[0] * 40):
        parts.add(at_s[[number]], "uk", steps[[number]])
    table = whole.table()
    assert len(table) == 10 * 2
    assert table["count"].sum() == 5
    assert (
        table.set_index(["time", "step"])["count"].loc[
            (pd.Timestamp(60, unit="s", tz="UTC"), "cart")
        ]
        == 2
    )
    assert parts.table()["count"].sum() == 45
    assert MinuteCounts().table().empty


@pytest.mark.skipif(not UCI.is_file(), reason="the real trace is not here")
def test_a_gift_shop_s_orders_can_be_told_by_the_day_in_one_country_and_not_even_so_in_another() -> (
    None
):
    how = Clickstream(
        time="ds",
        event=None,
        session="Invoice",
        user=None,
        category=None,
        region="country",
        regions={"United Kingdom": "uk", "Germany": "de"},
        steps={"*": "checkout"},
    )
    minutes = MinuteCounts()
    read_clickstream(UCI, how, minutes)
    de, uk = assess_grains(minutes.table())
    assert (uk.count, de.count) == (49108, 1095)
    assert (uk.finest_min, de.finest_min) == (1440, None)
    assert 0.3 < uk.grains[60].noise < 0.4
    assert uk.grains[15].empty > 0.25
