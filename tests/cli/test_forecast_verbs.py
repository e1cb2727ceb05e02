"""`gameday forecast ...` as typed: a small shop's forecast explained, published, refreshed and tracked."""

from __future__ import annotations

import json
import shutil
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import gameday
from gameday.cli.app import app
from gameday.errors import GamedayError, HistoryError, UsageError
from gameday.history import read_history
from gameday.jobs.team_counts import read_team_counts
from gameday.scenario import load_scenario
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, small_shop

SALES = [
    {"name": "january", "kind": "sale", "start": "2026-01-13T00:00", "duration": "24h"},
    {"name": "february", "kind": "sale", "start": "2026-02-05T00:00", "duration": "24h"},
]
SHOP = {
    "event": {"name": "weekend", "kind": "sale", "start": "2026-03-07T00:00", "duration": "24h"},
    "calendar": {"events": SALES},
    "history": {"synthetic": {"days": 56, "robots_per_year": 60, "outages_per_year": 5}},
}


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


def typed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["forecast", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(error: type[GamedayError], *arguments: str) -> str:
    with pytest.raises(error) as caught:
        typed(*arguments)
    assert caught.value.exit_code == 2
    return str(caught.value)


def totals_of(shop: str, days: int, file: Path) -> Path:
    """Write the shop's past as totals of so many days."""
    scenario = load_scenario(shop)
    past = read_history(scenario, file=None, seed=Seed(1))
    until = past.known_before(scenario.history.until)
    whole = until.grid.slots // (1440 * days)
    totals = np.nan_to_num(until.counts[:, :, : whole * 1440 * days])
    totals = totals.reshape(*totals.shape[:2], whole, -1).sum(axis=-1)
    times = pd.to_datetime(past.grid.epoch_min + 1440 * days * np.arange(whole), unit="m", utc=True)
    index = pd.MultiIndex.from_product(
        [past.regions, past.steps, times], names=["region", "step", "time"]
    )
    pd.DataFrame({"count": totals.ravel()}, index=index).to_csv(file)
    return file


@pytest.mark.parametrize("days", [1, 7])
def test_a_past_of_days_or_weeks_gives_an_outlook_and_says_that_minutes_cannot_be_told(
    days: int, shop: str, tmp_path: Path
) -> None:
    past = totals_of(shop, days, tmp_path / "past.csv")
    asked = ("--event", shop, "--history", str(past))
    plain = typed("outlook", *asked, "--weeks", "8")
    assert "which minute is the highest, and how high, cannot be told" in plain
    assert "highest minute of" not in plain
    assert ("the days of a week are taken to be alike" in plain) == (days == 7)
    said = json.loads(typed("outlook", *asked, "--weeks", "8", "--json").splitlines()[-1])
    week = pd.read_csv(past).query("step == 'home'")["count"].tail(7 // days).sum()
    told = said["regions"]["eu"]["steps_a_week"]["p50"][said["steps"].index("home")][0]
    assert told == pytest.approx(week, rel=0.3)
    assert "no finer ones tell how a day goes" in refused(HistoryError, "show", *asked)


@pytest.fixture(scope="module")
def published(shop: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    typed("publish", "--event", shop, "--out", str(folder))
    return folder


def test_explain_says_json_whose_factors_multiply_to_the_forecast(
    shop: str, tmp_path: Path
) -> None:
    page = tmp_path / "why.html"
    said = json.loads(
        typed(
            "explain",
            "--event",
            shop,
            "--region",
            "eu",
            "--step",
            "home",
            "--at",
            "2026-03-07T10:00",
            "--page",
            str(page),
            "--json",
        ).splitlines()[-1]
    )
    assert np.prod([factor for _, factor in said["factors"]]) == pytest.approx(
        said["forecast"], rel=1e-9
    )
    moved = said["bridge"]
    product = np.prod([factor for _, factor in moved["factors"]])
    assert moved["before"] * product == pytest.approx(moved["after"], rel=1e-9)
    assert {row["what"] for row in said["spread"]} >= {"horizon", "hour"}
    assert len(said["hashes"]) == 3
    text = page.read_text(encoding="utf-8")
    assert "http" not in text
    assert "event: sale" in text


def test_explain_in_words_tells_the_event_and_how_many_stand_behind_it(shop: str) -> None:
    said = typed("explain", "--event", shop, "--region", "eu", "--step", "home", "--before", "none")
    assert "event: sale adds" in said
    assert "2 past events of kind 'sale' in eu" in said
    assert "prior, not calibrated" in said


def test_outliers_are_listed_with_when_why_and_effect(shop: str) -> None:
    rows = json.loads(typed("outliers", "--event", shop, "--json"))["rows"]
    assert {row["kind"] for row in rows} >= {"robots"}
    for row in rows:
        assert row["minutes"] > 0
        assert abs(row["effect"]) < 0.05
        assert "times what was expected" in row["why"]


def test_a_publication_holds_every_minute_with_ordered_bands_and_a_page_a_team(
    published: Path,
) -> None:
    table = pd.read_parquet(published / "forecast.parquet")
    assert set(table["team"]) == {"home", "product", "checkout"}
    levels = table[["p10", "p50", "p90", "p99"]].to_numpy()
    assert (np.diff(levels, axis=1) >= 0).all()
    pages = sorted(p.name for p in (published / "teams").iterdir())
    assert len(pages) == 3
    for page in (published / "teams").iterdir():
        assert "http" not in page.read_text(encoding="utf-8")
        assert page.stat().st_size < 100_000
        assert "past event" in page.read_text(encoding="utf-8")
    manifest = json.loads((published / "publication.json").read_text())
    for row in manifest["peaks"]:
        assert np.prod([f for _, f in row["factors"]]) == pytest.approx(row["expected"], rel=1e-6)


def new_minutes(published: Path, file: Path, *, times: float = 1.0, hours: int = 26) -> Path:
    """Write what the day after the publication might bring, and two hours that were known."""
    manifest = json.loads((published / "publication.json").read_text())
    start = pd.Timestamp(manifest["until"]) - pd.Timedelta(hours=2)
    at = pd.date_range(start, periods=60 * hours, freq="min")
    rng = np.random.default_rng(1)
    rows = [
        pd.DataFrame(
            {"time": at, "region": "eu", "team": team, "count": rng.poisson(times * 60, len(at))}
        )
        for team in manifest["teams"]
    ]
    pd.concat(rows).to_csv(file, index=False)
    return file


@pytest.mark.nightly
def test_a_cluster_publishes_the_same_forecast(shop: str, published: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        typed(
            "publish",
            "--event",
            shop,
            "--out",
            str(tmp_path),
            "--cluster",
            cluster.scheduler_address,
        )
    here, there = (pd.read_parquet(f / "forecast.parquet") for f in (published, tmp_path))
    pd.testing.assert_frame_equal(
        here, there, rtol=1e-3
    )  # sums of single precision, in another order
    states = [
        json.loads((f / "publication.json").read_text())["peaks"] for f in (published, tmp_path)
    ]
    assert [row["at"] for row in states[0]] == [row["at"] for row in states[1]]


def test_python_publishes_what_the_command_does(shop: str, published: Path, tmp_path: Path) -> None:
    publication = gameday.publish(shop, out=tmp_path)
    manifests = [(f / "publication.json").read_text() for f in (published, tmp_path)]
    assert manifests[0] == manifests[1]
    assert publication.folder == str(tmp_path)
    assert {peak.team for peak in publication.peaks} == {"home", "product", "checkout"}
    assert publication.changes == ()


def test_refresh_adds_a_day_and_says_what_moved(published: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    said = typed("refresh", str(copy), "--add", str(new_minutes(copy, tmp_path / "day.csv")))
    assert "120 minutes were known before" in said
    before, after = (json.loads((f / "publication.json").read_text()) for f in (published, copy))
    assert pd.Timestamp(after["until"]) - pd.Timestamp(before["until"]) == pd.Timedelta(days=1)
    assert [f.name for f in (copy / "state").iterdir()] == list(after["states"].values())
    again = refused(HistoryError, "refresh", str(copy), "--add", str(tmp_path / "day.csv"))
    assert "nothing is new in it" in again


def test_refresh_of_no_publication_or_with_other_teams_is_refused(
    published: Path, tmp_path: Path
) -> None:
    day = new_minutes(published, tmp_path / "day.csv")
    assert "holds no whole publication" in refused(
        HistoryError, "refresh", str(tmp_path), "--add", str(day)
    )
    other = tmp_path / "other.csv"
    other.write_text(day.read_text().replace("home", "nobody"))
    assert "not the published teams" in refused(
        HistoryError, "refresh", str(published), "--add", str(other)
    )


def test_new_minutes_of_the_only_series_need_not_name_it(shop: str, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("time,count\n2026-03-07T00:00Z,1\n2026-03-07T00:01Z,2\n")
    found = read_team_counts(file, load_scenario(shop), ("page",))
    assert (found.regions, found.steps) == (("eu",), ("page",))


def test_track_reads_a_growing_csv_and_says_a_spike(published: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(published / "forecast.parquet")
    rows = table[["region", "team", "slot_utc", "p50"]].rename(columns={"slot_utc": "time"})
    rows["count"] = np.random.default_rng(2).poisson(rows.pop("p50"))
    rows = rows.sort_values("time", kind="stable")
    spike = (rows["team"] == rows["team"].iloc[0]) & (
        rows["time"] >= rows["time"].min() + pd.Timedelta(hours=5)
    )
    rows.loc[spike & (rows["time"] < rows["time"].min() + pd.Timedelta(hours=6)), "count"] *= 20
    file = tmp_path / "actuals.csv"
    # The plan has one region: a file need not name it.
    text = rows.iloc[: 3 * 8 * 60].drop(columns="region").to_csv(index=False)
    file.write_text(text + "2026-03-07T0")  # a line that is still being written
    said = [
        json.loads(line)
        for line in typed(
            "track", "--plan", str(published), "--actuals", str(file), "--json"
        ).splitlines()
    ]
    edges = [row for row in said if row.get("kind") == "edge"]
    assert edges
    assert pd.Timestamp(edges[0]["at"]) - rows["time"].min() <= pd.Timedelta(hours=5, minutes=2)
    assert set(said[-1]["series"]) == {f"eu {team}" for team in set(table["team"])}


def test_track_refuses_what_does_not_belong_together(published: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("time,count\n2026-03-07T00:00Z,1\n2026-03-07T00:01Z,2\n")
    assert "one of them" in refused(UsageError, "track", "--plan", str(published))
    assert "belong together" in refused(
        UsageError, "track", "--plan", str(published), "--prometheus", "http://127.0.0.1:1"
    )
    assert "no series of the plan" in refused(
        HistoryError, "track", "--plan", str(published), "--actuals", str(file)
    )
    assert "holds no whole publication" in refused(
        HistoryError, "track", "--plan", str(tmp_path), "--actuals", str(file)
    )
    assert "no forecast can be read" in refused(
        HistoryError, "track", "--plan", str(tmp_path / "none"), "--actuals", str(file)
    )
    torn = tmp_path / "torn"
    shutil.copytree(published, torn)
    table = pd.read_parquet(torn / "forecast.parquet")
    table.assign(p50=table["p50"] * 2).to_parquet(torn / "forecast.parquet")
    assert "was cut off" in refused(
        HistoryError, "track", "--plan", str(torn), "--actuals", str(file)
    )


def test_track_follows_a_file_that_grows_and_reads_wall_clocks_where_told(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_parquet(published / "forecast.parquet")
    rows = table[["region", "team", "slot_utc", "p50"]].rename(
        columns={"slot_utc": "time", "p50": "count"}
    )
    rows["time"] = rows["time"].dt.tz_convert("Asia/Tokyo").dt.tz_localize(None)
    rows = rows.sort_values("time", kind="stable")
    file, parts, now = tmp_path / "grows.csv", iter((3000, 6000, len(rows))), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        rows.iloc[: next(parts, len(rows))].to_csv(file, index=False)

    monkeypatch.setattr("gameday.jobs.track.time.sleep", sleep)
    monkeypatch.setattr("gameday.jobs.track.time.monotonic", lambda: now[0])
    flags = (
        "--plan",
        str(published),
        "--actuals",
        str(file),
        "--follow",
        "--zone",
        "Asia/Tokyo",
        "--json",
    )
    said = json.loads(typed("track", *flags).splitlines()[-1])
    slots = len(rows) // 3
    assert {row["minutes"] for row in said["series"].values()} == {slots}
    assert all(row["wape"] < 1e-4 for row in said["series"].values())
    assert now[0] <= 25
    file.unlink()
    parts, now[0] = repeat(3000), 0.0
    said = json.loads(typed("track", *flags, "--wait", "12").splitlines()[-1])
    assert {row["minutes"] for row in said["series"].values()} == {999}


@pytest.mark.nightly
def test_outlook_tells_weeks_peaks_and_compute(shop: str, tmp_path: Path) -> None:
    file = tmp_path / "weeks.parquet"
    said = json.loads(
        typed(
            "outlook", "--event", shop, "--weeks", "30", "--out", str(file), "--json"
        ).splitlines()[-1]
    )
    region = said["regions"]["eu"]
    assert len(region["weeks"]) == 30
    totals = np.array([region["steps_a_week"][q] for q in ("p10", "p50", "p90")])
    assert (np.diff(totals, axis=0) >= 0).all()
    assert region["vcpus_at_peak"]["p50"] > max(region["mean_vcpus"]["p50"])
    assert any("no year to tell the seasons by" in note for note in said["notes"])
    means = np.array(region["steps_a_week"]["mean"])
    assert said["steps"][-1] == "all"
    np.testing.assert_allclose(means[:-1].sum(axis=0), means[-1], rtol=1e-4)
    assert len(pd.read_parquet(file)) == 30 * len(said["steps"])


def test_the_backtest_wape_is_one_number_wherever_it_is_printed(shop: str) -> None:
    shown = json.loads(typed("show", "--event", shop, "--json"))
    scored = json.loads(
        typed(
            "backtest",
            "--event",
            shop,
            "--horizon",
            "2d",
            "--origins",
            "1",
            "--rivals",
            "last week,median of weeks",
            "--json",
        )
    )
    assert shown["backtest_wape"] == scored["backtest_wape"] == dict(shown["race"])["gameday"]
    assert shown["race"] == scored["race"]
    assert f"backtest WAPE {100 * shown['backtest_wape']:.1f} % a minute" in typed(
        "show", "--event", shop
    )


def test_backtest_of_a_bare_history_needs_no_scenario(tmp_path: Path) -> None:
    rng, minutes = np.random.default_rng(3), 24 * 1440
    day = np.sin(np.arange(minutes) / 1440 * 2 * np.pi)
    table = pd.DataFrame(
        {
            "ds": pd.date_range("2026-01-05", periods=minutes, freq="min"),
            "y": rng.poisson(50 * np.exp(0.5 * day)),
        }
    )
    table.to_parquet(tmp_path / "counts.parquet")
    page = tmp_path / "test.html"
    said = json.loads(
        typed(
            "backtest",
            "--history",
            str(tmp_path / "counts.parquet"),
            "--horizon",
            "3d",
            "--origins",
            "2",
            "--rivals",
            "last week,median of weeks",
            "--page",
            str(page),
            "--json",
        ).splitlines()[-1]
    )
    ours, naive = (said["models"][name] for name in ("gameday", "last week"))
    assert ours["wape"] < 0.85 * naive["wape"]
    assert 0.7 < ours["coverage_80"] < 0.9
    assert len(said["origins"]) == 2
    assert "Backtest of counts.parquet" in page.read_text(encoding="utf-8")
    assert "choose a shorter --horizon" in refused(
        HistoryError, "backtest", "--history", str(tmp_path / "counts.parquet"), "--horizon", "20d"
    )
    assert "unknown 'prophet'" in refused(
        UsageError, "backtest", "--history", str(tmp_path / "counts.parquet"), "--rivals", "prophet"
    )


def test_regions_of_a_teams_file_are_told_by_name_not_by_place(tmp_path: Path) -> None:
    zones = {"us": "America/Los_Angeles", "eu": "Europe/Berlin"}
    shop = small_shop()
    shop["regions"] = {name: {"zone": zone, "stack": "main"} for name, zone in zones.items()}
    shop["history"]["synthetic"]["sessions_per_day"] = dict.fromkeys(zones, 4e5)
    load_small(
        tmp_path,
        shop,
        {
            "event": {"start": "2026-02-03T00:00", "duration": "24h"},
            "history": {"until": "2026-02-01T00:00Z"},
        },
    )
    at = pd.date_range("2026-01-11", periods=21 * 1440, freq="min", tz="UTC")
    rng = np.random.default_rng(1)
    rows = [
        pd.DataFrame(
            {"time": at, "region": region, "team": "alpha", "count": rng.poisson(level, len(at))}
        )
        for region, level in (("us", 1000), ("eu", 10))
    ]
    pd.concat(rows).to_parquet(tmp_path / "teams.parquet")
    typed(
        "publish",
        "--event",
        str(tmp_path / "small.yaml"),
        "--teams",
        str(tmp_path / "teams.parquet"),
        "--out",
        str(tmp_path / "out"),
    )
    peaks = {
        row["region"]: row["expected"]
        for row in json.loads((tmp_path / "out" / "publication.json").read_text())["peaks"]
    }
    assert peaks["us"] == pytest.approx(1000, rel=0.2)
    assert peaks["eu"] == pytest.approx(10, rel=0.2)


def test_a_publication_that_is_not_whole_is_told_in_one_line(
    published: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    day = new_minutes(copy, tmp_path / "day.csv")
    (state,) = (copy / "state").iterdir()
    state.write_bytes(state.read_bytes()[:5000])
    assert "publish anew" in refused(HistoryError, "refresh", str(copy), "--add", str(day))
    for text in ("{}", "[]", "{"):
        (copy / "publication.json").write_text(text)
        assert "publication" in refused(HistoryError, "refresh", str(copy), "--add", str(day))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--zone", "Europe/Nowhere"), "--zone: must be an IANA time zone"),
        (("--country", "XX"), "--country: unknown 'XX'"),
        (("--horizon", "12h", "--grain", "day"), "must be at least 24h by the day"),
        (("--horizon", "soon"), "--horizon: must be a duration"),
    ],
)
def test_a_backtest_of_nowhere_or_of_no_time_is_refused(
    tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    (tmp_path / "x.csv").write_text("time,count\n2026-01-05T00:00Z,1\n2026-01-05T00:01Z,2\n")
    assert said in refused(UsageError, "backtest", "--history", str(tmp_path / "x.csv"), *flags)


def test_explain_compares_with_an_earlier_forecast_only(shop: str) -> None:
    said = refused(
        UsageError,
        "explain",
        "--event",
        shop,
        "--region",
        "eu",
        "--step",
        "home",
        "--at",
        "2026-03-07T10:00",
        "--before",
        "2026-03-05T00:00Z",
    )
    assert "must be earlier than history.until" in said
