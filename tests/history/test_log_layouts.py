"""Layouts of access logs: one truth in those of many servers is read alike, detected or by a format string."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from gameday.errors import UsageError
from gameday.history.importers import LogReading, read_access_logs
from gameday.history.log_lines import Hints, Layout, choose_client, layout_of
from tests.support.log_layouts import AGENTS, FORMATS, LAYOUTS, START, Asked, crowd, written_as

WITHOUT_AGENT = ("common", "Heroku")
WHOLE_SECONDS = 1.0
"""Most layouts write whole seconds."""


CROWD = crowd()


def read(layout: Layout, text: str, requests: list[Asked]) -> None:
    """Assert that every line tells its request."""
    head = len(text.splitlines()) - len(requests)
    lines = [layout.parse(line) for line in text.splitlines()[head:]]
    assert None not in lines
    chosen = choose_client(layout.columns, [line.clients for line in lines])
    for line, asked in zip(lines, requests, strict=True):
        assert abs(line.at_s - asked.at.timestamp()) < WHOLE_SECONDS
        assert (line.method, line.target, line.status) == (
            asked.method,
            asked.target,
            asked.status,
        )
        assert chosen.client(line.clients) == asked.client


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_detected_and_every_line_read(name: str) -> None:
    text = written_as(name, CROWD)
    layout = layout_of(text.splitlines()[:200], Hints())
    assert layout is not None
    read(layout, text, CROWD)
    agents = {line.agent for line in map(layout.parse, text.splitlines()) if line is not None}
    assert agents == ({""} if name in WITHOUT_AGENT else set(AGENTS))


@pytest.mark.parametrize("name", FORMATS)
def test_a_server_s_own_format_string_reads_its_lines(name: str) -> None:
    text = written_as(name, CROWD)
    layout = layout_of(text.splitlines()[:200], Hints(log_format=FORMATS[name]))
    assert layout is not None
    read(layout, text, CROWD)


TIMED = {
    "times behind it": (1.0, 1.0),
    "times by name": (1.0, None),
    "nginx as JSON": (1.0, None),
    "Caddy": (1.0, None),
    "Google Cloud": (1.0, None),
    "Traefik, JSON": (None, 0.9),
    "Envoy": (1.0, 0.9),
    "AWS load balancer": (None, 1.0),
    "CloudFront": (1.0, None),
    "IIS": (1.0, None),
    "Heroku": (None, 1.0),
    "logfmt": (1.0, None),
}
"""Layout -> what its request time and its upstream time are of the time a request took; None: not asserted."""


@pytest.mark.parametrize("name", TIMED)
def test_times_are_read_where_the_layout_has_them(name: str) -> None:
    text = written_as(name, CROWD)
    layout = layout_of(text.splitlines()[:200], Hints())
    lines = [line for line in map(layout.parse, text.splitlines()) if line is not None]
    request, upstream = TIMED[name]
    for line, asked in zip(lines, CROWD, strict=True):
        for told, factor in ((line.request_s, request), (line.upstream_s, upstream)):
            if factor is not None:
                assert told == pytest.approx(factor * asked.took_s, abs=0.0011)


def test_a_duration_whose_unit_nobody_tells_is_not_read() -> None:
    lines = [
        f'{{"ts": {START.timestamp() + n}, "method": "GET", "uri": "/", "status": 200, "remote_ip": "192.0.2.7", '
        f'"duration": {n}}}'
        for n in range(9)
    ]
    layout = layout_of(lines, Hints())
    assert math.isnan(layout.parse(lines[3]).request_s)
    assert "duration = unitless" in layout.text


def test_layouts_of_one_truth_give_one_result(tmp_path: Path) -> None:
    told = {}
    for name in LAYOUTS:
        if name in WITHOUT_AGENT:
            continue
        file = tmp_path / "access.log"
        file.write_text(written_as(name, CROWD))
        summary = read_access_logs([file], None, tmp_path / "events.parquet")
        events = pd.read_parquet(tmp_path / "events.parquet")
        steps = Counter(events["event_type"])
        told[name] = (events["user_id"].nunique(), sorted(steps.items()), summary.malformed)
    assert {name: row for name, row in told.items() if row != told["combined"]} == {}


def test_rows_in_are_those_used_and_those_left_out_by_reason(tmp_path: Path) -> None:
    rubbish = "hello\n\n# a comment\n"
    handshake = '198.51.100.9 - - [02/Nov/2026:08:00:00 +0000] "\\x16\\x03\\x01" 400 166 "-" "-"\n'
    picture = LAYOUTS["combined"](Asked(START, "198.51.100.1", "GET", "/logo.png", 200, AGENTS[0]))
    robot = LAYOUTS["combined"](Asked(START, "192.0.2.1", "GET", "/", 200, "Googlebot/2.1"))
    file = tmp_path / "access.log"
    file.write_text(f"{written_as('combined', CROWD)}{rubbish}{handshake}{picture}\n{robot}\n")
    seen = read_access_logs([file], None, tmp_path / "events.parquet")
    assert (seen.malformed, seen.comments, seen.not_http, seen.of_robots) == (1, 2, 1, 1)
    told = seen.of_people + seen.of_robots + seen.no_step + seen.hops
    assert seen.lines == told + seen.malformed + seen.comments + seen.not_http


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ("10.0.0.{m}", "198.51.100.{n}", "http_x_forwarded_for:first"),  # proxies of our own
        (
            "162.158.1.{m}",
            "198.51.100.{n}",
            "http_x_forwarded_for:first",
        ),  # a network's few addresses
        ("198.51.100.{n}", "-", "remote_addr"),
        ("198.51.100.{n}", "10.1.1.{m}", "remote_addr"),  # customers' own proxies wrote that
        ("162.158.1.{m}", "192.0.2.1, 198.51.100.{n}", "http_x_forwarded_for:last"),
    ],
)
def test_customers_are_told_apart_by_the_field_that_does(
    first: str, second: str, chosen: str
) -> None:
    line = '{} - - [02/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0" "{}"'
    lines = [
        line.format(first.format(n=n, m=n % 3), second.format(n=n, m=n % 3)) for n in range(90)
    ]
    log_format = (
        '$remote_addr - - [$time_local] "$request" $status $bytes "$referer" "$http_user_agent" '
    )
    layout = layout_of(lines, Hints(log_format=f'{log_format}"$http_x_forwarded_for"'))
    rows = [layout.parse(text).clients for text in lines]
    choice = choose_client(layout.columns, rows)
    assert choice.name == chosen
    assert len({choice.client(row) for row in rows}) == 90


def test_a_person_names_the_field_a_cookie_too(tmp_path: Path) -> None:
    line = '10.0.0.5 - - [02/Nov/2026:08:00:0{} +0000] "GET / HTTP/1.1" 200 5 "{}" "Mozilla/5.0"'
    file = tmp_path / "access.log"
    file.write_text("".join(line.format(n, f"sid{n}") + "\n" for n in range(9)))
    log_format = (
        '$remote_addr - - [$time_local] "$request" $status $bytes "$cookie_sid" "$http_user_agent"'
    )
    how = LogReading(Hints(log_format=log_format, client="cookie_sid"))
    read_access_logs([file], None, tmp_path / "events.parquet", how)
    assert pd.read_parquet(tmp_path / "events.parquet")["user_id"].nunique() == 9
    with pytest.raises(UsageError, match="has no field 'cookie'; there are remote_addr"):
        read_access_logs(
            [file],
            None,
            tmp_path / "events.parquet",
            LogReading(Hints(log_format=log_format, client="cookie")),
        )


@pytest.mark.parametrize(
    ("log_format", "said"),
    [
        ("hello", "names no column"),
        ("$remote_addr $status", "has no time"),
        ("$time_local $remote_addr", "has no request"),
        ('{"a": ', "begins as JSON and cannot be read"),
    ],
)
def test_a_format_string_that_cannot_be_used_says_what_it_lacks(log_format: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        layout_of(["anything"], Hints(log_format=log_format))


def test_operations_and_bodies_tell_steps_apart() -> None:
    lines = [
        f'{{"time": "2026-11-02T08:00:0{n}Z", "ip": "198.51.100.{n}", "request": "POST /graphql HTTP/1.1", '
        f'"status": 200, "request_body": "{{\\"operationName\\":\\"{name}\\",\\"query\\":\\"x\\"}}"}}'
        for n, name in enumerate(("Product", "AddToCart", "Checkout"))
    ]
    layout = layout_of(lines, Hints())
    assert [layout.parse(text).target for text in lines] == [
        "/graphql?operationName=Product",
        "/graphql?operationName=AddToCart",
        "/graphql?operationName=Checkout",
    ]
