"""The proof of an order: the same customers in the model, before it and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from small_runs import busy_shop, played, records_of
from small_shop import flat_demand

from gameday.capacity import CapacityRequest, request_capacity, verify, with_order
from gameday.capacity import order as room
from gameday.run_record import RunRecord
from gameday.scenario import Scenario
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed

OBJECTIVES = [
    "p99 of checkout < 2s", "error rate of all steps < 1%", "abandonment rate of all steps < 1%",
]  # fmt: skip
Proven = tuple[tuple[CapacityRequest, ...], tuple[RunRecord, ...], tuple[RunRecord, ...]]


@pytest.fixture(scope="module")
def drowning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, LoadPlan]:
    changes = {
        "services": {
            "edge": {"stacks": {"main": {"instances": 60}}},
            "stock": {"stacks": {"main": {"instances": 1}}, "queue_per_server": 10},
        },
        "objectives": OBJECTIVES,
    }
    scenario = busy_shop(tmp_path_factory.mktemp("drowning"), changes)
    return scenario, played(scenario)


@pytest.fixture(scope="module")
def proven(drowning: tuple[Scenario, LoadPlan]) -> Proven:
    """Return requests with their proof, and the records before and after, without processes."""
    scenario, plan = drowning
    per_minute = plan.forecast[:, :, 2:3].repeat(120, axis=2)
    demand = flat_demand(scenario, per_minute, strength_sigma=0.0)
    requests = request_capacity(
        scenario, demand, (), run="r", now=datetime(2026, 1, 1, tzinfo=UTC)
    )  # fmt: skip

    def in_process(scenario: Scenario, plan: LoadPlan, **_: object) -> tuple[RunRecord, ...]:
        return records_of(scenario, plan, range(5))

    before = in_process(scenario, plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "simulate", in_process)
        after = verify(scenario, plan, requests, before, seed=Seed(1))
    return after[0], before, after[1]


def test_an_overloaded_shop_holds_every_objective_once_its_order_is_placed(proven: Proven) -> None:
    requests, before, after = proven
    assert "stock" in {r.service for r in requests}
    for request in requests:
        assert request.proof["replications"] == 5
        assert {t for t, row in request.proof.items() if isinstance(row, dict)} == set(OBJECTIVES)
        for text in OBJECTIVES:
            assert request.proof[text]["holds_after"] is True, text
    bad = [sum(r.step_total(s, "failed") for s in r.steps) for r in (*before, *after)]
    assert min(bad[:5]) > 100 > max(bad[5:])


def test_the_proof_says_that_the_objective_did_not_hold_before(proven: Proven) -> None:
    row = proven[0][0].proof["error rate of all steps < 1%"]
    assert float(row["before"].split()[0]) > 1  # percent
    assert float(row["change"].split()[0]) < 0


def test_the_proof_is_of_the_same_customers(proven: Proven) -> None:
    _, before, after = proven
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.session_counts[:, :2], other.session_counts[:, :2])
        np.testing.assert_array_equal(one.step_counts[:, :, 0], other.step_counts[:, :, 0])


def test_the_abandonment_rate_in_the_proof_counts_those_who_left_and_no_failures(
    proven: Proven,
) -> None:
    """Stock sheds at once and nobody has to wait for the end of their patience."""
    requests, before, _ = proven
    assert sum(r.step_total(s, "abandoned") for r in before for s in r.steps) == 0
    said = requests[0].proof["abandonment rate of all steps < 1%"]["before"]
    assert float(said.split()[0]) == 0.0


def test_an_order_too_small_does_not_hold_in_the_proof(
    drowning: tuple[Scenario, LoadPlan], proven: Proven, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, plan = drowning
    requests, before, _ = proven
    small = tuple(replace(r, instances_to=r.instances_from) for r in requests)
    monkeypatch.setattr(room, "simulate", lambda *a, **k: before)
    [row] = {
        str(r.proof["error rate of all steps < 1%"])
        for r in verify(scenario, plan, small, before, seed=Seed(1))[0]
    }
    assert "'holds_after': False" in row


def test_verify_asks_the_model_of_the_shop_with_the_order_placed(
    drowning: tuple[Scenario, LoadPlan], proven: Proven, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, plan = drowning
    asked: list[tuple[Scenario, LoadPlan, dict[str, object]]] = []

    def model(scenario: Scenario, plan: LoadPlan, **how: object) -> tuple[RunRecord, ...]:
        asked.append((scenario, plan, how))
        return proven[2]

    monkeypatch.setattr(room, "simulate", model)
    verify(scenario, plan, proven[0], proven[1], seed=Seed(4), scale=0.5)
    [(ordered, same_plan, how)] = asked
    assert ordered == with_order(scenario, proven[0])
    assert same_plan is plan
    assert (how["seed"], how["scale"]) == (Seed(4), 0.5)
