"""Clickstreams of any make: what types are called, how times are written, what cannot be used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import HistoryError
from gameday.history.exports import named_step_of
from gameday.jobs.import_history import Imported, ImportOrder, import_history


def events_file(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    file = folder / "events.csv"
    pd.DataFrame(rows, columns=["user", "time", "type"]).to_csv(file, index=False)
    return file


def visits(types: tuple[str, ...], customers: int = 120) -> list[tuple[str, pd.Timestamp, str]]:
    """Return rows of customers who come one after another and go one step farther each, then begin anew."""
    start = pd.Timestamp("2026-11-02T08:00")
    return [
        (f"u{n}", start + pd.Timedelta(minutes=n, seconds=20 * k), event)
        for n in range(customers)
        for k, event in enumerate(types[: 1 + n % len(types)])
    ]


PLAIN = {"user": "user", "time": "time", "event": "type", "session": None, "category": None}


def plain_import(folder: Path, rows: list[tuple[str, str, str]], **more: Any) -> Imported:
    file, out = events_file(folder, rows), folder / "o.yaml"
    return import_history(ImportOrder(out=out, clickstream=file, columns=PLAIN, **more))


@pytest.mark.parametrize(
    "types",
    [
        ("Homepage", "PDP", "AddToCart", "Purchase"),
        ("home", "Product Viewed", "Product Added", "Order Completed"),
        ("HOME", "view_item", "add to cart", "purchase"),
        ("home", "product", "cart", "checkout"),
    ],
)
def test_types_of_events_are_steps_by_their_names(types: tuple[str, ...], tmp_path: Path) -> None:
    seen = plain_import(tmp_path, [(u, f"{t.isoformat()}Z", e) for u, t, e in visits(types)])
    steps = {step for journey in seen.answer.journeys for step in journey.rows} - {"start"}
    assert steps == {"home", "product", "cart", "checkout"}
    told = [note for note in seen.answer.notes if "steps by their names" in note]
    assert bool(told) == (types[1] != "product")


@given(event=st.text(min_size=1, max_size=30))
def test_any_type_of_event_is_a_step_s_name_or_refused(event: str) -> None:
    if re.search(r"[A-Za-z0-9]", event.lower()):
        name = named_step_of(event)
        assert name is None or re.fullmatch("[a-z][a-z0-9_-]*", name)
    else:
        with pytest.raises(HistoryError, match="--steps"):
            named_step_of(event)


def test_of_times_with_and_without_offsets_each_is_read_as_it_says(tmp_path: Path) -> None:
    rows = visits(("home", "product", "checkout"))
    local = pd.Timedelta(hours=1)
    mixed = [
        (u, f"{t.isoformat()}Z" if n % 3 else f"{(t + local).isoformat()}", e)
        for n, (u, t, e) in enumerate(rows)
    ]
    counts = tmp_path / "counts.csv"
    seen = plain_import(tmp_path, mixed, time_zone="Europe/Berlin", counts=counts)
    truth = tmp_path / "truth.csv"
    plain_import(tmp_path, [(u, f"{t.isoformat()}Z", e) for u, t, e in rows], counts=truth)
    pd.testing.assert_frame_equal(pd.read_csv(counts), pd.read_csv(truth))
    assert any("33.3% of the first times have no offset" in note for note in seen.answer.notes)


def test_rows_that_cannot_be_used_and_logs_of_orders_alone_are_doubted(tmp_path: Path) -> None:
    rows = [(u, f"{t.isoformat()}Z", e) for u, t, e in visits(("home", "product", "checkout"))]
    spoilt = [(u, "yesterday" if n % 4 == 0 else t, e) for n, (u, t, e) in enumerate(rows)]
    [doubt] = [d for d in plain_import(tmp_path, spoilt).answer.doubts if "rows" in d]
    assert "(25.0%) lack a time, a type or a customer" in doubt
    assert "yesterday" in doubt
    orders = [row for row in rows if row[2] == "checkout"] * 4
    alone = [(f"{u}-{n}", t, e) for n, (u, t, e) in enumerate(orders)]
    assert any("all events are checkout" in d for d in plain_import(tmp_path, alone).answer.doubts)
