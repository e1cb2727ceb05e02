"""What a full, slow or failing service does: each policy's arithmetic, by its properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gameday.scenario.policies import (
    Autoscale,
    Retry,
    backoff_s,
    gives_up_at_s,
    is_shed,
    servers_wanted,
)

COUNTS = st.integers(0, 1000)
UNIFORMS = st.floats(2.0**-54, 1, exclude_max=True)


@given(base_s=st.floats(0, 60), attempt=st.integers(1, 10), uniform=UNIFORMS)
def test_a_backoff_lies_between_nothing_and_its_doubled_bound(
    base_s: float, attempt: int, uniform: float
) -> None:
    assert 0 <= backoff_s(base_s, attempt, uniform) <= base_s * 2 ** (attempt - 1)


@given(base_s=st.floats(1e-6, 60), attempt=st.integers(1, 9), uniform=UNIFORMS)
def test_a_backoff_doubles_with_each_attempt(base_s: float, attempt: int, uniform: float) -> None:
    assert backoff_s(base_s, attempt + 1, uniform) == 2 * backoff_s(base_s, attempt, uniform)


@given(base_s=st.floats(0.001, 60), attempt=st.integers(1, 10), a=UNIFORMS, b=UNIFORMS)
def test_a_larger_uniform_never_waits_less(base_s: float, attempt: int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert backoff_s(base_s, attempt, low) <= backoff_s(base_s, attempt, high)


@given(in_use=COUNTS, servers=st.integers(1, 1000), queued=COUNTS, bound=COUNTS)
def test_an_arrival_is_shed_only_with_no_server_free_and_no_place_to_wait(
    in_use: int, servers: int, queued: int, bound: int
) -> None:
    shed = is_shed(in_use, servers, queued, bound)
    assert shed == (in_use >= servers and queued >= bound)
    if shed:
        assert is_shed(in_use + 1, servers, queued, bound)
        assert is_shed(in_use, servers, queued + 1, bound)
    else:
        assert not is_shed(in_use, servers + 1, queued, bound)
        assert not is_shed(in_use, servers, queued, bound + 1)


def test_a_service_without_places_to_wait_still_serves_with_a_server_free() -> None:
    assert not is_shed(in_use=3, servers=4, queued=0, queue_bound=0)
    assert is_shed(in_use=4, servers=4, queued=0, queue_bound=0)


@given(arrived_s=st.floats(0, 1e6), timeout_s=st.floats(0.001, 600))
def test_a_caller_gives_up_after_its_timeout_never_before(
    arrived_s: float, timeout_s: float
) -> None:
    assert gives_up_at_s(arrived_s, timeout_s) == arrived_s + timeout_s > arrived_s


@given(
    servers=st.integers(1, 500), utilisation=st.floats(0, 1), target=st.floats(0.05, 0.95),
    provisioned=st.integers(1, 500), extra=COUNTS,
)  # fmt: skip
def test_servers_wanted_stay_between_provisioned_and_most(
    servers: int, utilisation: float, target: float, provisioned: int, extra: int
) -> None:
    most = provisioned + extra
    assert provisioned <= servers_wanted(servers, utilisation, target, provisioned, most) <= most


@given(
    servers=st.integers(1, 500), a=st.floats(0, 1), b=st.floats(0, 1), target=st.floats(0.05, 0.95)
)
def test_a_busier_service_never_wants_fewer_servers(
    servers: int, a: float, b: float, target: float
) -> None:
    low, high = sorted((a, b))
    wanted = [servers_wanted(servers, u, target, 1, 100_000) for u in (low, high)]
    assert wanted[0] <= wanted[1]


@given(servers=st.integers(1, 500), utilisation=st.floats(0.01, 1), target=st.floats(0.05, 0.95))
def test_servers_wanted_are_the_fewest_that_run_at_target_or_below(
    servers: int, utilisation: float, target: float
) -> None:
    wanted = servers_wanted(servers, utilisation, target, 1, 100_000)
    busy = servers * utilisation
    assert busy / wanted <= target * (1 + 1e-6)
    assert wanted == 1 or busy / (wanted - 1) > target * (1 - 1e-6)


@given(servers=st.integers(1, 500), target=st.floats(0.05, 0.95))
def test_a_service_at_its_target_wants_the_servers_it_has(servers: int, target: float) -> None:
    assert servers_wanted(servers, target, target, 1, 100_000) == servers


def test_policies_read_their_durations_in_seconds() -> None:
    retry = Retry.model_validate_json('{"attempts": 2, "backoff": "50ms"}')
    assert retry.backoff == 0.05
    scale = Autoscale.model_validate_json(
        '{"target": 0.6, "interval": "1m", "delay": "3min", "max_factor": 2}'
    )
    assert (scale.interval, scale.delay) == (60.0, 180.0)
