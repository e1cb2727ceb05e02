"""The orders of a run beside the shop's own file: found by key or number, whatever the columns are called."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gameday.errors import UsageError
from gameday.jobs.orders import orders_text, reconcile
from gameday.swarm import PlacedOrder

START = datetime(2027, 7, 13, 14, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give a run's folder with four confirmed orders and one that nobody heard of."""
    orders = [
        PlacedOrder(
            key=f"r1-{number}-2",
            number="" if number == 4 else f"{5000 + number}",
            session=number,
            stack="main",
            at=START + timedelta(seconds=number),
            outcome="unknown" if number == 4 else "confirmed",
        )
        for number in range(5)
    ]
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "r1"}))
    (tmp_path / "orders.csv").write_text(orders_text(orders))
    return tmp_path


def test_orders_are_matched_by_whichever_column_holds_their_keys(run: Path) -> None:
    rows = ["id;when;idempotency", *(f"{n};x;r1-{n}-2" for n in (0, 1, 1, 4)), "9;x;other"]
    (run / "shop.csv").write_text("\n".join(rows))
    found = reconcile(str(run), run / "shop.csv")
    assert (found.matched_by, found.column) == ("key", "idempotency")
    assert found.confirmed_missing == ("r1-2-2", "r1-3-2")
    assert found.twice == ("r1-1-2",)
    assert found.unknown_there == ("r1-4-2",)
    assert (found.in_shop, found.not_of_run, found.exit_code) == (4, 1, 1)


def test_without_keys_orders_are_matched_by_number_and_what_has_none_is_said(run: Path) -> None:
    (run / "shop.csv").write_text("number,total\n5000,1\n5001,2\n5002,3\n5003,4\n")
    found = reconcile(str(run), run / "shop.csv")
    assert (found.matched_by, found.column, found.exit_code) == ("order_number", "number", 0)
    assert found.confirmed_missing == ()
    assert found.notes == ("1 unknown orders of the run have no order_number and are not compared",)


@pytest.mark.parametrize("column", ["key", "Idempotency-Key", "order_number"])
@pytest.mark.parametrize("rows", ["", "x1\nx2\n"], ids=["none", "others"])
def test_a_shop_that_lost_every_order_lost_them(run: Path, column: str, rows: str) -> None:
    (run / "shop.csv").write_text(f"{column}\n{rows}")
    found = reconcile(str(run), run / "shop.csv")
    assert (len(found.confirmed_missing), found.in_shop, found.exit_code) == (4, 0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("total,when\n1,2\n", "no column of .* holds keys or order numbers"),
        ("", "cannot be read as CSV"),
        ("\x00\x01", "no column|cannot be read"),
    ],
)
def test_a_file_that_holds_no_orders_of_the_run_is_refused(run: Path, text: str, said: str) -> None:
    (run / "shop.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        reconcile(str(run), run / "shop.csv")


def test_a_run_without_orders_is_refused(run: Path) -> None:
    (run / "orders.csv").unlink()
    with pytest.raises(UsageError, match=r"there is no orders\.csv"):
        reconcile(str(run), run / "shop.csv")
