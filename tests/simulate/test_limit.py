"""The adaptive concurrency limit: its arithmetic, and what it saves in overload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gameday.record.run_record import ATTEMPTS, RunRecord
from gameday.scenario.queue_policies import is_over_limit, next_limit
from gameday.simulate.compiled import run_compiled
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, flat_plan, load_small


@given(limit=st.floats(1, 500), seconds=st.floats(0, 10), target_s=st.floats(0.01, 5))
def test_a_quick_visit_never_lowers_the_limit_and_a_slow_one_never_raises_it(
    limit: float, seconds: float, target_s: float
) -> None:
    after = next_limit(limit, seconds, target_s, 500.0)
    assert 1.0 <= after <= 500.0
    assert (after <= limit) if seconds > target_s else (after >= limit)


def test_a_round_of_quick_visits_admits_one_more() -> None:
    limit = 20.0
    for _ in range(20):
        limit = next_limit(limit, 0.1, 1.0, 500.0)
    assert 20.9 < limit < 21.1
    assert is_over_limit(20, 20.9)
    assert not is_over_limit(20, 21.0)


def overloaded(folder: Path, **changes: Any) -> RunRecord:
    folder.mkdir()
    shop = desk(
        servers=8,
        queue_per_server=60,
        timeout="1s",
        retry={"attempts": 0, "backoff": "1s"},
        **changes,
    )
    scenario = load_small(folder, shop)
    return run_compiled(scenario, flat_plan(scenario, 160.0, slots=4), "main", seed=Seed(1))


def test_in_overload_a_limit_sheds_early_and_saves_the_work(tmp_path: Path) -> None:
    plain = overloaded(tmp_path / "plain").attempts[0, 0].sum(axis=1)
    limited = overloaded(tmp_path / "limited", limit={"target": "400ms"}).attempts[0, 0].sum(axis=1)
    done, orphaned = ATTEMPTS.index("done"), ATTEMPTS.index("orphaned")
    assert limited[done] > 1.2 * plain[done]
    assert limited[orphaned] < 0.1 * plain[orphaned]
