"""Product types in a plan: parts that sum to the whole, and sessions that are about what the shares say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gameday.forecast.demand import Crowd
from gameday.scenario import Scenario
from gameday.scenario.blocks.journeys import Reaction
from gameday.traffic import LoadPlan, ReplayOptions, Walks, event_steps, plan_load
from gameday.traffic.fit.by_type import caused_by_type, steps_by_type
from gameday.traffic.fit.crowds import move_waiting_to_release
from gameday.traffic.plan.plan_outlook import outlook
from gameday.traffic.plan.products import by_minute, minutes_of_day, type_shares
from gameday.traffic.plan.stock import sold_orders, stock_rows
from gameday.vocabulary import Seed, TimeGrid
from tests.support.small_shop import flat_demand, flat_plan, load_small, small_shop

HOURS = [0.2] * 8 + [1.0, 2.0, 3.0, 2.0] + [1.0] * 8 + [0.0] * 4
PER_MINUTE = 600.0 * np.array([1.0, 1.0, 0.2])[:, None] * np.ones(48 * 60 + 240)


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """Two regions of other zones, two journeys of other tastes, a launch."""
    shop: dict[str, Any] = small_shop()
    shop["regions"]["uk"] = {"zone": "America/New_York", "stack": "main"}
    shop["history"]["synthetic"]["sessions_per_day"]["uk"] = 200_000
    shop["journeys"]["shopper"]["share"] = {"eu": 0.7, "uk": 0.5}
    shop["journeys"]["fond"] = {
        "start": {"product": 1.0},
        "next": {"product": {"checkout": 0.5, "exit": 0.5}, "checkout": {"exit": 1.0}},
        "think": {"other": "40s"},
        "patience": "8s",
        "share": {"eu": 0.3, "uk": 0.5},
        "products": {"toy": 0.9, "song": 0.1},
    }
    shop["journeys"]["fan"] = {
        "start": {"product": 1.0},
        "next": {"product": {"checkout": 1.0}, "checkout": {"exit": 1.0}},
        "think": {"other": "5s"},
        "patience": "8s",
        "launch": "drop",
        "on_waiting": {"again": 1.0, "after": "20s", "most": 900},
    }
    shop["products"] = {
        "toy": {"share": {"eu": 0.5, "uk": 0.2}, "hours": HOURS, "calls": {"product": ["pay"]}},
        "song": {
            "share": {"eu": 0.5, "uk": 0.7},
            "without": ["stock"],
            "exchanges": {"product": [{"path": "/song"}, {"path": "/lyrics"}]},
        },
        "box": {"share": {"eu": 0.0, "uk": 0.1}},
    }
    shop["launches"] = {
        "drop": {
            "product": "box",
            "at": {"eu": "2026-03-10T04:30"},
            "crowd": {"eu": 9000},
            "half_life": "3m",
            "stock": {"eu": 400},
            "waiting": {"share": 0.25, "since": "5m"},
        }
    }
    return load_small(tmp_path, shop)


def planned(scenario: Scenario) -> LoadPlan:
    steps = np.stack([PER_MINUTE, 0.5 * PER_MINUTE])
    demand = flat_demand(scenario, steps)
    options = ReplayOptions(window="2026-03-10T03:00Z/2026-03-10T05:00Z", speed=1.0, scale=1.0)
    return plan_load(scenario, demand, seed=Seed(1), options=options)


def test_the_parts_of_product_types_sum_to_the_whole_in_every_slot(scenario: Scenario) -> None:
    plan = planned(scenario)
    parts = caused_by_type(scenario, plan)
    assert list(parts) == list(scenario.products)
    assert all((part >= 0).all() for part in parts.values())
    np.testing.assert_allclose(sum(parts.values()), plan.caused, rtol=1e-9)
    seen = outlook(scenario, plan)
    np.testing.assert_allclose(sum(seen.orders_by_type.values()), seen.orders, rtol=1e-9)
    asked = {"toy": [1, 1, 1], "song": [1, 2, 1], "box": [1, 1, 1]}
    requests = sum(np.einsum("rst,s->rt", parts[name], n) for name, n in asked.items())
    np.testing.assert_allclose(seen.requests, requests)
    grid = TimeGrid(datetime(2026, 3, 10, tzinfo=UTC), 90)
    steps = np.arange(270.0).reshape(3, 90)
    for region in scenario.regions:
        of_forecast = steps_by_type(scenario, grid, region, steps)
        np.testing.assert_allclose(sum(of_forecast.values()), steps, rtol=1e-9)


def test_what_is_told_of_each_type_is_what_the_walks_come_to(scenario: Scenario) -> None:
    plan = planned(scenario)
    arrivals = plan.arrivals()
    walks = Walks(scenario, plan)
    products = walks.products(arrivals, np.arange(len(arrivals.at_s)))
    parts = caused_by_type(scenario, plan)
    window = slice(plan.lead_in, None)
    for k, name in enumerate(scenario.products):
        mine = np.flatnonzero(products == k)
        seen = np.zeros_like(plan.caused, dtype=int)
        for session in mine.tolist():
            for step in walks.planned(arrivals, session):
                slot = int(step.at_s // 60) + plan.lead_in
                if slot < plan.grid.slots:
                    seen[arrivals.region[session], step.step, slot] += 1
        told, walked = (a[:, :, window].sum(axis=2) for a in (parts[name], seen))
        np.testing.assert_allclose(walked, told, rtol=0.05, atol=4 * np.sqrt(told.max()))


def test_sessions_are_about_a_type_as_often_as_its_share_says(scenario: Scenario) -> None:
    plan = planned(scenario)
    arrivals, walks = plan.arrivals(), Walks(scenario, plan)
    products = walks.products(arrivals, np.arange(len(arrivals.at_s)))
    slots = ((arrivals.at_s + plan.lead_in_s) // 60).astype(int)
    for r, region in enumerate(plan.regions):
        minutes = minutes_of_day(scenario.regions[region].zone, plan.grid)
        for j, name in enumerate(plan.journeys):
            mine = (arrivals.region == r) & (arrivals.journey == j)
            shares = type_shares(scenario, region, scenario.journeys[name])[:, minutes]
            expected = shares[:, slots[mine]].sum(axis=1)
            for k in range(len(scenario.products)):
                count, spread = (products[mine] == k).sum(), np.sqrt(max(1.0, expected[k]))
                assert abs(count - expected[k]) < 4.5 * spread


def test_a_session_is_about_the_same_type_whether_asked_alone_or_among_all(
    scenario: Scenario,
) -> None:
    plan = flat_plan(scenario, 2.0, slots=3)
    arrivals, walks = plan.arrivals(), Walks(scenario, plan)
    among = walks.products(arrivals, np.arange(len(arrivals.at_s)))
    names = [*scenario.products]
    assert [walks.product(arrivals, s) for s in range(len(among))] == [names[k] for k in among]


def test_shares_move_in_a_straight_line_from_hour_to_hour_and_sum_to_1(scenario: Scenario) -> None:
    weights = by_minute([float(hour) for hour in range(24)])
    assert weights[30] == 0.0
    assert weights[13 * 60 + 30] == 13.0
    assert weights[14 * 60] == 13.5
    assert weights[0] == pytest.approx(weights[-1] - 23 / 60)
    shares = type_shares(scenario, "eu", scenario.journeys["shopper"])
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    assert (np.diff(shares[0][9 * 60 : 10 * 60]) > 0).all()  # toys are for the morning
    fond = type_shares(scenario, "eu", scenario.journeys["fond"])
    assert fond[0].max() > 0.9 > fond[0].min() == 0.0
    assert (type_shares(scenario, "eu", scenario.journeys["fan"]) == [[0], [0], [1]]).all()


def test_a_launch_s_crowd_is_all_of_its_product_in_the_event_s_steps(scenario: Scenario) -> None:
    steps = np.zeros((2, 3, 600))
    crowd = np.zeros((2, 600))
    crowd[0, 460] = 1000.0
    out = event_steps(
        scenario, flat_demand(scenario, steps, launches={"drop": Crowd(crowd, 0.3, 180.0, 0)}), 0.5
    )
    assert out["box"][0].sum(axis=1) == pytest.approx([0.0, 1000.0, 1000.0])
    assert not out["toy"].any()
    assert not out["song"].any()
    assert not out["box"][1].any()


def test_a_waiting_crowd_comes_evenly_before_and_the_rest_by_its_half_life(
    scenario: Scenario,
) -> None:
    plan = planned(scenario)
    arrivals = plan.arrivals()
    fan = plan.journeys.index("fan")
    opens = (scenario.launch_at("drop", "eu") - plan.window.start).total_seconds()
    at = arrivals.at_s[arrivals.journey == fan] - opens
    early, late = at[at < 0], at[at >= 0]
    assert len(early) == pytest.approx(0.25 * 9000, abs=2)
    assert early.min() > -300
    assert stats.kstest(early, stats.uniform(-300, 300).cdf).pvalue > 0.001
    assert stats.kstest(late, stats.expon(scale=180 / np.log(2)).cdf).pvalue > 0.001


@pytest.mark.parametrize(
    ("countdown", "reaction", "kept"),
    [
        ("30s", {"again": 1.0, "after": "9s", "most": 1}, 1.0),
        ("30s", {"again": 0.8, "after": "9s"}, 0.8),
        (None, {"again": 1.0, "after": "20s", "most": 900}, 1.0),
        (None, None, 0.0),
        (None, {"again": 0.9, "after": "60s", "most": 900}, np.mean([0.9**n for n in range(1, 6)])),
        (None, {"again": 1.0, "after": "60s", "most": 3}, 0.6),
    ],
    ids=str,
)
def test_who_waits_buys_at_the_release_if_still_there(
    scenario: Scenario, countdown: str | None, reaction: dict[str, Any] | None, kept: float
) -> None:
    launch = scenario.launches["drop"].model_copy(
        update={"countdown": None if countdown is None else float(countdown[:-1])}
    )
    fan = scenario.journeys["fan"].model_copy(
        update={"on_waiting": None if reaction is None else Reaction.model_validate(reaction)}
    )
    told = scenario.model_copy(update={"launches": {"drop": launch}})
    grid = TimeGrid(datetime(2026, 3, 10, 3, 0, tzinfo=UTC), 60)
    starts = np.zeros(60)
    starts[25:30], starts[30:] = 100.0, 7.0
    moved = move_waiting_to_release(told, fan, "eu", grid, starts)
    assert not moved[:30].any()
    assert moved[30] + moved[31:].sum() == pytest.approx(500 * kept + 30 * 7)
    assert moved[31:] == pytest.approx(7.0)
    shopper = scenario.journeys["shopper"]
    assert (move_waiting_to_release(told, shopper, "eu", grid, starts) == starts).all()


@pytest.mark.parametrize("short", ["eu", "uk"])
def test_no_stack_sells_the_stock_of_another(short: str, tmp_path: Path) -> None:
    shop: dict[str, Any] = small_shop()
    shop["regions"]["uk"] = {"zone": "Europe/London", "stack": "far"}
    shop["history"]["synthetic"]["sessions_per_day"]["uk"] = 200_000
    for service in shop["services"].values():
        service["stacks"]["far"] = service["stacks"]["main"]
    shop["products"] = {
        "toy": {"share": {"eu": 1.0, "uk": 1.0}, "stock": {"eu": 10**9, "uk": 10**9} | {short: 40}}
    }
    scenario = load_small(tmp_path, shop)
    plan = planned(scenario)
    seen = outlook(scenario, plan)
    orders = dict(zip(plan.regions, seen.orders_by_type["toy"].sum(axis=1), strict=True))
    assert min(orders.values()) > 1000
    other = next(region for region in plan.regions if region != short)
    assert sold_orders(scenario, plan, seen, "toy") == pytest.approx(40 + orders[other])
    rows = {
        row.stack: row
        for stack in scenario.stack_names
        for row in stock_rows(scenario, 0.1, plan, seen, stack)
    }
    stack = scenario.regions[short].stack
    assert rows[stack].sold_out_utc["p50"] is not None
    assert sum(row.orders_asked for row in rows.values()) == pytest.approx(
        sum(orders.values()), rel=1e-6
    )
