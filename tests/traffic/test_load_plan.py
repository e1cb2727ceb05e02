"""From a demand to a plan: window, speed, scale, whole sessions, arrivals, walks."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import ScenarioError, UsageError
from gameday.forecast import Demand
from gameday.forecast.data.crowds import crowds_of
from gameday.forecast.forecast import event_spans
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan, ReplayOptions, Walks, plan_load
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps
from gameday.traffic.plan.load_plan import whole_starts
from gameday.traffic.plan.shape import choose_scale, choose_window
from gameday.vocabulary import Seed, TimeGrid
from tests.support import examples
from tests.support.small_shop import flat_demand, flat_plan, load_small, merged, service, small_shop

SLOTS = 300
GRID = TimeGrid(datetime(2026, 3, 9, 20, tzinfo=UTC), SLOTS)


def toys() -> dict[str, Any]:
    """Return the small shop with two products and a launch of a third, fifty minutes in."""
    return merged(
        small_shop(),
        {
            "products": {
                "book": {"share": {"eu": 0.7}},
                "game": {"share": {"eu": 0.2}, "calls": {"product": ["pay"]}},
                "toy": {"share": {"eu": 0.1}},
            },
            "launches": {
                "drop": {
                    "product": "toy",
                    "at": {"eu": "2026-03-10T00:30"},
                    "crowd": {"eu": 40_000},
                    "stock": {"eu": 500},
                    "half_life": "4m",
                }
            },
            "journeys": {
                "fan": {
                    "launch": "drop",
                    "start": {"product": 1.0},
                    "next": {"product": {"checkout": 0.5, "exit": 0.5}, "checkout": {"exit": 1.0}},
                    "think": {"other": "8s"},
                    "patience": "15s",
                }
            },
        },
    )


def hill(scenario: Scenario, level: float = 6000.0) -> Demand:
    """Return a demand with its peak in the middle, as journeys of the shopper would cause it."""
    shopper = scenario.journeys["shopper"]
    steps = scenario.step_names
    kernel = lag_kernel(shopper, steps, dict.fromkeys(steps, 1.0))
    minute = np.arange(SLOTS + 60)
    starts = level * (0.4 + np.exp(-(((minute - 60 - 180) / 60) ** 2)))
    return flat_demand(scenario, caused_steps(starts[None], [kernel])[None, :, 60:])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return load_small(tmp_path_factory.mktemp("shop"), small_shop())


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return load_small(tmp_path_factory.mktemp("launch"), toys())


@pytest.fixture(scope="module")
def demand(shop: Scenario) -> Demand:
    return hill(shop)


@pytest.fixture(scope="module")
def plan(shop: Scenario, demand: Demand) -> LoadPlan:
    return plan_load(shop, demand, seed=Seed(7), options=ReplayOptions(speed=10, scale=0.05))


@pytest.fixture(scope="module")
def drop(launch: Scenario) -> LoadPlan:
    demand = replace(hill(launch, 50.0), launches=crowds_of(launch, GRID, []))
    return plan_load(launch, demand, seed=Seed(7), options=ReplayOptions(speed=10, scale=0.2))


# --- whole sessions -----------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    starts=st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_whole_sessions_never_stray_by_one_from_the_plan_s_running_sum(
    seed: int, starts: list[float]
) -> None:
    exact = np.array(starts)[None, None]
    whole = whole_starts(exact, Seed(seed))
    assert whole.dtype.kind == "i"
    assert whole.min() >= 0
    assert np.abs(np.cumsum(whole, axis=2) - np.cumsum(exact, axis=2)).max() < 1


def test_what_is_played_follows_the_starts_at_scale_and_speed(plan: LoadPlan) -> None:
    exact = plan.starts * plan.scale / plan.speed
    assert np.abs(np.cumsum(plan.played, axis=2) - np.cumsum(exact, axis=2)).max() < 1


def test_the_starts_cause_the_forecast_to_within_its_poisson_band(plan: LoadPlan) -> None:
    miss = (plan.caused - plan.forecast) / np.sqrt(np.maximum(plan.forecast, 1))
    assert np.abs(miss).max() < 2


def test_at_any_speed_the_starts_cause_the_same_forecast(shop: Scenario, demand: Demand) -> None:
    for speed in (1.0, 30.0):
        plan = plan_load(shop, demand, seed=Seed(7), options=ReplayOptions(speed=speed, scale=0.05))
        miss = (plan.caused - plan.forecast) / np.sqrt(np.maximum(plan.forecast, 1))
        assert np.abs(miss).max() < 2


# --- arrivals -----------------------------------------------------------------------------------


def test_arrivals_are_sorted_and_their_counts_per_slot_are_those_played(plan: LoadPlan) -> None:
    arrivals = plan.arrivals()
    assert (np.diff(arrivals.at_s) >= 0).all()
    slots = np.floor(arrivals.at_s / plan.slot_wall_s).astype(int) + plan.lead_in
    counts = np.zeros_like(plan.played)
    np.add.at(counts, (arrivals.region, arrivals.journey, slots), 1)
    np.testing.assert_array_equal(counts, plan.played)


def test_the_lead_in_lies_before_second_zero(plan: LoadPlan) -> None:
    assert plan.lead_in > 0
    assert plan.arrivals().at_s[0] < 0
    assert plan.arrivals().at_s[0] >= -plan.lead_in_s
    assert plan.window.start == plan.grid.instant(plan.lead_in)
    assert plan.duration_s == pytest.approx(40 * 60 / 10)


def test_the_same_seed_gives_the_same_arrivals_and_another_seed_others(
    shop: Scenario, demand: Demand, plan: LoadPlan
) -> None:
    again = plan_load(shop, demand, seed=Seed(7), options=ReplayOptions(speed=10, scale=0.05))
    np.testing.assert_array_equal(plan.arrivals().at_s, again.arrivals().at_s)
    other = plan_load(shop, demand, seed=Seed(8), options=ReplayOptions(speed=10, scale=0.05))
    assert not np.array_equal(plan.arrivals().at_s[:100], other.arrivals().at_s[:100])


def test_places_in_a_slot_are_even_for_daily_journeys(plan: LoadPlan) -> None:
    part = (plan.arrivals().at_s / plan.slot_wall_s) % 1
    histogram = np.histogram(part, bins=10, range=(0, 1))[0]
    expected = len(part) / 10
    assert (((histogram - expected) ** 2) / expected).sum() < 30  # chi-square, 9 df, p = 4e-4


def test_a_launch_s_arrivals_are_denser_early_in_the_crowd_and_in_the_slot(drop: LoadPlan) -> None:
    arrivals = drop.arrivals()
    fans = arrivals.at_s[arrivals.journey == drop.journeys.index("fan")]
    event_min = (fans + drop.lead_in_s) / drop.slot_wall_s
    since = event_min - event_min.min()
    assert len(fans) == pytest.approx(40_000 * 0.2 / 10, rel=0.03)
    assert ((since < 4).mean()) == pytest.approx(0.5, abs=0.06)
    assert ((since < 8).mean()) == pytest.approx(0.75, abs=0.05)
    part = event_min % 1
    assert part.mean() < 0.5


def test_no_fan_comes_before_the_release(launch: Scenario, drop: LoadPlan) -> None:
    arrivals = drop.arrivals()
    fans = arrivals.at_s[arrivals.journey == drop.journeys.index("fan")]
    release = (launch.launch_at("drop", "eu") - drop.window.start).total_seconds() / drop.speed
    assert fans.min() >= release - 1e-6


# --- walks --------------------------------------------------------------------------------------


def test_a_walk_does_not_depend_on_which_walks_were_asked_before(
    shop: Scenario, plan: LoadPlan
) -> None:
    arrivals = plan.arrivals()
    sessions = list(range(0, len(arrivals.at_s), 7))
    forward = [Walks(shop, plan).planned(arrivals, s) for s in sessions]
    walks = Walks(shop, plan)
    backward = [walks.planned(arrivals, s) for s in reversed(sessions)][::-1]
    assert forward == backward


def test_a_walk_begins_at_its_arrival_follows_the_graph_and_ends_at_the_exit(
    shop: Scenario, plan: LoadPlan
) -> None:
    arrivals, walks = plan.arrivals(), Walks(shop, plan)
    shopper, names = shop.journeys["shopper"], plan.steps
    ends = 0.0
    for session in range(0, len(arrivals.at_s), 5):
        walk = walks.planned(arrivals, session)
        assert names[walk[0].step] == "home"
        assert walk[0].at_s == arrivals.at_s[session]
        for before, after in itertools.pairwise(walk):
            assert shopper.next[names[before.step]][names[after.step]] > 0
            nominal = plan.nominal["main"][names[before.step]].mean_s
            assert after.at_s == pytest.approx(before.at_s + nominal + before.think_s)
        assert shopper.next[names[walk[-1].step]]["exit"] > 0
        ends += len(walk)
    mean = ends / len(range(0, len(arrivals.at_s), 5))
    assert mean == pytest.approx(shopper.visits_per_session(names).sum(), rel=0.08)


def test_think_times_are_divided_by_the_speed(shop: Scenario, plan: LoadPlan) -> None:
    arrivals, walks = plan.arrivals(), Walks(shop, plan)
    thinks = [
        p.think_s for s in range(3000) for p in walks.planned(arrivals, s % len(arrivals.at_s))
    ]
    assert float(np.mean(thinks)) == pytest.approx(15 / 10, rel=0.05)


def test_planned_steps_are_what_counting_the_walks_gives(shop: Scenario, plan: LoadPlan) -> None:
    arrivals, walks = plan.arrivals(), Walks(shop, plan)
    counted = np.zeros((1, 3, plan.grid.slots), int)
    for session in range(len(arrivals.at_s)):
        for step in walks.planned(arrivals, session):
            slot = plan.lead_in + int(np.floor(step.at_s / plan.slot_wall_s))
            if slot < plan.grid.slots:
                counted[arrivals.region[session], step.step, slot] += 1
    np.testing.assert_array_equal(walks.planned_steps(arrivals), counted)


def test_planned_steps_are_the_forecast_s_at_scale_and_speed(
    shop: Scenario, plan: LoadPlan
) -> None:
    planned = Walks(shop, plan).planned_steps(plan.arrivals())[0, :, plan.lead_in :].sum(axis=1)
    expected = (plan.forecast[0, :, plan.lead_in :] * plan.scale / plan.speed).sum(axis=1)
    assert (np.abs(planned - expected) < 5 * np.sqrt(expected) + 0.02 * expected).all()


def test_products_follow_their_shares_and_a_fan_wants_the_launch_s(
    launch: Scenario, drop: LoadPlan
) -> None:
    daily = replace(flat_plan(launch, 5.0, slots=10), seed=Seed(3))
    arrivals, walks = daily.arrivals(), Walks(launch, daily)
    wanted: dict[str, list[str]] = {"shopper": [], "fan": []}
    for session in range(len(arrivals.at_s)):
        name = daily.journeys[arrivals.journey[session]]
        wanted[name].append(walks.product(arrivals, session))
    assert set(wanted["fan"]) == {"toy"}
    many = len(wanted["shopper"])
    for product, share in (("book", 0.7), ("game", 0.2), ("toy", 0.1)):
        found = wanted["shopper"].count(product) / many
        assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / many))


def test_products_follow_the_local_hour(tmp_path: Path) -> None:
    hours = [0.0] * 24
    hours[1] = 1.0  # the window opens at 01:00 in Berlin
    shop = merged(toys(), {"products": {"book": {"hours": hours}, "game": {"hours": hours[::-1]}}})
    scenario = load_small(tmp_path, shop)
    plan = flat_plan(scenario, 1.0, slots=5)
    arrivals, walks = plan.arrivals(), Walks(scenario, plan)
    shopper = plan.journeys.index("shopper")
    found = {
        walks.product(arrivals, s)
        for s in range(len(arrivals.at_s))
        if arrivals.journey[s] == shopper
    }
    assert found == {"book", "toy"}


# --- the window ---------------------------------------------------------------------------------


@settings(max_examples=examples(30))
@given(seed=st.integers(0, 999), slots=st.integers(20, 400))
def test_the_peak_window_is_the_one_with_the_most_starts(
    shop: Scenario, seed: int, slots: int
) -> None:
    starts = np.random.default_rng(seed).gamma(0.5, 10, (1, slots))
    grid = TimeGrid(GRID.start, slots)
    window = choose_window("peak", shop, grid, starts, [(0, slots)])
    width = min(40, slots)
    assert window.slots == width
    sums = [starts[0, i : i + width].sum() for i in range(slots - width + 1)]
    first = grid.index_of(window.start)
    assert starts[0, first : first + width].sum() == pytest.approx(max(sums))


def test_the_peak_is_that_of_one_stack_not_of_all_together(tmp_path: Path) -> None:
    there = {
        "stacks": {
            "main": {"instances": 9, "instance": "box"},
            "east": {"instances": 9, "instance": "box"},
        }
    }
    shop = merged(
        small_shop(),
        {
            "regions": {"jp": {"zone": "Asia/Tokyo", "stack": "east"}},
            "history": {"synthetic": {"sessions_per_day": {"jp": 1.0}}},
            "services": dict.fromkeys(("edge", "stock", "pay"), there),
        },
    )
    scenario = load_small(tmp_path, shop)
    starts = np.ones((2, SLOTS))
    starts[:, 50:90] = 6.0  # together the most
    starts[1, 200:240] = 9.0  # of one stack the most
    window = choose_window("peak", scenario, GRID, starts, [(0, SLOTS)] * 2)
    assert GRID.index_of(window.start) == 200


def window_of(shop: Scenario, asked: str) -> TimeGrid:
    return choose_window(asked, shop, GRID, np.ones((1, SLOTS)), event_spans(shop, GRID))


@settings(max_examples=examples(60))
@given(data=st.data())
def test_the_peak_window_lies_inside_one_region_s_own_event_however_busy_the_minutes_around_it(
    shop: Scenario, data: st.DataObject
) -> None:
    slots = data.draw(st.integers(60, 400))
    first = data.draw(st.integers(0, slots - 1))
    last = data.draw(st.integers(first + 1, slots))
    starts = np.random.default_rng(data.draw(st.integers(0, 99))).gamma(0.5, 10, (1, slots))
    starts[0, :first] += 1000.0
    starts[0, last:] += 1000.0
    grid = TimeGrid(GRID.start, slots)
    window = choose_window("peak", shop, grid, starts, [(first, last)])
    begins = grid.index_of(window.start)
    assert first <= begins < begins + window.slots <= last
    assert window.slots == min(40, last - first)


def test_customers_of_a_region_whose_event_is_over_count_but_choose_no_window(
    tmp_path: Path,
) -> None:
    both = {
        "regions": {"jp": {"zone": "Asia/Tokyo", "stack": "main"}},
        "history": {"synthetic": {"sessions_per_day": {"jp": 1.0}}},
    }
    scenario = load_small(tmp_path, merged(small_shop(), both))
    starts = np.ones((2, SLOTS))
    starts[1, 0:40] = 90.0  # nobody's event
    starts[1, 200:240] = 5.0  # beside the other region's event
    spans = [(100, SLOTS), (80, 120)]
    window = choose_window("peak", scenario, GRID, starts, spans)
    assert GRID.index_of(window.start) == 200


@pytest.mark.parametrize(
    "asked",
    [
        "2026-03-09T21:00Z/2026-03-09T22:00Z",
        "2026-03-09T22:00+01:00/2026-03-09T23:00+01:00",
        "2026-03-09T22:00@eu/2026-03-09T23:00@eu",
    ],
)
def test_a_window_may_be_named_with_offsets_or_in_a_region(shop: Scenario, asked: str) -> None:
    window = window_of(shop, asked)
    assert (window.start, window.slots) == (datetime(2026, 3, 9, 21, tzinfo=UTC), 60)


def test_all_is_the_event_in_every_region(shop: Scenario) -> None:
    window = window_of(shop, "all")
    assert (window.start, window.end) == shop.span(shop.event, "eu")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("peek", "peak, all, or START/END"),
        ("", "peak, all, or START/END"),
        ("a/b/c", "peak, all, or START/END"),
        ("a/b", "'a'"),
        ("/", "--window"),
        ("2026-03-09T21:00/2026-03-09T22:00", "needs an offset, or a region"),
        ("2026-03-09T21:00@eu/2026-03-09T22:00@us", "unknown region 'us'"),
        ("2026-03-09T22:00Z/2026-03-09T21:00Z", "ends before it starts"),
        ("2026-03-09T22:00Z/2026-03-09T22:00Z", "ends before it starts"),
        ("2026-03-09T19:59Z/2026-03-09T21:00Z", "outside the event"),
        ("2026-03-10T00:30Z/2026-03-10T01:01Z", "outside the event"),
        ("2026-03-29T02:30@eu/2026-03-29T04:00@eu", "does not exist in Europe/Berlin"),
        ("2026-10-25T02:30@eu/2026-10-25T04:00@eu", "happens twice in Europe/Berlin"),
    ],
)
def test_a_window_that_cannot_be_is_refused_by_name(shop: Scenario, asked: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        window_of(shop, asked)
    assert said in str(caught.value)
    assert "--window" in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_offset_and_a_region_together_are_refused_for_what_they_are(shop: Scenario) -> None:
    with pytest.raises(UsageError) as caught:
        window_of(shop, "2026-03-09T21:00Z@eu/2026-03-09T22:00Z@eu")
    assert "does not exist" not in str(caught.value)


# --- speed and scale ----------------------------------------------------------------------------


@pytest.mark.parametrize("mean", ["20ms", "100ms", "700ms"])
def test_a_speed_too_fast_is_refused_with_one_that_would_do_and_does(
    tmp_path: Path, mean: str
) -> None:
    slow = {"services": {"stock": service(mean, servers=100)}}
    scenario = load_small(tmp_path, small_shop(), slow)
    demand = hill(scenario)

    def ask(speed: float) -> LoadPlan:
        return plan_load(
            scenario, demand, seed=Seed(1), options=ReplayOptions(speed=speed, scale=0.05)
        )

    with pytest.raises(UsageError, match="--speed 600x is too fast") as caught:
        ask(600)
    found = re.search(r"up to ([0-9.]+)x would do", str(caught.value))
    assert found is not None
    fastest = float(found[1])
    assert ask(fastest).speed == fastest
    with pytest.raises(UsageError):
        ask(fastest + 0.2)


def test_real_time_is_never_too_fast_however_slow_the_services(tmp_path: Path) -> None:
    slow = {"services": {"stock": service("20s", servers=9000, timeout="100s")}}
    scenario = load_small(tmp_path, small_shop(), slow)
    demand = hill(scenario)
    with pytest.raises(UsageError, match="up to 1x would do"):
        plan_load(scenario, demand, seed=Seed(1), options=ReplayOptions(speed=2, scale=0.05))
    plan = plan_load(scenario, demand, seed=Seed(1), options=ReplayOptions(speed=1, scale=0.05))
    assert plan.speed == 1


def test_a_duration_sets_the_speed(shop: Scenario, demand: Demand) -> None:
    plan = plan_load(shop, demand, seed=Seed(1), options=ReplayOptions(duration_s=240, scale=0.05))
    assert plan.speed == pytest.approx(10)
    assert plan.duration_s == pytest.approx(240)


def test_a_duration_longer_than_the_window_is_refused(shop: Scenario, demand: Demand) -> None:
    with pytest.raises(UsageError, match="--duration"):
        plan_load(shop, demand, seed=Seed(1), options=ReplayOptions(duration_s=3000, scale=0.05))


@settings(max_examples=examples(40))
@given(level=st.floats(10, 1e8))
def test_auto_scale_brings_the_hottest_slot_to_the_asked_steps_a_second(
    shop: Scenario, level: float
) -> None:
    steps = np.full((1, 3, 40), level / 3)
    steps[:, :, 17] *= 1.7
    scale = choose_scale(None, shop, steps, own_target=False)
    hottest_per_s = 1.7 * level / 60 * scale
    if scale < 1:
        assert hottest_per_s == pytest.approx(shop.replay.steps_per_s, rel=0.06)
    else:
        assert hottest_per_s <= shop.replay.steps_per_s * 1.06


def test_a_plan_at_auto_scale_sends_that_many_steps_a_wall_second(
    shop: Scenario, demand: Demand
) -> None:
    busy = replace(demand, median=demand.median * 50)
    plan = plan_load(shop, busy, seed=Seed(1), options=ReplayOptions(speed=10))
    planned = Walks(shop, plan).planned_steps(plan.arrivals())[:, :, plan.lead_in :]
    assert planned.sum(axis=(0, 1)).max() / plan.slot_wall_s == pytest.approx(
        shop.replay.steps_per_s, rel=0.1
    )


def test_a_target_of_one_s_own_takes_the_fraction_the_scenario_says(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop(), {"replay": {"target_fraction": 0.125}})
    steps = np.ones((1, 3, 40))
    assert choose_scale(None, scenario, steps, own_target=True) == 0.125
    assert choose_scale(0.5, scenario, steps, own_target=True) == 0.5


def test_a_window_without_any_forecast_is_refused(shop: Scenario) -> None:
    with pytest.raises(UsageError, match="--window"):
        choose_scale(None, shop, np.zeros((1, 3, 40)), own_target=False)


@pytest.mark.parametrize("dispersion", [1.0, 3.0, 8.0])
def test_starts_are_as_bunched_as_is_said_and_no_slot_s_count_changes(
    dispersion: float, tmp_path: Path
) -> None:
    """Variance over mean of starts a second, within slots, over an hour."""
    scenario = load_small(tmp_path, small_shop())
    plan = replace(flat_plan(scenario, 50.0, slots=60), dispersion=dispersion)
    at_s = plan.arrivals().at_s
    assert (np.diff(at_s) >= 0).all()
    slots = np.bincount((at_s // 60).astype(int), minlength=60)
    assert slots.tolist() == plan.played.sum(axis=(0, 1)).tolist()
    seconds = np.bincount(at_s.astype(int), minlength=3600).reshape(60, 60)
    expected = seconds.mean(axis=1, keepdims=True)
    index = float(((seconds - expected) ** 2 / expected).sum() / (60 * 59))
    assert index == pytest.approx(dispersion, rel=0.12)


def mixed_shop() -> dict[str, Any]:
    """Return the small shop with two journeys that no forecast of steps tells apart: the same but for the pace."""
    shop = small_shop()
    shopper = shop["journeys"]["shopper"]
    shop["journeys"]["shopper"] = shopper | {"share": {"eu": 0.75}}
    hours = [1.0] * 24
    hours[20] = 4.0
    shop["journeys"]["slow"] = shopper | {
        "share": {"eu": 0.25},
        "hours": hours,
        "think": {"other": "16s"},
    }
    shop["history"]["synthetic"]["journeys"] = {"shopper": 0.75, "slow": 0.25}
    return shop


def test_shares_decide_what_the_forecast_leaves_open_hour_by_hour(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, mixed_shop())
    steps = 600.0 * np.array([1.0, 1.0, 0.2])[:, None] * np.ones(48 * 60 + 240)
    plan = plan_load(
        scenario,
        flat_demand(scenario, steps[None]),
        seed=Seed(1),
        options=ReplayOptions("all", 1.0),
    )
    slow = plan.starts[0, 1] / plan.starts[0].sum(axis=0)
    local = (
        np.arange(plan.grid.slots) - plan.lead_in
    ) % 1440  # the event begins at midnight, Berlin's
    by_hour = [slow[local // 60 == hour].mean() for hour in range(24)]
    assert by_hour[12] == pytest.approx(0.25, abs=0.03)
    assert by_hour[20] == pytest.approx(1.0 / (1.0 + 0.75), abs=0.1)
    assert abs(plan.caused.sum() / plan.forecast.sum() - 1) < 1e-3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"share": {"eu": 0.5}}, "shares in region 'eu' sum to 0.75"),
        ({"share": None}, "lacks its `share`"),
        ({"share": {"mars": 0.75}}, "mars"),
        ({"hours": [0.0] * 24}, "at least one of the `hours`"),
    ],
)
def test_shares_that_cannot_be_are_refused(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    shop = mixed_shop()
    shop["journeys"]["shopper"] |= change
    shop["journeys"]["shopper"] = {
        k: v for k, v in shop["journeys"]["shopper"].items() if v is not None
    }
    with pytest.raises(ScenarioError, match=re.escape(said)):
        load_small(tmp_path, shop)


@pytest.mark.parametrize("exact", [0.01, 0.014])
def test_a_scale_that_nobody_asked_for_is_raised_to_a_cell_quick_enough_for_the_speed(
    exact: float,
) -> None:
    from gameday.scenario import load_scenario
    from gameday.traffic.fit.demand_with_launches import nominal_at
    from gameday.traffic.plan.shape import fastest_speed, larger_scales

    scenario = load_scenario("primeday")
    speed = scenario.replay.speed
    limits = {k: fastest_speed(scenario, nominal_at(scenario, k))[0] for k in larger_scales(exact)}
    assert next(iter(limits)) == exact
    assert max(limits) <= 1.5 * exact
    assert any(speed <= limit for limit in limits.values())
