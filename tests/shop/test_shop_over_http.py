"""The shop as its customers meet it: signing in, carts, orders once each, sold out, shed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from gameday.errors import PreflightFailed
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading import read_scenario
from gameday.shop import running_shops, serve
from tests.support.small_shop import load_small, merged, service, small_shop
from tests.support.virtual_shop import Client, Reply, with_shop

ENDS = ("done", "failed", "shed", "timed_out", "cancelled", "orphaned")


def full_shop(stock: int = 3) -> dict[str, Any]:
    """Return a shop with every action, and a toy of which there are few."""
    shop = small_shop()
    shop["steps"] = {
        "sign-in": {
            "exchanges": [
                {"path": "/sign-in"},
                {"method": "POST", "path": "/sign-in", "calls": ["pay"], "action": "sign_in"},
            ]
        },
        "home": {"exchanges": [{"path": "/"}]},
        "search": {"exchanges": [{"path": "/search", "action": "search"}]},
        "product": {
            "exchanges": [{"path": "/product/{product}", "calls": ["stock"], "action": "product"}]
        },
        "cart": {"exchanges": [{"method": "POST", "path": "/cart", "action": "add_to_cart"}]},
        "checkout": {
            "exchanges": [
                {"path": "/checkout"},
                {"method": "POST", "path": "/checkout", "calls": ["pay"], "action": "place_order"},
            ]
        },
    }
    return merged(
        shop,
        {
            "products": {
                "book": {"share": {"eu": 0.9}, "items": 20},
                "toy": {"share": {"eu": 0.1}, "items": 1},
            },
            "launches": {
                "drop": {
                    "product": "toy",
                    "at": {"eu": "2026-03-10T00:30"},
                    "crowd": {"eu": 10},
                    "stock": {"eu": stock},
                    "half_life": "4m",
                }
            },
        },
    )


@pytest.fixture
def shop(tmp_path: Path) -> Scenario:
    return load_small(tmp_path, full_shop())


async def token(client: Client, path: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', (await client.get(path)).text)
    assert found is not None
    return found[1]


async def buy(client: Client, product: str, key: str, run: str = "r1") -> Reply:
    """Put one product in the cart and order it; return the last reply."""
    added = await client.json("/cart", {"product": product})
    if added.status != 200:
        return added
    csrf = await token(client, "/checkout")
    headers = {"idempotency_key": key, "x_gameday_run": run}
    return await client.form("/checkout", {"csrf": csrf}, **headers)


def orders(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "orders.db") as books:
        found = [items for (items,) in books.execute("SELECT items FROM orders ORDER BY number")]
    books.close()
    return found


# --- customers ----------------------------------------------------------------------------------


def test_signing_in_needs_the_form_s_token_a_name_and_a_password(
    shop: Scenario, tmp_path: Path
) -> None:
    async def story(app: Starlette) -> list[int]:
        client = Client(app)
        csrf = await token(client, "/sign-in")
        fields = {"name": "ada", "password": "x", "csrf": csrf}
        asked = [
            fields | {"csrf": "0" * 24},
            {"name": "ada", "password": "x"},
            fields | {"name": ""},
            fields | {"password": ""},
            fields,
        ]
        other = await Client(app).form("/sign-in", fields)
        return [(await client.form("/sign-in", f)).status for f in asked] + [other.status]

    assert with_shop(shop, tmp_path, story) == [403, 403, 422, 422, 200, 403]


def test_a_customer_is_known_by_the_cookie_alone(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> list[int]:
        one, other = Client(app), Client(app)
        await one.json("/cart", {"product": "book-1"})
        await one.json("/cart", {"product": "book-2"})
        assert one.cookie != other.cookie
        baskets = [(await c.json("/cart", {"product": "book-3"})).json() for c in (one, other)]
        return [b["basket"] for b in baskets]

    assert with_shop(shop, tmp_path, story) == [3, 1]


@pytest.mark.parametrize(
    "product", ["book-20", "book", "book--1", "book-", "car-0", "book-1x", "book-\u00b2", "-0", "%"]
)
def test_an_unknown_product_is_not_found(shop: Scenario, tmp_path: Path, product: str) -> None:
    async def story(app: Starlette) -> list[int]:
        client = Client(app)
        page = await client.get(f"/product/{product}")
        return [page.status, (await client.json("/cart", {"product": product})).status]

    assert with_shop(shop, tmp_path, story) == [404, 404]


@pytest.mark.parametrize("body", [None, [], "book-1", {}, {"products": "book-1"}, 7])
def test_a_cart_asked_for_nothing_says_what_to_send(
    shop: Scenario, tmp_path: Path, body: Any
) -> None:
    async def story(app: Starlette) -> Reply:
        return await Client(app).json("/cart", body)

    reply = with_shop(shop, tmp_path, story)
    assert reply.status == 422
    assert reply.json()["added"] is False


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[[[["])
def test_a_cart_asked_in_no_json_says_what_to_send(
    shop: Scenario, tmp_path: Path, body: bytes
) -> None:
    async def story(app: Starlette) -> int:
        return (await Client(app).ask("POST", "/cart", body, {})).status

    assert with_shop(shop, tmp_path, story) == 422


def test_a_search_shows_its_words_as_words(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> str:
        return (await Client(app).get("/search", "q=%3Cscript%3E")).text

    text = with_shop(shop, tmp_path, story)
    assert "<script>" not in text
    assert "book-0" in text


# --- orders -------------------------------------------------------------------------------------


def test_one_key_is_one_order_however_often_it_is_asked(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> list[Reply]:
        client = Client(app)
        first = await buy(client, "book-1", "k1")
        csrf = await token(client, "/checkout")
        again = await client.form("/checkout", {"csrf": csrf}, idempotency_key="k1")
        next_ = await buy(client, "book-2", "k2")
        return [first, again, next_]

    first, again, following = with_shop(shop, tmp_path, story)
    assert [r.status for r in (first, again, following)] == [201, 201, 201]
    assert "order 1" in first.text
    assert "order 1" in again.text
    assert "order 2" in following.text
    assert orders(tmp_path) == ["book-1", "book-2"]


def test_one_key_asked_many_times_at_once_is_one_order(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> list[Reply]:
        client = Client(app)
        await client.json("/cart", {"product": "book-1"})
        csrf = await token(client, "/checkout")
        asks = (client.form("/checkout", {"csrf": csrf}, idempotency_key="k") for _ in range(20))
        return list(await asyncio.gather(*asks))

    replies = with_shop(shop, tmp_path, story)
    assert {r.status for r in replies} == {201}
    assert len(orders(tmp_path)) == 1


def test_an_order_needs_its_token_its_key_and_something_in_the_cart(
    shop: Scenario, tmp_path: Path
) -> None:
    async def story(app: Starlette) -> list[int]:
        client = Client(app)
        csrf = await token(client, "/checkout")
        empty = await client.form("/checkout", {"csrf": csrf}, idempotency_key="k")
        await client.json("/cart", {"product": "book-1"})
        keyless = await client.form("/checkout", {"csrf": csrf})
        forged = await client.form("/checkout", {"csrf": "f" * 24}, idempotency_key="k")
        return [empty.status, keyless.status, forged.status]

    assert with_shop(shop, tmp_path, story) == [422, 400, 403]
    assert orders(tmp_path) == []


def test_order_keys_are_listed_by_run(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> list[Any]:
        for number, run in enumerate(("r1", "r2", "r1")):
            await buy(Client(app), "book-1", f"k{number}", run)
        return [(await Client(app).get("/orders", f"run={r}")).json() for r in ("r1", "r2", "r3")]

    assert with_shop(shop, tmp_path, story) == [
        {"run": "r1", "keys": ["k0", "k2"]},
        {"run": "r2", "keys": ["k1"]},
        {"run": "r3", "keys": []},
    ]


@pytest.mark.parametrize("crowd", [1, 3, 4, 60])
def test_stock_is_never_oversold_under_orders_at_once(
    shop: Scenario, tmp_path: Path, crowd: int
) -> None:
    async def story(app: Starlette) -> Counter[int]:
        replies = await asyncio.gather(*(buy(Client(app), "toy-0", f"k{n}") for n in range(crowd)))
        late = await buy(Client(app), "toy-0", "late")
        book = await buy(Client(app), "book-0", "book")
        assert late.status == (201 if crowd < 3 else 409)
        assert book.status == 201
        return Counter(r.status for r in replies)

    statuses = with_shop(shop, tmp_path, story)
    assert statuses == Counter({201: min(crowd, 3), 409: max(crowd - 3, 0)})
    assert sum(items == "toy-0" for items in orders(tmp_path)) == min(crowd + (crowd < 3), 3)


def test_stock_is_never_oversold_by_carts_of_several_units(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> None:
        for number in range(6):
            client = Client(app)
            await client.json("/cart", {"product": "toy-0"})
            await buy(client, "toy-0", f"k{number}")

    with_shop(shop, tmp_path, story)
    assert sum(items.split(",").count("toy-0") for items in orders(tmp_path)) <= 3


def test_a_page_says_when_its_product_is_sold_out(shop: Scenario, tmp_path: Path) -> None:
    async def story(app: Starlette) -> list[str]:
        before = await Client(app).get("/product/toy-0")
        for number in range(3):
            await buy(Client(app), "toy-0", f"k{number}")
        after = await Client(app).get("/product/toy-0")
        refused = await Client(app).json("/cart", {"product": "toy-0"})
        assert refused.status == 409
        assert refused.json()["added"] is False
        return [before.text, after.text]

    before, after = with_shop(shop, tmp_path, story)
    assert "buy" in before
    assert "sold out" in after


def test_stock_is_the_share_of_the_launch_s_that_the_run_has(tmp_path: Path) -> None:
    async def story(app: Starlette) -> int:
        replies = await asyncio.gather(*(buy(Client(app), "toy-0", f"k{n}") for n in range(40)))
        return sum(r.status == 201 for r in replies)

    scenario = load_small(tmp_path, full_shop(stock=1000))
    assert with_shop(scenario, tmp_path, story, stock_scale=0.02) == 20


def test_nothing_is_sold_before_the_run_s_release_and_a_customer_has_no_more_than_the_limit(
    tmp_path: Path,
) -> None:
    shop = full_shop(stock=100)
    shop["launches"]["drop"] |= {"at": {"eu": "2026-03-10T01:01"}, "per_customer": 2}
    scenario = load_small(tmp_path, shop)

    async def story(app: Starlette) -> list[Any]:
        client = Client(app)
        assert (await client.json("/run", told(1.0, 20.0))).json()["begun"] is True
        early = await client.get("/product/toy-0")
        seen: list[Any] = ["not yet released" in early.text]
        seen.append((await client.json("/cart", {"product": "toy-0"})).status)
        await asyncio.sleep(4.1)  # the window begins after 1 s, its second minute 3 s later
        seen.append("buy" in (await client.get("/product/toy-0")).text)
        for _ in range(3):
            seen.append((await client.json("/cart", {"product": "toy-0"})).json())
        return seen

    basket = [{"added": True, "basket": n} for n in (1, 2, 2)]
    assert with_shop(scenario, tmp_path, story) == [True, 425, True, *basket]


def test_a_line_before_the_cart_lets_so_many_a_minute_on(tmp_path: Path) -> None:
    shop = full_shop(stock=1000)
    shop["launches"]["drop"] |= {"admits": {"eu": 600}}
    scenario = load_small(tmp_path, shop)

    async def story(app: Starlette) -> int:
        await Client(app).json("/run", told())
        on = 0
        for _ in range(
            100
        ):  # five seconds, twenty customers each: ten a second and one second's worth are let on
            replies = await asyncio.gather(
                *(Client(app).json("/cart", {"product": "toy-0"}) for _ in range(4))
            )
            on += sum(reply.status == 200 for reply in replies)
            await asyncio.sleep(0.05)
        return on

    assert with_shop(scenario, tmp_path, story) == pytest.approx(60, abs=8)


def test_a_product_s_own_exchanges_are_answered_by_its_own_calls(tmp_path: Path) -> None:
    shop = full_shop()
    own = [{"path": "/product/{product}", "calls": ["pay"]}, {"path": "/trailer"}]
    shop["products"]["toy"]["exchanges"] = {"product": own}
    scenario = load_small(tmp_path, shop)

    async def story(app: Starlette) -> list[float]:
        named = {"x-gameday-step": "product", "x-gameday-product": "toy"}
        await Client(app).get("/product/toy-0", **named)
        other = next(name for name in shop["products"] if name != "toy")
        await Client(app).get(f"/product/{other}-0", x_gameday_step="product")
        assert (await Client(app).get("/trailer", **named)).status == 200
        text = (await Client(app).get("/metrics")).text
        return [_of(text, service) for service in ("pay", "stock", "edge")]

    def _of(text: str, service: str) -> float:
        lines = [line for line in text.splitlines() if "arrived" in line and f'"{service}"' in line]
        return float(lines[0].rsplit(" ", 1)[1])

    assert with_shop(scenario, tmp_path, story) == [1.0, 1.0, 3.0]


def test_a_customer_s_type_is_known_before_they_have_looked_at_anything(tmp_path: Path) -> None:
    """Without the header a front page could not know who asks; with it their calls are those of their type."""
    shop = full_shop()
    shop["steps"]["home"] = {"exchanges": [{"path": "/", "calls": ["pay", "stock"]}]}
    shop["products"]["toy"]["without"] = ["pay"]
    scenario = load_small(tmp_path, shop)
    assert [step for step in scenario.steps if scenario.depends_on_type(step)] == [
        "sign-in",
        "home",
        "checkout",
    ]

    async def story(app: Starlette) -> list[float]:
        for kind in ("toy", "toy", "book", "no such type"):
            named = {"x-gameday-step": "home", "x-gameday-product": kind}
            assert (await Client(app).get("/", **named)).status == 200
        text = (await Client(app).get("/metrics")).text
        lines = [line for line in text.splitlines() if "arrived" in line]
        return [
            float(line.rsplit(" ", 1)[1])
            for name in ("pay", "stock")
            for line in lines
            if f'"{name}"' in line
        ]

    assert with_shop(scenario, tmp_path, story) == [2.0, 4.0]


# --- trouble and metrics ------------------------------------------------------------------------


def starved(**changes: Any) -> dict[str, Any]:
    return merged(full_shop(), {"services": {"stock": service("500ms", **changes)}})


def test_a_full_queue_answers_503_at_once(tmp_path: Path) -> None:
    shop = starved(servers=1, queue_per_server=2, time={"law": "deterministic", "mean": "500ms"})
    scenario = load_small(
        tmp_path, shop, {"services": {"edge": {"time": {"law": "deterministic", "mean": "1ms"}}}}
    )

    async def story(app: Starlette) -> list[tuple[int, float]]:
        clock = asyncio.get_running_loop().time

        async def ask() -> tuple[int, float]:
            reply = await Client(app).get("/product/book-1")
            return reply.status, round(clock(), 3)

        return list(await asyncio.gather(*(ask() for _ in range(8))))

    replies = with_shop(scenario, tmp_path, story)
    assert Counter(status for status, _ in replies) == {200: 3, 503: 5}
    assert sorted(at for status, at in replies if status == 200) == [0.501, 1.001, 1.501]
    assert {at for status, at in replies if status == 503} == {0.001}


def sample(text: str) -> dict[tuple[str, ...], float]:
    """Return every sample of Prometheus text by (name, service, outcome)."""
    return {
        (s.name, s.labels.get("service", ""), s.labels.get("outcome", "")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if "le" not in s.labels
    }


def test_metrics_balance_at_every_moment_and_nothing_is_in_flight_when_all_is_over(
    tmp_path: Path,
) -> None:
    shop = starved(
        servers=2, queue_per_server=3, timeout="700ms", retry={"attempts": 1, "backoff": "200ms"}
    )
    scenario = load_small(tmp_path, shop)

    async def story(app: Starlette) -> list[str]:
        crowd = [asyncio.ensure_future(Client(app).get("/product/book-1")) for _ in range(30)]
        seen = []
        for _ in range(12):
            await asyncio.sleep(0.2)
            seen.append((await Client(app).get("/metrics")).text)
        await asyncio.gather(*crowd)
        await asyncio.sleep(60)
        return [*seen, (await Client(app).get("/metrics")).text]

    texts = with_shop(scenario, tmp_path, story)
    for text in texts:
        held = sample(text)
        for name in scenario.services:
            ended = sum(held["shop_attempts_total", name, end] for end in ENDS)
            arrived = held["shop_attempts_total", name, "arrived"]
            flying = held["shop_in_flight", name, ""]
            assert arrived == ended + flying
            # Whoever is in flight is at work or waits.
            assert flying == held["shop_in_use", name, ""] + held["shop_queue", name, ""]
            assert held["shop_in_use", name, ""] <= held["shop_capacity", name, ""]
    last = sample(texts[-1])
    assert last["shop_in_flight", "stock", ""] == last["shop_in_use", "stock", ""] == 0
    for end in ("shed", "timed_out", "orphaned", "done"):
        assert last["shop_attempts_total", "stock", end] > 0, end
    visits = last["shop_visit_seconds_count", "stock", ""]
    assert visits == last["shop_attempts_total", "stock", "done"]


def test_metrics_name_every_series_the_bundled_shop_is_observed_by(tmp_path: Path) -> None:
    scenario = load_scenario("primeday")

    async def story(app: Starlette) -> str:
        return (await Client(app).get("/metrics")).text

    held = sample(with_shop(scenario, tmp_path, story, stack="us", scale=0.01))
    assert scenario.observe.series
    for series in scenario.observe.series.values():
        name, _, labels = series.partition("{")
        outcome = re.search(r'outcome="(\w+)"', labels)
        assert (name, "payment", outcome[1] if outcome else "") in held, series


# --- the program --------------------------------------------------------------------------------


def test_a_taken_port_is_refused_before_anything_is_served(shop: Scenario) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PreflightFailed, match=f"port {port}") as caught:
            serve(shop, "main", scale=1, stock_scale=1, seed=1, port=port, ready=print)
    assert caught.value.exit_code == 5


def test_the_shop_serves_on_loopback_until_it_is_told_to_stop(tmp_path: Path) -> None:
    load_small(tmp_path, full_shop())
    program = (
        "import sys; from gameday.scenario import load_scenario; from gameday.shop import serve;"
        "serve(load_scenario(sys.argv[1]), 'main', scale=1.0, stock_scale=1.0, seed=1, port=0,"
        "ready=lambda url: print(url, flush=True))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "small.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shop:
        assert shop.stdout is not None
        url = shop.stdout.readline().strip()
        try:
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{url}/health", timeout=20) as reply:
                assert json.load(reply) == {"stack": "main", "scale": 1.0, "event": "small"}
            with urllib.request.urlopen(f"{url}/", timeout=20) as reply:
                assert "csrf" in reply.read().decode()
        finally:
            shop.send_signal(signal.SIGTERM)
        assert shop.wait(timeout=20) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("number", "says"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_shop_that_is_stopped_says_so_in_one_line(
    number: signal.Signals, says: str, tmp_path: Path
) -> None:
    load_small(tmp_path, full_shop())
    command = [sys.executable, "-m", "gameday.cli", "shop", "--event", "small.yaml", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, text=True, stdout=pipe, stderr=pipe) as shop:
        assert shop.stdout is not None
        assert "http://127.0.0.1:" in shop.stdout.readline()
        shop.send_signal(number)
        _, complaints = shop.communicate(timeout=20)
    assert (shop.returncode, complaints) == (4, f"stopped by {says}\n")


def test_shops_beside_a_run_are_up_inside_and_gone_after(tmp_path: Path) -> None:
    load_small(tmp_path, full_shop())
    loaded = read_scenario(str(tmp_path / "small.yaml"))
    with running_shops(loaded, scale=1.0, stock_scale=1.0, seed=1, logs=tmp_path) as shops:
        with urllib.request.urlopen(f"{shops.addresses()['main']}/health", timeout=20) as reply:
            assert json.load(reply)["stack"] == "main"
        [process] = shops.processes.values()
        assert process.poll() is None
        assert shops.fault() is None
    assert process.poll() is not None


def test_a_shop_that_cannot_start_is_a_failed_preflight_with_its_last_word(tmp_path: Path) -> None:
    load_small(tmp_path, full_shop())
    loaded = read_scenario(str(tmp_path / "small.yaml"))
    with (
        pytest.raises(PreflightFailed, match="did not start") as caught,
        running_shops(loaded, scale=1000.0, stock_scale=1.0, seed=1, logs=tmp_path) as shops,
    ):
        shops.addresses()
    assert "--scale" in str(caught.value)


def told(window_in_s: Any = 0.0, speed: Any = 1.0, inject: Any = ()) -> dict[str, Any]:
    """Return what a run tells the shop when it begins."""
    start = "2026-03-10T00:00:00+00:00"
    return {
        "window_in_s": window_in_s,
        "window_start": start,
        "speed": speed,
        "inject": list(inject),
    }


def test_what_a_run_injects_happens_at_its_instant_and_is_over_at_its_end(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, full_shop())

    async def story(app: Starlette) -> list[int]:
        client = Client(app)
        reply = await client.json("/run", told(2.0, 20.0, ["edge down at +1m for 2m"]))
        assert reply.json() == {"begun": True, "switches": 1}
        seen = []
        for _ in range(12):  # a minute of the event is three seconds: down from 5 s to 11 s
            seen.append((await client.get("/")).status)
            await asyncio.sleep(1.0)
        return seen

    assert with_shop(scenario, tmp_path, story) == [200] * 5 + [503] * 6 + [200]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (told(inject=["edge melts at +1m"]), "no such injection"),
        (told(speed=0.0), "above 0"),
        (told(window_in_s="soon"), "could not convert"),
        ({"speed": 1}, "window_start"),
        (told() | {"window_start": "2026-03-10T00:00"}, "needs its offset"),
        ([], "list indices"),
    ],
)
def test_a_run_that_says_nonsense_is_refused_and_nothing_happens(
    body: Any, why: str, tmp_path: Path
) -> None:
    scenario = load_small(tmp_path, full_shop())

    async def story(app: Starlette) -> tuple[Reply, int]:
        client = Client(app)
        reply = await client.json("/run", body)
        return reply, (await client.get("/")).status

    reply, status = with_shop(scenario, tmp_path, story)
    assert (reply.status, status) == (422, 200)
    assert why in reply.json()["why"]
