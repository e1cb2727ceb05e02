"""Laws of chains and pauses: what a journey comes to exactly, and what walks drawn by chance come to."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from gameday.scenario.blocks.journeys import Journey
from gameday.scenario.renewal import quantiles
from gameday.scenario.service_times import ServiceTime
from gameday.traffic import END, Course, Walks
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.journeys.chains import chain_of, length_law
from gameday.vocabulary import Clock, session_key, session_keys
from tests.support import examples
from tests.support.small_shop import flat_plan, load_small, small_shop

LAWS: list[Any] = [
    "20s",
    {"law": "lognormal", "mean": "20s", "cv": 1.5},
    {"law": "gamma", "mean": "40s", "cv": 0.5},
    {"law": "pareto", "min": "3s", "max": "10m", "alpha": 1.1},
    {"law": "deterministic", "mean": "75s"},
    {"law": "empirical", "quantiles": {"p0": "1s", "p50": "12s", "p90": "70s", "p100": "9m"}},
    "0s",
]


def journey_of(
    rows: dict[str, dict[str, float]],
    think: dict[str, Any],
    start: dict[str, float] | None = None,
    lengths: list[float] | None = None,
) -> Journey:
    """Return a journey that begins at its first step, if nothing else is said."""
    start = start or {next(iter(rows)): 1.0}
    length = {"length": {"steps": lengths}} if lengths else {}
    return Journey.model_validate_json(
        json.dumps({"start": start, "next": rows, "think": think, "patience": "9s"} | length)
    )


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[str, ...], Journey]:
    """Return any chain: one to seven steps, loops, several entries, some rows with one way out."""
    steps = tuple(f"s{n}" for n in range(draw(st.integers(1, 7))))
    lengths = None
    if draw(st.booleans()):
        chances = np.round(np.array(draw(st.lists(st.floats(0.01, 1), min_size=1, max_size=30))), 6)
        lengths = (chances / chances.sum()).tolist()
    rows, think = {}, {}
    for step in steps:
        weights = np.array([draw(st.floats(0, 1)) for _ in (*steps, "exit")])
        weights[-1] = 0.0 if lengths else weights[-1] + 0.1
        weights[0] += 0.1
        row = np.round(weights / weights.sum(), 9)
        row[0] += 1 - row.sum()
        rows[step] = dict(zip((*steps, "exit"), row.tolist(), strict=True))
        if lengths:
            del rows[step]["exit"]
        by_next = {"s0": draw(st.sampled_from(LAWS)), "other": draw(st.sampled_from(LAWS))}
        think[step] = draw(st.sampled_from([by_next, by_next["other"]]))
    weights = np.array([draw(st.floats(0.05, 1)) for _ in steps])
    start = np.round(weights / weights.sum(), 9)
    start[-1] = 1 - start[:-1].sum()
    return steps, journey_of(rows, think, dict(zip(steps, start.tolist(), strict=True)), lengths)


# --- laws -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=examples(60))
@given(chain=chains())
def test_visits_conversion_and_length_agree_however_they_are_reckoned(
    chain: tuple[tuple[str, ...], Journey],
) -> None:
    steps, journey = chain
    seen = chain_of(journey, steps, dict.fromkeys(steps, 0.5))
    np.testing.assert_allclose(seen.visits, journey.visits_per_session(steps), rtol=1e-9)
    law = length_law(journey, steps)
    numbers = np.arange(len(law))
    assert law.sum() == pytest.approx(1.0, abs=1e-9)
    assert (law * numbers).sum() == pytest.approx(seen.mean_steps, rel=1e-8)
    spread = np.sqrt((law * (numbers - seen.mean_steps) ** 2).sum())
    assert spread == pytest.approx(seen.spread_steps, rel=1e-6, abs=1e-6)
    assert seen.visits.sum() == pytest.approx(seen.mean_steps, rel=1e-9)
    assert (seen.ever <= np.minimum(1.0, seen.visits) + 1e-9).all()
    for step in range(
        0 if journey.length else len(steps)
    ):  # who never comes back to a step: ever = the chance of reaching it
        moves = journey.transition_matrix(steps)
        moves[step] = 0.0
        reached = journey.entry_vector(steps) @ np.linalg.inv(np.eye(len(steps)) - moves)
        assert seen.ever[step] == pytest.approx(reached[step], rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=examples(25))
@given(chain=chains())
def test_a_kernel_has_the_visits_of_the_fundamental_matrix_and_the_length_of_the_chain(
    chain: tuple[tuple[str, ...], Journey],
) -> None:
    steps, journey = chain
    response = dict.fromkeys(steps, 0.7)
    kernel = lag_kernel(journey, steps, response)
    assert kernel.min() >= 0
    np.testing.assert_allclose(
        kernel.sum(axis=1), journey.visits_per_session(steps), rtol=1e-9, atol=1e-12
    )


@settings(deadline=None, max_examples=examples(30))
@given(chain=chains(), root=st.integers(0, 2**60))
def test_walks_drawn_by_chance_visit_each_step_as_often_as_the_chain_says(
    chain: tuple[tuple[str, ...], Journey], root: int
) -> None:
    steps, journey = chain
    course = Course(journey, steps, Clock(1.0))
    counts, sessions = np.zeros((400, len(steps))), 400
    for session in range(sessions):
        key = session_key(root, session)
        place, step = 0, course.first(key)
        while step != END:
            counts[session, step] += 1
            _, step = course.after(key, place, step)
            place += 1
    error = counts.std(axis=0, ddof=1) / np.sqrt(sessions) + 0.02
    away = np.abs(counts.mean(axis=0) - journey.visits_per_session(steps)) / error
    assert away.max() < 5.5


@settings(deadline=None, max_examples=20)
@given(chain=chains(), root=st.integers(0, 2**60), place=st.integers(0, 30))
def test_many_walks_at_once_are_the_walks_one_by_one(
    chain: tuple[tuple[str, ...], Journey], root: int, place: int
) -> None:
    steps, journey = chain
    course = Course(journey, steps, Clock(3.0))
    keys = session_keys(root, np.arange(50))
    for step in range(len(steps)):
        think, following = course.after_many(keys, place, step)
        one_by_one = [course.after(int(key), place, step) for key in keys]
        assert list(zip(think.tolist(), following.tolist(), strict=True)) == one_by_one


@pytest.mark.parametrize(
    "law", [one for one in LAWS if isinstance(one, dict)], ids=lambda one: one["law"]
)
def test_quantiles_of_many_levels_are_those_of_the_law(law: dict[str, Any]) -> None:
    rows = {"a": {"exit": 1.0}}
    found = journey_of(rows, {"a": law}).think_law("a", "exit")
    assert found is not None
    levels = np.array([1e-6, 0.01, 0.3, 0.5, 0.9, 0.9999])
    one_by_one = [found.seconds(level) for level in levels]
    np.testing.assert_allclose(quantiles(found, levels), one_by_one, rtol=1e-4)


@pytest.mark.parametrize("law", LAWS, ids=lambda one: one if isinstance(one, str) else one["law"])
def test_steps_fall_when_walks_drawn_by_chance_come_to_them(law: Any) -> None:
    """Pauses that depend on what follows, of any law: the kernel against 30,000 walks."""
    rows = {"a": {"a": 0.3, "b": 0.5, "exit": 0.2}, "b": {"a": 0.4, "exit": 0.6}}
    journey = journey_of(rows, {"a": {"b": law, "other": "45s"}, "b": "10s"})
    kernel = lag_kernel(journey, ("a", "b"), {"a": 2.0, "b": 4.0})
    course, rng = Course(journey, ("a", "b"), Clock(1.0)), np.random.default_rng(3)
    fallen = np.zeros((30_000, 2, kernel.shape[1] + 1))
    for session in range(len(fallen)):
        key, at_s = session_key(77, session), 60 * rng.random()
        place, step = 0, course.first(key)
        while step != END:
            fallen[session, step, min(int(at_s // 60), kernel.shape[1])] += 1
            think_s, following = course.after(key, place, step)
            at_s += (2.0, 4.0)[step] + think_s
            place, step = place + 1, following
    error = fallen.std(axis=0) / np.sqrt(len(fallen)) + 2e-4
    assert (np.abs(fallen.mean(axis=0)[:, :-1] - kernel) / error[:, :-1]).max() < 5


def test_a_session_s_time_is_its_pauses_and_its_replies() -> None:
    rows = {"a": {"a": 0.5, "b": 0.5}, "b": {"exit": 1.0}}
    journey = journey_of(rows, {"a": {"a": "10s", "b": "30s"}, "b": "99s"})
    seen = chain_of(journey, ("a", "b"), {"a": 1.0, "b": 2.0})
    assert seen.mean_s == pytest.approx(2 * (1.0 + 0.5 * 10 + 0.5 * 30) + 2.0)
    assert seen.ever.tolist() == [1.0, 1.0]


def test_a_plan_s_counts_are_those_of_its_chain(tmp_path: Any) -> None:
    """Walks of a whole plan: steps within the interval that chance allows them."""
    shop = small_shop()
    shop["journeys"]["shopper"]["think"] = {"product": LAWS[1], "other": "5s"}
    scenario = load_small(tmp_path, shop)
    plan = flat_plan(scenario, 20.0, slots=30)
    arrivals = plan.arrivals()
    steps = Walks(scenario, plan).planned_steps(arrivals).sum(axis=(0, 2))
    journey = scenario.journeys["shopper"]
    kernel = lag_kernel(journey, plan.steps, dict.fromkeys(plan.steps, 0.1))
    expected = np.array([np.convolve(np.full(30, 1200.0), lags)[:30].sum() for lags in kernel])
    low, high = stats.poisson.interval(1 - 1e-5, expected)
    assert ((low * 0.99 <= steps) & (steps <= high * 1.01)).all()


def test_with_a_length_it_is_the_length_that_ends_a_session() -> None:
    """One to three steps there and back: visits, chance to come to b, pauses between steps alone."""
    rows = {"a": {"b": 1.0}, "b": {"a": 1.0}}
    journey = journey_of(rows, {"a": "10s", "b": "20s"}, lengths=[0.5, 0.3, 0.2])
    seen = chain_of(journey, ("a", "b"), {"a": 1.0, "b": 1.0})
    np.testing.assert_allclose(seen.visits, [1.2, 0.5])
    np.testing.assert_allclose(seen.ever, [1.0, 0.5])
    assert seen.mean_s == pytest.approx(1.7 + 0.5 * 10 + 0.2 * 20)
    assert length_law(journey, ("a", "b")).tolist() == [0.0, 0.5, 0.3, 0.2]


# --- faults -----------------------------------------------------------------------------------------

ROWS = {"a": {"a": 0.5, "exit": 0.5}}
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too much": ({"a": {"a": 0.7, "exit": 0.5}}, {"a": "9s"}, "0.2 too much"),
    "too little": ({"a": {"a": 0.3, "exit": 0.5}}, {"a": "9s"}, "0.2 too little"),
    "no end": ({"a": {"a": 1.0}}, {"a": "9s"}, "could never reach exit"),
    "no unit": (ROWS, {"a": 9}, "duration"),
    "unknown law": (ROWS, {"a": {"law": "weibull", "mean": "9s"}}, "lognormal"),
    "law without its spread": (ROWS, {"a": {"law": "lognormal", "mean": "9s"}}, "cv"),
    "law by next step, wrong": (
        ROWS,
        {"a": {"a": {"law": "gamma", "mean": "0s", "cv": 1}}},
        "greater than 0",
    ),
}


def test_a_length_and_an_exit_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match="no row may lead to exit; a does"):
        journey_of(ROWS, {"a": "9s"}, lengths=[1.0])
    with pytest.raises(ValidationError, match="must sum to 1"):
        journey_of({"a": {"a": 1.0}}, {"a": "9s"}, lengths=[0.5, 0.4])


@pytest.mark.parametrize("case", WRONG)
def test_a_chain_that_cannot_be_is_refused_with_what_is_wrong(case: str) -> None:
    rows, think, said = WRONG[case]
    with pytest.raises(ValidationError, match=said):
        journey_of(rows, think)


def test_the_mean_of_a_pause_is_over_what_follows() -> None:
    journey = journey_of(ROWS, {"a": {"a": "10s", "exit": "30s"}})
    assert journey.think_s("a") == pytest.approx(20.0)
    law: ServiceTime | None = journey.think_law("a", "exit")
    assert law is not None
    assert law.mean == 30.0
