"""`gameday forecast types`: shares from order lines move with hours and events, and sum to one in every path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import GamedayError, HistoryError, UsageError
from gameday.forecast import demand_of, fit
from gameday.forecast.uncertainty import mean_shares, share_errors, share_paths
from gameday.history import read_typed_orders
from gameday.scenario import load_scenario
from gameday.vocabulary import Seed
from tests.support.small_shop import load_small, small_shop

START, DAYS = pd.Timestamp("2026-01-12", tz="UTC"), 56
SALES = [
    {"name": "one", "kind": "sale", "start": "2026-01-20T00:00", "duration": "24h"},
    {"name": "two", "kind": "sale", "start": "2026-02-10T00:00", "duration": "24h"},
]
SHOP: dict[str, Any] = {
    "event": {"name": "weekend", "kind": "sale", "start": "2026-03-10T00:00", "duration": "24h"},
    "regions": {"eu": {"zone": "UTC"}},
    "calendar": {"events": SALES},
    "history": {"until": "2026-03-09T00:00Z", "synthetic": {"days": 60}},
    "products": {
        "toy": {"share": {"eu": 0.5}},
        "song": {"share": {"eu": 0.3}},
        "box": {"share": {"eu": 0.2}},
    },
}
TYPES = ("toy", "song", "box")


def true_shares(minute: np.ndarray) -> np.ndarray:
    """Return (types, minutes): toys by day, songs by night, boxes in sales."""
    hour = 2 * np.pi * (minute % 1440) / 1440
    in_sale = np.zeros(len(minute))
    for sale in (*SALES, SHOP["event"]):
        begin = pd.Timestamp(str(sale["start"]), tz="UTC").value // 60_000_000_000
        in_sale[(minute >= begin) & (minute < begin + 1440)] = 1.0
    weights = np.stack([2 - np.cos(hour), 2 + np.cos(hour), 1 + 2 * in_sale])
    return np.asarray(weights / weights.sum(axis=0))


def minutes_of(days: int) -> np.ndarray:
    return START.value // 60_000_000_000 + np.arange(days * 1440)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("shop")
    shop = small_shop()
    shop["calendar"] = {**shop.get("calendar", {}), "events": []}
    load_small(folder, shop, SHOP)
    return str(folder / "small.yaml")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Order lines of 56 days, 12 a minute."""
    minute = minutes_of(DAYS)
    rng = np.random.default_rng(1)
    counts = rng.poisson(12.0 * true_shares(minute))
    parts = [
        pd.DataFrame(
            {
                "time": pd.to_datetime(np.repeat(minute, counts[t]), unit="m", utc=True),
                "category": name,
                "quantity": 1,
            }
        )
        for t, name in enumerate(TYPES)
    ]
    file = tmp_path_factory.mktemp("lines") / "lines.parquet"
    pd.concat(parts).sample(frac=1, random_state=2).to_parquet(file)
    return file


def typed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["forecast", "types", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_shares_follow_hours_and_sales_and_sum_to_one_in_every_path(shop: str, lines: Path) -> None:
    scenario = load_scenario(shop)
    fitted = fit(scenario, read_typed_orders(lines, scenario))
    demand = demand_of(scenario, fitted)
    [(first, last)] = demand.spans
    shares, order = mean_shares(demand)[0], [demand.steps.index(name) for name in TYPES]
    truth = true_shares(demand.grid.minutes().astype(float))
    assert np.abs(shares[order, first:last] - truth[:, first:last]).mean() < 0.02
    paths = share_paths(demand, 20, Seed(1))
    np.testing.assert_allclose(paths.sum(axis=2), 1, rtol=1e-12)
    assert (paths >= 0).all()
    errors = share_errors(fitted.models)
    assert errors.days > 3
    assert errors.own < 0.9 * errors.last_year
    assert errors.own <= errors.last_week


def test_an_overlay_is_read_with_the_scenario_and_its_shares_are_those_said(
    shop: str, lines: Path, tmp_path: Path
) -> None:
    out, overlay = tmp_path / "types.parquet", tmp_path / "types.yaml"
    asked = ("--event", shop, "--orders", str(lines), "--out", str(out), "--overlay", str(overlay))
    said = json.loads(typed(*asked, "--json").splitlines()[-1])
    shares = {row["type"]: row["share"] for row in said["rows"]}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["box"] > 0.3, "boxes are bought in sales"
    for row in said["rows"]:
        assert row["low"] <= row["share"] <= row["high"]
    both = tmp_path / "both.yaml"
    both.write_text(f"include: [{overlay}, {shop}]\n")
    products = load_scenario(str(both)).products
    for name, product in products.items():
        assert product.share["eu"] == pytest.approx(shares[name], abs=1e-4)
        hours = product.hours_of("eu")
        assert hours is not None
        assert name != "toy" or hours[12] > hours[0]
    table = pd.read_parquet(out)
    sums = table.groupby(["region", "slot_utc"])["share"].sum()
    np.testing.assert_allclose(sums, 1, rtol=1e-9)
    assert "last week's share" in typed(*asked)


def test_purchases_of_typed_clicks_count_and_what_is_left_out_is_said(
    shop: str, lines: Path, tmp_path: Path
) -> None:
    orders = pd.read_parquet(lines).rename(columns={"time": "event_time"})
    clicks = pd.concat(
        [
            orders.assign(event_type="purchase"),
            orders.assign(event_type="view", category="toy"),
            orders.head(40).assign(event_type="purchase", quantity=-1),
            orders.head(30).assign(event_type="purchase", category="gift"),
        ]
    )
    file = tmp_path / "clicks.parquet"
    clicks.to_parquet(file)
    scenario = load_scenario(shop)
    plain, typed_clicks = (read_typed_orders(f, scenario) for f in (lines, file))
    assert typed_clicks.counts.sum() == plain.counts.sum()
    notes = " ".join(typed_clicks.notes)
    assert f"{len(orders)} of {len(clicks)} rows are no purchases" in notes
    assert "40 rows without a time, or of no units" in notes
    assert "30 rows of 1 types that the scenario does not have are left out" in notes


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (
            {"drop": "category"},
            HistoryError,
            "no column called .* for the type .* name it with --type-column",
        ),
        ({"rename": "tay"}, HistoryError, "no row is of a product type of the scenario"),
    ],
)
def test_lines_that_tell_no_types_are_refused(
    change: dict[str, Any],
    error: type[GamedayError],
    said: str,
    shop: str,
    lines: Path,
    tmp_path: Path,
) -> None:
    table = pd.read_parquet(lines).head(100)
    table = table.drop(columns="category") if "drop" in change else table.assign(category="tay")
    table.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(error, match=said):
        typed("--event", shop, "--orders", str(tmp_path / "bad.csv"))


def test_an_overlay_of_a_scenario_without_products_is_refused(lines: Path, tmp_path: Path) -> None:
    load_small(tmp_path, small_shop(), {k: v for k, v in SHOP.items() if k != "products"})
    asked = ("--event", str(tmp_path / "small.yaml"), "--orders", str(lines))
    with pytest.raises(UsageError, match="has no products whose shares could be replaced"):
        typed(*asked, "--overlay", str(tmp_path / "types.yaml"))
