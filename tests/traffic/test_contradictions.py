"""What forecasts ask that journeys could not give is said: which step, when, how much, which chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gameday.scenario import Scenario
from gameday.scenario.conversion_drift import with_drift
from gameday.traffic import LoadPlan, ReplayOptions, plan_load
from gameday.traffic.fit.forecast_conflicts import find_contradictions, measure_residuals
from gameday.vocabulary import Array, Seed
from tests.support.small_shop import flat_demand, load_small, small_shop

VISITS = np.array([1.0, 1.0, 0.2])
"""Of home, product and checkout a session: 0.7 / (1 - 0.3) products, a fifth of them checked out."""


def planned(scenario: Scenario, steps: Array) -> LoadPlan:
    return plan_load(
        scenario,
        flat_demand(scenario, steps[None]),
        seed=Seed(1),
        options=ReplayOptions(window="all", speed=1.0),
    )


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load_small(tmp_path, small_shop())


def wanted(slots: int = 48 * 60 + 240) -> Array:
    """Return what 600 sessions a minute do, so many minutes long."""
    return np.repeat(600.0 * VISITS[:, None], slots, axis=1)


def test_forecasts_that_journeys_can_cause_contradict_nothing(scenario: Scenario) -> None:
    plan = planned(scenario, wanted())
    assert find_contradictions(scenario, plan) == ()
    for row in measure_residuals(plan):
        assert row.in_band == 1.0
        assert abs(row.bias) < 1e-3
        assert abs(row.worst_hour) < 1e-2


def test_more_checkouts_than_carts_could_give_are_said_with_when_and_what_would_have_to_change(
    scenario: Scenario,
) -> None:
    steps = wanted()
    steps[2, 1200:1320] *= 1.5
    plan = planned(scenario, steps)
    found = [c for c in find_contradictions(scenario, plan) if c.step == "checkout"]
    assert len(found) == 1
    [one] = found
    began = plan.grid.index_of(one.first)
    grid_shift = 1200 - began
    assert abs((one.last - one.first).total_seconds() / 60 - 120) <= 30
    assert abs(grid_shift) < 300
    assert (one.journey, one.before, one.chance) == ("shopper", "product", 0.2)
    assert 0.24 < one.needed < 0.33
    assert (
        "more checkout than the journeys give; product -> checkout of shopper would have to be"
        in one.text
    )


@pytest.mark.parametrize("level", [0.3, 3.0])
def test_the_largest_contradiction_is_the_same_at_any_scale(
    scenario: Scenario, level: float
) -> None:
    steps = wanted()
    steps[2, 1200:1320] *= 1.5
    small, large = (
        find_contradictions(scenario, planned(scenario, steps * factor))[0].first
        for factor in (level, 1.0)
    )
    assert small == large


def test_conversion_that_may_drift_follows_a_forecast_whose_conversion_does(tmp_path: Path) -> None:
    """For hours the forecast has 8 % more orders than the journeys give, then 8 % fewer."""
    steps = np.array([1000.0, 1000.0, 200.0])[:, None] * np.ones(48 * 60 + 240)
    steps[2, 400:700] *= 1.08
    steps[2, 700:1000] *= 0.92
    options = ReplayOptions(window="2026-03-10T01:00Z/2026-03-10T14:00Z", speed=1.0, scale=1.0)
    gaps = {}
    for drift in (0.0, 0.1):
        scenario = with_drift(
            load_small(tmp_path, small_shop(), {"replay": {"conversion_drift": drift}})
        )
        plan = plan_load(
            scenario, flat_demand(scenario, steps[None]), seed=Seed(1), options=options
        )
        gap = (plan.caused - plan.forecast)[0, 2] / plan.forecast[0, 2]
        gaps[drift] = float(np.abs(gap[60:-60]).mean())
        assert len(find_contradictions(scenario, plan)) == (0 if drift else 2)
    assert gaps[0.1] < 0.25 * gaps[0.0]
