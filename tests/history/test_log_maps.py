"""Maps of requests to steps: what they miss is said, doubted or guessed, and no try in vain is a step."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from gameday.errors import HistoryError
from gameday.history.importers.log_text import describe_log, log_doubts
from gameday.history.log_lines import Hints, layout_of
from gameday.jobs.access_logs import events_of_log
from tests.history.test_log_steps import BROWSER, Request, as_combined, read, shop


def requests_of(*rows: tuple[str, str, int]) -> list[str]:
    """Return lines of forty customers who ask for these, ten seconds apart."""
    requests: list[Request] = [
        (200.0 * n + 10 * i, f"10.0.0.{n}", method, target, status, "")
        for n in range(40)
        for i, (method, target, status) in enumerate(rows)
    ]
    return [as_combined(request) for request in requests]


@pytest.mark.parametrize("home", [["/start"], ["/", "/start"]])
def test_a_redirect_to_a_step_counts_once_whichever_of_the_two_is_the_step(
    tmp_path: Path, home: list[str]
) -> None:
    """The scenario's own exchange of `home` is /, which the shop sends on to /start."""
    requests: list[Request] = []
    for n in range(30):
        requests += [
            (100.0 * n, f"10.0.0.{n}", "GET", "/", 302, "/start"),
            (100.0 * n, f"10.0.0.{n}", "GET", "/start", 200, ""),
        ]
    _, steps = read(tmp_path, [as_combined(r) for r in requests], shop(tmp_path, {"home": home}))
    assert steps == ["home"] * 30


def test_a_form_that_is_shown_again_where_its_like_redirects_is_no_step(tmp_path: Path) -> None:
    requests: list[Request] = []
    for n in range(30):
        tries = 2 if n % 3 == 0 else 1
        for number in range(tries):
            is_last = number == tries - 1
            status, onward = (302, "/thanks") if is_last else (200, "")
            requests.append(
                (100.0 * n + 20 * number, f"10.0.0.{n}", "POST", "/checkout", status, onward)
            )
    scenario = shop(tmp_path, {"checkout": ["POST /checkout"]})
    summary, steps = read(tmp_path, [as_combined(r) for r in requests], scenario)
    assert steps == ["checkout"] * 30
    assert summary.shown_again == {"checkout": 10}
    assert any("sent in vain" in line and "checkout 10" in line for line in describe_log(summary))


def test_an_order_that_a_page_answers_is_a_step(tmp_path: Path) -> None:
    lines = requests_of(("GET", "/", 200), ("POST", "/checkout", 200))
    summary, steps = read(tmp_path, lines, shop(tmp_path, {"checkout": ["POST /checkout"]}))
    assert Counter(steps) == {"home": 40, "checkout": 40}
    assert summary.shown_again == {}


def test_a_map_that_misses_most_pages_or_a_step_is_doubted(tmp_path: Path) -> None:
    lines = requests_of(("GET", "/", 200), ("GET", "/item/7", 200), ("POST", "/basket/7", 302))
    summary, _ = read(tmp_path, lines, shop(tmp_path))
    missed, missing = log_doubts(summary)
    assert missed.startswith("80 of 120 requests of people (66.7%;")
    assert "GET /item/{id} 40" in missed
    assert missing.startswith("no request is cart or checkout,")
    assert "history.urls, as cart: ['/path/{id}']" in missing


def test_what_robots_ask_and_what_is_refused_is_told_apart_from_what_people_miss(
    tmp_path: Path,
) -> None:
    lines = requests_of(("GET", "/", 200), ("GET", "/wp-login.php", 404), ("GET", "/about", 200))
    crawler = [line.replace(BROWSER, "Googlebot/2.1") for line in requests_of(("GET", "/old", 200))]
    summary, _ = read(tmp_path, lines + crawler, shop(tmp_path))
    assert summary.unmapped == {"GET /about": 40}
    assert (summary.unmapped_of_robots, summary.unmapped_refused) == (40, 40)
    assert summary.lines == summary.of_people + summary.of_robots + summary.no_step + summary.hops


def test_pages_without_a_telling_name_are_guessed_and_calls_of_pages_are_not(
    tmp_path: Path,
) -> None:
    requests: list[Request] = []
    for n in range(60):
        client = f"10.0.0.{n}"
        requests += [
            (100.0 * n, client, "GET", "/", 200, ""),
            (100.0 * n, client, "GET", "/api/banner/3", 200, ""),
            (100.0 * n + 10, client, "GET", "/shop/sofas", 200, ""),
            (100.0 * n + 20, client, "GET", f"/dogs-and-cats/{n}-leash", 200, ""),
            (100.0 * n + 20, client, "GET", f"/api/stock/{n}", 200, ""),
            (100.0 * n + 30, client, "POST", "/basket/add/", 302, ""),
            (100.0 * n + 40, client, "POST", "/basket/", 302, ""),
        ]
    summary, steps = read(tmp_path, [as_combined(r) for r in requests])
    assert summary.proposed["product"] == ["/dogs-and-cats/{id}"]
    assert summary.proposed["sofas"] == ["/shop/sofas"]
    assert summary.proposed["cart"] == ["POST /basket/add/"]
    assert not any("/api/" in rule for rules in summary.proposed.values() for rule in rules)
    assert any(note.startswith("product is a guess") for note in summary.notes)
    assert Counter(steps) == dict.fromkeys(("home", "sofas", "product", "cart"), 60)


def test_one_address_for_everything_is_refused_with_what_the_server_must_log(
    tmp_path: Path,
) -> None:
    with pytest.raises(HistoryError, match=r"100% of its first requests are POST /shop-api"):
        read(tmp_path, requests_of(("POST", "/shop-api", 200)))


def test_two_orders_of_a_customer_within_two_seconds_are_two_requests() -> None:
    assert events_of_log(None).is_row_an_order


def test_of_two_times_of_a_line_the_finer_is_read() -> None:
    lines = [
        json.dumps(
            {
                "time": "2026-11-29T11:46:26+00:00",
                "msec": f"1795952786.{n}59",
                "request": "GET / HTTP/1.1",
            }
        )
        for n in range(9)
    ]
    layout = layout_of(lines, Hints())
    assert layout is not None
    assert layout.parse(lines[3]).at_s == pytest.approx(1795952786.359)


@pytest.mark.parametrize(
    ("time", "told"),
    [("2026-11-29 11:46:26", False), ("2026-11-29T11:46:26+02:00", True), ("1795952786", True)],
)
def test_times_that_do_not_say_their_offset_are_told(tmp_path: Path, time: str, told: bool) -> None:
    row = {"time": time, "remote_addr": "10.0.0.7", "request": "GET / HTTP/1.1", "status": 200}
    summary, _ = read(
        tmp_path, [json.dumps(row | {"http_user_agent": BROWSER})] * 5, shop(tmp_path)
    )
    assert summary.without_offset is not told
    notes = [line for line in describe_log(summary) if "--time-zone" in line]
    assert bool(notes) is not told


def test_a_duration_without_a_unit_is_said_not_to_be_read(tmp_path: Path) -> None:
    row = {"time": "1795952786", "request": "GET / HTTP/1.1", "status": 200, "duration": 17}
    summary, _ = read(
        tmp_path, [json.dumps(row | {"http_user_agent": BROWSER})] * 5, shop(tmp_path)
    )
    assert summary.unitless == ["duration"]
    assert any("durations in duration are not read" in line for line in describe_log(summary))
    assert pd.isna(pd.read_parquet(tmp_path / "e.parquet")["request_s"]).all()
