"""Laws of sizing in the model: all holds, nothing could be lowered, what holds is left; schedules cover."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.capacity import Budget, SizedStack, request_capacity, size_stack, verify
from gameday.capacity.joint_sizing import size_together, with_fleets
from gameday.capacity.request import as_yaml, from_mapping
from gameday.capacity.schedule import schedule
from gameday.experiments.failures import WARM_UP, PeakCase, peak_cases, played_with
from gameday.experiments.rehearsal import said_of
from gameday.record.intervals import level_interval
from gameday.scenario import METRICS, Scenario, parse_criterion
from gameday.scenario.reading.plain_yaml import from_yaml
from gameday.vocabulary import Seed, TimeGrid
from tests.capacity.test_verify import BORNE_OUT, OBJECTIVES, demand_of, three_zones
from tests.support import examples
from tests.support.small_runs import busy_shop, played

SEED, OTHER = Seed(3), Seed(77)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def budget(search_s: float = 60.0, proof_s: float = 60.0) -> Budget:
    return Budget(search_s, proof_s, time.monotonic)


def shop_of(folder: Path, fleets: Mapping[str, int], *, scale_down: bool = False) -> Scenario:
    services = {name: three_zones(number) for name, number in fleets.items()}
    services["stock"] |= {"queue_per_server": 10}
    capacity = {"quantile": "p90", "zones_lost": 1, "scale_down": scale_down}
    changes = {"services": services, "objectives": OBJECTIVES, "capacity": capacity}
    shop = busy_shop(folder, {k: v for k, v in changes.items() if k != "capacity"})
    block = shop.capacity.model_copy(update={"scale_down": scale_down})
    return shop.model_copy(update={"capacity": block})


def case_of(shop: Scenario) -> PeakCase:
    [case] = peak_cases(lambda _: shop, demand_of(shop), played(shop), seed=SEED, core_s=2.0)
    return case


def unmet(shop: Scenario, case: PeakCase, seed: Seed, fleets: Mapping[str, int]) -> list[str]:
    """Return the objectives that do not surely hold with such fleets, by customers and chance of `seed`."""
    runs = played_with(case, with_fleets(shop, "main", fleets), seed=seed)
    said = {}
    for number, criterion in enumerate(shop.objectives):
        values = [run.number_of(number)[0] for run in runs]
        band = level_interval(values, METRICS[criterion.metric])
        said[criterion.text] = said_of(band, criterion.holds)
    return [text for text, answer in said.items() if answer != "holds"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """Return a shop in three zones whose stock has three servers for the work of four."""
    return shop_of(tmp_path_factory.mktemp("short"), {"edge": 60, "pay": 12, "stock": 3})


@pytest.fixture(scope="module")
def case(shop: Scenario) -> PeakCase:
    return case_of(shop)


@pytest.fixture(scope="module")
def sized(shop: Scenario, case: PeakCase) -> SizedStack:
    return size_stack(shop, demand_of(shop), case, seed=SEED, budget=budget())


def test_with_what_is_found_every_objective_holds_by_other_chance_too(
    shop: Scenario, case: PeakCase, sized: SizedStack
) -> None:
    assert (sized.unmet, sized.why) == ((), "")
    assert unmet(shop, case, OTHER, sized.fleets) == []
    assert sized.fleets["stock"] > 3


def test_no_fleet_above_what_there_was_can_be_lowered_by_an_instance_a_zone(
    shop: Scenario, case: PeakCase, sized: SizedStack
) -> None:
    now = {"edge": 60, "pay": 12, "stock": 3}
    for name, number in sized.fleets.items():
        assert number >= now[name]
        if number > now[name]:
            fewer = {**sized.fleets, name: max(now[name], number - 3)}
            assert unmet(shop, case, SEED, fewer), name


def test_a_stack_that_holds_as_it_is_is_left_as_it_is(
    tmp_path: Path, shop: Scenario, sized: SizedStack
) -> None:
    enough = shop_of(tmp_path, sized.fleets)
    found = size_stack(enough, demand_of(enough), case_of(enough), seed=SEED, budget=budget())
    assert (found.fleets, found.tried) == (sized.fleets, 1)
    orders = request_capacity(enough, demand_of(enough), (), run="r", now=NOW, sized=(found,))
    assert orders == ()


def test_fleets_that_idle_are_lowered_where_that_is_asked_for(
    tmp_path: Path, sized: SizedStack
) -> None:
    idle = shop_of(tmp_path, {**sized.fleets, "pay": 60}, scale_down=True)
    found = size_stack(idle, demand_of(idle), case_of(idle), seed=SEED, budget=budget())
    assert (found.unmet, found.why) == ((), "")
    assert found.fleets["pay"] < 60
    orders = request_capacity(idle, demand_of(idle), (), run="r", now=NOW, sized=(found,))
    [pay] = [order for order in orders if order.service == "pay"]
    assert pay.instances_to < pay.instances_from == 60
    assert pay.total_usd < 0


def test_a_search_that_is_cut_says_so_and_proves_nothing(shop: Scenario, case: PeakCase) -> None:
    found = size_together(shop, case, {}, seed=SEED, budget=budget(-1.0, -1.0))
    assert found.unmet
    assert "the search ended after -1 s" in found.why
    assert found.why in found.words


def test_more_servers_do_not_help_where_none_is_waited_for(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, {"edge": 60, "pay": 30, "stock": 30})
    hopeless = [parse_criterion(f"p99 of {next(iter(shop.steps))} < 1ms")]
    shop = shop.model_copy(update={"objectives": hopeless})
    found = size_together(shop, case_of(shop), {}, seed=SEED, budget=budget())
    assert "more servers do not help" in found.why
    assert found.unmet


def test_requests_prove_and_schedule_what_was_sized(
    shop: Scenario, case: PeakCase, sized: SizedStack
) -> None:
    demand = demand_of(shop)
    orders = request_capacity(shop, demand, (), run="r", now=NOW, sized=(sized,))
    proven = verify(shop, (case,), orders, BORNE_OUT, seed=SEED, sized=(sized,))
    assert {order.service for order in proven} == {
        name
        for name, number in sized.fleets.items()
        if number > {"edge": 60, "pay": 12, "stock": 3}[name]
    }
    for order in proven:
        assert order.instances_to == sized.fleets[order.service]
        assert order.proven == "holds"
        assert "the model, all services together" in order.sized_by
        assert order.needed_by == order.schedule[0].start
        hours = sum((s.instances - order.instances_from) * s.hours for s in order.schedule)
        price = order.hourly_usd / order.added
        assert order.total_usd == pytest.approx(price * hours)
        assert from_mapping(from_yaml(as_yaml(order)), "here").schedule == order.schedule
    smaller = tuple(replace(o, instances_to=o.instances_from, schedule=()) for o in orders)
    for order in verify(shop, (case,), smaller, BORNE_OUT, seed=SEED, sized=(sized,)):
        assert "fails" in order.proven


@settings(deadline=None, max_examples=examples(40))
@given(
    needs=st.lists(st.integers(0, 40), min_size=1, max_size=400),
    start=st.integers(0, 200),
    now=st.integers(0, 30),
)
def test_a_schedule_covers_the_need_of_every_minute_from_its_warm_up_on(
    needs: list[int], start: int, now: int
) -> None:
    grid = TimeGrid(datetime(2026, 3, 7, tzinfo=UTC) + timedelta(minutes=start), len(needs))
    needed = np.where(np.array(needs) > 0, np.maximum(needs, now), 0)
    phase = np.array([f"phase {n % 3}" for n in range(len(needs))], dtype=object)
    steps = schedule(needed, phase, grid, now)
    for before, after in itertools.pairwise(steps):
        assert before.end <= after.start

    def at_work(instant: datetime) -> int:
        return next((s.instances for s in steps if s.start <= instant < s.end), now)

    for slot, need in enumerate(needed.tolist()):
        for ahead in (timedelta(0), WARM_UP / 2, WARM_UP):
            assert at_work(grid.instant(slot) - ahead) >= need
    assert all(step.instances <= max(needed) for step in steps)
