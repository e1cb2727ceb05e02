"""Conversion that may drift: the two forms are the journey half and half, and bound what the fit may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gameday.scenario import Scenario
from gameday.scenario.conversion_drift import with_drift
from gameday.scenario.reading import read_scenario, scenario_of

if TYPE_CHECKING:
    from gameday.scenario.blocks.journeys import Journey


def ordered(scenario: Scenario, journey: Journey) -> Any:
    orders = [name for name, step in scenario.steps.items() if step.places_order]
    return {step: sum(row.get(o, 0.0) for o in orders) for step, row in journey.next.items()}


def test_half_and_half_the_forms_are_the_journey(primeday: Scenario) -> None:
    drifted = read_scenario("primeday", drift=0.2).played
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
    assert drifted.history == primeday.history


def test_who_plays_elsewhere_reads_the_same_journeys() -> None:
    told, here = (
        scenario_of(read_scenario("primeday", drift=0.1).text),
        read_scenario("primeday", drift=0.1).written,
    )
    assert with_drift(told).journeys == with_drift(here).journeys != told.journeys
    assert told.sha256() == here.sha256()


def test_no_journey_is_lost_however_alike_their_names_are(primeday: Scenario) -> None:
    buyer, long = primeday.journeys["buyer"], "b" * 38
    names = [f"{long}-1", f"{long}-2", f"{long[:35]}-less"]
    told = primeday.model_copy(
        update={
            "journeys": dict.fromkeys(names, buyer) | {"fan": primeday.journeys["fan"]},
            "replay": primeday.replay.model_copy(update={"conversion_drift": 0.1}),
        }
    )
    forms = with_drift(told).journeys
    assert len(forms) == 7
    assert all(len(name) <= 40 for name in forms)


def test_without_drift_nothing_changes(primeday: Scenario) -> None:
    assert read_scenario("primeday", drift=0.0).played == primeday == with_drift(primeday)


def test_a_chance_never_rises_above_1() -> None:
    journeys = read_scenario("console-launch", drift=0.5).played.journeys
    less, more = (journeys[f"buyer-{end}"] for end in ("less", "more"))
    assert more.next["cart"]["checkout"] == 1.0
    assert more.next["cart"]["exit"] == 0.0
    assert less.next["cart"]["checkout"] == pytest.approx(0.35)
    steps = ("sign-in", "home", "search", "product", "cart", "checkout")
    assert np.isfinite(more.visits_per_session(steps)).all()
