"""`gameday history import` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import UsageError
from gameday.scenario.blocks.journeys import Journey
from gameday.scenario.reading.plain_yaml import from_yaml


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a clickstream of 400 sessions, a tenth of which buys."""
    rng, rows = np.random.default_rng(1), []
    for session in range(400):
        words = ["view"] * int(rng.integers(1, 6)) + ["cart", "purchase"] * (session % 10 == 0)
        at = pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(minutes=session)
        for word in words:
            rows.append((at.isoformat(), word, session, "shoes.red"))
            at += pd.Timedelta(seconds=int(rng.integers(2, 50)))
    file = tmp_path / "log.csv"
    columns = ["event_time", "event_type", "user_session", "category_code"]
    pd.DataFrame(rows, columns=columns).assign(user_id=1).to_csv(file, index=False)
    return file


def typed(*arguments: str) -> str:
    said = CliRunner().invoke(app, ["history", "import", *arguments], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return said.output


def test_journeys_are_written_that_a_scenario_takes_and_told_with_how_well_they_do(
    log: Path, tmp_path: Path
) -> None:
    out = tmp_path / "journeys.yaml"
    said = typed("--clickstream", str(log), "--out", str(out))
    assert "400 sessions" in said
    assert "sessions that saw shoes" in said
    assert "held out" in said
    journeys = from_yaml(out.read_text())["journeys"]
    assert set(journeys) == {"buyer", "browser"}
    assert all(Journey.model_validate(block) for block in journeys.values())


def test_for_an_event_each_journey_has_its_share_of_every_region(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "journeys.yaml"
    typed("--clickstream", str(log), "--event", "primeday", "--out", str(out))
    journeys = from_yaml(out.read_text())["journeys"]
    for region in ("us", "in"):
        assert sum(block["share"][region] for block in journeys.values()) == pytest.approx(1.0)
    assert journeys["buyer"]["share"]["us"] == pytest.approx(0.1, abs=0.02)


def test_json_says_the_same_as_numbers(log: Path, tmp_path: Path) -> None:
    told = json.loads(typed("--clickstream", str(log), "--out", str(tmp_path / "j.yaml"), "--json"))
    assert told["schema_version"] == 2
    assert sum(one["share"] for one in told["journeys"]) == pytest.approx(1.0)
    assert told["buys"][0]["buying"] == pytest.approx(40, abs=1)
    assert [(one["name"], one["share"]) for one in told["products"]] == [("shoes", {"all": 1.0})]
    assert told["journeys"][0]["products"] == {"shoes": 1.0}
    for one in told["journeys"]:
        low, high = one["intervals"]
        assert len(low) == len(high) == len(one["counts"]) == len(one["rows"])
        assert all(
            a <= b for rows in zip(low, high, strict=True) for a, b in zip(*rows, strict=True)
        )


def test_an_access_log_gives_journeys_a_map_and_counts(tmp_path: Path) -> None:
    file, counts = tmp_path / "access.log", tmp_path / "past.csv"
    lines = [
        f'10.0.0.{n} - - [01/May/2024:10:{n % 60:02d}:{s:02d} +0000] "GET {path} HTTP/1.1" 200 9 "-" "Firefox"\n'
        for n in range(200)
        for s, path in ((1, "/"), (9, f"/product/{n}"), (30, "/cart/add"), (50, "/checkout"))
    ]
    file.write_text("".join(lines) + "nonsense\n")
    out = tmp_path / "j.yaml"
    said = typed("--access-log", str(file), "--counts", str(counts), "--out", str(out))
    assert "801 lines" in said
    assert "1 malformed lines, the first: nonsense" in said
    written = from_yaml(out.read_text())
    assert written["history"]["urls"]["product"] == ["/product/{id}"]
    assert pd.read_csv(counts)["count"].sum() == 800


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --clickstream FILE, --access-log FILE, --traces FILE or"),
        (("--clickstream", "a.csv", "--access-log", "b.log"), "one of them"),
        (("--clickstream", "a.csv", "--columns", "event=none"), "say which step all rows are"),
        (("--clickstream", "a.csv", "--columns", "when=ts"), "unknown 'when'"),
        (("--clickstream", "a.csv", "--columns", "time"), "must read NAME=VALUE"),
        (("--clickstream", "a.csv", "--columns", "time=none"), "cannot be none"),
        (("--access-log", "b.log", "--steps", "view=product"), "are for --clickstream"),
        (("--clickstream", "a.csv"), "no such file"),
        (("--access-log", "b.log"), "no such file"),
    ],
)
def test_what_cannot_be_imported_is_said_with_a_remedy(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        CliRunner().invoke(app, ["history", "import", *arguments], catch_exceptions=False)
    assert not (tmp_path / "journeys.yaml").exists()


def test_a_log_of_regions_gives_shares_hours_and_products_of_each(tmp_path: Path) -> None:
    """Three days: in one region everybody buys, mostly at night, in the other nobody does."""
    rng, rows = np.random.default_rng(1), []
    for session in range(3000):
        is_uk = session % 3 > 0
        at = pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(minutes=1.44 * session)
        kind = "toys.big" if (at.hour < 12) == is_uk else "books"
        article = f"{kind}-{int(rng.zipf(1.6)) % 40}"
        words = (
            ["view", "view", "cart", "purchase"] if is_uk else ["view"] * int(rng.integers(1, 5))
        )
        for word in words:
            rows.append(
                (
                    at.isoformat(),
                    word,
                    session,
                    kind,
                    article,
                    "19.5" if kind == "books" else "40",
                    "United Kingdom" if is_uk else "EIRE",
                )
            )
            at += pd.Timedelta(seconds=int(rng.integers(2, 50)))
    names = ["event_time", "event_type", "user_session", "category_code", "sku", "price", "country"]
    file, out, page = tmp_path / "log.csv", tmp_path / "j.yaml", tmp_path / "p.html"
    pd.DataFrame(rows, columns=names).to_csv(file, index=False)
    said = typed(
        "--clickstream",
        str(file),
        "--columns",
        "region=country,product=sku,user=none",
        "--regions",
        "United Kingdom=uk,EIRE=ie",
        "--out",
        str(out),
        "--page",
        str(page),
    )
    data = from_yaml(out.read_text())
    journeys, products = data["journeys"], data["products"]
    assert journeys["buyer"]["share"] == {"uk": 1.0, "ie": 0.0}
    assert journeys["browser"]["share"] == {"uk": 0.0, "ie": 1.0}
    assert products["books"]["price"] == pytest.approx(19.5)
    assert products["toys"]["items"] <= 40
    assert products["toys"]["popularity"]["exponent"] > 0.8
    assert sum(block["share"]["uk"] for block in products.values()) == pytest.approx(1.0)
    hours = products["toys"]["hours"]
    assert np.mean(hours[:12]) > 1.5 * np.mean(hours[12:])
    assert journeys["buyer"]["products"]["toys"] == pytest.approx(0.5, abs=0.05)
    assert "held out, about toys" in said
    assert "By product type" in page.read_text()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--regions", "a=b"], "needs the column"),
        (
            ["--columns", "region=user_id", "--event", "primeday"],
            "the log has '1', the event us, in",
        ),
        (["--columns", "regin=user_id"], "unknown 'regin'"),
    ],
    ids=str,
)
def test_regions_that_nobody_knows_are_refused_before_anything_is_written(
    log: Path, tmp_path: Path, flags: list[str], says: str
) -> None:
    out = tmp_path / "j.yaml"
    with pytest.raises(UsageError, match=says):
        typed("--clickstream", str(log), "--out", str(out), *flags)
    assert not out.exists()
