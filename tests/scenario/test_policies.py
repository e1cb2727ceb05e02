"""What a full, slow or failing service does: each policy's arithmetic, by its properties."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.scenario.blocks import Service
from gameday.scenario.caller_policies import (
    Retry,
    backoff_s,
    deadline_s,
    failing_after,
    gives_up_at_s,
    hedge_number,
    is_too_late,
    item_of,
    trips,
)
from gameday.scenario.queue_policies import first_of, is_shed, second_of, share_of
from gameday.scenario.server_policies import (
    Autoscale,
    cold_factor,
    load_factor,
    seconds_with_pauses,
    servers_by_change,
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
    servers=st.integers(1, 500), a=st.floats(0, 1), b=st.floats(0, 1), target=st.floats(0.05, 0.95)
)
def test_a_busier_service_never_wants_fewer_servers(
    servers: int, a: float, b: float, target: float
) -> None:
    low, high = sorted((a, b))
    wanted = [servers_wanted(servers, u, target) for u in (low, high)]
    assert wanted[0] <= wanted[1]


@given(servers=st.integers(1, 500), utilisation=st.floats(0.01, 1), target=st.floats(0.05, 0.95))
def test_servers_wanted_are_the_fewest_that_run_at_target_or_below(
    servers: int, utilisation: float, target: float
) -> None:
    wanted = servers_wanted(servers, utilisation, target)
    busy = servers * utilisation
    assert busy / wanted <= target * (1 + 1e-6)
    assert wanted == 1 or busy / (wanted - 1) > target * (1 - 1e-6)


@given(servers=st.integers(1, 500), target=st.floats(0.05, 0.95))
def test_a_service_at_its_target_wants_the_servers_it_has(servers: int, target: float) -> None:
    assert servers_wanted(servers, target, target) == servers


def test_policies_read_their_durations_in_seconds() -> None:
    retry = Retry.model_validate_json('{"attempts": 2, "backoff": "50ms"}')
    assert retry.backoff == 0.05
    scale = Autoscale.model_validate_json(
        '{"target": 0.6, "interval": "1m", "delay": "3min", "max_factor": 2}'
    )
    assert (scale.interval, scale.delay) == (60.0, 180.0)


EVERY_KIND: dict[str, dict[str, Any]] = {
    "autoscale": {"target": 0.5, "interval": "1s", "delay": "1s", "max_factor": 2.0},
    "balance": {"by": "random"},
    "breaker": {"failures": 0.5, "open": "1s"},
    "cache": {"keys": 10, "entries": 5},
    "codel": {"target": "1s", "interval": "2s"},
    "hedge": {"after": "1s"},
    "limit": {"target": "1s"},
    "load": {"contention": 0.1},
    "pauses": {"every": "2s", "last": "1s"},
    "pool": {"connections": 5},
    "rate_limit": {"per_s": 1.0, "burst": 1.0},
    "retry": {"attempts": 1, "backoff": "1s", "budget": {"ratio": 0.1}},
    "warm_up": {"last": "1s", "factor": 2.0},
    "degraded": {"share": 0.5, "slowed": 2.0},
}
_PACE = '"interval": "1m", "delay": "0s", "max_factor": 2'
WRONG = {
    "{" + _PACE + "}": "never act",
    '{"target": 1.2, ' + _PACE + "}": "below 1",
    '{"target": 0.5, "steps": [{"above": 1, "change": 1}], ' + _PACE + "}": "not both",
    '{"schedule": [{"at": "1h", "factor": 3}], ' + _PACE + "}": "more than `max_factor`",
    '{"schedule": [{"at": "1h", "factor": 0.5}], ' + _PACE + "}": "less than `min_factor`",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_scaling_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=WRONG[text]):
        Autoscale.model_validate_json(text)


@given(servers=st.integers(1, 500), change=st.floats(-0.9, 10).filter(lambda c: abs(c) > 1e-6))
def test_a_step_changes_by_one_server_at_least_and_in_its_direction(
    servers: int, change: float
) -> None:
    after = servers_by_change(servers, change)
    assert (after > servers) == (change > 0)
    assert abs(after - servers) == pytest.approx(abs(servers * change), abs=1.0)
    assert servers_by_change(servers, 0.0) == servers


@given(uniform=UNIFORMS, n=st.integers(1, 500))
def test_two_choices_are_two_while_there_are_two(uniform: float, n: int) -> None:
    first, second = first_of(uniform, n), second_of(uniform, n)
    assert 0 <= first < n
    assert 0 <= second < n
    assert (first == second) == (n == 1)


def test_each_pair_of_choices_is_as_likely_as_another() -> None:
    uniforms = (np.arange(120_000) + 0.5) / 120_000
    pairs = Counter((first_of(u, 4), second_of(u, 4)) for u in uniforms.tolist())
    assert len(pairs) == 12
    assert max(pairs.values()) - min(pairs.values()) <= 1


@given(
    begins=st.floats(-50, 50),
    work=st.floats(0, 30),
    every=st.floats(0.5, 10),
    share=st.floats(0.05, 0.9),
    offset=st.floats(0, 10),
)
def test_with_pauses_taken_out_work_lasts_as_long_as_it_is(
    begins: float, work: float, every: float, share: float, offset: float
) -> None:
    pause = share * every
    took = seconds_with_pauses(begins, work, every, pause, offset)
    first = math.floor((begins - offset) / every) - 1
    starts = [offset + every * n for n in range(first, first + int(took / every) + 4)]
    stood = sum(max(0.0, min(s + pause, begins + took) - max(s, begins)) for s in starts)
    assert took - stood == pytest.approx(work, abs=1e-6)


@given(contention=st.floats(0.001, 0.3), coherency=st.floats(1e-4, 0.05))
def test_throughput_peaks_where_the_universal_scalability_law_says(
    contention: float, coherency: float
) -> None:
    assert load_factor(1.0, contention, coherency) == 1.0
    peak = math.sqrt((1 - contention) / coherency)
    best = max(range(1, 400), key=lambda n: n / load_factor(float(n), contention, coherency))
    assert abs(best - max(1.0, peak)) <= 1.0


@given(since=st.floats(0, 100), share=st.floats(0, 1), factor=st.floats(1.01, 50))
def test_what_is_cold_warms_up(since: float, share: float, factor: float) -> None:
    now, later = (cold_factor(s, share, 40.0, factor) for s in (since, since + 5.0))
    assert 1.0 <= later <= now <= factor
    assert cold_factor(40.0, share, 40.0, factor) == 1.0
    assert cold_factor(0.0, 1.0, 40.0, factor) == pytest.approx(factor)


@given(ends=st.lists(st.booleans(), max_size=200), calls=st.floats(1, 100))
def test_the_share_of_failures_stays_a_share_and_follows_what_happens(
    ends: list[bool], calls: float
) -> None:
    failing = 0.0
    for is_well in ends:
        after = failing_after(failing, 0.0 if is_well else 1.0, calls)
        assert 0.0 <= after <= 1.0
        assert (after <= failing) if is_well else (after >= failing)
        failing = after
    assert trips(1.0, 1.0)
    assert not trips(0.0, 0.01)


@given(
    a=UNIFORMS,
    b=UNIFORMS,
    keys=st.integers(2, 10**8),
    skew=st.floats(0, 3),
    share=st.floats(1e-3, 1),
)
def test_items_are_within_the_cell_s_and_go_with_popularity(
    a: float, b: float, keys: int, skew: float, share: float
) -> None:
    low, high = sorted((a, b))
    items = [item_of(u, keys, skew, share) for u in (low, high)]
    assert 0 <= items[0] <= items[1] <= keys * share


def test_items_are_asked_for_as_zipf_says() -> None:
    uniforms = (np.arange(200_000) + 0.5) / 200_000
    counts = Counter(item_of(u, 1000, 0.8, 1.0) for u in uniforms.tolist())
    # The law is continuous: item n has the mass between n + 1 and n + 2.
    whole = 1001**0.2 - 1
    for item in (0, 1, 10, 500):
        share = ((item + 2) ** 0.2 - (item + 1) ** 0.2) / whole
        assert counts[item] / 200_000 == pytest.approx(share, rel=0.01)


@given(caller_s=st.floats(0, 100), arrived_s=st.floats(0, 100), timeout_s=st.floats(0.01, 100))
def test_nobody_waits_beyond_any_deadline(
    caller_s: float, arrived_s: float, timeout_s: float
) -> None:
    until_s = deadline_s(caller_s, arrived_s, timeout_s)
    assert until_s <= caller_s
    assert until_s <= arrived_s + timeout_s
    assert is_too_late(until_s, until_s)
    assert not is_too_late(until_s - 1e-3, until_s)


@given(number=st.integers(0, 7))
def test_second_requests_draw_apart_from_every_try(number: int) -> None:
    assert hedge_number(number) in range(8, 16)


@given(bound=st.integers(0, 1000), share=st.floats(0, 1))
def test_a_share_of_a_queue_is_no_more_than_the_queue(bound: int, share: float) -> None:
    assert 0 <= share_of(bound, share) <= bound
    assert share_of(bound, 1.0) == bound


def test_every_policy_declares_its_columns_once_and_fills_no_other() -> None:
    kinds = Service.policy_kinds()
    names = [n for kind in kinds.values() for n in (*kind.real_columns, *kind.whole_columns)]
    assert len(names) == len(set(names))
    assert EVERY_KIND.keys() == kinds.keys()
    for name, written in EVERY_KIND.items():
        policy = kinds[name].model_validate(written)
        own = {*kinds[name].real_columns, *kinds[name].whole_columns}
        for scale in (1.0, 0.01):
            filled = policy.columns(scale)
            assert filled.keys() <= own, name
            assert any(filled.values()), f"{name}: nothing says that it is there"
