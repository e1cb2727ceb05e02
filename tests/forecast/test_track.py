"""Actuals against the plan: edges seen at once, noise let be, drift told, the level used where it pays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gameday.forecast.model.correction import corrected
from gameday.forecast.publication.track import Plan, Tracker
from gameday.vocabulary import Array, TimeGrid
from tests.support.made_up import MONDAY, law


def plan_of(days: int = 2, level: float = 400.0) -> Plan:
    grid = TimeGrid(MONDAY, days * 1440)
    median = law(grid.minutes().astype(float), level)
    return Plan("eu checkout", grid, median, median * 0.85, median * 1.18)


def tracked(plan: Plan, counts: Array) -> tuple[Tracker, list[tuple[str, int]]]:
    tracker = Tracker([plan])
    alerts = tracker.feed({plan.name: counts}, 0, len(counts))
    return tracker, [(a.kind, plan.grid.index_of(a.instant)) for a in alerts]


def noisy(plan: Plan, seed: int) -> Array:
    return np.random.default_rng(seed).poisson(plan.median).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_a_plan_that_holds_says_nothing(seed: int) -> None:
    plan = plan_of()
    tracker, alerts = tracked(plan, noisy(plan, seed))
    assert alerts == []
    assert tracker.series[plan.name].outlook().applied == 1.0


@pytest.mark.parametrize("times", [2.5, 8.0, 0.2])
@pytest.mark.parametrize("minute", [333, 1200])
def test_a_sharp_edge_is_said_within_two_minutes(times: float, minute: int) -> None:
    plan = plan_of()
    counts = noisy(plan, 1)
    counts[minute : minute + 40] *= times
    _, alerts = tracked(plan, counts)
    edges = [at for kind, at in alerts if kind == "edge"]
    assert edges
    assert minute <= edges[0] <= minute + 1


def test_a_spike_beyond_the_highest_expected_says_so() -> None:
    plan = plan_of()
    counts = noisy(plan, 2)
    counts[700:720] = 5 * plan.median.max()
    alerts = Tracker([plan]).feed({plan.name: counts}, 0, len(counts))
    assert "beyond the highest expected at all" in alerts[0].words


def test_a_level_that_moved_is_drift_and_then_pays_to_follow() -> None:
    plan = plan_of()
    counts = np.random.default_rng(3).poisson(1.3 * plan.median).astype(float)
    tracker, alerts = tracked(plan, counts)
    assert "drift" in [kind for kind, _ in alerts]
    assert min(at for kind, at in alerts if kind == "drift") <= 240
    told = tracker.series[plan.name].outlook()
    assert told.pays
    assert told.applied == pytest.approx(1.3, rel=0.1)


def test_minutes_fed_one_by_one_or_all_at_once_are_the_same() -> None:
    plan = plan_of(1)
    counts = noisy(plan, 4)
    counts[500:520] *= 4
    whole, alerts = tracked(plan, counts)
    single = Tracker([plan])
    found = [
        a for i in range(len(counts)) for a in single.feed({plan.name: counts[i : i + 1]}, i, 1)
    ]
    assert [(a.kind, plan.grid.index_of(a.instant)) for a in found] == alerts
    assert single.series[plan.name].outlook() == whole.series[plan.name].outlook()


def test_unknown_minutes_are_no_alarm() -> None:
    plan = plan_of()
    counts = noisy(plan, 5)
    counts[300:900] = np.nan
    assert tracked(plan, counts)[1] == []


def test_on_a_level_that_never_moves_the_correction_harms_by_less_than_a_hundredth() -> None:
    """Twenty histories of a week: gated, it may add next to nothing to the error."""
    worse = []
    for seed in range(20):
        plan = plan_of(7, level=40.0)
        counts = noisy(plan, 100 + seed)
        plain, moved = (
            np.abs(f - counts).sum() for f in (plan.median, corrected(counts, plan.median))
        )
        worse.append(moved / plain - 1)
    assert np.mean(worse) < 0.01


def test_on_a_level_that_wanders_the_correction_pays() -> None:
    rng = np.random.default_rng(7)
    plan = plan_of(7)
    wander = np.repeat(np.exp(np.cumsum(rng.normal(0, 0.15, 7 * 24)) * 0.5), 60)
    counts = rng.poisson(plan.median * wander).astype(float)
    plain, moved = (np.abs(f - counts).sum() for f in (plan.median, corrected(counts, plan.median)))
    assert moved < 0.6 * plain


def launched_plan(size: float, at: int = 700) -> Plan:
    """Return a plan with a launch that brings `size` times the day's count in its first minute."""
    plan = plan_of(1)
    after = np.arange(plan.grid.slots) - at
    launch = np.where(after >= 0, size * plan.median[at] * 0.5 ** (after / 4), 0.0)
    wide = np.hypot(0.18 * plan.median, 0.47 * launch)
    return replace(
        plan,
        median=plan.median + launch,
        low=np.maximum(plan.median + launch - wide, 0),
        high=plan.median + launch + wide,
        launch=launch,
        organic=(plan.low, plan.high),
    )


@pytest.mark.parametrize("size", [0.5, 2.0, 20.0])
def test_a_launch_that_comes_as_planned_is_no_alarm(size: float) -> None:
    plan = launched_plan(size)
    assert tracked(plan, plan.median)[1] == []
    for seed in range(5):
        assert tracked(plan, noisy(plan, seed))[1] == []


@pytest.mark.parametrize("times", [0.65, 1.5])
def test_a_crowd_within_its_own_spread_is_no_alarm(times: float) -> None:
    plan = launched_plan(5.0)
    assert plan.launch is not None
    assert tracked(plan, plan.median + (times - 1) * plan.launch)[1] == []


@pytest.mark.parametrize("size", [1.5, 5.0, 50.0])
def test_a_launch_that_does_not_come_is_said_within_two_minutes_and_once(size: float) -> None:
    plan = launched_plan(size)
    assert plan.launch is not None
    _, alerts = tracked(plan, noisy(replace(plan, median=plan.median - plan.launch), 3))
    assert [alert for alert in alerts if alert[0] != "drift"] == [("launch", 701)]


def test_a_launch_that_comes_at_another_minute_is_said_to_be_missing_and_then_an_edge() -> None:
    plan = launched_plan(8.0)
    assert plan.launch is not None
    late = np.roll(plan.launch, 60)
    kinds = [kind for kind, _ in tracked(plan, plan.median - plan.launch + late)[1]]
    assert kinds[:2] == ["launch", "edge"]
