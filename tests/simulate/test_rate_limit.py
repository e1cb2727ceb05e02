"""The rate limit: a token bucket in front of a service; its arithmetic, and what it admits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.record.run_record import ATTEMPTS
from gameday.scenario.queue_policies import RateLimit, tokens_at
from gameday.simulate.compiled import run_compiled
from gameday.simulate.reference.engine import run_reference
from gameday.vocabulary import Array, Seed
from tests.support.small_shop import desk, flat_plan, load_small

SLOTS = 5


def attempts(folder: Path, comes_per_s: float, **limit: float) -> Array:
    """Return attempts by outcome and minute, shape (outcomes, SLOTS), of a desk with servers enough."""
    folder.mkdir(exist_ok=True)
    policy = {"rate_limit": limit} if limit else {}
    never: dict[str, Any] = {"attempts": 0, "backoff": "1s"}
    shop = desk(servers=400, queue_per_server=1, mean="10ms", retry=never, **policy)
    scenario = load_small(folder, shop)
    plan = flat_plan(scenario, comes_per_s, slots=SLOTS)
    return run_compiled(scenario, plan, "main", seed=Seed(3)).attempts[0, 0]


@given(
    tokens=st.floats(0, 100),
    since_s=st.floats(0, 1e4),
    per_s=st.floats(1e-3, 1e4),
    burst=st.floats(1, 100),
)
def test_a_bucket_never_holds_more_than_its_burst_nor_loses_a_token(
    tokens: float, since_s: float, per_s: float, burst: float
) -> None:
    now = tokens_at(min(tokens, burst), since_s, per_s, burst)
    assert min(tokens, burst) <= now <= burst


@given(instants=st.lists(st.floats(0, 60), min_size=1, max_size=200).map(sorted))
def test_in_any_stretch_no_more_are_admitted_than_burst_and_rate_give(
    instants: list[float],
) -> None:
    per_s, burst = 1.5, 4.0
    tokens, before_s, admitted = burst, 0.0, []
    for now_s in instants:
        tokens, before_s = tokens_at(tokens, now_s - before_s, per_s, burst), now_s
        if tokens >= 1.0:
            tokens -= 1.0
            admitted.append(now_s)
    for first, begins_s in enumerate(admitted):
        for count, ends_s in enumerate(admitted[first:], start=1):
            assert count <= burst + per_s * (ends_s - begins_s) + 1e-6


def test_what_comes_above_the_rate_is_shed_and_nothing_below_it(tmp_path: Path) -> None:
    arrived, shed = ATTEMPTS.index("arrived"), ATTEMPTS.index("shed")
    crowded = attempts(tmp_path, 50.0, per_s=20.0, burst=20.0)
    admitted = crowded[arrived] - crowded[shed]
    assert admitted[1:] == pytest.approx(20.0 * 60, abs=2)  # a fraction of a token may be left over
    assert admitted[0] == pytest.approx(20.0 * 60 + 20, abs=2)
    assert attempts(tmp_path, 20.0, per_s=50.0, burst=50.0)[shed].sum() == 0
    assert attempts(tmp_path, 50.0)[shed].sum() == 0


def test_a_scaled_down_system_has_its_part_of_the_rate() -> None:
    policy = RateLimit(per_s=1000.0, burst=500.0)
    assert policy.per_s_at(0.1) == pytest.approx(100.0)
    assert policy.burst_at(0.1) == pytest.approx(50.0)
    assert policy.burst_at(0.001) == 10.0
    assert RateLimit(per_s=1000.0, burst=3.0).burst_at(0.1) == 3.0


def test_both_engines_admit_the_same_requests(tmp_path: Path) -> None:
    shop = desk(
        servers=4,
        mean="90ms",
        rate_limit={"per_s": 30.0, "burst": 6.0},
        retry={"attempts": 2, "backoff": "300ms"},
        balance={"by": "round_robin"},
    )
    scenario = load_small(tmp_path, shop)
    plan = flat_plan(scenario, 45.0, slots=SLOTS)
    reference = run_reference(scenario, plan, "main", seed=Seed(5))
    compiled = run_compiled(scenario, plan, "main", seed=Seed(5))
    assert (reference.attempts == compiled.attempts).all()
    assert reference.attempts[0, 0, ATTEMPTS.index("shed")].sum() > 100
