"""Cells: scaled by k, rounded to whole servers, and exactly as busy as the whole system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.queueing import build_cell
from gameday.queueing.cell import Visit
from gameday.scenario import Scenario
from gameday.scenario.blocks.services import Service
from tests.support import examples

if TYPE_CHECKING:
    from tests.scenario.conftest import Bench

SCALES = st.floats(1e-5, 1.5)


def service_of(instances: int, per_instance: int, queue_per_server: float = 2.0) -> Service:
    return Service.model_validate_json(
        json.dumps(
            {
                "stacks": {"main": {"instances": instances, "instance": "m"}},
                "servers_per_instance": per_instance,
                "queue_per_server": queue_per_server,
                "time": {"law": "exponential", "mean": "20ms"},
                "timeout": "1s",
            }
        )
    )


@given(instances=st.integers(1, 400), per_instance=st.integers(1, 64), scale=SCALES)
def test_a_station_has_whole_servers_and_the_offered_load_of_its_share(
    instances: int, per_instance: int, scale: float
) -> None:
    service = service_of(instances, per_instance)
    station = service.station("x", "main", scale)
    exact = scale * (instances * per_instance)
    assert station.servers == max(1, round(exact))
    # utilisation: k lambda x (E[S] x factor) / c'  =  lambda x E[S] / c
    assert scale * station.time_factor / station.servers == pytest.approx(
        1 / (instances * per_instance)
    )


@given(instances=st.integers(1, 400), per_instance=st.integers(1, 64))
def test_at_full_scale_a_station_is_the_service_itself(instances: int, per_instance: int) -> None:
    station = service_of(instances, per_instance).station("x", "main", 1.0)
    assert station.servers == instances * per_instance
    assert station.time_factor == 1.0
    assert station.queue_bound == 2 * station.servers


@given(scale=SCALES, per_server=st.floats(0, 20))
def test_a_queue_bound_is_whole_and_in_proportion_to_the_servers(
    scale: float, per_server: float
) -> None:
    station = service_of(40, 8, per_server).station("x", "main", scale)
    assert abs(station.queue_bound - station.servers * per_server) <= 0.5
    assert isinstance(station.queue_bound, int)


def entry_visits(scenario: Scenario, stack: str, scale: float) -> list[tuple[str, Visit, Visit]]:
    """Return (step, visit in the cell, the same visit at full scale) for every visit."""
    cell, full = (build_cell(scenario, stack, scale=k) for k in (scale, 1.0))
    pairs = []
    for key, groups in cell.visits.items():
        for mine, whole in zip(groups, full.visits[key], strict=True):
            for a, b in zip(mine, whole, strict=True):
                pairs += [(key[0], x, y) for x, y in zip(a.walk(), b.walk(), strict=True)]
    return pairs


@settings(deadline=None, max_examples=examples(40))
@given(scale=SCALES)
def test_a_leaf_service_is_exactly_as_busy_in_the_cell_as_in_the_whole(
    primeday: Scenario, scale: float
) -> None:
    for stack in primeday.stack_names:
        cell = build_cell(primeday, stack, scale=scale)
        for _, mine, whole in entry_visits(primeday, stack, scale):
            if mine.then:
                continue
            servers = primeday.services[mine.service].servers(stack)
            busy = scale * mine.time.mean * mine.factor / cell.stations[mine.service].servers
            assert busy == pytest.approx(whole.time.mean / servers)


@settings(deadline=None, max_examples=examples(40))
@given(scale=SCALES)
def test_a_hold_is_the_full_scale_hold_times_the_factor_where_no_note_is_given(
    primeday: Scenario, scale: float
) -> None:
    for stack in primeday.stack_names:
        cell = build_cell(primeday, stack, scale=scale)
        noted = {note.split(":")[0] for note in cell.notes}
        for step, mine, whole in entry_visits(primeday, stack, scale):
            if f"{mine.service} on {step}" in noted:
                continue
            factor = cell.stations[mine.service].time_factor
            assert mine.mean_hold_s == pytest.approx(factor * whole.mean_hold_s)


@settings(deadline=None, max_examples=examples(40))
@given(scale=SCALES)
def test_a_visit_a_note_is_given_for_is_busier_than_its_share_and_never_less(
    primeday: Scenario, scale: float
) -> None:
    for stack in primeday.stack_names:
        cell = build_cell(primeday, stack, scale=scale)
        for _, mine, whole in entry_visits(primeday, stack, scale):
            factor = cell.stations[mine.service].time_factor
            assert mine.factor >= 0
            assert mine.mean_hold_s >= factor * whole.mean_hold_s * (1 - 1e-9)


def test_at_full_scale_no_work_is_stretched_and_no_note_is_given(primeday: Scenario) -> None:
    for stack in primeday.stack_names:
        cell = build_cell(primeday, stack, scale=1.0)
        assert cell.notes == ()
        for _, visit, _ in entry_visits(primeday, stack, 1.0):
            assert visit.factor == pytest.approx(1.0)


def test_the_hold_at_full_scale_is_own_work_plus_the_slowest_of_each_group(bench: Bench) -> None:
    scenario = bench.load()
    cell = build_cell(scenario, "main", scale=1.0)
    [token], [cart] = cell.exchanges("cart", None)
    assert token.mean_hold_s == pytest.approx(0.003)
    assert cart.mean_hold_s == pytest.approx(0.003 + max(0.030, 0.010))


def test_a_products_extra_calls_go_with_its_first_exchange_only(bench: Bench) -> None:
    cell = build_cell(bench.load(), "main", scale=1.0)
    [token], [cart] = cell.exchanges("cart", "console")
    assert [v.service for v in token.walk()] == ["edge", "stock"]
    assert [v.service for v in cart.walk()] == ["edge", "stock", "price"]
    assert cell.exchanges("cart", "toys") == cell.exchanges("cart", None)


def test_the_numbers_of_a_trees_visits_are_distinct_and_depth_first(primeday: Scenario) -> None:
    cell = build_cell(primeday, primeday.stack_names[0], scale=0.01)
    for groups in cell.visits.values():
        for group in groups:
            for entry in group:
                numbers = [v.number for v in entry.walk()]
                assert numbers == list(range(len(numbers)))


def test_a_step_time_replaces_the_services_own_on_that_step_alone(primeday: Scenario) -> None:
    identity = primeday.services["identity"]
    assert identity.time_for("sign-in").mean == 0.040
    assert identity.time_for("checkout").mean == 0.010
