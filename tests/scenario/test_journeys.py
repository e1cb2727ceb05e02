"""Journeys: what the chain's algebra says is what walking it shows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gameday.scenario.blocks.journeys import EXIT, Journey
from gameday.scenario.reading.long_walks import share_cut
from gameday.vocabulary import LONGEST_WALK, Draw, Seed, draw

WALKS = 3000
STEPS = ("a", "b", "c", "d")


def journey_of(start: dict[str, float], rows: dict[str, dict[str, float]]) -> Journey:
    block = {"start": start, "next": rows, "think": {"other": "5s"}, "patience": "8s"}
    return Journey.model_validate_json(json.dumps(block))


@st.composite
def chains(pick: Any) -> Journey:
    """A random chain over STEPS whose every row may end."""

    def row(names: tuple[str, ...], least_exit: int) -> dict[str, float]:
        weights = [pick(st.integers(0, 5)) for _ in names]
        weights.append(pick(st.integers(least_exit, 5)))
        total = sum(weights)
        return {name: w / total for name, w in zip((*names, EXIT), weights, strict=True) if w}

    first = [pick(st.integers(1, 5)) for _ in STEPS]
    start = {name: w / sum(first) for name, w in zip(STEPS, first, strict=True)}
    return journey_of(start, {name: row(STEPS, 1) for name in STEPS})


def visits_of_one_walk(journey: Journey, session: int) -> list[int]:
    def chosen(row: dict[str, float], uniform: float) -> str:
        for name, chance in row.items():
            uniform -= chance
            if uniform < 0:
                return name
        return name

    counts = dict.fromkeys(STEPS, 0)
    here, place = chosen(journey.start, draw(3, session, 0, 0, Draw.ENTRY)), 0
    while here != EXIT:
        counts[here] += 1
        here = chosen(journey.next[here], draw(3, session, place, 0, Draw.NEXT_STEP))
        place += 1
    return list(counts.values())


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(journey=chains())
def test_expected_visits_equal_the_mean_of_many_walks_within_its_standard_error(
    journey: Journey,
) -> None:
    walks = np.array([visits_of_one_walk(journey, n) for n in range(WALKS)])
    error = walks.std(axis=0, ddof=1) / np.sqrt(WALKS)
    assert (np.abs(walks.mean(axis=0) - journey.visits_per_session(STEPS)) <= 4.5 * error).all()


@given(journey=chains())
def test_expected_visits_balance_what_flows_in_and_out(journey: Journey) -> None:
    visits = journey.visits_per_session(STEPS)
    arriving = journey.entry_vector(STEPS) + visits @ journey.transition_matrix(STEPS)
    np.testing.assert_allclose(visits, arriving, rtol=1e-9)
    leaving = [journey.next[s].get(EXIT, 0.0) for s in STEPS]
    assert visits @ leaving == pytest.approx(1.0)


@given(journey=chains(), order=st.permutations(STEPS))
def test_expected_visits_do_not_depend_on_the_order_of_the_steps(
    journey: Journey, order: list[str]
) -> None:
    mine = dict(zip(order, journey.visits_per_session(tuple(order)), strict=True))
    plain = journey.visits_per_session(STEPS)
    assert [mine[s] for s in STEPS] == pytest.approx(list(plain))


@given(again=st.floats(0, 0.99))
def test_a_step_repeated_with_chance_p_is_visited_1_over_1_minus_p_times_but_for_what_is_cut(
    again: float,
) -> None:
    journey = journey_of({"a": 1.0}, {"a": {"a": again, EXIT: 1 - again}})
    cut = again**LONGEST_WALK
    assert journey.visits_per_session(("a",))[0] == pytest.approx((1 - cut) / (1 - again))
    assert share_cut(journey) == pytest.approx(cut)


def test_a_step_no_walk_reaches_is_visited_never() -> None:
    journey = journey_of({"a": 1.0}, {"a": {EXIT: 1.0}, "b": {"a": 0.5, EXIT: 0.5}})
    assert list(journey.visits_per_session(STEPS)) == [1.0, 0.0, 0.0, 0.0]


@given(journey=chains())
def test_every_row_of_the_matrix_is_a_chance_and_leaves_the_exit_out(journey: Journey) -> None:
    matrix = journey.transition_matrix(STEPS)
    assert matrix.shape == (4, 4)
    assert (matrix >= 0).all()
    assert (matrix.sum(axis=1) < 1).all()
    assert journey.entry_vector(STEPS).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"a": {"a": 1.0}}, "a session at a could never reach exit"),
        ({"a": {"b": 1.0}, "b": {"a": 1.0}}, "a session at a, b could never reach exit"),
        ({"a": {"b": 0.5, EXIT: 0.5}, "b": {"b": 1.0}}, "a session at b could never"),
        ({"a": {"a": 1.0, EXIT: 0.0}}, "could never reach exit"),
        ({"a": {EXIT: 0.9}}, "next.a sums to 0.9"),
        ({"a": {}}, "next.a sums to 0"),
        ({"a": {EXIT: 1.00001}}, "less than or equal to 1"),
    ],
)
def test_a_chain_that_does_not_sum_to_1_or_never_ends_is_refused(
    rows: dict[str, dict[str, float]], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        journey_of({"a": 1.0}, rows)


def test_the_think_time_of_a_step_not_named_is_that_of_other() -> None:
    block = {"start": {"a": 1.0}, "next": {"a": {EXIT: 1.0}}, "patience": "8s"}
    named = Journey.model_validate_json(json.dumps(block | {"think": {"a": "2s", "other": "9s"}}))
    assert (named.think_s("a"), named.think_s("b")) == (2.0, 9.0)


def test_the_bundled_journeys_visit_every_step_they_name_and_end(primeday: Any) -> None:
    for journey in primeday.journeys.values():
        visits = dict(
            zip(primeday.step_names, journey.visits_per_session(primeday.step_names), strict=True)
        )
        assert all(visits[step] > 0 for step in journey.next)
        assert np.isfinite(list(visits.values())).all()


def test_a_seed_makes_the_same_walks_again() -> None:
    journey = journey_of({"a": 1.0}, {"a": {"a": 0.7, EXIT: 0.3}})
    walks = [[visits_of_one_walk(journey, n) for n in range(50)] for _ in range(2)]
    assert walks[0] == walks[1]
    assert Seed(3) == Seed(3)
