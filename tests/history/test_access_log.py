"""Access logs: every format says the same, hops are folded, robots are apart, malformed lines are quoted."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from gameday.errors import HistoryError
from gameday.history.importers.access_log import LogSummary, minute_table, read_access_logs
from gameday.history.importers.clickstream import Clickstream, read_clickstream
from gameday.history.log_lines import Hints, layout_of
from gameday.scenario import load_scenario

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/125.0"
START = datetime(2024, 5, 1, 10, 0, 0, tzinfo=UTC)
Request = tuple[int, str, str, str, int, str]
"""Seconds after START, address, method, target, status, agent."""


def combined(at_s: int, host: str, method: str, target: str, status: int, agent: str) -> str:
    when = datetime.fromtimestamp(START.timestamp() + at_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{host} - - [{when}] "{method} {target} HTTP/1.1" {status} 1234 "https://shop.example/" "{agent}"'


def common(at_s: int, host: str, method: str, target: str, status: int, agent: str) -> str:
    return combined(at_s, host, method, target, status, agent).rsplit(' "https', 1)[0]


def nginx(at_s: int, host: str, method: str, target: str, status: int, agent: str) -> str:
    when = datetime.fromtimestamp(START.timestamp() + at_s, UTC).isoformat()
    return json.dumps(
        {
            "time_iso8601": when,
            "remote_addr": host,
            "request": f"{method} {target} HTTP/1.1",
            "status": status,
            "http_user_agent": agent,
        }
    )


def balancer(at_s: int, host: str, method: str, target: str, status: int, agent: str) -> str:
    when = datetime.fromtimestamp(START.timestamp() + at_s, UTC).strftime(
        "%Y-%m-%dT%H:%M:%S.000000Z"
    )
    return (
        f"https {when} app/shop/50dc6c495c0c9188 {host}:34567 10.0.0.1:80 0.001 0.05 0.000 {status} {status} "
        f'100 2000 "{method} https://shop.example:443{target} HTTP/1.1" "{agent}" ECDHE TLSv1.2 arn:x "Root=1" "-"'
    )


FORMATS = {"common": common, "combined": combined, "json": nginx, "balancer": balancer}


def written(
    folder: Path, requests: list[Request], form: str = "combined", name: str = "access.log"
) -> Path:
    file = folder / name
    text = "\n".join(FORMATS[form](*one) for one in requests) + "\n"
    file.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return file


def read(*files: Path, event: str | None = None) -> tuple[LogSummary, pd.DataFrame]:
    out = files[0].parent / "events.parquet"
    summary = read_access_logs(list(files), load_scenario(event) if event else None, out)
    return summary, pd.read_parquet(out)


def visit(host: str, first_s: int = 0, agent: str = BROWSER) -> list[Request]:
    """Return a session: home, a product, its picture, the cart, an order and the page behind its redirect."""
    return [
        (first_s, host, "GET", "/", 200, agent),
        (first_s + 10, host, "GET", "/product/12", 200, agent),
        (first_s + 10, host, "GET", "/static/12.png", 200, agent),
        (first_s + 30, host, "POST", "/cart/items", 302, agent),
        (first_s + 31, host, "GET", "/cart", 200, agent),
        (first_s + 60, host, "POST", "/checkout", 303, agent),
        (first_s + 61, host, "GET", "/orders/77", 200, agent),
    ]


STEPS = ["home", "product", "cart", "checkout"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["access.log", "access.log.gz"])
def test_every_format_says_the_same(form: str, name: str, tmp_path: Path) -> None:
    requests = [r for n in range(20) for r in visit(f"10.0.0.{n}", 100 * n)]
    summary, events = read(written(tmp_path, requests, form, name))
    assert (summary.lines, summary.malformed, summary.hops, summary.no_step) == (140, 0, 40, 20)
    assert events["event_type"].tolist() == STEPS * 20
    assert events["user_id"].nunique() == 20
    assert events["event_time"].iloc[0] == START


def test_a_redirect_and_what_it_leads_to_are_one_step(tmp_path: Path) -> None:
    hops: list[Request] = [
        (0, "a", "GET", "/", 301, BROWSER),
        (0, "a", "GET", "/index", 302, BROWSER),
        (1, "a", "GET", "/home", 200, BROWSER),
        (2, "a", "GET", "/product/1", 200, BROWSER),  # no redirect before it
        (3, "b", "GET", "/product/2", 302, BROWSER),
        (30, "b", "GET", "/product/3", 200, BROWSER),  # too late to be where it led
    ]
    summary, events = read(written(tmp_path, hops))
    assert summary.hops == 2
    assert events["event_type"].tolist() == ["home", "product", "product", "product"]


def test_robots_are_counted_apart_by_their_name_or_by_what_they_do(tmp_path: Path) -> None:
    people = [r for n in range(30) for r in visit(f"10.0.0.{n}", 60 * n)]
    named = visit("10.1.0.1", agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    fast: list[Request] = [
        (n // 3, "10.2.0.2", "GET", f"/product/{n}", 200, BROWSER) for n in range(200)
    ]
    polite: list[Request] = [
        (5, "10.3.0.3", "GET", "/robots.txt", 200, BROWSER),
        *visit("10.3.0.3", 6),
    ]
    requests = sorted(people + named + fast + polite)
    summary, events = read(written(tmp_path, requests))
    assert len(events) == 30 * 4
    assert len(summary.robots) == 2
    table = minute_table(summary)
    assert table["count"].sum() == 120
    assert table["robots"].sum() == 4 + 200 + 4


def test_malformed_lines_are_counted_and_quoted_never_fatal(tmp_path: Path) -> None:
    file = written(tmp_path, visit("10.0.0.1"))
    bad = b'10.0.0.9 - - [99/Foo/2024:10:00:00 +0000] "GET / HTTP/1.1" 200 1\n\xff\xfe\x00 nothing\n\n"GET /"\n'
    file.write_bytes(bad + file.read_bytes() + b"10.0.0.1 - - [01/May/2024:10:")
    summary, events = read(file)
    assert summary.malformed == 4
    assert "99/Foo/2024" in summary.quoted
    assert events["event_type"].tolist() == STEPS


def test_a_scenario_s_templates_and_patterns_say_which_url_is_what(tmp_path: Path) -> None:
    requests: list[Request] = [
        (0, "a", "GET", "/p-123.html", 200, BROWSER),
        (5, "a", "GET", "/about", 200, BROWSER),
        (9, "a", "GET", "/", 200, BROWSER),
    ]
    text = (Path(__file__).parents[2] / "scenarios" / "primeday.yaml").read_text()
    assert "history:" in text
    scenario = load_scenario("primeday")
    urls = {"product": ["~/p-[0-9]+"], "search": ["/about"]}
    scenario = scenario.model_copy(
        update={"history": scenario.history.model_copy(update={"urls": urls})}
    )
    summary = read_access_logs([written(tmp_path, requests)], scenario, tmp_path / "e.parquet")
    events = pd.read_parquet(tmp_path / "e.parquet")
    assert events["event_type"].tolist()[:2] == ["product", "search"]
    assert summary.proposed == {}


def test_sessions_of_visitors_are_cut_by_silence(tmp_path: Path) -> None:
    requests = visit("10.0.0.1") + visit("10.0.0.1", 4000) + visit("10.0.0.2", 9000)
    read(written(tmp_path, requests))
    seen = read_clickstream(tmp_path / "events.parquet", Clickstream(session=None, category=None))
    assert seen.count == 3
    assert not seen.is_inferred.any()


def test_several_files_are_one_log(tmp_path: Path) -> None:
    first = written(tmp_path, visit("10.0.0.1")[:4], name="a.log")
    second = written(tmp_path, visit("10.0.0.1")[4:], name="b.log.gz")
    for files in ((first, second), (second, first)):  # in whatever order
        summary, events = read(*files)
        assert summary.hops == 2
        assert events["event_type"].tolist() == STEPS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"hello\nworld\n", "its lines are of no layout that is known"),
        (gzip.compress(b"hello\n" * 50, mtime=0)[:20], "cannot be read behind line"),
    ],
    ids=["empty", "another text", "cut short"],
)
def test_a_log_that_is_none_is_said_so(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_bytes(content)
    with pytest.raises(HistoryError, match=said):
        read(file)


def test_paths_that_are_called_like_nothing_need_a_map(tmp_path: Path) -> None:
    requests: list[Request] = [(n, "a", "GET", f"/xyzzy/{n}", 200, BROWSER) for n in range(20)]
    with pytest.raises(
        HistoryError, match=r"no path is called .*, most: GET /xyzzy/0, .*; give --event"
    ):
        read(written(tmp_path, requests))


def test_odd_quotes_and_offsets_are_read() -> None:
    text = (
        '2001:db8::1 - mr smith [01/May/2024:12:00:00 +0200] "GET /a%20b?q=\\"x\\" HTTP/1.1" 404 - "-" '
        '"a \\"quoted\\" one"'
    )
    layout = layout_of([text], Hints())
    assert layout is not None
    line = layout.parse(text)
    assert line is not None
    assert (line.at_s, line.status, line.target) == (START.timestamp(), 404, '/a%20b?q=\\"x\\"')
    assert (line.clients, line.agent) == (("2001:db8::1",), 'a \\"quoted\\" one')


def test_who_asks_for_something_every_ten_seconds_for_hours_is_no_person(tmp_path: Path) -> None:
    file, agent = tmp_path / "a.log", "Mozilla/5.0 (Macintosh) Safari/605.1"
    lines = []
    for n in range(3000):
        at = 36_000 + 10 * n
        stamp = f"01/May/2024:{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d} +0000"
        lines.append(f'10.9.9.9 - - [{stamp}] "GET /product/{n} HTTP/1.1" 200 9 "-" "{agent}"\n')
    file.write_text("".join(lines))
    summary = read_access_logs([file], None, tmp_path / "events.parquet")
    assert len(summary.robots) == 1
    assert sum(n for (_, _, is_it), n in summary.minutes.items() if is_it) == 3000
