"""Of nobody nothing is said: what no customer met neither holds nor fails, breaks, recovers or can be lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gameday.errors import PreflightFailed
from gameday.experiments.failures import LossBudget
from gameday.experiments.failures.losses import n_minus_one
from gameday.experiments.failures.recovery import does_it_recover
from gameday.experiments.rehearsal.headroom import find_headroom
from gameday.experiments.rehearsal.sell_out import sell_outs
from gameday.experiments.rehearsal.stack_answers import rehearse
from gameday.experiments.replications import Look
from gameday.experiments.replications.replication import NOBODY, Replications
from gameday.scenario import Scenario
from gameday.scenario.reading.injections import parse_injections
from gameday.simulate import RunControl, replicate
from gameday.swarm.control.run import _preflight
from gameday.vocabulary import Seed
from tests.support.small_shop import desk, flat_demand, flat_plan, load_small

OBJECTIVES = ["p95 of hit < 1s", "error rate of all steps < 1%", "utilisation of desk < 80%"]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return load_small(tmp_path_factory.mktemp("nobody"), desk(), {"objectives": OBJECTIVES})


def played(scenario: Scenario, per_s: float) -> Replications:
    plan = flat_plan(scenario, per_s, slots=8)
    return replicate(
        scenario,
        plan,
        Look.at(scenario, plan),
        seed=Seed(1),
        control=RunControl(replications=3, workers=1),
    )


@pytest.fixture(scope="module")
def nobody(scenario: Scenario) -> Replications:
    return played(scenario, 0.0)


@pytest.fixture(scope="module")
def some(scenario: Scenario) -> Replications:
    return played(scenario, 2.0)


def test_no_objective_holds_of_what_nobody_met(scenario: Scenario, nobody: Any, some: Any) -> None:
    model = rehearse(scenario, nobody, 1.0).stacks["main"]
    assert {row.said for row in model.objectives} == {NOBODY}
    assert all(row.value.mid is None for row in model.objectives)
    assert all(row.fails_in_some_minute.mid is None for row in model.objectives)
    assert not model.is_observed
    model = rehearse(scenario, some, 1.0).stacks["main"]
    assert {row.said for row in model.objectives} == {"holds"}
    assert model.is_observed


def test_no_multiple_of_nobody_is_tried_or_called_headroom(scenario: Scenario, nobody: Any) -> None:
    def play(factor: float) -> Replications:
        raise AssertionError(factor)

    rows = find_headroom(scenario, nobody, play)["main"]
    assert {row.said for row in rows} == {NOBODY}


def test_what_nobody_met_can_neither_be_lost_nor_not(scenario: Scenario) -> None:
    demand = flat_demand(scenario, np.zeros((1, 1, 300)))
    plan = flat_plan(scenario, 0.0, slots=8)
    control = RunControl(replications=3, workers=1)
    answer = n_minus_one(
        scenario, demand, plan, seed=Seed(1), budget=LossBudget(5.0), control=control
    )["main"]
    assert answer.rows
    assert {row.said for row in answer.rows} == {NOBODY}
    rows: list[Any] = [answer.as_it_is, *answer.rows]
    assert all(row.held.mid is None for row in rows)
    assert list(answer.as_it_is.unmet) == OBJECTIVES
    assert answer.as_it_is.goodput.mid is None


def test_what_nobody_met_neither_stays_down_nor_comes_back(
    scenario: Scenario, nobody: Any, some: Any
) -> None:
    struck = parse_injections(["desk down at +1m for 1m"], scenario, 480.0)
    for calm in (nobody, ()):
        answer = does_it_recover(struck, nobody, calm)
        assert answer is not None
        assert answer["main"].said == NOBODY
        assert answer["main"].recovers is None
    answer = does_it_recover(struck, some, some)
    assert answer is not None
    assert answer["main"].recovers.mid == 1.0


def test_of_replications_in_which_nobody_came_nothing_is_counted(
    scenario: Scenario, nobody: Any, some: Any
) -> None:
    mixed = (*nobody, *some)
    rows = rehearse(scenario, mixed, 1.0).stacks["main"].objectives
    alone = rehearse(scenario, some, 1.0).stacks["main"].objectives
    assert [row.value for row in rows] == [row.value for row in alone]
    assert [row.fails_in_some_minute for row in rows] == [row.fails_in_some_minute for row in alone]


def test_a_product_that_nobody_came_for_is_not_said_to_last(
    scenario: Scenario, nobody: Any, some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scenario, "stock", lambda *_: {"console": 5})
    monkeypatch.setattr(Scenario, "release", lambda *_: None)
    assert sell_outs(scenario, nobody)["main"][0].said == NOBODY
    assert "does not sell out" in sell_outs(scenario, some)["main"][0].said


def test_a_plan_of_no_session_is_refused_before_anything_is_sent(scenario: Scenario) -> None:
    spec: Any = SimpleNamespace(
        plan=flat_plan(scenario, 0.0), targets={"main": "http://127.0.0.1:9"}
    )
    with pytest.raises(PreflightFailed, match="the plan has no session"):
        _preflight(spec, None)
