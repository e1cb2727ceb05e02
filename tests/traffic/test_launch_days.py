"""A launch's day: closed forms of when it is sold out, and what limits it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.scenario import Scenario
from gameday.traffic.plan.launch_day import LaunchDay, launch_days
from tests.support.small_shop import flat_demand, load_small, small_shop

HALF_LIFE_MIN, CROWD, BUYS = 6.0, 60_000, 0.5
DROP = {
    "product": "console",
    "at": {"eu": "2026-03-10T00:00"},
    "crowd": {"eu": CROWD},
    "stock": {"eu": 5_000},
    "half_life": f"{HALF_LIFE_MIN:g}m",
}
FAN = {
    "launch": "drop",
    "start": {"product": 1.0},
    "think": {"other": "1ms"},
    "patience": "8s",
    "next": {"product": {"checkout": BUYS, "exit": 1 - BUYS}, "checkout": {"exit": 1.0}},
}


def shop_with(folder: Path, **launch: Any) -> Scenario:
    changes = {
        "launches": {"drop": DROP | launch},
        "journeys": {"fan": FAN},
        "products": {"console": {"share": {"eu": 0.0}}, "other": {"share": {"eu": 1.0}}},
    }
    return load_small(folder, small_shop(), changes)


def day_of(scenario: Scenario, sigma: float = 0.3) -> LaunchDay:
    demand = flat_demand(scenario, np.full((1, len(scenario.steps), 600), 50.0))
    crowd = replace(demand.launches["drop"], log_sigma=sigma)
    (day,) = launch_days(scenario, replace(demand, launches={"drop": crowd}))
    return day


def empties_after(crowd: float, stock: float) -> float:
    """Return minutes until a crowd that halves has ordered all: CROWD BUYS (1 - 2^(-t/h)) = stock."""
    return float(-HALF_LIFE_MIN * np.log2(1 - stock / (crowd * BUYS)))


def test_it_is_sold_out_when_those_who_came_have_ordered_all(tmp_path: Path) -> None:
    day = day_of(shop_with(tmp_path))
    for level, z in ((0.1, 1.2816), (0.5, 0.0), (0.9, -1.2816)):
        size = CROWD * np.exp(0.3 * z)
        # Starts are even within a minute, so half a minute or less beside the smooth law.
        assert day.sold_out_min[level] == pytest.approx(empties_after(size, 5_000), abs=0.6)
    assert day.sold_out_chance > 0.999
    assert day.sessions[0.5] == pytest.approx(CROWD, rel=0.01)
    assert day.sessions_a_minute[0.9] / day.sessions_a_minute[0.5] == pytest.approx(
        np.exp(0.3 * 1.2816), rel=1e-3
    )


def test_a_stock_as_large_as_what_would_be_ordered_is_sold_out_half_the_time(
    tmp_path: Path,
) -> None:
    day = day_of(shop_with(tmp_path, stock={"eu": int(CROWD * BUYS)}))
    assert day.sold_out_chance == pytest.approx(0.5, abs=0.03)
    assert day.sold_out_min[0.9] is None
    assert day.sold_out_min[0.1] is not None


def test_a_stock_nobody_can_empty_stays(tmp_path: Path) -> None:
    day = day_of(shop_with(tmp_path, stock={"eu": 100 * CROWD}), sigma=0.05)
    assert day.sold_out_chance == 0
    assert set(day.sold_out_min.values()) == {None}
    assert day.orders_a_minute[0.5] == pytest.approx(BUYS * day.sessions_a_minute[0.5], rel=0.2)


def test_who_is_let_on_to_the_cart_sets_the_pace(tmp_path: Path) -> None:
    day = day_of(shop_with(tmp_path, admits={"eu": 200.0}))
    assert day.orders_a_minute[0.5] <= 200
    assert day.held_back
    assert not day_of(shop_with(tmp_path)).held_back
    assert day.sold_out_min[0.5] >= 5_000 / 200


def test_a_declared_crowd_has_nothing_calibrated_behind_it(tmp_path: Path) -> None:
    assert day_of(shop_with(tmp_path)).calibrated_to == 0
