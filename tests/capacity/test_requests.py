"""Requests: what they say adds up, they travel as YAML, and only legal moves are made."""

from __future__ import annotations

import csv
import io
import pkgutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

import gameday.capacity.exporters as family
from gameday.calibrate import with_measured
from gameday.capacity import (
    EXPORTERS,
    CapacityRequest,
    as_yaml,
    from_mapping,
    request_capacity,
    with_order,
)
from gameday.capacity.request import Proof, ProofRow
from gameday.errors import UsageError
from gameday.forecast import Demand
from gameday.safety.identity import Actor, Statement
from gameday.scenario import Scenario
from gameday.scenario.blocks import Measured, Spread
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_demand

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def loaded(text: str) -> dict[str, Any]:
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return data


def hill(scenario: Scenario, peak: float) -> Demand:
    """Return two hours of demand, hottest in the second half hour."""
    minutes = np.full((1, 3, 120), 60.0)
    minutes[:, :, 30:60] = peak
    return flat_demand(scenario, minutes, strength_sigma=0.0)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    changes = {
        "services": {
            name: {"stacks": {"main": {"zones": 3, "instances": 6}}}
            for name in ("edge", "stock", "pay")
        },
        "capacity": {"lead_time_days": 21},
    }
    return busy_shop(tmp_path_factory.mktemp("requests"), changes)


@pytest.fixture(scope="module")
def requests(scenario: Scenario) -> tuple[CapacityRequest, ...]:
    return request_capacity(scenario, hill(scenario, 6000.0), (), run="r1", now=NOW)


@pytest.fixture
def request_(requests: tuple[CapacityRequest, ...]) -> CapacityRequest:
    return next(r for r in requests if r.service == "pay")


def test_every_service_that_is_too_small_has_one_request(
    requests: tuple[CapacityRequest, ...],
) -> None:
    assert sorted(r.service for r in requests) == ["edge", "pay", "stock"]
    assert all(r.instances_to > r.instances_from == 6 for r in requests)
    assert all(r.state == "draft" for r in requests)


def test_a_quiet_event_needs_no_request(scenario: Scenario) -> None:
    assert request_capacity(scenario, hill(scenario, 60.0), (), run="r1", now=NOW) == ()


def test_the_window_is_when_the_fleet_is_too_small(request_: CapacityRequest) -> None:
    start = datetime(2026, 3, 9, 20, tzinfo=UTC)
    assert request_.window_start == start + timedelta(minutes=30)
    assert request_.window_end == start + timedelta(minutes=60)


def test_dates_follow_from_the_window_the_warm_up_and_the_lead_time(
    request_: CapacityRequest,
) -> None:
    assert request_.window_start - request_.needed_by == timedelta(hours=2)
    assert request_.needed_by - request_.latest_order == timedelta(days=21)
    assert request_.expires - request_.window_end == timedelta(hours=2)


@pytest.mark.parametrize(("early_s", "late"), [(1, False), (0, False), (-1, True)])
def test_a_request_is_at_risk_once_its_last_moment_has_passed(
    early_s: int, late: bool, scenario: Scenario, request_: CapacityRequest
) -> None:
    now = request_.latest_order - timedelta(seconds=early_s)
    again = request_capacity(scenario, hill(scenario, 6000.0), (), run="r1", now=now)
    assert {r.at_risk for r in again if r.service == "pay"} == {late}


def test_cost_is_of_the_added_instances_from_needed_by_to_the_windows_end(
    request_: CapacityRequest,
) -> None:
    assert request_.hourly_usd == pytest.approx(0.1 * request_.added)
    assert request_.total_usd == pytest.approx(request_.hourly_usd * 2.5)


def test_utilisation_after_the_order_holds_its_bound_with_a_zone_lost(
    requests: tuple[CapacityRequest, ...],
) -> None:
    for request in requests:
        use = request.peak_utilisation
        assert use["after"] < use["before"]
        assert use["after_zone_lost"] == pytest.approx(use["after"] * 3 / 2)
        assert use["after_zone_lost"] <= request.bounds["max_utilisation"] + 1e-9


def test_a_quantile_the_past_cannot_support_is_marked(request_: CapacityRequest) -> None:
    assert request_.sized_for == "p90 (prior, not calibrated)"


def test_a_fleet_in_one_zone_is_never_said_to_stand_with_a_zone_lost(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)  # one zone, and the default of one zone lost
    for request in request_capacity(scenario, hill(scenario, 6000.0), (), run="r", now=NOW):
        assert request.zones > request.zones_lost, "nothing is left when its only zone is lost"


def test_placing_an_order_changes_the_instances_it_names_and_nothing_else(
    scenario: Scenario, request_: CapacityRequest
) -> None:
    before, after = scenario.model_dump(), with_order(scenario, (request_,)).model_dump()
    fleet = after["services"]["pay"]["stacks"]["main"]
    assert fleet["instances"] == request_.instances_to
    fleet["instances"] = 6
    assert after == before
    assert scenario.services["pay"].stacks["main"].instances == 6


def test_placing_no_order_changes_nothing(scenario: Scenario) -> None:
    assert with_order(scenario, ()) == scenario


def test_a_fleet_with_its_order_placed_asks_for_nothing_more(
    scenario: Scenario, requests: tuple[CapacityRequest, ...]
) -> None:
    ordered = with_order(scenario, requests)
    assert request_capacity(ordered, hill(scenario, 6000.0), (), run="r2", now=NOW) == ()


def test_where_half_of_a_fleet_does_not_work_twice_as_many_are_ordered(scenario: Scenario) -> None:
    """Those added are taken to do as those that are there; the next run measures whether they do."""
    half = with_measured(scenario, "main", "pay", Measured(servers=Spread.exactly(3)))
    whole, short = (
        {r.service: r for r in request_capacity(s, hill(s, 6000.0), (), run="r1", now=NOW)}["pay"]
        for s in (scenario, half)
    )
    assert short.instances_from == whole.instances_from
    assert abs(short.instances_to - 2 * whole.instances_to) <= whole.zones
    assert "6 instances work as 3 do by their declaration" in short.sized_for
    placed = with_order(half, (short,))
    assert placed.services["pay"].servers("main") == pytest.approx(short.instances_to / 2, abs=1)
    assert short.peak_utilisation["after"] == pytest.approx(
        whole.peak_utilisation["after"], rel=0.1
    )


def test_a_request_round_trips_through_yaml(requests: tuple[CapacityRequest, ...]) -> None:
    for request in requests:
        text = as_yaml(replace(request, findings=("saturation-main-pay",)))
        back = from_mapping(loaded(text), "here")
        assert as_yaml(back) == text
        assert back.findings == ("saturation-main-pay",)
        assert back.history == request.history
        for name in ("window_start", "window_end", "needed_by", "latest_order", "expires"):
            assert getattr(back, name) == getattr(request, name)
        assert back.total_usd == pytest.approx(request.total_usd, abs=1e-4)


@given(
    proof=st.builds(
        Proof,
        case=st.text("abc: <>#'\"{}-", min_size=1, max_size=20),
        replications=st.integers(0, 99),
        objectives=st.dictionaries(
            st.text(
                st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=30
            ).filter(lambda text: text not in ("of", "replications")),
            st.builds(ProofRow, *[st.text("abc: <>#'\"{}-", max_size=20)] * 4, st.booleans()),
            max_size=4,
        ),
    ),
    reason=st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=60),
)
def test_whatever_people_write_into_a_request_comes_back(
    proof: Proof, reason: str, requests: tuple[CapacityRequest, ...]
) -> None:
    actor = Actor("user", "no", reason)
    move = Statement("CR-1", "draft", "0" * 64, "2026-02-01T12:00:00+00:00", reason, actor)
    request = replace(requests[0], proof=proof, history=(move,))
    back = from_mapping(loaded(as_yaml(request)), "here")
    assert (back.proof, back.history) == (proof, (move,))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Pod"},
        {"version": 3},
        {"needed_by": "soon"},
        {"history": [{"who": "me"}]},
        {"colour": "red"},
        {"findings": None},
        {"state": "bought"},
        {"instances_to": "many"},
    ],
    ids=str,
)
def test_a_request_file_that_is_wrong_is_refused_by_name(
    change: dict[str, Any], request_: CapacityRequest
) -> None:
    with pytest.raises(UsageError, match=r"CR-x\.yaml"):
        from_mapping(loaded(as_yaml(request_)) | change, "CR-x.yaml")


@pytest.mark.parametrize("name", ["id", "state", "window_start", "history", "instances_to"])
def test_a_request_file_that_lacks_a_field_is_refused_by_name(
    name: str, request_: CapacityRequest
) -> None:
    data = loaded(as_yaml(request_))
    del data[name]
    with pytest.raises(UsageError, match=r"CR-x\.yaml"):
        from_mapping(data, "CR-x.yaml")


def test_every_exporter_file_is_in_the_family() -> None:
    files = {name for _, name, _ in pkgutil.iter_modules(family.__path__)}
    assert set(EXPORTERS) == files - {"exporter"}


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_an_exporter_names_every_request_and_ends_its_last_line(
    name: str, requests: tuple[CapacityRequest, ...]
) -> None:
    text = EXPORTERS[name].export(requests)
    assert text.endswith("\n")
    for request in requests:
        assert request.service in text
        assert str(request.instances_to) in text


@pytest.mark.parametrize("name", [name for name, e in EXPORTERS.items() if e.is_order_sheet])
def test_an_order_sheet_says_by_when_to_order_and_has_its_heading_alone_where_nothing_is(
    name: str, requests: tuple[CapacityRequest, ...]
) -> None:
    text = EXPORTERS[name].export(requests)
    for request in requests:
        assert f"{request.latest_order:%Y-%m-%d}" in text
    assert 1 <= len(EXPORTERS[name].export(()).splitlines()) <= 2


def test_csv_parses_back_with_the_same_values(requests: tuple[CapacityRequest, ...]) -> None:
    rows = list(csv.DictReader(io.StringIO(EXPORTERS["csv"].export(requests))))
    for row, request in zip(rows, requests, strict=True):
        for name, text in row.items():
            value = getattr(request, name)
            kind = type(value)
            if kind is datetime:
                assert datetime.fromisoformat(text) == value
            elif kind is bool:
                assert text == str(value)
            else:
                assert kind(text) == value


def test_markdown_is_a_table_with_as_many_cells_in_every_row(
    requests: tuple[CapacityRequest, ...],
) -> None:
    lines = (
        EXPORTERS["markdown"].export(tuple(replace(r, at_risk=True) for r in requests)).splitlines()
    )
    assert len(lines) == 2 + len(requests)
    assert len({line.count("|") for line in lines}) == 1
    assert all("**late**" in line for line in lines[2:])
