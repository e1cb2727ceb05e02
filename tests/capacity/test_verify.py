"""The proof of an order: exactly the case it is sized for, in the model, before it is placed and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gameday.capacity import CapacityRequest, as_yaml, from_mapping, request_capacity
from gameday.capacity.exporters import EXPORTERS
from gameday.capacity.proof import verify
from gameday.capacity.request import Proof
from gameday.experiments.failures.peak_case import PeakCase, case_words, peak_cases, played_with
from gameday.findings import find
from gameday.findings.standing import Standing
from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.scenario.reading.plain_yaml import from_yaml
from gameday.vocabulary import Seed
from tests.support.small_runs import busy_shop, evidence_of, played
from tests.support.small_shop import flat_demand

OBJECTIVES = ["error rate of all steps < 1%", "utilisation of stock < 80%"]
BORNE_OUT = Standing(frozenset(("main", name) for name in ("edge", "stock", "pay")), {})
SEED = Seed(3)


def three_zones(servers: int) -> dict[str, object]:
    return {"stacks": {"main": {"instances": servers, "zones": 3, "instance": "box"}}}


@pytest.fixture(scope="module")
def drowning(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """Return a shop in three zones whose stock has three servers for the work of four."""
    changes = {
        "services": {
            "edge": three_zones(60),
            "pay": three_zones(12),
            "stock": three_zones(3) | {"queue_per_server": 10},
        },
        "objectives": OBJECTIVES,
    }
    return busy_shop(tmp_path_factory.mktemp("drowning"), changes)


@pytest.fixture(scope="module")
def cases(drowning: Scenario) -> tuple[PeakCase, ...]:
    """Return the case that fleets are sized for, its load a constant one."""
    plan = played(drowning)
    return peak_cases(lambda _: drowning, demand_of(drowning), plan, seed=SEED, core_s=2.0)


def demand_of(scenario: Scenario) -> Demand:
    per_minute = played(scenario).forecast[:, :, 2:3].repeat(180, axis=2)
    per_minute = per_minute * np.where(np.arange(180) // 10 == 12, 1.2, 1.0)
    return flat_demand(scenario, per_minute, strength_sigma=0.1)


@pytest.fixture(scope="module")
def wanted(drowning: Scenario) -> tuple[CapacityRequest, ...]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return request_capacity(drowning, demand_of(drowning), (), run="r", now=now)


@pytest.fixture(scope="module")
def proven(
    drowning: Scenario, cases: tuple[PeakCase, ...], wanted: tuple[CapacityRequest, ...]
) -> tuple[CapacityRequest, ...]:
    return verify(drowning, cases, wanted, BORNE_OUT, seed=SEED)


def test_the_case_is_the_busiest_minutes_at_the_quantile_sized_for_with_a_zone_lost(
    drowning: Scenario, cases: tuple[PeakCase, ...]
) -> None:
    [case] = cases
    assert case.plan.quantile == drowning.capacity.quantile == 0.9
    assert case.plan.speed == 1.0
    start = demand_of(drowning).grid.start + timedelta(minutes=120)
    assert (case.plan.window.start, case.plan.window.slots) == (start, 10)
    assert case_words(case).startswith(f"p90, a zone lost, {start:%Y-%m-%dT%H:%MZ} to ")
    busy = [float(run.series[0, 1].mean()) for run in case.runs]
    whole = played_with(replace(case, zones_lost=0), drowning, seed=SEED)
    assert np.mean(busy) > np.mean([float(run.series[0, 1].mean()) for run in whole])


def test_with_all_requests_placed_an_overloaded_shop_holds_what_it_missed_before(
    proven: tuple[CapacityRequest, ...],
) -> None:
    assert "stock" in {r.service for r in proven}
    for request in proven:
        rows = request.proof.objectives
        row = rows["error rate of all steps < 1%"]
        assert float(row.before.split()[0]) > 1 > float(row.after.split()[0])
        assert (row.holds_after, row.said) == (True, "holds")
        assert rows["utilisation of stock < 80%"].holds_after is True
        assert request.proven == "holds"
        assert "p90, a zone lost" in request.proof.case


def test_an_order_too_small_for_its_case_says_so_on_every_sheet(
    drowning: Scenario, cases: tuple[PeakCase, ...], wanted: tuple[CapacityRequest, ...]
) -> None:
    small = tuple(replace(r, instances_to=r.instances_from) for r in wanted)
    for request in verify(drowning, cases, small, BORNE_OUT, seed=SEED):
        row = request.proof.objectives["error rate of all steps < 1%"]
        assert (row.before, row.said) == (row.after, "fails")
        assert row.holds_after is False
        assert "error rate of all steps < 1%: fails" in request.proven
        for exporter in EXPORTERS.values():
            assert request.proven in exporter.export((request,)).replace('""', '"')
        assert from_mapping(from_yaml(as_yaml(request)), "here").proven == request.proven


def test_a_proof_is_refused_where_the_run_refutes_the_model_or_its_peak_was_not_played(
    drowning: Scenario, cases: tuple[PeakCase, ...], wanted: tuple[CapacityRequest, ...]
) -> None:
    refuted = replace(BORNE_OUT, refuted={("main", "pay"): ("pay is another",)})
    for request in verify(drowning, cases, wanted, refuted, seed=SEED):
        assert request.proof.objectives["error rate of all steps < 1%"].holds_after is False
        assert "not proven: model refuted by this run" in request.proven
    elsewhere = tuple(replace(r, peak=demand_of(drowning).grid.start) for r in wanted)
    for request in verify(drowning, cases, elsewhere, BORNE_OUT, seed=SEED):
        assert "other minutes than those of its own peak" in request.proven
    for request in verify(drowning, (), wanted, BORNE_OUT, seed=SEED):
        assert request.proven.startswith("not proven: the case that it is sized for was not played")


def test_a_sheet_of_a_version_that_proved_another_case_is_not_believed(
    wanted: tuple[CapacityRequest, ...],
) -> None:
    old = {"replications": 10, "p99 of checkout < 2s": {"after": "1 ms", "holds_after": True}}
    assert replace(wanted[0], proof=Proof.of_mapping(old)).proven.startswith("not proven")


def test_a_peak_that_the_fleets_do_not_bear_is_a_finding_and_one_they_bear_is_none(
    drowning: Scenario, cases: tuple[PeakCase, ...], wanted: tuple[CapacityRequest, ...]
) -> None:
    from gameday.capacity import with_order

    evidence = evidence_of(drowning, played(drowning), None, ())
    found = find(replace(evidence, peak=cases))
    assert {f.subject for f in found} == set(OBJECTIVES)
    assert {(f.rule, f.severity, f.model) for f in found} == {
        ("peak_not_borne", "S2", "not compared")
    }
    [case] = cases
    placed = played_with(case, with_order(drowning, wanted), seed=SEED)
    assert find(replace(evidence, peak=(replace(case, runs=placed),))) == ()


def test_an_order_of_a_model_that_was_not_compared_says_so(
    wanted: tuple[CapacityRequest, ...], proven: tuple[CapacityRequest, ...]
) -> None:
    row = {"said": "holds (model not compared with this run)", "holds_after": True}
    doubted = replace(proven[0], proof=Proof.of_mapping({"of": "p90, a zone lost", "x": row}))
    assert doubted.proven == "holds (model not compared with this run)"
    assert doubted.proven_for == "p90, a zone lost"
    for exporter in EXPORTERS.values():
        assert "model not compared with this run" in exporter.export((doubted,))
        assert "p90, a zone lost" in exporter.export((doubted,))
