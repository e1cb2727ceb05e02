"""`gameday forecast services`: visits are those of callers, own counts are learned from, pages are written."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.capacity.services import StepVisits, compare_counts, service_demand
from gameday.cli.app import app
from gameday.errors import HistoryError, UsageError
from gameday.forecast import forecast_demand
from gameday.history import read_history
from gameday.jobs.drawn import drawn
from gameday.scenario import Scenario, load_scenario
from gameday.simulate import offered_erlangs
from gameday.traffic import event_steps
from gameday.traffic.fit import event_demand
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, small_shop

SHOP = {
    "event": {"name": "weekend", "kind": "sale", "start": "2026-03-07T00:00", "duration": "24h"},
    "history": {"synthetic": {"days": 56, "robots_per_year": 0, "outages_per_year": 0}},
}
TIMES, BESIDES = 1.4, 30.0
"""How a service's own counts lie to what the calls say, in a file of this test."""


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMEDAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("shop")
    load_small(folder, small_shop(), SHOP)
    return str(folder / "small.yaml")


@pytest.fixture(scope="module")
def scenario(shop: str) -> Scenario:
    return load_scenario(shop)


def typed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["forecast", "services", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def own_counts(scenario: Scenario, file: Path, service: str) -> Path:
    """Write what a service counts: more than its callers' calls say, and some that nobody calls for."""
    past = read_history(scenario, file=None, seed=Seed(1)).known_before(scenario.history.until)
    called = StepVisits(scenario).caused(past.grid, "eu", np.nan_to_num(past.counts[0]))
    mean = TIMES * called[list(scenario.services).index(service)] + BESIDES
    counts = np.random.default_rng(1).poisson(mean)
    times = pd.to_datetime(past.grid.minutes(), unit="m", utc=True)
    table = pd.DataFrame({"time": times, "region": "eu", "service": service, "count": counts})
    table.to_parquet(file)
    return file


def test_visits_and_busy_servers_are_those_that_the_model_is_offered(scenario: Scenario) -> None:
    past = read_history(scenario, file=None, seed=Seed(1))
    demand = event_demand(scenario, forecast_demand(scenario, past))
    asked = service_demand(scenario, demand, (0.5, 0.9), {})
    for quantile, busy in asked.busy.items():
        offered = offered_erlangs(scenario, "main", event_steps(scenario, demand.organic, quantile))
        np.testing.assert_allclose(busy.sum(axis=0), offered)
    numbers = [asked.visits.numbers("eu", name) for name in scenario.services]
    table = asked.visits.table(series_column="service")
    totals = table[table["in_event"]].groupby("service")["mean"].sum()
    for told in numbers:
        assert told.total_mean == pytest.approx(totals[told.step])
    levels = sorted(demand.organic.marginal)
    for low, high in pairwise(levels):
        assert (asked.visits.marginal(high) >= asked.visits.marginal(low) - 1e-9).all()


def test_every_service_has_its_numbers_its_callers_and_its_fleet(
    shop: str, scenario: Scenario, tmp_path: Path
) -> None:
    out, pages = tmp_path / "services.parquet", tmp_path / "pages"
    said = json.loads(
        typed("--event", shop, "--out", str(out), "--pages", str(pages), "--json").splitlines()[-1]
    )
    assert {row["service"] for row in said["rows"]} == set(scenario.services)
    for row in said["rows"]:
        assert row["busy"]["p90"] > row["busy"]["p50"] > 0
        assert sum(row["callers"].values()) == pytest.approx(1, abs=1e-3)
    for fleet in said["fleets"]:
        assert fleet["needed"]["p90"] >= fleet["needed"]["p50"] > 0
    table = pd.read_parquet(out)
    first = table[(table["service"] == said["rows"][0]["service"]) & table["in_event"]]
    assert first["mean"].sum() == pytest.approx(said["rows"][0]["total_mean"], rel=1e-3)
    assert {"busy_p50", "busy_p90", "stack_instances_p50", "stack_instances_p90"} <= set(table)
    page = (pages / f"{said['rows'][0]['service']}.html").read_text()
    assert "which steps cause the visits" in page


def test_own_counts_are_learned_from_and_the_tie_is_told(
    shop: str, scenario: Scenario, tmp_path: Path
) -> None:
    service = next(iter(scenario.services))
    counts = own_counts(scenario, tmp_path / "own.parquet", service)
    asked = ("--event", shop, "--json")
    plain, tied = (
        json.loads(typed(*asked, *more).splitlines()[-1])
        for more in ((), ("--counts", str(counts)))
    )
    [before], [after] = (
        [row for row in answer["rows"] if row["service"] == service] for answer in (plain, tied)
    )
    assert after["own_counts"]["times"] == pytest.approx(TIMES, rel=0.02)
    assert after["own_counts"]["besides"] == pytest.approx(BESIDES, rel=0.1)
    assert after["total_mean"] == pytest.approx(
        TIMES * before["total_mean"] + BESIDES * 1440, rel=0.03
    )
    assert after["busy"]["p50"] > 1.3 * before["busy"]["p50"]
    assert any("own counts are known" in note for note in tied["notes"])
    words = typed("--event", shop, "--counts", str(counts))
    assert "times what the calls say" in words


def test_a_tie_is_not_learned_from_less_than_a_week_nor_moved_by_a_few_odd_hours() -> None:
    rng = np.random.default_rng(3)
    called = 50 + 40 * np.sin(np.arange(28 * 1440) / 1440 * 2 * np.pi)
    own = rng.poisson(2 * called).astype(float)
    assert not compare_counts(own[: 6 * 1440], called[: 6 * 1440]).is_learned
    own[5000:6000] *= 20
    own_counts = compare_counts(own, called)
    assert own_counts.times == pytest.approx(2, rel=0.02)
    assert own_counts.besides == pytest.approx(0, abs=1.5)


def test_a_service_that_the_scenario_does_not_have_is_refused(
    shop: str, scenario: Scenario, tmp_path: Path
) -> None:
    counts = own_counts(scenario, tmp_path / "own.parquet", next(iter(scenario.services)))
    table = pd.read_parquet(counts).assign(service="unknwon")
    table.to_parquet(counts)
    with pytest.raises(UsageError, match="no service of the scenario is called 'unknwon'"):
        typed("--event", shop, "--counts", str(counts))


def test_counts_of_another_time_than_the_past_are_refused(
    shop: str, scenario: Scenario, tmp_path: Path
) -> None:
    counts = own_counts(scenario, tmp_path / "own.parquet", next(iter(scenario.services)))
    table = pd.read_parquet(counts)
    table.assign(time=table["time"] - pd.Timedelta(days=700)).to_parquet(counts)
    with pytest.raises(HistoryError, match="none of its minutes is in the past that is known"):
        typed("--event", shop, "--counts", str(counts))


def test_what_a_page_draws_holds_the_highest_minute_and_gaps() -> None:
    minutes = np.arange(12.0)
    minutes[3] = 100.0
    minutes[5:10] = np.nan
    assert drawn(minutes) == [100.0, None, 11.0]
