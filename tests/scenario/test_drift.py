"""Conversion that may drift: the two forms are the journey half and half, and bound what the fit may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gameday.scenario import Scenario, load_scenario
from gameday.scenario.load import scenario_of, scenario_text

if TYPE_CHECKING:
    from gameday.scenario.journeys import Journey


def ordered(scenario: Scenario, journey: Journey) -> Any:
    orders = [name for name, step in scenario.steps.items() if step.places_order]
    return {step: sum(row.get(o, 0.0) for o in orders) for step, row in journey.next.items()}


def test_half_and_half_the_forms_are_the_journey(primeday: Scenario) -> None:
    drifted = load_scenario("primeday", drift=0.2)
    assert set(drifted.journeys) == {"browser", "buyer-less", "buyer-more", "fan"}
    less, more = (drifted.journeys[f"buyer-{end}"] for end in ("less", "more"))
    buyer = primeday.journeys["buyer"]
    for step, row in buyer.next.items():
        for to, chance in row.items():
            assert (less.next[step][to] + more.next[step][to]) / 2 == pytest.approx(chance)
    for form, factor in ((less, 0.8), (more, 1.2)):
        assert all(sum(row.values()) == pytest.approx(1.0) for row in form.next.values())
        said = ordered(primeday, form)
        assert said == pytest.approx({s: factor * p for s, p in ordered(primeday, buyer).items()})
    for region in drifted.regions:
        shares = [j.share[region] for j in drifted.journeys.values() if j.share]
        assert sum(shares) == pytest.approx(1.0)
    assert drifted.history.synthetic
    assert sum(drifted.history.synthetic.journeys.values()) == pytest.approx(1.0)


def test_who_plays_elsewhere_reads_the_same_journeys() -> None:
    told = scenario_of(scenario_text("primeday", drift=0.1))
    assert told.journeys == load_scenario("primeday", drift=0.1).journeys
    assert told.sha256() == load_scenario("primeday", drift=0.1).sha256()


def test_without_drift_nothing_changes(primeday: Scenario) -> None:
    assert load_scenario("primeday", drift=0.0) == primeday == load_scenario("primeday")


def test_a_chance_never_rises_above_1() -> None:
    less, more = (
        load_scenario("console-launch", drift=0.5).journeys[f"buyer-{end}"]
        for end in ("less", "more")
    )
    assert more.next["cart"]["checkout"] == 1.0
    assert more.next["cart"]["exit"] == 0.0
    assert less.next["cart"]["checkout"] == pytest.approx(0.35)
    assert np.isfinite(
        more.visits_per_session(("sign-in", "home", "search", "product", "cart", "checkout"))
    ).all()
