"""Redirects stay at the target and cookies with their customer: played against answers by path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameday.safety import allowed_target
from gameday.scenario import Scenario
from gameday.swarm.engine.redirects import onward_path
from gameday.swarm.wire.heads import BadReply, read_head
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan
from tests.support.small_stage import lone_step, one_session, recorded, total
from tests.support.virtual_customers import Answer, Asked, Run, Target, head_of, play

HERE = "http://127.0.0.1:8001"


def to(place: str, status: int = 302, *more: str, seconds: float = 0.01) -> Answer:
    return Answer(status, (f"Location: {place}", *more), seconds=seconds)


def by_path(answers: dict[str, Answer]) -> Target:
    return Target(lambda asked: answers.get(asked.path, Answer(404)))


def visit(folder: Path, answers: dict[str, Answer], **exchange: Any) -> tuple[Run, list[Asked]]:
    """Let one customer ask for `/a` once; return what was heard and what was asked."""
    scenario, target = lone_step(folder, {"path": "/a"} | exchange), by_path(answers)
    run = play(scenario, one_session(scenario), target, share=0.0)
    record = recorded(scenario, one_session(scenario), run)
    assert record.imbalances() == []
    assert total(record, "sent") == 1
    return run, target.asked


def outcome(run: Run) -> str:
    """Return the only fault there was, or `done`."""
    [faults] = [report.counts.faults for report in run.reports]
    return faults[0][2] if faults else "done"


@pytest.mark.parametrize(
    ("place", "leads_to"),
    [
        ("/b", "/b"),
        ("b", "/b"),
        ("./b", "/b"),
        (f"{HERE}/b", "/b"),
        ("//127.0.0.1:8001/b", "/b"),
        ("/b#part", "/b"),
        (HERE, "/"),
        (f"{HERE}?page=2", "/?page=2"),
        ("?page=2", "/a?page=2"),
        ("/b?page=2", "/b?page=2"),
        ("../../b", "/b"),
        ("HTTP://127.0.0.1:8001/b", "/b"),
        ("/two words", "/two%20words"),
        ("/b?x=%26&y=a+b", "/b?x=%26&y=a+b"),
        ("", "/a"),
    ],
)
def test_a_redirect_inside_the_target_is_followed(
    place: str, leads_to: str, tmp_path: Path
) -> None:
    answers = {leads_to: Answer(200), "/a": to(place)} if leads_to != "/a" else {"/a": to(place)}
    run, asked = visit(tmp_path, answers)
    assert [a.path for a in asked[:2]] == ["/a", leads_to]
    assert outcome(run) == ("done" if leads_to != "/a" else "too_many_redirects")


def test_a_redirect_to_a_place_in_raw_utf_8_leads_where_a_browser_goes() -> None:
    head = head_of(302, "Location: /grün?für=1")
    assert onward_path(allowed_target(HERE), "/", head) == "/gr%C3%BCn?f%C3%BCr=1"


@pytest.mark.parametrize(
    "place",
    [
        "http://example.com/",
        "https://127.0.0.1:8001/",
        "//example.com/x",
        "http://127.0.0.1:1/",
        "http://127.0.0.2:8001/",
        "http://127.0.0.1/",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
        "http://[::1",
        "http://127.0.0.1:port/",
        "http://[bad]/",
    ],
)
def test_a_redirect_outside_the_target_is_refused(place: str, tmp_path: Path) -> None:
    run, asked = visit(tmp_path, {"/a": to(place)})
    assert outcome(run) == "redirect_refused"
    assert len(asked) == 1


@settings(deadline=None)
@given(place=st.binary(max_size=40).filter(lambda raw: not {0, 10, 13} & set(raw)))
def test_whatever_a_redirect_says_it_leads_inside_the_target_or_nowhere(place: bytes) -> None:
    try:
        head = read_head(b"HTTP/1.1 302 So\r\nLocation: " + place + b"\r\n\r\n")
    except BadReply:
        return  # no HTTP at all
    path = onward_path(allowed_target(HERE), "/a", head)
    if path is not None:
        assert path.startswith("/")
        assert path.isascii()
        assert path.isprintable()
        assert " " not in path


def test_a_redirect_begins_where_the_last_one_led(tmp_path: Path) -> None:
    answers = {"/a": to("/deep/b"), "/deep/b": to("c"), "/deep/c": Answer(200)}
    run, asked = visit(tmp_path, answers)
    assert [a.path for a in asked] == ["/a", "/deep/b", "/deep/c"]
    assert outcome(run) == "done"


def test_a_cookie_without_a_path_is_for_where_the_redirect_led(tmp_path: Path) -> None:
    scenario = lone_step(tmp_path, *({"path": path} for path in ("/a", "/deep/d", "/a/e")))
    target = by_path(
        {
            "/a": to("/deep/b"),
            "/deep/b": Answer(200, ("Set-Cookie: a=1",)),
            "/deep/d": Answer(200),
            "/a/e": Answer(200),
        }
    )
    play(scenario, one_session(scenario), target)
    assert [a.header("Cookie") for a in target.asked] == [None, None, "a=1", None]


def test_a_loop_of_redirects_is_cut(tmp_path: Path) -> None:
    run, asked = visit(tmp_path, {"/a": to("/b"), "/b": to("/a", 307)})
    assert outcome(run) == "too_many_redirects"
    assert len(asked) == 11
    assert [a.hops for a in asked] == list(range(11))


@pytest.mark.parametrize(
    ("method", "status", "onward"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 301, "PUT"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("DELETE", 303, "GET"),
        ("HEAD", 303, "HEAD"),
        ("GET", 307, "GET"),
        ("HEAD", 301, "HEAD"),
    ],
)
def test_a_redirected_request_keeps_its_method_and_body_only_where_http_says_so(
    method: str, status: int, onward: str, tmp_path: Path
) -> None:
    body = {} if method in ("GET", "HEAD") else {"json": {"n": 1}}
    _, asked = visit(tmp_path, {"/a": to("/b", status), "/b": Answer(200)}, method=method, **body)
    assert [a.method for a in asked] == [method, onward]
    keeps = bool(body) and onward == method
    assert asked[1].request.endswith(b'{"n": 1}') == keeps
    assert (asked[1].header("Content-Type") == "application/json") == keeps
    assert (asked[1].header("Content-Length") is not None) == keeps
    for name in ("Host", "User-Agent", "X-Gameday-Run", "X-Gameday-Step", "X-Synthetic"):
        assert asked[1].header(name) == asked[0].header(name) != ""


def test_what_became_a_get_stays_one(tmp_path: Path) -> None:
    answers = {"/a": to("/b", 303), "/b": to("/c", 307), "/c": Answer(200)}
    _, asked = visit(tmp_path, answers, method="POST", form={"a": "b"})
    assert [a.method for a in asked] == ["POST", "GET", "GET"]


def test_a_redirect_without_a_place_is_a_reply(tmp_path: Path) -> None:
    assert outcome(visit(tmp_path, {"/a": Answer(302)})[0]) == "status_302"


def test_a_redirect_whose_status_is_good_is_not_followed(tmp_path: Path) -> None:
    run, asked = visit(tmp_path, {"/a": to("/b")}, check={"status": [302]})
    assert (outcome(run), len(asked)) == ("done", 1)


def test_the_last_hop_is_what_is_checked_and_all_hops_are_what_is_timed(tmp_path: Path) -> None:
    answers = {"/a": to("/b", seconds=1.0), "/b": Answer(200, body=b"fine", seconds=2.0)}
    scenario = lone_step(tmp_path, {"path": "/a", "check": {"body_contains": "fine"}})
    run = play(scenario, one_session(scenario), by_path(answers), share=0.0)
    [exchange] = [row for rows in run.exchanges for row in rows]
    assert exchange[2] - exchange[1] == pytest.approx(3.0, abs=0.01)
    record = recorded(scenario, one_session(scenario), run)
    assert total(record, "done") == 1


def test_patience_is_for_all_hops_together(tmp_path: Path) -> None:
    answers = {"/a": to("/b", seconds=5.0), "/b": to("/a", seconds=5.0)}
    run, asked = visit(tmp_path, answers)
    assert outcome(run) == "patience"
    assert len(asked) == 2


# Cookies

PAST, FUTURE = "Thu, 01 Jan 2004 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("a=1; Path=/", "a=1"),
        ("a=1; Path=/; HttpOnly; SameSite=Lax", "a=1"),
        ("a=1; Path=/; Secure", "a=0"),  # over plain HTTP a browser keeps none such
        ("a=1; Path=/; Max-Age=3600", "a=1"),
        (f"a=1; Path=/; Expires={FUTURE}", "a=1"),
        ("a=1; Path=/; Max-Age=0", None),
        ("a=1; Path=/; Max-Age=-1", None),
        (f"a=1; Path=/; Expires={PAST}", None),
        (f"a=1; Path=/; Max-Age=3600; Expires={PAST}", "a=1"),
        (f"a=1; Path=/; Max-Age=0; Expires={FUTURE}", None),
        ("a=1; Path=/; Expires=soon", "a=1"),
        ("a=1; Path=/; Expires=Wed, 99 Foo 2004 99:99:99 GMT", "a=1"),
        ("a=b==; Path=/", "a=b=="),
        ("a=1; Path=/elsewhere", "a=0"),
        ("a=1; Path=/; Domain=example.com", "a=0"),
        ("not a cookie", "a=0"),
        ("=;;;=", "a=0"),
        ("", "a=0"),
    ],
)
def test_cookies_are_kept_deleted_and_expire_as_in_a_browser(
    header: str, kept: str | None, tmp_path: Path
) -> None:
    scenario = lone_step(tmp_path, *({"path": path} for path in ("/first", "/set", "/then")))
    target = by_path(
        {
            "/first": Answer(200, ("Set-Cookie: a=0; Path=/",)),
            "/set": Answer(200, (f"Set-Cookie: {header}",)),
            "/then": Answer(200),
        }
    )
    play(scenario, one_session(scenario), target)
    assert [a.header("Cookie") for a in target.asked] == [None, "a=0", kept]


def test_a_cookie_outlives_its_customers_pause_and_no_longer_than_its_age(tmp_path: Path) -> None:
    scenario = busy_shop(
        tmp_path, {"journeys": {"shopper": {"next": {"home": {"product": 1.0, "exit": 0.0}}}}}
    )
    age = "Set-Cookie: brief=1; Path=/; Max-Age=1"

    def answer(asked: Asked) -> Answer:
        headers = ("Set-Cookie: kept=1; Path=/", age) if asked.path == "/" else ()
        return Answer(201 if asked.method == "POST" else 200, headers)

    target = Target(answer)
    play(scenario, flat_plan(scenario, 3.0, slots=4, speed=20.0), target)
    first = {asked.session: asked.at_s for asked in target.asked if not asked.place}
    later = [asked for asked in target.asked if asked.place]
    fresh = {asked.at_s - first[asked.session] < 1.0 for asked in later}
    assert fresh == {True, False}
    for asked in later:
        age_s = asked.at_s - first[asked.session]
        if abs(age_s - 1.01) > 0.005:
            wanted = "kept=1; brief=1" if age_s < 1.01 else "kept=1"
            assert asked.header("Cookie") == wanted, age_s


def test_cookies_of_one_reply_are_all_kept_and_ride_along_a_redirect(tmp_path: Path) -> None:
    cookies = ("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/")
    _, asked = visit(tmp_path, {"/a": to("/b", 302, *cookies), "/b": Answer(200)})
    assert [a.header("Cookie") for a in asked] == [None, "a=1; b=2"]


def test_customers_do_not_share_cookies(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)

    def answer(asked: Asked) -> Answer:
        status = 201 if asked.method == "POST" else 200
        return Answer(status, (f"Set-Cookie: who={asked.session}; Path=/",), seconds=1.0)

    target = Target(answer)
    play(scenario, flat_plan(scenario, 5.0, slots=4, speed=20.0), target)
    assert len({asked.session for asked in target.asked}) > 20
    for asked in target.asked:
        assert asked.header("Cookie") == (f"who={asked.session}" if asked.place else None)


def test_importing_what_customers_are_made_of_patches_nothing() -> None:
    code = "import gameday.swarm.engine.step_player, gevent.monkey as m; print(m.is_module_patched('socket'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_redirect_between_two_stacks_is_refused(tmp_path: Path) -> None:
    """Each stack is a target of its own: its load is its own."""
    scenario: Scenario = lone_step(tmp_path, {"path": "/a"})
    target = by_path({"/a": to("http://127.0.0.1:8002/a")})
    run = play(scenario, one_session(scenario), target, share=0.0)
    assert outcome(run) == "redirect_refused"
