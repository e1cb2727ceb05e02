"""Who tries again after a bad reply: by the journey's rules, by a draw of each try, within the window."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.record.run_record import SESSIONS
from gameday.scenario import Scenario
from gameday.vocabulary import Draw, draw
from tests.support.small_shop import flat_plan
from tests.support.small_stage import alone, lone_step, recorded, total
from tests.support.virtual_customers import Answer, Target, play


def reacting(folder: Path, **reaction: Any) -> Scenario:
    rules = {"on_failure": reaction, "on_sold_out": {"again": 0.0, "after": "1s"}}
    return lone_step(folder, {"path": "/", "check": {"sold_out": 409}}, **rules)


def test_a_customer_tries_again_after_the_pause_and_at_most_so_often(tmp_path: Path) -> None:
    scenario = reacting(tmp_path, again=1.0, after="20s", most=3)
    target = Target(lambda asked: Answer(500, seconds=0.25))
    _, record = alone(scenario, target)
    at = [asked.at_s - target.asked[0].at_s for asked in target.asked]
    assert at == pytest.approx([0.0, 1.25, 2.5, 3.75])  # 20 s at 20 times the speed
    assert (total(record, "sent"), total(record, "extra")) == (1, 3)
    assert len({asked.request for asked in target.asked}) == 1


def test_who_tries_again_is_drawn_for_each_try(tmp_path: Path) -> None:
    scenario = reacting(tmp_path, again=0.6, after="4s", most=4)
    plan = flat_plan(scenario, 10.0, slots=4, speed=20.0)
    target = Target(lambda asked: Answer(500, seconds=0.1))
    play(scenario, plan, target)
    tries = Counter(asked.session for asked in target.asked if asked.at_s < 5.0)
    late = {asked.session for asked in target.asked if asked.at_s > 4.0}
    for session, n in tries.items():
        if session not in late:
            draws = [draw(1, session, 0, again, Draw.REACTION) < 0.6 for again in range(1, 5)]
            assert n == 1 + [*draws, False].index(False)


@pytest.mark.parametrize(("status", "tries"), [(200, 1), (404, 1), (409, 1), (500, 3)], ids=str)
def test_only_what_the_journey_reacts_to_is_tried_again(
    status: int, tries: int, tmp_path: Path
) -> None:
    target = Target(lambda asked: Answer(status))
    alone(reacting(tmp_path, again=1.0, after="1s", most=2), target)
    assert len(target.asked) == tries


def test_a_customer_reacts_to_what_came_last_and_counts_anew_for_each_reason(
    tmp_path: Path,
) -> None:
    replies = [500, 425, 425, 425, 500, 409, 409, 200]
    target = Target(lambda asked: Answer(replies[asked.tries]))
    rules = {
        "on_failure": {"again": 1.0, "after": "20s", "most": 1},
        "on_waiting": {"again": 1.0, "after": "2s", "most": 3},
        "on_sold_out": {"again": 1.0, "after": "40s", "most": 1},
    }
    check = {"sold_out": 409, "wait": {"status": [425]}}
    _, record = alone(lone_step(tmp_path, {"path": "/", "check": check}, **rules), target)
    at = [asked.at_s - target.asked[0].at_s for asked in target.asked]
    assert np.diff(at) == pytest.approx([1.0, 0.1, 0.1, 0.1, 1.0, 2.0], abs=0.02)
    ends = {what: total(record, what) for what in ("failed", "waiting", "sold_out", "extra")}
    assert ends == {"failed": 2, "waiting": 3, "sold_out": 2, "extra": 6}


def test_no_try_is_due_after_the_window(tmp_path: Path) -> None:
    scenario = reacting(tmp_path, again=1.0, after="20s", most=20)
    target = Target(lambda asked: Answer(500, seconds=0.25))
    alone(scenario, target)
    assert max(asked.at_s for asked in target.asked) < 12.0
    assert 9 <= len(target.asked) <= 10


def test_who_hears_of_a_failure_after_a_stop_goes_and_does_not_wait_to_try_again(
    tmp_path: Path,
) -> None:
    scenario = reacting(tmp_path, again=1.0, after="20s", most=3)
    plan = flat_plan(scenario, 20.0, slots=2, speed=20.0)
    target = Target(lambda asked: Answer(500, seconds=1.5))
    run = play(scenario, plan, target, happens={1.0: lambda engine, _: engine.stop()})
    record = recorded(scenario, plan, run)
    assert len(target.asked) > 10
    assert total(record, "failed") == len(target.asked)
    ends = record.session_counts.sum(axis=(0, 2))
    assert ends[SESSIONS.index("failed")] == ends[SESSIONS.index("started")] > 10
    assert run.sleepers == 0
