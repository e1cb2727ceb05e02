"""Sessions that end when their time is over: what is computed of them is what walks drawn by chance do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from gameday.record.run_record import STEPS
from gameday.scenario.blocks.journeys import Journey
from gameday.simulate.compiled import run_compiled
from gameday.traffic import END, Course, Walks
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.journeys.chains import chain_of, length_law
from gameday.vocabulary import Clock, Seed, session_key
from tests.support.small_shop import flat_plan, load_small, small_shop

ROWS = {"a": {"a": 0.3, "b": 0.7}, "b": {"a": 0.5, "c": 0.5}, "c": {"c": 0.2, "a": 0.8}}
REPLIES = {"a": 1.0, "b": 3.0, "c": 0.5}
TIMES: list[Any] = [
    "90s",
    {"law": "lognormal", "mean": "3m", "cv": 1.2},
    {"law": "deterministic", "mean": "100s"},
    {"law": "gamma", "mean": "2m", "cv": 0.4},
]


def journey_of(duration: Any, **more: Any) -> Journey:
    think = {
        "a": {"b": "20s", "other": "5s"},
        "other": {"law": "lognormal", "mean": "12s", "cv": 0.9},
    }
    block = {
        "start": {"a": 0.6, "b": 0.4},
        "next": ROWS,
        "think": think,
        "patience": "9s",
        "length": {"duration": duration},
    } | more
    return Journey.model_validate_json(json.dumps(block))


def walked(journey: Journey, sessions: int) -> list[list[tuple[int, float]]]:
    """Return each session's steps and when they begin, s after its start."""
    course, out = Course(journey, ("a", "b", "c"), Clock(1.0)), []
    for session in range(sessions):
        key, at_s, place = session_key(5, session), 0.0, 0
        step, walk = course.first(key), list[tuple[int, float]]()
        while step != END:
            walk.append((step, at_s))
            spent_s = at_s + REPLIES["abc"[step]]
            think_s, step = course.after(key, place, step, spent_s)
            at_s, place = spent_s + think_s, place + 1
        out.append(walk)
    return out


@pytest.mark.parametrize("duration", TIMES, ids=str)
def test_visits_conversion_length_and_kernel_are_those_of_walks(duration: Any) -> None:
    journey, steps = journey_of(duration), ("a", "b", "c")
    walks, said = walked(journey, 6_000), chain_of(journey_of(duration), ("a", "b", "c"), REPLIES)
    counts = np.array([[sum(step == s for step, _ in walk) for s in range(3)] for walk in walks])
    error = counts.std(axis=0) / np.sqrt(len(walks))
    assert (np.abs(counts.mean(axis=0) - said.visits) < 4.5 * error).all()
    ever = (counts > 0).mean(axis=0)
    assert ever == pytest.approx(said.ever, abs=0.02)
    long_s = np.array([walk[-1][1] + REPLIES["abc"[walk[-1][0]]] for walk in walks])
    assert long_s.mean() == pytest.approx(said.mean_s, abs=4.5 * long_s.std() / np.sqrt(len(walks)))
    kernel = lag_kernel(journey, steps, REPLIES)
    assert kernel.sum(axis=1) == pytest.approx(said.visits)
    shift = np.random.default_rng(1).random(len(walks)) * 60
    fallen = np.zeros(kernel.shape[1] + 1)
    for walk, first_s in zip(walks, shift, strict=True):
        for step, at_s in walk:
            if step == 1:
                fallen[min(int((first_s + at_s) // 60), kernel.shape[1])] += 1
    by_slot = fallen[:-1] / len(walks)
    assert by_slot == pytest.approx(kernel[1], abs=5 * np.sqrt(by_slot.max() / len(walks)) + 2e-3)


def test_steps_a_minute_apart_by_chance_come_as_poisson_says() -> None:
    """Exponential pauses, replies of no time, a session of ten minutes: one step and a Poisson number more."""
    block = {
        "start": {"a": 1.0},
        "next": {"a": {"a": 1.0}},
        "think": {"other": "60s"},
        "patience": "9s",
        "length": {"duration": {"law": "deterministic", "mean": "10m"}},
    }
    journey = Journey.model_validate_json(json.dumps(block))
    assert journey.visits_per_session(("a",)) == pytest.approx([11.0], rel=2e-3)
    law = np.pad(length_law(journey, ("a",)), (0, 30))
    assert law[1:30] == pytest.approx(stats.poisson.pmf(np.arange(29), 10.0), abs=2e-3)
    assert law.sum() == pytest.approx(1.0)
    assert law[0] == pytest.approx(0.0, abs=1e-9)


def test_an_exponential_time_leaves_a_share_of_each_pause() -> None:
    """Who may go at any moment is there after a pause with the chance of its Laplace transform: here a half."""
    block = {
        "start": {"a": 1.0},
        "next": {"a": {"a": 1.0}},
        "think": {"other": "30s"},
        "patience": "9s",
        "length": {"duration": "30s"},
    }
    journey = Journey.model_validate_json(json.dumps(block))
    assert journey.visits_per_session(("a",)) == pytest.approx([2.0], rel=2e-3)
    assert length_law(journey, ("a",))[1:8] == pytest.approx(0.5 ** np.arange(1, 8), abs=2e-3)


def test_the_plan_s_walks_and_the_model_s_are_the_same(tmp_path: Path) -> None:
    shop = small_shop()
    rows = {"home": {"product": 1.0}, "product": {"product": 0.8, "home": 0.2}}
    shop["journeys"]["shopper"] |= {"next": rows, "length": {"duration": "70s"}}
    scenario = load_small(tmp_path, shop)
    plan = flat_plan(scenario, 5.0, slots=4, lead_in=1)
    walks = Walks(scenario, plan).planned_steps(plan.arrivals())
    record = run_compiled(scenario, plan, "main", seed=Seed(1))
    assert (record.step_counts[0, :, STEPS.index("planned")] == walks[0]).all()
    assert record.imbalances() == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"length": {}}, "`steps` or `duration`, one of them"),
        ({"length": {"steps": [1.0], "duration": "9s"}}, "one of them"),
        ({"length": {"duration": "0s"}}, "longer than nothing"),
        ({"think": {"other": "0s"}}, "every pause must take time; after a none does"),
        ({"next": ROWS | {"c": {"exit": 1.0}}}, "no row may lead to exit; c does"),
    ],
    ids=str,
)
def test_a_time_that_cannot_be_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        journey_of("9s", **more)
