"""A recording to steps: what is written drives the shop it was recorded from, with other customers' own tokens."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from gameday.cli.app import app
from gameday.errors import HistoryError, UsageError
from gameday.history.recordings.har import read_har
from gameday.history.recordings.recording import propose_steps
from gameday.safety import allowed_target
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading.assets import read_assets
from gameday.swarm.script.prepared_steps import prepare_steps
from gameday.swarm.script.template_variables import TemplateVariables
from gameday.swarm.wire.heads import read_head
from gameday.vocabulary import session_key
from tests.support.small_site import Site, running_site


class Browser:
    """Browses a site, keeps its cookie, and writes down what was said as browsers do."""

    def __init__(self, site: Site) -> None:
        self.site, self.cookie, self.entries = site, "", list[dict[str, Any]]()
        self.now = datetime(2026, 5, 4, 9, tzinfo=UTC)

    def ask(self, method: str, path: str, data: str = "", kind: str = "", **headers: str) -> str:
        """Send a request, follow where it leads, and return the last reply's text."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Cookie": self.cookie} if self.cookie else {}
        sent |= {"Content-Type": kind} if kind else {}
        connection = HTTPConnection(*self.site.server_address)
        connection.request(method, path, data or None, sent)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        self.cookie = (reply.getheader("Set-Cookie") or self.cookie).partition(";")[0]
        location = reply.getheader("Location") or ""
        pairs = [{"name": n, "value": v} for n, v in sent.items()]
        query = [{"name": "q", "value": "x"}] if "?" in path else []
        post = {"postData": {"mimeType": kind, "text": data}} if data else {}
        self.entries.append(
            {
                "startedDateTime": self.now.isoformat().replace("+00:00", "Z"),
                "time": 40.0,
                "request": {
                    "method": method,
                    "url": self.site.url + path,
                    "headers": pairs,
                    "queryString": query,
                }
                | post,
                "response": {
                    "status": reply.status,
                    "redirectURL": location,
                    "headers": [{"name": n, "value": v} for n, v in reply.getheaders()],
                    "content": {
                        "mimeType": reply.getheader("Content-Type") or "",
                        "encoding": "base64",
                        "text": base64.b64encode(body).decode(),
                    },
                },
            }
        )
        self.now += timedelta(milliseconds=60)
        return self.ask("GET", location) if location else body.decode()

    def think(self) -> None:
        self.now += timedelta(seconds=12)

    def save(self, folder: Path, name: str = "my-shop.har") -> Path:
        folder.mkdir(exist_ok=True)
        file = folder / name
        file.write_text(json.dumps({"log": {"version": "1.2", "entries": self.entries}}))
        return file


def shopped(site: Site) -> Browser:
    """Return a browser that signed in, searched, put something in the basket and ordered."""
    me, form = Browser(site), "application/x-www-form-urlencoded"

    def token(text: str) -> str:
        found = re.search(r'authenticity_token" value="([^"]+)"', text)
        assert found
        return found[1]

    me.ask("GET", "/")
    me.think()
    page = me.ask("GET", "/account/login")
    me.think()
    fields = {"authenticity_token": token(page), "email": "me@example.org", "password": "hunter2"}
    me.ask("POST", "/account/login", urlencode(fields), form)
    me.think()
    me.ask("GET", "/search?q=red+lamp")
    me.think()
    for _ in range(2):
        me.ask("GET", "/p/4711-lamp")
        price = json.loads(me.ask("GET", "/api/price?sku=4711", X_Requested_With="fetch"))
        me.ask("GET", "/lamp.png")
        me.think()
    body, kind = json.dumps({"sku": "4711", "quantity": 1}), "application/json"
    basket = json.loads(me.ask("POST", "/api/basket", body, kind, X_CSRF_Token=price["token"]))
    me.think()
    path = f"/basket/{basket['basket']['id']}/pay"
    page = me.ask("GET", path)
    me.think()
    me.ask("POST", path, urlencode({"authenticity_token": token(page)}), form)
    return me


def init(folder: Path, har: Path) -> Scenario:
    said = CliRunner().invoke(
        app, ["init", str(folder), "--from-har", str(har)], catch_exceptions=False
    )
    assert said.exit_code == 0, said.output
    return load_scenario(str(folder / f"{har.stem}.yaml"))


def play(scenario: Scenario, site: Site, order: list[str], session: int) -> Counter[str]:
    """Do the steps once as a customer of the swarm does; return how their replies are judged."""
    words = TemplateVariables(scenario, "run", read_assets(scenario, Path()))
    scenes = prepare_steps(scenario, allowed_target(site.url), words, "run")
    who = SimpleNamespace(
        key=session_key(1, session),
        session=session,
        position=0,
        region="here",
        memory={},
        product_type="article",
    )
    cookie, judged = b"", Counter[str]()
    for who.position, step in enumerate(order):
        for line in (line for group in scenes[step, None].groups for line in group):
            request, hops = line.request(who, cookie), 0
            while True:
                connection = HTTPConnection(*site.server_address)
                connection.connect()
                connection.sock.sendall(
                    request.replace(b"Accept-Encoding: gzip, deflate, br\r\n", b"")
                )
                reply = connection.sock.makefile("rb")
                text = b"".join(iter(reply.readline, b"\r\n")) + b"\r\n"
                head = read_head(text)
                named = dict(
                    row.split(": ", 1) for row in text.decode().split("\r\n")[1:] if ": " in row
                )
                body = reply.read(int(named["Content-Length"]))
                connection.close()
                cookie = named["Set-Cookie"].partition(";")[0].encode()
                if "Location" not in named or (hops := hops + 1) > 3:
                    break
                request = line.onward(who, named["Location"], cookie, as_get=True)
            judged[line.verdict(head, body, 0.01, who.memory)[0]] += 1
    return judged


def test_what_is_recorded_can_be_done_by_others_with_tokens_of_their_own(tmp_path: Path) -> None:
    with running_site() as site:
        scenario = init(tmp_path / "mine", shopped(site).save(tmp_path))
        assert list(scenario.steps) == ["home", "sign-in", "search", "product", "cart", "checkout"]
        assert scenario.journeys["recorded"].next["product"] == {"product": 0.5, "cart": 0.5}
        site.seen.clear()
        for session in range(3):
            judged = play(scenario, site, [*scenario.steps], session)
            assert judged == {"done": 9}
        assert len(site.orders) == 4
        assert not any("hunter2" in body or "example.org" in body for body in site.seen)
        people = {
            body.partition("email=")[2].partition("&")[0] for body in site.seen if "email" in body
        }
        assert len(people) == 3


def test_nothing_secret_is_written(tmp_path: Path) -> None:
    with running_site() as site:
        me = shopped(site)
        me.ask(
            "GET",
            "/search?q=x&api_key=QUERYKEY1",
            Authorization="Bearer topsecret99",
            X_Api_Key="SECRETKEY123",
        )
        paid = json.dumps({"card_number": "4111111111111111", "pin": 4321, "cvv": 123})
        me.ask("POST", "/pay", paid, "application/json")
        me.ask(
            "POST", "/upload", "--x\r\nhunter2secret\r\n--x--", "multipart/form-data; boundary=x"
        )
        init(tmp_path / "mine", me.save(tmp_path))
    text = (tmp_path / "mine" / "my-shop.yaml").read_text()
    for secret in (
        "hunter2",
        "me@example.org",
        "topsecret99",
        "SECRETKEY123",
        "QUERYKEY1",
        "4111111111111111",
        "4321",
        "123",
        me.cookie.partition("=")[2],
    ):
        assert secret not in text
    tokens = list(site.tokens.values())
    assert tokens
    assert not any(token in text for token in tokens)


def test_a_form_a_page_s_calls_and_redirects_are_each_one_step(tmp_path: Path) -> None:
    with running_site() as site:
        recording = read_har(shopped(site).save(tmp_path))
    assert recording.left_out == {
        "pictures, styles, scripts": 2,
        "redirects, folded into what led there": 2,
    }
    steps = propose_steps(recording).steps
    assert [e["path"] for e in steps["product"]["exchanges"]] == ["/p/{item}", "/api/price"]
    login = steps["sign-in"]["exchanges"]
    assert [e.get("method", "GET") for e in login] == ["GET", "POST"]
    assert login[1]["form"]["password"] == "{password}"
    assert steps["checkout"]["exchanges"][1]["action"] == "place_order"
    assert steps["cart"]["exchanges"][0]["check"] == {"jsonpath": {"$.added": True}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[]", "no log.entries"),
        ('{"log": {"entries": []}}', "no log.entries"),
        (
            '{"log": {"entries": [{"request": {}}]}}',
            r"log.entries\[0\] has no request and response",
        ),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}, "response": {"status": 200}, '
            '"startedDateTime": "2026-05-04T09:00:00"}]}}',
            "holds no page",
        ),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "http://a/"}, "startedDateTime": "noon", '
            '"response": {"status": 200, "content": {"mimeType": "text/html"}}}]}}',
            "'noon' is no time",
        ),
    ],
    ids=["nothing", "a list", "no entries", "half an entry", "no page", "no time"],
)
def test_what_is_no_recording_is_said_so_and_nothing_is_made(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "bad.har"
    file.write_text(text)
    with pytest.raises(HistoryError, match=said):
        read_har(file)
    with pytest.raises(UsageError):
        CliRunner().invoke(
            app, ["init", str(tmp_path / "new"), "--from-har", str(file)], catch_exceptions=False
        )
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be read"):
        read_har(tmp_path / "no.har")
