"""`gameday forecast review`: an event twice as strong as said is told so, and by its ingredient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError
from gameday.forecast import event_spans
from gameday.history import read_history
from gameday.scenario import load_scenario
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, small_shop

SALES = [
    {"name": "january", "kind": "sale", "start": "2026-01-13T00:00", "duration": "24h"},
    {"name": "february", "kind": "sale", "start": "2026-02-05T00:00", "duration": "24h"},
]
SHOP: dict[str, Any] = {
    "event": {"name": "weekend", "kind": "sale", "start": "2026-03-07T00:00", "duration": "24h"},
    "calendar": {"events": SALES},
    "history": {"synthetic": {"days": 70, "robots_per_year": 0, "outages_per_year": 0}},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMEDAY_CACHE", str(folder / "cache"))
        load_small(folder, small_shop(), SHOP)
        yield str(folder / "small.yaml")


def past_with(shop: str, file: Path, times: float, until: int | None = None) -> Path:
    """Write the shop's past and the event itself, so many times as strong as it was."""
    folder = file.parent / "later"
    folder.mkdir(exist_ok=True)
    later = {
        **SHOP,
        "event": {**SHOP["event"], "name": "next", "start": "2026-04-01T00:00"},
        "calendar": {"events": [*SALES, SHOP["event"]]},
        "history": {**SHOP["history"], "until": "2026-03-09T00:00Z"},
    }
    scenario = load_scenario(shop)
    past = read_history(load_small(folder, small_shop(), later), file=None, seed=Seed(1))
    [(first, last)] = event_spans(scenario, past.grid)
    counts = past.counts[0].copy()
    counts[:, first:last] = np.round(times * counts[:, first:last])
    instants = pd.to_datetime(past.grid.minutes(), unit="m", utc=True)
    rows = [
        pd.DataFrame({"time": instants, "region": "eu", "step": step, "count": counts[s]})
        for s, step in enumerate(past.steps)
    ]
    table = pd.concat([row.iloc[: until if until is None else last - until] for row in rows])
    table.to_parquet(file)
    return file


def typed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["forecast", "review", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_event_twice_as_strong_as_said_is_told_by_every_part_and_by_its_ingredient(
    shop: str, tmp_path: Path
) -> None:
    past, page = past_with(shop, tmp_path / "past.parquet", 2.0), tmp_path / "review.html"
    asked = ("--event", shop, "--history", str(past))
    said = json.loads(typed(*asked, "--page", str(page), "--json").splitlines()[-1])
    rows = {(row["of"], row["name"]): row for row in said["rows"]}
    assert {of for of, _ in rows} == {"lead", "region", "step", "hour", "service"}
    for (of, name), row in rows.items():
        if of in ("region", "step", "service"):
            assert row["bias"] == pytest.approx(-0.5, abs=0.08), name
            assert row["held"] < 0.3, name
    assert rows["region", "eu"]["came"] == pytest.approx(
        sum(row["came"] for (of, _), row in rows.items() if of == "step")
    )
    factors = {(e["step"], e["ingredient"]): e["factor"] for e in said["ingredients"]}
    assert factors["all", "event"] == pytest.approx(2, rel=0.15)
    assert factors["all", "level"] == pytest.approx(1, abs=0.1)
    assert not said["peak"]["is_held"]
    assert said["sigma_after"] > 1.3 * said["sigma_before"]
    assert "what came, against what was said" in page.read_text()
    product = np.prod([e["factor"] for e in said["ingredients"] if e["step"] == "all"])
    assert product == pytest.approx(rows["region", "eu"]["came"] / rows["region", "eu"]["said"])


@pytest.mark.nightly
def test_level_and_event_make_up_what_came_over_what_was_said(shop: str, tmp_path: Path) -> None:
    past = past_with(shop, tmp_path / "past.parquet", 1.5)
    said = json.loads(typed("--event", shop, "--history", str(past), "--json").splitlines()[-1])
    product = np.prod([e["factor"] for e in said["ingredients"] if e["step"] == "all"])
    [whole] = [row for row in said["rows"] if row["of"] == "region"]
    assert product == pytest.approx(whole["came"] / whole["said"], rel=1e-6)


@pytest.mark.nightly
def test_one_step_that_was_off_is_named_and_one_level_that_moved_is_no_event(
    shop: str, tmp_path: Path
) -> None:
    past = past_with(shop, tmp_path / "past.parquet", 1.0)
    table = pd.read_parquet(past)
    late = (table["step"] == "home") & (table["time"] >= "2026-03-02")
    table.loc[late, "count"] = table.loc[late, "count"] * 1.7
    table.to_parquet(past)
    said = json.loads(typed("--event", shop, "--history", str(past), "--json").splitlines()[-1])
    factors = {(e["step"], e["ingredient"]): e["factor"] for e in said["ingredients"]}
    assert factors["home", "level"] == pytest.approx(1.7, rel=0.15)
    for step in ("home", "product", "checkout"):
        assert factors[step, "event"] == pytest.approx(1, abs=0.2), step


def test_minutes_that_are_not_known_are_said_and_an_event_without_any_is_refused(
    shop: str, tmp_path: Path
) -> None:
    past = past_with(shop, tmp_path / "past.parquet", 1.0)
    table = pd.read_parquet(past)
    table.loc[table["time"].between("2026-03-07", "2026-03-07T12:00"), "count"] = np.nan
    table.to_parquet(past)
    said = json.loads(typed("--event", shop, "--history", str(past), "--json").splitlines()[-1])
    assert said["peak"]["is_held"] is None
    assert any("of the event's minutes are not known" in note for note in said["notes"])
    table.loc[table["time"].between("2026-03-06", "2026-03-08T12:00"), "count"] = np.nan
    table.to_parquet(past)
    with pytest.raises(HistoryError, match="not one minute of weekend is known"):
        typed("--event", shop, "--history", str(past))


def test_an_event_that_is_not_over_is_refused(shop: str, tmp_path: Path) -> None:
    past = past_with(shop, tmp_path / "past.parquet", 1.0, until=300)
    with pytest.raises(HistoryError, match="give a history that holds the event"):
        typed("--event", shop, "--history", str(past))
