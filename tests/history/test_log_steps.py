"""One action of a customer in an access log is one step: redirects, forms, calls of pages, queries, clients."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError
from gameday.history.importers.access_log import LogSummary, is_robot, read_access_logs
from gameday.history.importers.log_text import describe_log, shared_addresses
from gameday.history.importers.url_proposal import propose
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.blocks.url_rules import parse_url_rule
from gameday.scenario.reading.plain_yaml import from_yaml, to_yaml
from tests.support import examples

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/125.0"
START_S = datetime(2024, 5, 1, 10, tzinfo=UTC).timestamp()
Request = tuple[float, str, str, str, int, str]
"""Seconds after the start, client, method, target, status, where it leads."""
SHOP = """
event: {name: small, kind: sale, start: 2026-11-05T18:00, duration: 2h}
regions: {de: {zone: Europe/Berlin, stack: site}}
history:
  until: 2026-11-04T00:00Z
  synthetic: {days: 56, sessions_per_day: {de: 1000}, journeys: {v: 1.0}}
products: {article: {share: {de: 1.0}}}
journeys:
  v:
    start: {home: 1.0}
    next: {home: {cart: 1.0}, cart: {checkout: 1.0}, checkout: {exit: 1.0}}
    think: {other: 10s}
    patience: 10s
steps:
  home: {exchanges: [{path: /}, {path: /api/recommended}]}
  cart: {exchanges: [{method: POST, path: /cart/items, action: add_to_cart}, {path: /cart}]}
  checkout: {exchanges: [{path: /checkout}, {method: POST, path: /checkout, action: place_order}]}
services:
  edge:
    stacks: {site: {instances: 1, instance: m}}
    servers_per_instance: 16
    queue_per_server: 4
    time: {law: lognormal, mean: 20ms, cv: 0.5}
    timeout: 5s
observe: {series: {}}
objectives: ["p95 of home < 1s"]
capacity: {instances: {m: {hourly_usd: 0.1, vcpu: 2}}}
"""


def shop(folder: Path, urls: dict[str, list[str]] | None = None, text: str = SHOP) -> Scenario:
    data = from_yaml(text)
    data["history"] |= {"urls": urls} if urls else {}
    file = folder / "small.yaml"
    file.write_text(to_yaml(data))
    return load_scenario(str(file))


def as_json(request: Request) -> str:
    at_s, client, method, target, status, location = request
    when = datetime.fromtimestamp(START_S + at_s, UTC).isoformat()
    return json.dumps(
        {
            "time_iso8601": when,
            "remote_addr": client,
            "request": f"{method} {target} HTTP/1.1",
            "status": status,
            "http_user_agent": BROWSER,
            "sent_http_location": location,
        }
    )


def as_combined(request: Request) -> str:
    at_s, client, method, target, status, _ = request
    when = datetime.fromtimestamp(START_S + at_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{client} - - [{when}] "{method} {target} HTTP/1.1" {status} 9 "-" "{BROWSER}"'


def read(
    folder: Path, lines: list[str], scenario: Scenario | None = None
) -> tuple[LogSummary, list[str]]:
    file = folder / "a.log"
    file.write_text("\n".join(lines) + "\n")
    summary = read_access_logs([file], scenario, folder / "e.parquet")
    return summary, pd.read_parquet(folder / "e.parquet")["event_type"].tolist()


@cache
def _of_checkouts() -> Scenario:
    with TemporaryDirectory() as name:
        return shop(Path(name), {"checkout": ["/checkout/{id}"]})


@given(
    codes=st.lists(
        st.lists(st.sampled_from((301, 302, 303, 307, 308)), max_size=4), min_size=1, max_size=6
    ),
    form=st.sampled_from(("path", "address", "relative", "not in the log")),
    sends=st.sampled_from(("GET", "POST")),
    query=st.sampled_from(("", "?from=a&to=b")),
)
@settings(max_examples=examples(60), deadline=None)
def test_an_action_is_one_step_whatever_chain_of_redirects_it_is_sent_along(
    codes: list[list[int]], form: str, sends: str, query: str
) -> None:
    """Each hop leads to another path that is a step too; pictures of the page before come in between."""
    requests, at_s = list[Request](), 0.0
    for number, chain in enumerate(codes):
        method, target = sends, "/checkout/0"
        for place, status in enumerate([*chain, 200]):
            onward = f"/checkout/{place + 1}{query}"
            shown = {
                "path": onward,
                "address": f"https://shop.example{onward}",
                "relative": onward.removeprefix("/checkout/"),
            }.get(form, "")
            requests.append(
                (at_s, "10.0.0.1", method, target, status, shown if status > 200 else "")
            )
            requests.append((at_s + 0.2, "10.0.0.1", "GET", f"/lamp-{number}.png", 200, ""))
            if (method == "POST" and status in (301, 302)) or status == 303:
                method = "GET"
            target, at_s = onward, at_s + 0.5
        at_s += 20
    with TemporaryDirectory() as name:
        summary, steps = read(Path(name), [as_json(r) for r in requests], _of_checkouts())
    assert steps == ["checkout"] * len(codes)
    assert summary.hops == sum(map(len, codes))


def test_where_the_log_says_the_location_other_requests_in_between_stay_steps(
    tmp_path: Path,
) -> None:
    requests: list[Request] = [
        (0, "a", "POST", "/cart/items", 302, "/cart?added=1"),
        (1, "a", "GET", "/", 200, ""),  # another tab
        (9, "a", "GET", "/cart?added=1", 200, ""),  # slow, and still the redirect's end
    ]
    summary, steps = read(tmp_path, [as_json(r) for r in requests], shop(tmp_path))
    assert steps == ["cart", "home"]
    assert summary.hops == 1


def orders(form: str = "/checkout") -> list[Request]:
    """Return 77 customers who open a form, 67 of whom send it to its own address."""
    out: list[Request] = []
    for n in range(77):
        out += [
            (60 * n, f"10.0.1.{n}", "GET", "/", 200, ""),
            (60 * n + 10, f"10.0.1.{n}", "GET", form, 200, ""),
        ]
        if n < 67:
            out += [
                (60 * n + 40, f"10.0.1.{n}", "POST", form, 302, ""),
                (60 * n + 41, f"10.0.1.{n}", "GET", "/orders/7", 200, ""),
            ]
    return out


@pytest.mark.parametrize(
    ("urls", "count"),
    [(None, 67), ({"checkout": ["POST /checkout"]}, 67), ({"checkout": ["/checkout"]}, 77)],
    ids=["its exchanges", "POST alone", "form and POST"],
)
def test_a_form_that_posts_to_its_own_address_counts_once(
    urls: dict[str, list[str]] | None, count: int, tmp_path: Path
) -> None:
    lines = [as_combined(r) for r in orders()]
    summary, steps = read(tmp_path, lines, shop(tmp_path, urls))
    assert steps.count("checkout") == count
    beside = summary.parts["checkout"] + summary.uncounted["checkout"]
    assert beside == 144 - count or urls == {"checkout": ["POST /checkout"]}
    assert "checkout" in "\n".join(describe_log(summary))


def test_a_proposed_map_counts_an_order_by_what_sends_it_and_says_so(tmp_path: Path) -> None:
    summary, steps = read(tmp_path, [as_combined(r) for r in orders()])
    assert steps.count("checkout") == 67
    assert summary.proposed["checkout"] == ["POST /checkout"]
    assert any("left out: GET /checkout (77)" in note for note in summary.notes)


def test_of_several_requests_of_an_order_a_proposed_map_takes_one(tmp_path: Path) -> None:
    lines = []
    for n in range(40):
        client = f"10.0.2.{n}"
        asked = [("GET", "/checkout"), ("POST", "/checkout/address"), ("POST", "/checkout/payment")]
        asked += [("GET", "/checkout/success")]
        lines += [
            as_combined((90.0 * n + 20 * i, client, m, t, 200, ""))
            for i, (m, t) in enumerate(asked)
        ]
    _, steps = read(tmp_path, lines)
    assert steps == ["checkout"] * 40


def test_preflights_and_probes_are_no_steps(tmp_path: Path) -> None:
    requests: list[Request] = [
        (n, "a", method, "/checkout", 200, "")
        for n, method in enumerate(("OPTIONS", "HEAD", "GET"))
    ]
    scenario = shop(tmp_path, {"checkout": ["/checkout"]})
    summary, steps = read(tmp_path, [as_combined(r) for r in requests], scenario)
    assert steps == ["checkout"]
    assert set(summary.unmapped) == {"OPTIONS /checkout", "HEAD /checkout"}


def test_the_calls_of_a_page_are_part_of_its_step(tmp_path: Path) -> None:
    requests: list[Request] = [
        (0, "a", "GET", "/", 200, ""),
        (0, "a", "GET", "/api/recommended", 200, ""),
        (20, "a", "GET", "/", 200, ""),
        (20, "a", "GET", "/api/recommended", 200, ""),
    ]
    summary, steps = read(tmp_path, [as_combined(r) for r in requests], shop(tmp_path))
    assert steps == ["home", "home"]
    assert summary.uncounted == {"home": 2}


def test_rules_of_one_step_that_follow_each_other_are_said(tmp_path: Path) -> None:
    scenario = shop(tmp_path, {"checkout": ["/checkout", "/thanks"]})
    lines = [
        as_combined((60.0 * n + 20 * i, f"10.0.0.{n}", "GET", path, 200, ""))
        for n in range(9)
        for i, path in enumerate(("/checkout", "/thanks"))
    ]
    summary, _ = read(tmp_path, lines, scenario)
    assert any(
        line.strip().startswith("9 checkout came right behind") for line in describe_log(summary)
    )


ROUTES = {
    "home": "common/home",
    "product": "product/product",
    "cart": "checkout/cart",
    "checkout": "checkout/checkout",
}


def routed(encode: bool) -> list[str]:
    lines = []
    for n in range(30):
        for place, route in enumerate(ROUTES.values()):
            value = quote(route, safe="") if encode else route
            target = f"/index.php?route={value}&id={n}"
            lines.append(
                as_combined((100.0 * n + 20 * place, f"10.0.3.{n}", "GET", target, 200, ""))
            )
    return lines


@pytest.mark.parametrize("encode", [False, True], ids=["plain", "percent-encoded"])
def test_steps_that_only_the_query_tells_apart_are_told_apart(encode: bool, tmp_path: Path) -> None:
    summary, steps = read(tmp_path, routed(encode))
    assert steps == [*ROUTES] * 30
    assert summary.proposed["cart"] == ["/index.php?route=checkout/cart"]
    urls = {
        name: [f"/index.php?route={route}"] for name, route in ROUTES.items() if name != "product"
    }
    urls["home"] = ["/index.php"]  # the least particular rule comes last, wherever it stands
    _, steps = read(tmp_path, routed(encode), shop(tmp_path, urls))
    assert steps == ["home", "home", "cart", "checkout"] * 30


def test_a_pattern_may_read_the_query() -> None:
    rule = parse_url_rule(r"~/index\.php\?route=checkout/(cart|basket)")
    assert rule.takes("GET", "/index.php", "route=checkout/cart&x=1")
    assert not rule.takes("GET", "/index.php", "route=common/home")
    assert parse_url_rule("~/carts?").takes("POST", "/carts", "a=b")


def test_parameters_may_stand_in_any_order_and_hold_anything() -> None:
    rule = parse_url_rule("POST /shop?action=add&item={id}")
    assert rule.takes("POST", "/shop/", "item=47&action=add&more=1")
    assert not rule.takes("GET", "/shop", "item=47&action=add")
    assert not rule.takes("POST", "/shop", "action=add")


def test_a_step_called_order_stays_one_and_its_sessions_are_buyers(tmp_path: Path) -> None:
    text = SHOP.replace("checkout:", "order:").replace("{checkout: 1.0}", "{order: 1.0}")
    shop(tmp_path, {"order": ["POST /checkout"]}, text)
    (tmp_path / "a.log").write_text("\n".join(as_combined(r) for r in orders()) + "\n")
    said = CliRunner().invoke(
        app,
        [
            "history",
            "import",
            "--access-log",
            str(tmp_path / "a.log"),
            "--event",
            str(tmp_path / "small.yaml"),
            "--out",
            str(tmp_path / "j.yaml"),
        ],
        catch_exceptions=False,
    )
    assert said.exit_code == 10, said.output
    [doubt] = [line for line in said.output.splitlines() if line.startswith("doubted: ")]
    assert doubt.startswith("doubted: no request is cart,")
    journeys = from_yaml((tmp_path / "j.yaml").read_text())["journeys"]
    steps = {step for block in journeys.values() for step in block["next"]}
    assert steps == {"home", "order"}
    assert "buyer" in journeys


@pytest.mark.parametrize(
    "line",
    [
        '10.0.0.5 - - [{t}] "GET / HTTP/1.1" 200 9 "-" "{ua}" "198.51.7.{n}, 10.0.0.9"',
        'shop.example:443 198.51.7.{n} - - [{t}] "GET / HTTP/1.1" 200 9 "-" "{ua}"',
        '{{"time_iso8601": "2024-05-01T10:00:00+00:00", "remote_addr": "10.0.0.5", "request": "GET / HTTP/1.1", '
        '"status": "200", "http_user_agent": "{ua}", "http_x_forwarded_for": "198.51.7.{n}"}}',
        '203.0.113.9 - - [{t}] "GET https://shop.example/ HTTP/1.1" 200 9 "-" "{ua}" 0.012 "198.51.7.{n}"',
    ],
    ids=["forwarded", "vhost", "json", "absolute"],
)
def test_the_client_is_who_the_proxy_says(line: str, tmp_path: Path) -> None:
    lines = [line.format(t="01/May/2024:10:00:00 +0000", ua=BROWSER, n=n) for n in range(120)]
    summary, steps = read(tmp_path, lines)
    assert steps == ["home"] * 120
    assert pd.read_parquet(tmp_path / "e.parquet")["user_id"].nunique() == 120
    assert shared_addresses(summary) is None


def test_where_all_come_from_shared_addresses_it_is_said_and_nothing_is_fitted_to_nobody(
    tmp_path: Path,
) -> None:
    lines = [as_combined((0.1 * n, "10.0.0.5", "GET", "/", 200, "")) for n in range(300)]
    (tmp_path / "a.log").write_text("\n".join(lines) + "\n")
    with pytest.raises(
        HistoryError, match=r"no step of a customer is left.*one address, 10\.0\.0\.5"
    ):
        CliRunner().invoke(
            app,
            ["history", "import", "--access-log", str(tmp_path / "a.log")],
            catch_exceptions=False,
        )


def test_apps_are_customers_and_what_an_agent_rule_leaves_out_is_named_with_its_share(
    tmp_path: Path,
) -> None:
    assert not any(
        map(is_robot, ("okhttp/4.12.0", "Shop/7 CFNetwork/1490 Darwin/23", "CUBOT NOTE 20"))
    )
    lines = [as_combined((60.0 * n, f"10.0.0.{n}", "GET", "/", 200, "")) for n in range(30)]
    lines += [line.replace(BROWSER, "curl/8.1") for line in lines[:10]]
    summary, steps = read(tmp_path, lines)
    assert len(steps) == 30
    assert any(
        "10 of 40 steps (25.0%)" in line and "'curl' 10" in line for line in describe_log(summary)
    )


def test_what_a_map_does_not_know_is_named_with_its_share(tmp_path: Path) -> None:
    lines = [
        as_combined((9.0 * n, f"10.0.0.{n}", "GET", p, 200, ""))
        for n, p in enumerate(["/", "/about", "/about", "/x.png"])
    ]
    summary, _ = read(tmp_path, lines, shop(tmp_path))
    assert any(
        "2 requests of people are of no step (66.7%" in s and "GET /about 2" in s
        for s in describe_log(summary)
    )


def test_logs_of_several_servers_are_read_as_one(tmp_path: Path) -> None:
    requests = orders()
    for number in range(2):
        lines = [as_combined(r) for r in requests[number::2]]
        (tmp_path / f"{number}.log").write_text("\n".join(lines) + "\n")
    files = [tmp_path / "0.log", tmp_path / "1.log"]
    read_access_logs(files, shop(tmp_path), tmp_path / "e.parquet")
    assert pd.read_parquet(tmp_path / "e.parquet")["event_type"].value_counts()["checkout"] == 67


def test_articles_with_names_in_their_paths_are_one_template() -> None:
    names = [
        "lamp",
        "shoe",
        "phone",
        "rice",
        "shirt",
        "kettle",
        "book",
        "chair",
        "table",
        "cup",
        "fork",
    ]
    found = propose(Counter({("GET", f"/product/{name}", ""): 3 for name in names}))
    assert found.urls == {"product": ["/product/{id}"]}
