"""Exports of events: one truth as each tool writes it is read alike, and what is no step is named and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gameday.errors import UsageError
from gameday.history.exports import EXPORTS, export_of
from gameday.jobs.import_history import Imported, ImportOrder, import_history

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
VISITORS = 240


@dataclass(frozen=True, slots=True)
class Happened:
    """One event as it happened: `view`, `cart` or `order`, of an article."""

    at: datetime
    what: str
    visitor: int
    session: int
    article: str
    order: str = ""


def visits() -> list[Happened]:
    """Return visitors' views and carts; half of them order a basket of three articles at once."""
    draw, out = np.random.default_rng(9), []
    for n in range(VISITORS):
        at = START + timedelta(seconds=60 * (n // 4))
        basket = [f"p{draw.integers(50)}" for _ in range(3)]
        for article in basket:
            out.append(Happened(at, "view", n, n // 4, article))
            at += timedelta(seconds=15)
            out.append(Happened(at, "cart", n, n // 4, article))
            at += timedelta(seconds=10)
        if n % 2:
            out += [Happened(at, "order", n, n // 4, article, f"o{n}") for article in basket]
    return sorted(out, key=lambda event: event.at)


HAPPENED = visits()


def in_words(event: Happened, view: str, cart: str, order: str) -> str:
    return {"view": view, "cart": cart, "order": order}[event.what]


def once_an_order(events: list[Happened]) -> list[Happened]:
    """Return the events of a tool that tells an order once, with its articles in it."""
    seen, out = set[str](), []
    for event in events:
        if not event.order or event.order not in seen:
            out.append(event)
        seen.add(event.order)
    return out


def ga4(event: Happened) -> dict[str, Any]:
    params = [
        {
            "key": "ga_session_id",
            "value": {"string_value": None, "int_value": 1000 + event.session},
        },
        {
            "key": "page_location",
            "value": {"string_value": "https://x.example/", "int_value": None},
        },
    ]
    return {
        "event_date": f"{event.at:%Y%m%d}",
        "event_timestamp": int(event.at.timestamp() * 1e6),
        "event_name": in_words(event, "view_item", "add_to_cart", "purchase"),
        "event_params": params,
        "user_pseudo_id": f"u{event.visitor}.{event.visitor * 7}",
        "ecommerce": {"transaction_id": event.order or None},
        "items": [{"item_id": event.article, "item_category": "shoes", "price": 9.5}],
    }


def amplitude(event: Happened) -> dict[str, Any]:
    return {
        "event_time": f"{event.at:%Y-%m-%d %H:%M:%S}.000000",
        "event_type": in_words(event, "product", "cart", "checkout"),
        "amplitude_id": 100 + event.visitor,
        "session_id": 1_793_000_000_000 + event.session,
        "event_properties": {"product_id": event.article, "order_id": event.order or None},
    }


def mixpanel(event: Happened) -> dict[str, Any]:
    return {
        "event": in_words(event, "product", "cart", "checkout"),
        "properties": {
            "time": int(event.at.timestamp()),
            "distinct_id": f"d{event.visitor}",
            "order_id": event.order or None,
        },
    }


def segment(event: Happened) -> dict[str, Any]:
    return {
        "type": "track",
        "event": in_words(event, "Product Viewed", "Product Added", "Order Completed"),
        "anonymousId": f"a-{event.visitor}",
        "timestamp": event.at.isoformat().replace("+00:00", "Z"),
        "properties": {
            "order_id": event.order or None,
            "products": [{"product_id": event.article}],
        },
    }


def lines(row: Callable[[Happened], dict[str, Any]], events: list[Happened]) -> str:
    return "".join(json.dumps(row(event)) + "\n" for event in events)


def table(events: list[Happened], **columns: Callable[[Happened], Any]) -> str:
    rows = [{name: of(event) for name, of in columns.items()} for event in events]
    return pd.DataFrame(rows).to_csv(index=False)


WRITTEN: dict[str, tuple[str, Callable[[list[Happened]], str]]] = {
    "ga4": ("e.jsonl", lambda events: lines(ga4, once_an_order(events))),
    "rees46": (
        "e.csv",
        lambda events: table(
            events,
            event_time=lambda e: f"{e.at:%Y-%m-%d %H:%M:%S} UTC",
            event_type=lambda e: in_words(e, "view", "cart", "purchase"),
            product_id=lambda e: e.article,
            category_code=lambda e: "electronics.phone",
            price=lambda e: 99.0,
            user_id=lambda e: e.visitor,
            user_session=lambda e: f"s{e.visitor}",
        ),
    ),
    "retailrocket": (
        "e.csv",
        lambda events: table(
            events,
            timestamp=lambda e: int(e.at.timestamp() * 1e3),
            visitorid=lambda e: e.visitor,
            event=lambda e: in_words(e, "view", "addtocart", "transaction"),
            itemid=lambda e: e.article,
            transactionid=lambda e: e.order,
        ),
    ),
    "amplitude": ("e.ndjson", lambda events: lines(amplitude, once_an_order(events))),
    "mixpanel": ("e.json", lambda events: lines(mixpanel, once_an_order(events))),
    "segment": ("e.jsonl", lambda events: lines(segment, once_an_order(events))),
    "snowplow": (
        "e.csv",
        lambda events: table(
            once_an_order(events),
            collector_tstamp=lambda e: f"{e.at:%Y-%m-%d %H:%M:%S}.123",
            event_name=lambda e: in_words(e, "product", "cart", "transaction"),
            domain_userid=lambda e: e.visitor,
            domain_sessionid=lambda e: f"s{e.visitor}",
            tr_orderid=lambda e: e.order,
        ),
    ),
}
"""Export -> the name of its file, and its text."""


def imported(folder: Path, name: str, **more: Any) -> Imported:
    file, text = WRITTEN[name]
    (folder / file).write_text(text(HAPPENED))
    return import_history(ImportOrder(out=folder / "o.yaml", clickstream=folder / file, **more))


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("is_said", [False, True], ids=["by its columns", "as it is said"])
def test_an_export_gives_its_sessions_steps_and_orders(
    name: str, is_said: bool, tmp_path: Path
) -> None:
    counts = tmp_path / "counts.csv"
    seen = imported(tmp_path, name, export=name if is_said else None, counts=counts)
    assert seen.sessions == VISITORS
    steps = pd.read_csv(counts).groupby("step")["count"].sum().to_dict()
    assert steps == {
        "product": 3 * VISITORS,
        "cart": 3 * VISITORS,
        "checkout": VISITORS // 2,
    }
    assert set(pd.to_datetime(pd.read_csv(counts)["time"]).dt.date) == {START.date()}


def test_a_row_an_article_of_an_order_that_took_seconds_to_write_is_one_order(
    tmp_path: Path,
) -> None:
    rows = "".join(
        f"#{1000 + n},c{n}@x.example,2026-11-02 0{n % 10}:00:{2 * k:02d} +0100,Shoe {k},9.5\n"
        for n in range(40)
        for k in range(3)
    )
    file, counts = tmp_path / "orders.csv", tmp_path / "counts.csv"
    file.write_text("Name,Email,Created at,Lineitem name,Lineitem price\n" + rows)
    import_history(ImportOrder(out=tmp_path / "o.yaml", clickstream=file, counts=counts))
    table_ = pd.read_csv(counts)
    assert table_[table_["step"] == "checkout"]["count"].sum() == 40
    assert table_["time"].min() == "2026-11-01 23:00:00+00:00"


def test_events_that_are_no_step_are_left_out_by_name_with_their_share(tmp_path: Path) -> None:
    text = WRITTEN["rees46"][1](HAPPENED)
    more = [line for line in text.splitlines() if ",cart," in line][:100]
    removed = "".join(line.replace(",cart,", ",remove_from_cart,") + "\n" for line in more)
    (tmp_path / "e.csv").write_text(text + removed)
    seen = import_history(ImportOrder(out=tmp_path / "o.yaml", clickstream=tmp_path / "e.csv"))
    rows = len(HAPPENED) + 100
    assert any(
        f"100 of {rows} rows" in note and "remove_from_cart 100" in note and "--steps" in note
        for note in seen.answer.notes
    )


def test_sessions_whose_names_several_users_have_are_told_by_both(tmp_path: Path) -> None:
    file = tmp_path / "e.csv"
    file.write_text(
        table(
            HAPPENED,
            at=lambda e: e.at.isoformat(),
            kind=lambda e: in_words(e, "product", "cart", "checkout"),
            visit=lambda e: e.session,
            person=lambda e: e.visitor,
        )
    )
    columns = dict.fromkeys(("category", "product", "price")) | {
        "time": "at",
        "event": "kind",
        "session": "visit",
        "user": "person",
    }
    seen = import_history(ImportOrder(out=tmp_path / "o.yaml", clickstream=file, columns=columns))
    assert seen.sessions == VISITORS
    assert "told by both" in " ".join(seen.answer.notes)


def test_times_without_an_offset_are_of_the_zone_that_is_said(tmp_path: Path) -> None:
    counts = tmp_path / "counts.csv"
    seen = imported(tmp_path, "snowplow", counts=counts, time_zone="Europe/Berlin")
    assert any("read as Europe/Berlin; --time-zone" in note for note in seen.answer.notes)
    assert pd.read_csv(counts)["time"].min() == "2026-11-02 07:00:00+00:00"


def test_no_two_exports_claim_one_file_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    for name, export in EXPORTS.items():
        assert export.name == name
        assert export_of(export.signs) is export
    with pytest.raises(UsageError, match="--from: must be one of ga4, rees46"):
        imported(tmp_path, "rees46", export="ga5")


@pytest.mark.parametrize("zone", ["CET", "Europe/Berlin", "+0100", "MEZ"])
def test_a_zone_behind_a_time_is_heeded(zone: str, tmp_path: Path) -> None:
    file, counts = tmp_path / "e.csv", tmp_path / "counts.csv"
    text = WRITTEN["rees46"][1](HAPPENED).replace(" UTC,", f" {zone},")
    file.write_text(text)
    import_history(ImportOrder(out=tmp_path / "o.yaml", clickstream=file, counts=counts))
    assert pd.read_csv(counts)["time"].min() == "2026-11-02 07:00:00+00:00"
