"""Recordings: no secret is written, every request is in the scenario or listed, and what is written is sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError, UsageError
from gameday.history.recordings.har import read_har
from gameday.history.recordings.recorded_scenario import recorded_text
from gameday.history.recordings.recording import propose_steps
from gameday.history.recordings.secrets import kind_of_value, looks_random
from gameday.scenario import load_scenario
from gameday.scenario.reading.plain_yaml import from_yaml
from tests.support import NIGHT, examples

SHOP = "http://127.0.0.1:8099"
BEGUN = datetime(2026, 11, 2, 10, tzinfo=UTC)


def entry(
    number: int,
    method: str = "GET",
    url: str = "/",
    *,
    post: dict[str, Any] | None = None,
    status: int = 200,
    kind: str = "text/html",
    text: str = "ok",
    headers: dict[str, str] | None = None,
    gives: dict[str, str] | None = None,
    took_ms: float = 40,
    after_s: float = 8,
) -> dict[str, Any]:
    at = BEGUN + timedelta(seconds=after_s * number)
    sent = [{"name": n, "value": v} for n, v in (headers or {}).items()]
    given = [{"name": n, "value": v} for n, v in (gives or {}).items()]
    return {
        "startedDateTime": at.isoformat(),
        "time": took_ms,
        "request": {"method": method, "url": url if "://" in url else SHOP + url, "headers": sent}
        | ({"postData": post} if post else {}),
        "response": {
            "status": status,
            "headers": given,
            "content": {"mimeType": kind, "text": text},
        },
    }


def form(**fields: str) -> dict[str, Any]:
    return {"mimeType": "application/x-www-form-urlencoded", "text": urlencode(fields)}


def as_json(data: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"mimeType": kind, "text": json.dumps(data)}


def init(
    entries: list[dict[str, Any]], host: str | None = None, *, load: bool = True
) -> tuple[dict[str, Any], str, str]:
    """Return the scenario as plain data, the text that is written, and the list that is printed."""
    with TemporaryDirectory() as name:
        har, file = Path(name) / "shop.har", Path(name) / "shop.yaml"
        har.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
        recording = read_har(har, host)
        found = propose_steps(recording)
        text = recorded_text("shop", recording, found)
        if load:
            file.write_text(text)
            load_scenario(str(file))
    return from_yaml(text), text, "\n".join([recording.origin, *found.notes])


def typed(folder: Path, entries: list[dict[str, Any]], *options: str) -> str:
    """Return what the command prints."""
    (folder / "shop.har").write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    done = CliRunner().invoke(
        app,
        ["init", str(folder / "new"), "--from-har", str(folder / "shop.har"), *options],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    return done.output


def exchanges(data: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [group for step in data["steps"].values() for group in step["exchanges"]]
    return [e for group in groups for e in (group if isinstance(group, list) else [group])]


def luhn(digits: str) -> str:
    return next(digits + str(d) for d in range(10) if kind_of_value(digits + str(d)) == "card")


LETTERS = "abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ"
WORD = st.text(LETTERS, min_size=6, max_size=9).map(lambda t: t + "7Qx")
SECRETS = {
    "password": WORD,
    "card_number": st.text("0123456789", min_size=15, max_size=15).map(lambda t: luhn("4" + t[1:])),
    "otp_code": st.integers(100_000, 999_999).map(str),
    "accessToken": st.text("0123456789abcdef", min_size=30, max_size=40).map(lambda t: f"a1{t}"),
    "email": WORD.map(lambda t: f"{t.lower()}@mail.example.org"),
    "lastName": WORD.map(lambda t: t[:-3].title() + "sson"),
    "jwt": WORD.map(lambda t: f"eyJhbGci{t}.eyJzdWIi{t}.{t}"),
    "api_key": WORD.map(lambda t: f"sk{t}"),
}


def soap(name: str, secret: str) -> str:
    return f"<soap:Body><m:{name} type='text'>{secret}</m:{name}></soap:Body>"


def part(name: str, secret: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{secret}\r\n--b--\r\n'


PLACES: dict[str, Any] = {
    "query": lambda n, s: entry(1, url=f"/account?{urlencode({n: s})}"),
    "form": lambda n, s: entry(1, "POST", "/save", post=form(**{n: s, "qty": "1"})),
    "form without a type": lambda n, s: entry(
        1, "POST", "/save", post={"params": [{"name": n, "value": s}]}
    ),
    "json": lambda n, s: entry(1, "POST", "/save", post=as_json({n: s})),
    "json below": lambda n, s: entry(1, "POST", "/save", post=as_json({"a": [{n: {"value": s}}]})),
    "json list": lambda n, s: entry(1, "POST", "/save", post=as_json([{n: s}])),
    "json as text": lambda n, s: entry(
        1, "POST", "/save", post=as_json({n: s}, "text/plain;charset=UTF-8")
    ),
    "json in json": lambda n, s: entry(
        1, "POST", "/save", post=as_json({"payload": json.dumps({n: s})})
    ),
    "graphql": lambda n, s: entry(
        1,
        "POST",
        "/graphql",
        post=as_json(
            {"operationName": "Save", "query": f'mutation Save {{ save({n}: "{s}") {{id}} }}'}
        ),
    ),
    "graphql variables": lambda n, s: entry(
        1,
        "POST",
        "/graphql",
        post=as_json(
            {"query": "mutation($v: V!) { save(v: $v) {id} }", "variables": {"v": {n: s}}}
        ),
    ),
    "xml": lambda n, s: entry(
        1, "POST", "/soap", post={"mimeType": "text/xml", "text": soap(n, s)}
    ),
    "multipart": lambda n, s: entry(
        1, "POST", "/up", post={"mimeType": "multipart/form-data; boundary=b", "text": part(n, s)}
    ),
    "multipart params": lambda n, s: entry(
        1,
        "POST",
        "/up",
        post={"mimeType": "multipart/form-data; boundary=b", "params": [{"name": n, "value": s}]},
    ),
    "plain text": lambda n, s: entry(
        1, "POST", "/up", post={"mimeType": "text/plain", "text": f"{n} {s}"}
    ),
    "header": lambda n, s: entry(1, url="/account", headers={f"X-{n}": s}),
    "authorization": lambda n, s: entry(
        1, url="/account", headers={"Authorization": f"Bearer {s}"}
    ),
    "cookie": lambda n, s: entry(1, url="/account", headers={"Cookie": f"a=b; {n}={s}"}),
    "set-cookie": lambda n, s: entry(1, url="/account", gives={"Set-Cookie": f"{n}={s}; Path=/"}),
    "user info of the address": lambda n, s: entry(
        1, url=f"http://{quote(s)}:{quote(s)}@127.0.0.1:8099/account"
    ),
}


@pytest.mark.parametrize("place", PLACES)
@given(data=st.data())
@settings(max_examples=30 if NIGHT else 4, deadline=None)
def test_no_secret_is_written_wherever_it_stands_and_wherever_it_recurs(
    place: str, data: st.DataObject
) -> None:
    """The same secret comes again where no field names it: in a path, a search, a name of a page."""
    # a cookie of letters alone is a setting, as consent=accepted
    names = sorted(set(SECRETS) - ({"lastName"} if "cookie" in place else set()))
    name = data.draw(st.sampled_from(names))
    secret = data.draw(SECRETS[name])
    entries = [entry(0), PLACES[place](name, secret)]
    if place not in ("user info of the address", "plain text"):
        entries += [
            entry(2, url=f"/u/{quote(secret)}/orders"),
            entry(3, url=f"/list?{urlencode({'a': secret})}"),
            entry(4, "POST", "/save", post=as_json({"note": f"for {secret}"})),
        ]
    _, text, printed = init(entries, load=False)
    forms = {secret, quote(secret), quote(secret, safe=""), secret.lower()}
    assert not [form for form in forms if form in text]
    assert not [form for form in forms if form in printed]


CODES_IN_PATHS = st.sampled_from(("reset", "verify", "invite", "u", "magic-link", "o"))


@given(
    before=CODES_IN_PATHS,
    code=st.one_of(
        SECRETS["accessToken"],
        SECRETS["jwt"],
        SECRETS["card_number"],
        SECRETS["email"],
        st.uuids().map(str),
    ),
)
@settings(max_examples=15, deadline=None)
def test_a_code_in_a_path_is_not_written_and_said(before: str, code: str) -> None:
    _, text, printed = init([entry(0), entry(1, url=f"/{before}/{quote(code)}")], load=False)
    assert code not in text
    assert code not in printed
    assert "is not written; put test values under `values`" in printed


METHODS = st.sampled_from(("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "CONNECT"))
ENTRIES = st.lists(
    st.builds(
        lambda number, method, path, host, status, kind, broken: (
            {"request": {"method": method, "url": f"{SHOP}/broken{number}"}}
            if broken
            else entry(number, method, f"{host}{path}", status=status, kind=kind, took_ms=1200)
        ),
        st.integers(0, 40),
        METHODS,
        st.sampled_from(
            ("/", "/a", "/cart", "/api/items", "/x.png", "/p/4711", "/p/4712", "/index.php?r=cart")
        ),
        st.sampled_from((SHOP, SHOP, SHOP, "http://other.example")),
        st.sampled_from((0, 200, 200, 201, 206, 302, 304, 404, 500)),
        st.sampled_from(("text/html", "application/json", "image/png")),
        st.sampled_from((True, *[False] * 9)),
    ),
    max_size=40,
)


@given(ENTRIES)
@settings(max_examples=examples(30), deadline=None)
def test_every_request_of_a_recording_is_in_the_scenario_or_in_the_printed_list(
    entries: list[dict[str, Any]],
) -> None:
    """And the numbers add up: in steps, and left out or folded, are all there were."""
    entries = [entry(0), *entries]
    data, _, printed = init(entries)
    whole = re.search(
        r"of (\d+) requests in the file (\d+) are in steps .*?, (\d+) \((\d+)%\)", printed
    )
    assert whole
    assert int(whole[1]) == len(entries) == int(whole[2]) + int(whole[3])
    for one in entries:
        method, url = one["request"]["method"], one["request"]["url"]
        path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
        named = {path, re.sub(r"\d{4}", "{article}", path), re.sub(r"\d{4}", "{item}", path)}
        is_in = any(
            (e.get("method", "GET"), e["path"]) in {(method, p) for p in named}
            for e in exchanges(data)
        )
        assert is_in or f"{method} {path}" in printed, (method, path)
    assert {code for e in exchanges(data) for code in e.get("check", {}).get("status", [])} <= {
        201,
        302,
        404,
    }


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from("abc"), st.text('{}":,[]abc 1&=%+é', max_size=12)), max_size=4
    )
)
@settings(max_examples=examples(40), deadline=None)
def test_values_that_name_nobody_are_sent_as_recorded(pairs: list[tuple[str, str]]) -> None:
    """Braces too, which a template would take for words; names that come twice come twice."""
    from types import SimpleNamespace
    from urllib.parse import parse_qsl

    from gameday.safety import allowed_target
    from gameday.scenario.reading.assets import read_assets
    from gameday.swarm.script.prepared_steps import prepare_steps
    from gameday.swarm.script.template_variables import TemplateVariables

    entries = [
        entry(0),
        entry(1, url=f"/list?{urlencode(pairs)}"),
        entry(
            2,
            "POST",
            "/save",
            post={"mimeType": "application/x-www-form-urlencoded", "text": urlencode(pairs)},
        ),
    ]
    entries.append(entry(3, "POST", "/keep", post=as_json([dict(pairs)])))
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.har").write_text(json.dumps({"log": {"entries": entries}}))
        recording = read_har(folder / "a.har")
        file = folder / "a.yaml"
        file.write_text(recorded_text("a", recording, propose_steps(recording)))
        scenario = load_scenario(str(file))
        words = TemplateVariables(scenario, "run", read_assets(scenario, folder))
    who = SimpleNamespace(
        key=1, session=1, position=0, region="here", memory={}, product_type="article"
    )
    scenes = prepare_steps(scenario, allowed_target(SHOP), words, "run")
    sent = [
        line.request(who, b"").decode() for s in scenes.values() for g in s.groups for line in g
    ]
    query = sent[1].split(" ")[1].partition("?")[2]
    assert parse_qsl(query, keep_blank_values=True) == pairs
    assert parse_qsl(sent[2].partition("\r\n\r\n")[2], keep_blank_values=True) == pairs
    assert json.loads(sent[3].partition("\r\n\r\n")[2]) == [dict(pairs)]


@pytest.mark.parametrize("took_ms", [0.2, 999.9, 1000, 1500, 90_000])
def test_pages_of_any_length_make_a_sound_scenario(took_ms: float) -> None:
    data, _, _ = init([entry(n, url=f"/page/{n}", took_ms=took_ms, after_s=5000) for n in range(3)])
    assert data["services"]["edge"]["time"]["mean"].endswith("s")


def test_statuses_of_the_recorder_s_cache_are_demanded_of_nobody() -> None:
    data, _, _ = init(
        [
            entry(0, status=304, headers={"If-None-Match": '"v7"'}),
            entry(1, url="/p/1001", status=206, headers={"Range": "bytes=0-"}),
        ]
    )
    assert not any("check" in e or "headers" in e for e in exchanges(data))


def test_a_guest_s_address_becomes_each_customer_s_own() -> None:
    data, _, _ = init(
        [entry(0), entry(1, "POST", "/guest", post=form(email="jane.roe@mail.example.org"))]
    )
    assert exchanges(data)[1]["form"] == {"email": "{customer}@example.com"}


def test_numbers_that_replies_gave_are_sent_as_numbers_however_short() -> None:
    data, _, printed = init(
        [
            entry(0),
            entry(
                1,
                "POST",
                "/api/cart",
                post=as_json({"qty": 1}),
                kind="application/json",
                text='{"id": 47}',
            ),
            entry(2, "POST", "/api/cart/items", post=as_json({"cartId": 47, "sku": "A-1"})),
            entry(3, url="/api/carts/47"),
            entry(4, "POST", "/api/rate", post=as_json({"storeId": 9, "stars": 5})),
        ]
    )
    sent = exchanges(data)
    [word] = sent[1]["extract"]
    assert sent[1]["extract"][word] == {"jsonpath": "$.id"}
    assert json.loads(sent[2]["body"].replace("{" + word + "}", "1")) == {
        "cartId": 1,
        "sku": "{sku}",
    }
    assert sent[3]["path"] == "/api/carts/{" + word + "}"
    assert "storeId '9' is sent as recorded, the same by everybody" in printed


def test_a_header_of_the_shop_s_own_is_kept_and_one_that_a_reply_gave_is_extracted() -> None:
    token = "CfDJ8-abc_123-Zz9"
    page = f'<input type="hidden" name="__RequestVerificationToken" value="{token}">'
    data, _, _ = init(
        [
            entry(0, text=page),
            entry(
                1,
                "POST",
                "/cart/add",
                post=as_json({"sku": "A-1"}),
                headers={
                    "RequestVerificationToken": token,
                    "Client-ID": "kiosk-7",
                    "User-Agent": "x",
                },
            ),
        ]
    )
    [word] = exchanges(data)[0]["extract"]
    assert exchanges(data)[1]["headers"] == {
        "RequestVerificationToken": "{" + word + "}",
        "Client-ID": "kiosk-7",
    }


def test_pages_told_apart_by_a_parameter_alone_are_steps_of_their_own() -> None:
    routes = [
        "common/home",
        "product/product&product_id=40",
        "checkout/cart/add",
        "checkout/checkout",
    ]
    entries = [entry(n, url=f"/index.php?route={route}") for n, route in enumerate(routes)]
    entries[2] = entry(2, "POST", "/index.php?route=checkout/cart/add", post=form(product_id="40"))
    data, _, _ = init(entries)
    assert list(data["steps"]) == ["home", "product", "cart", "checkout"]
    assert exchanges(data)[2]["method"] == "POST"


@pytest.mark.parametrize(
    "bodies",
    [
        [form(action="add_to_cart"), form(action="place_order")],
        [as_json({"method": "cart.add", "id": 1}), as_json({"method": "order.place", "id": 1})],
        [
            as_json({"query": "mutation { addToCart(id: 5) { ok } }"}),
            as_json({"query": "mutation Place($a: X) { placeOrder(a: $a) { ok } }"}),
        ],
        [form(sku="1"), form(sku="1", coupon="x")],
    ],
    ids=["form", "JSON-RPC", "GraphQL", "other fields"],
)
def test_actions_of_one_address_told_apart_by_their_bodies_are_steps_of_their_own(
    bodies: list[dict[str, Any]],
) -> None:
    entries = [entry(n + 1, "POST", "/ajax", post=body) for n, body in enumerate(bodies)]
    data, _, _ = init([entry(0), *entries])
    assert len(data["steps"]) == 3


def test_graphql_and_xml_are_sent_without_the_secrets_they_name() -> None:
    paid = 'mutation {pay(card: {number: "4111111111111111", cvc: "737", owner_surname: "Roe"}, pin: 4321) {ok} }'
    soap = "<e><w:Username>jane</w:Username><w:Password Type='t'>Winter#26</w:Password></e>"
    data, text, _ = init(
        [
            entry(0),
            entry(1, "POST", "/graphql", post=as_json({"query": paid})),
            entry(2, "POST", "/soap", post={"mimeType": "text/xml", "text": soap}),
        ]
    )
    assert exchanges(data)[1]["json"]["query"].startswith("mutation {pay(card: {number: ")
    assert exchanges(data)[2]["body"].endswith("<w:Password Type='t'>{password}</w:Password></e>")
    assert not [s for s in ("4111", "737", "Roe", "4321", "jane", "Winter") if s in text]


def test_a_page_done_again_with_more_requests_loses_none_of_them() -> None:
    extra = entry(3, "POST", "/api/reviews", post=as_json({"stars": 5}), kind="application/json")
    extra["startedDateTime"] = entry(2)["startedDateTime"]
    data, _, _ = init([entry(0), entry(1, url="/p/1001"), entry(2, url="/p/1001"), extra])
    assert list(data["steps"]) == ["home", "product", "product-2"]
    assert [e["path"] for e in exchanges(data)][-1] == "/api/reviews"


def test_what_goes_to_another_host_is_said_with_its_share_and_can_be_chosen() -> None:
    api = "http://127.0.0.1:8098"
    entries = [
        entry(0),
        entry(1, "POST", f"{api}/v1/cart", post=as_json({"sku": "A-1"}), kind="application/json"),
        entry(
            2, "POST", f"{api}/v1/orders", post=as_json({"pay": "card"}), kind="application/json"
        ),
    ]
    _, _, printed = init(entries)
    assert f"2 (67%) of another host, {api}: POST /v1/cart, POST /v1/orders" in printed
    assert "the scenario does not do what was recorded" in printed
    data, _, _ = init(entries, api)
    assert list(data["steps"]) == ["cart", "checkout"]
    assert exchanges(data)[1]["action"] == "place_order"
    with pytest.raises(HistoryError, match="holds no request to 'http://else'; it has"):
        init(entries, "http://else")
    with pytest.raises(UsageError, match="--host: is of a recording"):
        CliRunner().invoke(app, ["init", "x", "--host", "y"], catch_exceptions=False)


def test_what_is_invented_is_small_capped_and_marked(tmp_path: Path) -> None:
    data, text, _ = init([entry(0)])
    printed = typed(tmp_path, [entry(0)])
    assert (tmp_path / "new" / "shop.yaml").read_text() == text
    assert data["history"]["synthetic"]["sessions_per_day"] == {"here": 1000}
    assert data["services"]["edge"]["stacks"]["site"]["instances"] == 1
    assert set(data["replay"]["ceilings"]) == {"requests_per_s", "concurrency", "orders"}
    assert re.search(r"sessions_per_day:\s+# invented", text)
    assert re.search(r"instances: 1\s+# invented", text)
    assert "are invented, small and capped" in printed


def test_replies_without_their_text_cookies_from_before_and_dropped_bodies_are_said() -> None:
    _, _, printed = init(
        [
            entry(0, text=""),
            entry(1, url="/a", headers={"Cookie": "consent=yes"}),
            entry(2, "POST", "/up", post={"mimeType": "application/octet-stream", "text": "abc"}),
            entry(3, url="/gone", status=404),
        ]
    )
    assert "1 of 4 replies have no text in the file" in printed
    assert "cookies that no recorded reply gave, so customers do not have them: consent" in printed
    assert "POST /up: its body (application/octet-stream, 3 letters) is not written" in printed
    assert "GET /gone: was answered by 404, which is expected of everybody" in printed


@pytest.mark.parametrize(
    "text", ["red-lamp-4711", "checkout", "SKU-4711-XL", "2026-11-02", "product"]
)
def test_plain_words_and_numbers_are_no_tokens(text: str) -> None:
    assert not looks_random(text)
    assert kind_of_value(text) is None
