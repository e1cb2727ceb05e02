"""Sizes: enough with the zones lost, no instance too many, and never fewer for more load."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.capacity.sizing import size_service
from gameday.queueing.closed_forms import erlang_c
from gameday.scenario import Scenario
from tests.support import examples
from tests.support.small_runs import busy_shop

loads = st.floats(0.01, 400)
quietly = settings(
    deadline=None,
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def fleet_of(folder: Path, zones: int, per_instance: int, lost: int = 1) -> Scenario:
    return busy_shop(
        folder,
        {
            "services": {
                "pay": {
                    "stacks": {"main": {"zones": zones}},
                    "servers_per_instance": per_instance,
                }
            },
            "capacity": {"zones_lost": lost},
        },
    )


def holds(scenario: Scenario, servers: int, offered: float) -> bool:
    block = scenario.capacity
    return (
        offered <= servers * block.max_utilisation + 1e-9
        and erlang_c(offered, servers) <= block.max_wait_probability
    )


@quietly
@given(offered=loads, growth=st.floats(1, 5), zones=st.integers(1, 6), each=st.integers(1, 16))
def test_more_load_never_needs_fewer_instances(
    offered: float, growth: float, zones: int, each: int, tmp_path: Path
) -> None:
    scenario = fleet_of(tmp_path, zones, each)
    one, more = (size_service(scenario, "main", "pay", x) for x in (offered, offered * growth))
    assert more.instances >= one.instances
    assert more.servers_needed >= one.servers_needed


@quietly
@given(offered=loads, zones=st.integers(2, 6), each=st.integers(1, 16), lost=st.integers(0, 2))
def test_the_size_holds_its_bounds_with_the_zones_lost_and_one_instance_a_zone_fewer_does_not(
    offered: float, zones: int, each: int, lost: int, tmp_path: Path
) -> None:
    scenario = fleet_of(tmp_path, zones, each, min(lost, zones - 1))
    left = zones - scenario.capacity.zones_lost
    size = size_service(scenario, "main", "pay", offered)
    a_zone, rest = divmod(size.instances, zones)
    assert rest == 0
    assert holds(scenario, a_zone * left * each, offered)
    assert a_zone == 1 or not holds(scenario, (a_zone - 1) * left * each, offered)
    assert size.survivors_share == pytest.approx(left / zones)


@quietly
@given(offered=loads, zones=st.integers(2, 6))
def test_losing_a_zone_more_never_needs_fewer_instances(
    offered: float, zones: int, tmp_path: Path
) -> None:
    sizes = [
        size_service(fleet_of(tmp_path, zones, 4, lost), "main", "pay", offered).instances
        for lost in range(min(3, zones))
    ]
    assert sizes == sorted(sizes)


def test_an_idle_service_keeps_an_instance_in_every_zone(tmp_path: Path) -> None:
    assert size_service(fleet_of(tmp_path, 3, 4), "main", "pay", 0.0).instances == 3


def test_a_tighter_bound_never_needs_fewer_instances(tmp_path: Path) -> None:
    scenario = fleet_of(tmp_path, 3, 4)
    sizes = []
    for bound in (0.5, 0.2, 0.05, 0.001):
        block = scenario.capacity.model_copy(update={"max_wait_probability": bound})
        tighter = scenario.model_copy(update={"capacity": block})
        sizes.append(size_service(tighter, "main", "pay", 30.0).instances)
    assert sizes == sorted(sizes)
