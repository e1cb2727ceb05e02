"""Staffing laws: Erlang's formulas, the fewest servers, and an interval that keeps its word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.queueing.closed_forms import (
    erlang_b,
    erlang_c,
    mean_wait_s,
    servers_for,
    wait_quantile_s,
)
from gameday.record.intervals.of_replications import t_interval

LOADS = st.floats(0.01, 300)
GROWTH = st.floats(1, 4)


@pytest.mark.parametrize(
    ("offered", "servers", "blocked"),
    # Tables of the Erlang loss formula; 1 erlang on 1 server is 1/2 on paper.
    [(1.0, 1, 0.5), (2.0, 2, 0.4), (8.0, 10, 0.12166), (5.0, 10, 0.018385), (100.0, 117, 0.00979)],
)
def test_erlang_b_gives_the_table_s_blocking(offered: float, servers: int, blocked: float) -> None:
    assert erlang_b(offered, servers) == pytest.approx(blocked, rel=2e-3)


@pytest.mark.parametrize(
    ("offered", "servers", "waits"),
    [(8.0, 10, 0.409), (0.5, 1, 0.5), (1.0, 2, 1 / 3), (5.0, 10, 0.0361), (0.0, 3, 0.0)],
)
def test_erlang_c_gives_the_table_s_chance_to_wait(
    offered: float, servers: int, waits: float
) -> None:
    assert erlang_c(offered, servers) == pytest.approx(waits, abs=5e-4)


@given(offered=LOADS, servers=st.integers(1, 60))
def test_erlang_b_is_its_sum_on_paper(offered: float, servers: int) -> None:
    logs = [k * math.log(offered) - math.lgamma(k + 1) for k in range(servers + 1)]
    top = max(logs)
    expected = math.exp(logs[-1] - top) / sum(math.exp(x - top) for x in logs)
    assert erlang_b(offered, servers) == pytest.approx(expected, rel=1e-9)


@given(offered=LOADS, servers=st.integers(1, 350))
def test_a_chance_to_wait_is_a_chance_and_at_least_that_of_being_blocked(
    offered: float, servers: int
) -> None:
    assert 0 <= erlang_b(offered, servers) <= erlang_c(offered, servers) <= 1


@given(offered=LOADS, growth=GROWTH, servers=st.integers(1, 350))
def test_more_load_never_makes_waiting_rarer(offered: float, growth: float, servers: int) -> None:
    assert erlang_c(offered * growth, servers) >= erlang_c(offered, servers) - 1e-12


@given(offered=LOADS, servers=st.integers(1, 350), more=st.integers(1, 20))
def test_more_servers_never_make_waiting_likelier(offered: float, servers: int, more: int) -> None:
    assert erlang_c(offered, servers + more) <= erlang_c(offered, servers) + 1e-12


@given(offered=LOADS, over=st.floats(1, 5))
def test_at_or_above_capacity_everyone_waits_for_ever(offered: float, over: float) -> None:
    servers = max(1, math.floor(offered / over))
    if offered >= servers:
        assert erlang_c(offered, servers) == 1.0
        assert mean_wait_s(offered, servers, 1.0) == math.inf
        assert wait_quantile_s(offered, servers, 1.0, 0.99) == math.inf


@given(offered=st.floats(0.05, 0.95), service_s=st.floats(0.001, 10))
def test_one_server_waits_as_m_m_1_on_paper(offered: float, service_s: float) -> None:
    assert mean_wait_s(offered, 1, service_s) == pytest.approx(offered * service_s / (1 - offered))
    assert mean_wait_s(offered, 1, service_s, scv=0.0) == pytest.approx(
        offered * service_s / (1 - offered) / 2
    )


@given(offered=st.floats(0.5, 30), spare=st.integers(1, 6), level=st.sampled_from([0.5, 0.9, 0.99]))
def test_a_wait_s_quantile_is_exceeded_by_just_that_share(
    offered: float, spare: int, level: float
) -> None:
    servers = math.floor(offered) + spare
    wait_s = wait_quantile_s(offered, servers, 1.0, level)
    beyond = erlang_c(offered, servers) * math.exp(-(servers - offered) * wait_s)
    if wait_s > 0:
        assert beyond == pytest.approx(1 - level)
    else:
        assert beyond <= 1 - level + 1e-12


@given(offered=LOADS, waits=st.floats(0.001, 0.9), utilisation=st.floats(0.2, 0.99))
def test_servers_for_keeps_both_bounds_and_one_fewer_would_not(
    offered: float, waits: float, utilisation: float
) -> None:
    servers = servers_for(offered, max_wait_probability=waits, max_utilisation=utilisation)
    assert erlang_c(offered, servers) <= waits
    assert offered / servers <= utilisation + 1e-6
    if servers > 1:
        fewer = servers - 1
        kept = erlang_c(offered, fewer) <= waits and offered / fewer <= utilisation - 1e-6
        assert not kept


@given(load=LOADS, growth=GROWTH)
def test_more_load_never_needs_fewer_servers(load: float, growth: float) -> None:
    bounds = {"max_wait_probability": 0.05, "max_utilisation": 0.75}
    assert servers_for(load * growth, **bounds) >= servers_for(load, **bounds)


@pytest.mark.parametrize("offered", [1e4, 1e5])
def test_a_large_service_needs_only_its_utilisation(offered: float) -> None:
    servers = servers_for(offered, max_wait_probability=0.05, max_utilisation=0.75)
    assert servers == math.ceil(offered / 0.75)


def test_an_interval_holds_the_truth_in_about_95_of_100() -> None:
    rng = np.random.default_rng(20)
    for size in (2, 5, 20):
        held = 0
        for _ in range(2000):
            band = t_interval(list(rng.normal(3.0, 2.0, size)))
            held += band.low <= 3.0 <= band.high
        assert held / 2000 == pytest.approx(0.95, abs=0.015)


@given(level=st.floats(0.5, 0.99), values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_an_interval_lies_around_the_mean(level: float, values: list[float]) -> None:
    band = t_interval(values, level)
    assert band.mid == pytest.approx(np.mean(values), abs=1e-6)
    assert band.low <= band.mid <= band.high
    assert band.level == level


def test_what_was_not_observed_is_left_out_of_an_interval() -> None:
    nan = float("nan")
    assert t_interval([1.0, nan, 3.0]) == t_interval([1.0, 3.0])
    one = t_interval([nan, 4.0])
    assert (one.mid, one.low, one.high) == (4.0, -math.inf, math.inf)
    assert math.isnan(t_interval([nan]).mid)
    assert math.isnan(t_interval([]).low)
