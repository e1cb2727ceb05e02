"""What a plan comes to: numbers that agree with the walks, and add up."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from gameday.errors import SafetyRefusal
from gameday.safety import check_ceilings
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan, ReplayOptions, Walks, plan_load
from gameday.traffic.plan.plan_outlook import outlook
from gameday.vocabulary import Seed
from tests.support.small_shop import flat_demand, load_small, small_shop

PER_MINUTE = 600.0 * np.array([1.0, 1.0, 0.2])[:, None] * np.ones(48 * 60 + 240)


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    shop = small_shop()
    shop["steps"]["product"]["exchanges"] = [{"path": "/product/{product}"}, {"path": "/reviews"}]
    return load_small(tmp_path, shop)


def planned(scenario: Scenario, speed: float, scale: float) -> LoadPlan:
    options = ReplayOptions(window="2026-03-10T02:00Z/2026-03-10T04:00Z", speed=speed, scale=scale)
    return plan_load(
        scenario, flat_demand(scenario, PER_MINUTE[None]), seed=Seed(1), options=options
    )


@pytest.mark.parametrize(("speed", "scale"), [(1.0, 1.0), (10.0, 0.5)])
def test_what_is_told_is_what_the_walks_come_to(
    scenario: Scenario, speed: float, scale: float
) -> None:
    plan = planned(scenario, speed, scale)
    seen = outlook(scenario, plan)
    window = slice(plan.lead_in, None)
    arrivals = plan.arrivals()
    steps = Walks(scenario, plan).planned_steps(arrivals)
    assert plan.played.sum() == len(arrivals.at_s)
    told, walked = (a[:, :, window].sum(axis=2) for a in (seen.steps, steps))
    np.testing.assert_allclose(told, walked, rtol=0.03)
    np.testing.assert_allclose(
        seen.requests, seen.steps[:, 0] + 2 * seen.steps[:, 1] + seen.steps[:, 2]
    )
    order = list(scenario.steps).index("checkout")
    np.testing.assert_allclose(seen.orders, seen.steps[:, order])


def test_customers_at_one_time_are_sessions_times_how_long_they_last(scenario: Scenario) -> None:
    """Little's law, where nothing changes."""
    plan = planned(scenario, 1.0, 1.0)
    seen = outlook(scenario, plan)
    chain = seen.chains["shopper"]
    pause_s = 15.0 * chain.mean_steps  # after the last step too: who decides to go is still there
    reply_s = sum(
        chain.visits[s] * plan.nominal["main"][step].mean_s for s, step in enumerate(plan.steps)
    )
    expected = 600.0 / 60 * (pause_s + reply_s)
    assert seen.customers[0, 30:-30].mean() == pytest.approx(expected, rel=0.02)


def test_redirects_that_are_declared_are_requests_of_the_plan_and_of_its_ceilings(
    tmp_path: Path,
) -> None:
    shop = small_shop()
    shop["steps"]["product"]["exchanges"] = [{"path": "/product/{product}", "redirects": 2}]
    scenario = load_small(tmp_path, shop)
    plan = planned(scenario, 1.0, 1.0)
    seen = outlook(scenario, plan)
    hops = 2 * seen.steps[:, 1]
    np.testing.assert_allclose(seen.requests, seen.steps.sum(axis=1) + hops)
    assert seen.redirects == pytest.approx(float(hops.sum()))
    peak_per_s = float(seen.requests.sum(axis=0).max()) / plan.slot_wall_s
    for ceiling, refused in ((1.01 * peak_per_s, False), (0.99 * peak_per_s, True)):
        ceilings = scenario.replay.ceilings.model_copy(update={"requests_per_s": ceiling})
        bounded = scenario.model_copy(
            update={"replay": scenario.replay.model_copy(update={"ceilings": ceilings})}
        )
        with pytest.raises(SafetyRefusal) if refused else nullcontext():
            check_ceilings(bounded, plan)
