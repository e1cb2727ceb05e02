"""Walks end after a number of steps: every number said of a journey is of the steps that are walked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.errors import ScenarioError
from gameday.scenario import Scenario
from gameday.scenario.blocks.journeys import Journey
from gameday.scenario.reading.long_walks import share_cut
from gameday.traffic import Walks
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.journeys.chains import chain_of, length_law
from gameday.vocabulary import LONGEST_WALK
from tests.support import examples
from tests.support.small_shop import flat_plan, load_small, small_shop

ROOT = Path(__file__).parents[2]


def loop(again: float, think: Any = "10s") -> dict[str, Any]:
    """Return a journey of pairs of steps, begun again with this chance."""
    rows = {"buy": {"look": 1.0}, "look": {"buy": again, "exit": round(1 - again, 9)}}
    return {"start": {"buy": 1.0}, "next": rows, "think": {"other": think}, "patience": "9s"}


TWO_HOURS = loop(1.0) | {
    "next": {"buy": {"look": 1.0}, "look": {"buy": 1.0}},
    "length": {"duration": {"law": "deterministic", "mean": "2h"}},
}


def shop_of(folder: Path, journey: dict[str, Any], **more: Any) -> Scenario:
    shop = small_shop()
    steps = dict.fromkeys(("buy", "look"), shop["steps"]["home"])
    text = {"steps": steps, "journeys": {"shopper": journey}, "objectives": ["p99 of buy < 9s"]}
    return load_small(folder, shop | text | more)


@pytest.mark.parametrize("again", [0.5, 0.9, 0.98])
def test_the_steps_a_session_is_said_to_have_are_those_it_walks(
    tmp_path: Path, again: float
) -> None:
    scenario = shop_of(tmp_path, loop(again, "1s"))
    plan = flat_plan(scenario, 20.0, slots=60, speed=60.0)
    arrivals, walks = plan.arrivals(), Walks(scenario, plan)
    lengths = np.array([len(walks.planned(arrivals, n)) for n in range(len(arrivals.at_s))])
    chain = chain_of(scenario.journeys["shopper"], ("buy", "look"), {"buy": 0.1, "look": 0.1})
    assert lengths.max() <= LONGEST_WALK
    error = lengths.std(ddof=1) / np.sqrt(len(lengths))
    assert abs(lengths.mean() - chain.mean_steps) < 4 * error


@settings(deadline=None, max_examples=examples(25))
@given(again=st.floats(0.0, 0.9999))
def test_visits_length_and_kernel_agree_on_what_is_cut(again: float) -> None:
    steps, response_s = ("buy", "look"), {"buy": 0.5, "look": 0.5}
    journey = Journey.model_validate(loop(round(again, 6), "2s"))
    chain, law = chain_of(journey, steps, response_s), length_law(journey, steps)
    assert len(law) <= LONGEST_WALK + 1
    assert law.sum() == pytest.approx(1.0)
    assert (law * np.arange(len(law))).sum() == pytest.approx(chain.mean_steps, rel=1e-9)
    assert lag_kernel(journey, steps, response_s).sum() == pytest.approx(chain.mean_steps, rel=1e-6)
    assert chain.mean_steps == pytest.approx(2 * (1 - again**250) / (1 - again), rel=1e-3)
    assert chain.ever == pytest.approx([1.0, 1.0])
    assert chain.mean_s == pytest.approx(2.5 * chain.mean_steps - 2, rel=0.02, abs=0.01)


def test_a_time_that_allows_more_steps_than_a_walk_has_counts_those_it_has() -> None:
    steps, response_s = ("buy",), {"buy": 0.0}
    always = {"law": "deterministic", "mean": "1s"}
    journey = Journey.model_validate(
        {
            "start": {"buy": 1.0},
            "next": {"buy": {"buy": 1.0}},
            "think": {"buy": always},
            "patience": "9s",
            "length": {"duration": {"law": "deterministic", "mean": "600s"}},
        }
    )
    chain = chain_of(journey, steps, response_s)
    assert chain.visits.sum() == pytest.approx(LONGEST_WALK, rel=1e-3)
    assert chain.mean_steps == pytest.approx(LONGEST_WALK, rel=1e-3)
    assert share_cut(journey) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("journey", "says"),
    [
        (
            loop(0.999999),
            r"journeys\.shopper: a session ends after 500 steps at most; 100.0% of its",
        ),
        (loop(0.998), r"a session ends after 500 steps at most; 60.6% of its"),
        (TWO_HOURS, "a session ends after 500 steps at most"),
        (
            loop(0.5, "10d"),
            r"journeys\.shopper: its sessions last 7\d\d h on average; .* GiB of memory",
        ),
    ],
    ids=["nearly endless", "often cut", "cut by its time", "too much memory"],
)
def test_a_journey_that_would_be_cut_or_cannot_be_solved_for_is_refused_at_reading(
    tmp_path: Path, journey: dict[str, Any], says: str
) -> None:
    with pytest.raises(ScenarioError, match=says) as caught:
        shop_of(tmp_path, journey)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("again", [0.97, 0.98])
def test_what_is_cut_of_a_journey_that_is_taken_is_less_than_a_hundredth(
    tmp_path: Path, again: float
) -> None:
    journey = shop_of(tmp_path, loop(again)).journeys["shopper"]
    assert 0 < share_cut(journey) < 0.01


def test_a_length_in_steps_may_be_the_longest_walk(tmp_path: Path) -> None:
    lengths = [0.0] * (LONGEST_WALK - 1) + [1.0]
    rows = {"buy": {"look": 1.0}, "look": {"buy": 1.0}}
    journey = shop_of(tmp_path, loop(0.5) | {"next": rows, "length": {"steps": lengths}})
    assert share_cut(journey.journeys["shopper"]) == 0.0
    chain = chain_of(journey.journeys["shopper"], ("buy", "look"), {"buy": 0.0, "look": 0.0})
    assert chain.mean_steps == pytest.approx(LONGEST_WALK)


def test_the_longest_walk_stands_in_one_place() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in (ROOT / "gameday").rglob("*.py")
        for line in file.read_text().splitlines()
        if re.search(rf"(?i)(most|longest|max).*(step|walk|length).*=\s*{LONGEST_WALK}\b", line)
    ]
    assert [line.split(":")[0] for line in found] == ["gameday/vocabulary.py"]
