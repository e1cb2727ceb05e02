"""One event, one number: whichever verb tells it, of each region's own span, launches included."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.forecast import forecast as forecasting
from gameday.forecast import forecast_demand
from gameday.forecast.evaluation.scores import demand_series
from gameday.history import History, read_history
from gameday.scenario import Scenario, load_scenario
from gameday.traffic.fit.demand_with_launches import event_demand
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, merged, small_shop

RELEASE = {"eu": "2026-03-07T15:00", "in": "2026-03-07T15:30"}
SHOP = {
    "event": {"name": "afternoon", "kind": "sale", "start": "2026-03-07T13:00", "duration": "4h"},
    "regions": {"in": {"zone": "Asia/Kolkata", "stack": "main"}},
    "calendar": {
        "events": [
            {"name": "january", "kind": "sale", "start": "2026-01-13T00:00", "duration": "24h"},
        ]
    },
    "history": {
        "synthetic": {
            "days": 56,
            "sessions_per_day": {"in": 200_000},
            "robots_per_year": 0,
            "outages_per_year": 0,
        }
    },
    "launches": {
        "drop": {
            "product": "console",
            "at": RELEASE,
            "crowd": {"eu": 40_000, "in": 9_000},
            "stock": {"eu": 5_000, "in": 1_000},
            "half_life": "4m",
            "waiting": {"share": 0.25, "since": "10m"},
            "countdown": "30s",
        }
    },
    "journeys": {
        "fan": {
            "launch": "drop",
            "start": {"product": 1.0},
            "think": {"other": "5s"},
            "patience": "8s",
            "next": {"product": {"checkout": 0.5, "exit": 0.5}, "checkout": {"exit": 1.0}},
        }
    },
    "products": {
        "console": {"share": {"eu": 0.0, "in": 0.0}},
        "other": {"share": {"eu": 1.0, "in": 1.0}},
    },
}


def fitted_once(models_of: Callable[..., Any]) -> Callable[..., Any]:
    """Return what fits a past once: every verb fits the same, this file asks what each says of it."""
    kept: dict[tuple[str, str, float], Any] = {}

    def fit(scenario: Scenario, known: History, end_min: float) -> Any:
        key = scenario.sha256(), known.sha256, end_min
        if key not in kept:
            kept[key] = models_of(scenario, known, end_min)
        return kept[key]

    return fit


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMEDAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(forecasting, "models_of", fitted_once(forecasting.models_of))
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
    result = CliRunner().invoke(app, ["forecast", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def told(*arguments: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(typed(*arguments, "--json").splitlines()[-1])
    return data


@pytest.fixture(scope="module")
def shown(shop: str) -> dict[tuple[str, str], dict[str, Any]]:
    data = told("show", "--event", shop)
    return {(row["region"], row["step"]): row for row in [*data["rows"], *data["totals"]]}


@pytest.fixture(scope="module")
def published(shop: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    typed("publish", "--event", shop, "--out", str(folder))
    return folder


@pytest.fixture(scope="module")
def table(published: Path) -> pd.DataFrame:
    return pd.read_parquet(published / "forecast.parquet")


def test_show_publish_and_outlook_tell_one_total_and_one_peak_of_the_event(
    shop: str, shown: dict[tuple[str, str], dict[str, Any]], published: Path
) -> None:
    rows = json.loads((published / "publication.json").read_text())["peaks"]
    assert len(rows) == 6
    for row in rows:
        same = shown[row["region"], row["team"]]
        assert row["total_mean"] == pytest.approx(same["total_mean"], abs=1)
        assert row["launch_mean"] == pytest.approx(same["launch_mean"], abs=1)
        assert row["at"] == same["hottest_minute"]
        assert row["expected"] == pytest.approx(same["median_then"], abs=0.1)
        assert row["size"] == pytest.approx(same["peak"], abs=0.1)
    for region, block in told("outlook", "--event", shop, "--weeks", "4")["regions"].items():
        for row in block["event"]:
            same = shown[region, row["step"]]
            assert (row["total_mean"], row["at"]) == (same["total_mean"], same["hottest_minute"])
            assert row["peak"] == pytest.approx(same["peak"], abs=0.1)
            if row["step"] in ("product", "checkout"):  # no minute of the year is as high
                assert block["peaks"][row["step"]]["at"] == same["hottest_minute"]
                assert block["peaks"][row["step"]]["size"] == pytest.approx(same["peak"], abs=0.1)


def test_totals_are_those_of_each_region_s_own_minutes_of_the_event(
    scenario: Scenario, shown: dict[tuple[str, str], dict[str, Any]], table: pd.DataFrame
) -> None:
    for region in scenario.regions:
        start, end = scenario.span(scenario.event, region)
        for step in scenario.steps:
            rows = table[(table["region"] == region) & (table["team"] == step)]
            inside = rows[(rows["slot_utc"] >= start) & (rows["slot_utc"] < end)]
            assert inside["in_event"].all()
            assert len(inside) == rows["in_event"].sum() == 240
            total = inside["mean"].astype(float).sum()
            assert total == pytest.approx(shown[region, step]["total_mean"], abs=1)
            hottest = pd.Timestamp(shown[region, step]["hottest_minute"])
            assert start <= hottest < end
    whole = sum(shown[region, "all"]["total_mean"] for region in scenario.regions)
    assert shown["all", "all"]["total_mean"] == pytest.approx(whole, abs=3)


def test_launches_are_in_every_minute_s_sum_and_told_apart(
    scenario: Scenario, shown: dict[tuple[str, str], dict[str, Any]], table: pd.DataFrame
) -> None:
    checkout = table[(table["region"] == "eu") & (table["team"] == "checkout")]
    release = scenario.launch_at("drop", "eu")
    top = checkout.loc[checkout["p50"].idxmax()]
    assert top["slot_utc"] == pd.Timestamp(release)
    assert top["launch_p50"] > 10 * (top["p50"] - top["launch_p50"])
    # Half of 40,000 sessions buy, those who waited included; on average a crowd is exp(sigma^2 / 2) of its median.
    assert checkout["launch_p50"].sum() == pytest.approx(20_000, rel=0.02)
    row = shown["eu", "checkout"]
    assert row["launch_mean"] == pytest.approx(20_000 * np.exp(0.3**2 / 2), rel=0.02)
    assert row["organic_mean"] + row["launch_mean"] == pytest.approx(row["total_mean"], abs=1)
    assert row["peak"]["p90"] > row["peak"]["p50"] >= 0.99 * row["median_then"]
    assert not table[table["team"] == "home"]["launch_p50"].any()


def test_explain_tells_the_event_s_peak_minute_with_its_launch(
    shop: str, shown: dict[tuple[str, str], dict[str, Any]], table: pd.DataFrame
) -> None:
    data = told(
        "explain", "--event", shop, "--region", "eu", "--step", "checkout", "--before", "none"
    )
    assert data["at"] == shown["eu", "checkout"]["hottest_minute"]
    assert data["in_event"]
    assert data["forecast"] == pytest.approx(shown["eu", "checkout"]["median_then"], abs=0.1)
    product = np.prod([factor for _, factor in data["factors"]])
    assert product + sum(data["launches"].values()) == pytest.approx(data["forecast"], rel=1e-9)
    minute = table[
        (table["region"] == "eu")
        & (table["team"] == "checkout")
        & (table["slot_utc"] == pd.Timestamp(data["at"]))
    ].iloc[0]
    assert data["band"] == pytest.approx(
        {n: minute[n] for n in ("p10", "p50", "p90", "p99")}, rel=1e-4
    )
    assert "launch drop adds" in data["words"]


def test_a_team_s_page_names_its_launch_and_the_same_peak(
    shown: dict[tuple[str, str], dict[str, Any]], published: Path
) -> None:
    page = (published / "teams" / "checkout.html").read_text(encoding="utf-8")
    assert "launch drop" in page
    assert f"{shown['eu', 'checkout']['peak']['p50']:,.4g}".split(".")[0] in page.replace(" ", ",")


def test_the_report_s_chart_draws_launches_and_the_margin_apart_from_the_event(
    scenario: Scenario, shown: dict[tuple[str, str], dict[str, Any]]
) -> None:
    past = read_history(scenario, file=None, seed=Seed(1))
    demand = event_demand(scenario, forecast_demand(scenario, past))
    drawn = demand_series(demand, past, 0.5)
    assert len(drawn.instants) <= 600
    for region, rows in drawn.regions.items():
        assert max(rows.p50) == pytest.approx(shown[region, "all"]["median_then"], rel=1e-3)
        assert max(rows.organic) < max(rows.p50)
        start, end = scenario.span(scenario.event, region)
        assert rows.event == [start.isoformat(), end.isoformat()]


def tracked(
    published: Path, file: Path, table: pd.DataFrame, counts: pd.Series
) -> list[dict[str, Any]]:
    """Return the alerts of counts, as the table's rows."""
    rows = (
        table[["region", "team", "slot_utc"]]
        .rename(columns={"slot_utc": "time"})
        .assign(count=counts)
    )
    rows.to_csv(file, index=False)
    lines = typed("track", "--plan", str(published), "--actuals", str(file), "--json").splitlines()
    return [json.loads(line) for line in lines][:-1]


def test_track_is_silent_when_the_plan_arrives_and_alarms_when_its_launch_does_not(
    scenario: Scenario, published: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    assert tracked(published, tmp_path / "plan.csv", table, table["p50"]) == []
    without = tracked(published, tmp_path / "no.csv", table, table["p50"] - table["launch_p50"])
    release = pd.Timestamp(scenario.launch_at("drop", "eu"))
    said = [row for row in without if row["series"] == "eu checkout"]
    assert [row["kind"] for row in said] == ["launch"]
    assert pd.Timestamp(said[0]["at"]) - release <= pd.Timedelta(minutes=1)
    assert "the launch has not come" in said[0]["words"]


def test_launches_are_said_to_be_missing_from_teams_that_are_no_steps(
    shop: str, tmp_path: Path
) -> None:
    at = pd.date_range("2026-02-01", periods=21 * 1440, freq="min", tz="UTC")
    rng = np.random.default_rng(1)
    pd.concat(
        [
            pd.DataFrame(
                {
                    "time": at,
                    "region": r,
                    "team": "stock keepers",
                    "count": rng.poisson(90, len(at)),
                }
            )
            for r in ("eu", "in")
        ]
    ).to_parquet(tmp_path / "teams.parquet")
    said = typed(
        "publish",
        "--event",
        shop,
        "--teams",
        str(tmp_path / "teams.parquet"),
        "--out",
        str(tmp_path / "out"),
    )
    assert "launches (drop) are not in the forecasts of teams that are no steps" in said
    assert "stock keepers" in said


def test_the_default_window_of_a_sale_at_night_lies_inside_the_sale(tmp_path: Path) -> None:
    """Every day peaks at eight in the evening; the sale runs from 22:30 to 00:30."""
    night = {
        "event": {"start": "2026-02-07T22:30", "duration": "2h"},
        "replay": {"peak": "10m"},
        "history": {"until": "2026-02-05T00:00Z", "columns": {"step": "step"}},
    }
    plain = merged(small_shop(), night)
    load_small(tmp_path, plain)
    at = pd.date_range("2026-01-12", periods=24 * 1440, freq="min", tz="Europe/Berlin")
    hour = at.hour + at.minute / 60
    level = 60 * (0.25 + np.exp(-(((hour - 20) / 3) ** 2)))
    rng = np.random.default_rng(1)
    pd.concat(
        [
            pd.DataFrame(
                {
                    "time": at.tz_convert("UTC"),
                    "region": "eu",
                    "step": step,
                    "count": rng.poisson(level),
                }
            )
            for step in ("home", "product", "checkout")
        ]
    ).to_parquet(tmp_path / "past.parquet")
    flags = ["--event", str(tmp_path / "small.yaml"), "--history", str(tmp_path / "past.parquet")]
    result = CliRunner().invoke(app, ["plan", *flags, "--json"], catch_exceptions=False)
    plan = json.loads(result.output.splitlines()[-1])
    scenario = load_scenario(str(tmp_path / "small.yaml"))
    start, end = scenario.span(scenario.event, "eu")
    assert start <= pd.Timestamp(plan["window_start"]) < pd.Timestamp(plan["window_end"]) <= end
