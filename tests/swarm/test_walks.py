"""What is computed for all sessions at once equals, bit for bit, what is computed for each alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.record.run_record import SESSIONS
from gameday.scenario import Scenario
from gameday.scenario.blocks.journeys import Journey
from gameday.traffic import END, Course, Walks
from gameday.vocabulary import Clock, Draw, draw, draw_keyed, draw_many, session_key, session_keys
from tests.support import examples
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.small_stage import EVERYTHING, recorded
from tests.support.virtual_customers import Target, play

WORD = (1 << 64) - 1
roots = st.integers(0, WORD)
numbers = st.lists(st.integers(0, 2**32 - 1), max_size=50).map(lambda n: np.array(n, np.int64))


@given(root=roots, sessions=numbers)
def test_the_keys_of_many_sessions_are_each_ones_key(root: int, sessions: Any) -> None:
    keys = session_keys(root, sessions)
    assert keys.dtype == np.uint64
    assert keys.tolist() == [session_key(root, session) for session in sessions.tolist()]


@given(
    keys=st.lists(roots, max_size=50),
    step=st.integers(0, 10**6),
    attempt=st.integers(0, 65535),
    purpose=st.sampled_from(list(Draw)),
)
def test_the_draws_of_many_keys_are_each_ones_draw(
    keys: list[int], step: int, attempt: int, purpose: Draw
) -> None:
    many = draw_many(np.array(keys, np.uint64), step, attempt, purpose)
    assert many.dtype == np.float64
    assert many.tolist() == [draw_keyed(key, step, attempt, purpose) for key in keys]


@given(
    root=roots,
    session=st.integers(0, 10**9),
    step=st.integers(0, 10**6),
    attempt=st.integers(0, 65535),
    purpose=st.sampled_from(list(Draw)),
)
def test_a_draw_by_a_sessions_key_is_the_draw_of_the_session(
    root: int, session: int, step: int, attempt: int, purpose: Draw
) -> None:
    by_key = draw_keyed(session_key(root, session), step, attempt, purpose)
    assert by_key == draw(root, session, step, attempt, purpose)


STEPS = ("a", "b", "c", "d")
weights = st.lists(st.integers(0, 20), min_size=5, max_size=5).filter(lambda w: w[-1] > 0)


def row(weights: list[int]) -> dict[str, float]:
    return {
        name: weight / sum(weights) for name, weight in zip([*STEPS, "exit"], weights, strict=True)
    }


journeys = st.builds(
    lambda start, rows, think: Journey.model_validate(
        {
            "start": {name: 1 / len(start) for name in start},
            "next": {name: row(w) for name, w in zip(STEPS, rows, strict=True)},
            "think": dict(zip(STEPS, think, strict=True)),
            "patience": "8s",
        }
    ),
    st.lists(st.sampled_from(STEPS), min_size=1, unique=True),
    st.lists(weights, min_size=4, max_size=4),
    st.lists(st.sampled_from(["0s", "700ms", "20s", "3m"]), min_size=4, max_size=4),
)


@given(
    journey=journeys,
    keys=st.lists(roots, min_size=1, max_size=40),
    place=st.integers(0, 600),
    step=st.integers(0, 3),
    speed=st.sampled_from([1.0, 20.0, 7.3]),
)
@settings(deadline=None)
def test_what_many_sessions_do_next_is_what_each_does(
    journey: Journey, keys: list[int], place: int, step: int, speed: float
) -> None:
    course = Course(journey, STEPS, Clock(speed))
    pauses, following = course.after_many(np.array(keys, np.uint64), place, step)
    alone = [course.after(key, place, step) for key in keys]
    assert list(zip(pauses.tolist(), following.tolist(), strict=True)) == alone
    firsts = course.start.many(draw_many(np.array(keys, np.uint64), 0, 0, Draw.ENTRY))
    assert firsts.tolist() == [course.first(key) for key in keys]


def test_no_pause_of_ten_thousand_differs_in_its_last_bit() -> None:
    """numpy's logarithm and math's differ in one of some hundreds."""
    whole = {"a": {"b": 0.5, "exit": 0.5}, "b": {"exit": 1.0}}
    rules = {"start": {"a": 1.0}, "next": whole, "think": {"other": "1s"}, "patience": "8s"}
    course, keys = (
        Course(Journey.model_validate(rules), STEPS, Clock(1.0)),
        session_keys(3, np.arange(10**4)),
    )
    pauses, following = course.after_many(keys, 0, 0)
    alone = [course.after(key, 0, 0) for key in keys.tolist()]
    assert list(zip(pauses.tolist(), following.tolist(), strict=True)) == alone


@given(journey=journeys, keys=st.lists(roots, min_size=1, max_size=10))
@settings(deadline=None)
def test_a_walk_only_goes_where_its_journey_leads_and_ends(
    journey: Journey, keys: list[int]
) -> None:
    course = Course(journey, STEPS, Clock(1.0))
    for key in keys:
        step = course.first(key)
        assert journey.start.get(STEPS[step], 0.0) > 0
        for place in range(501):
            pause_s, following = course.after(key, place, step)
            assert (pause_s > 0) == (journey.think_s(STEPS[step]) > 0)
            if following == END:
                break
            assert journey.next[STEPS[step]][STEPS[following]] > 0
            step = following
        assert following == END


LAUNCH: dict[str, Any] = {
    "regions": {"in": {"zone": "Asia/Kolkata", "stack": "main"}},
    "history": {"synthetic": {"sessions_per_day": {"in": 1000}}},
    "products": {"toy": {"share": {"eu": 0.5, "in": 1.0}}, "book": {"share": {"eu": 0.5}}},
    "launches": {
        "drop": {
            "product": "toy",
            "at": {"eu": "2026-03-10T01:00", "in": "2026-03-10T05:30"},
            "crowd": {"eu": 900, "in": 9},
            "stock": {"eu": 20, "in": 2},
            "half_life": "90s",
        }
    },
    "journeys": {
        "fan": {
            "start": {"product": 1.0},
            "think": {"other": "5s"},
            "patience": "8s",
            "launch": "drop",
            "next": {
                "product": {"checkout": 0.6, "product": 0.3, "exit": 0.1},
                "checkout": {"exit": 1.0},
            },
        }
    },
}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return busy_shop(tmp_path_factory.mktemp("walks"), LAUNCH)


@given(
    seed=roots,
    per_s=st.floats(0, 6),
    slots=st.integers(1, 6),
    lead_in=st.integers(0, 3),
    speed=st.sampled_from([1.0, 20.0, 7.0, 600.0]),
)
@settings(max_examples=examples(40), deadline=None)
def test_the_steps_planned_of_all_sessions_are_those_planned_of_each(
    seed: int, per_s: float, slots: int, lead_in: int, speed: float, scenario: Scenario
) -> None:
    plan = flat_plan(
        scenario, per_s * speed / 60, slots=slots + lead_in, lead_in=lead_in, speed=speed, seed=seed
    )
    arrivals, walks = plan.arrivals(), Walks(scenario, plan)
    alone = np.zeros((len(plan.regions), len(plan.steps), plan.grid.slots), int)
    for session in range(len(arrivals.at_s)):
        for step in walks.planned(arrivals, session):
            slot = plan.slot_of(step.at_s) + plan.lead_in
            if slot < plan.grid.slots:
                alone[arrivals.region[session], step.step, slot] += 1
    np.testing.assert_array_equal(walks.planned_steps(arrivals), alone)


def test_a_target_that_answers_at_nominal_sees_each_session_walk_as_planned(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path, EVERYTHING | {"steps": {}})
    plan = flat_plan(scenario, 3.0, slots=6, lead_in=1, speed=20.0)
    arrivals, walks, target = plan.arrivals(), Walks(scenario, plan), Target()
    nominal = plan.nominal["main"]

    target.answer = lambda asked: (
        Target().answer(asked)._replace(seconds=nominal[asked.step].mean_s)
    )
    record = recorded(scenario, plan, play(scenario, plan, target))
    sessions = record.session_counts.sum(axis=(0, 2))
    assert sessions[SESSIONS.index("finished")] == sessions[SESSIONS.index("planned")]
    seen: dict[int, list[tuple[str, float]]] = {}
    for asked in target.asked:
        seen.setdefault(asked.session, []).append((asked.step, asked.at_s))
    assert len(seen) == len(arrivals.at_s)
    for session, walk in seen.items():
        planned = [(plan.steps[s.step], s.at_s) for s in walks.planned(arrivals, session)]
        inside = [(step, at) for step, at in planned if at < plan.duration_s]
        assert [step for step, _ in walk] == [step for step, _ in inside]
        assert [at for _, at in walk] == pytest.approx([at for _, at in inside], abs=0.02)
