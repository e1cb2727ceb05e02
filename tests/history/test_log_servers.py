"""Logs of several servers, and of shops whose pages are chosen by a parameter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import HistoryError, UsageError
from gameday.history.importers import LogReading, describe_log, log_doubts, read_access_logs
from gameday.history.importers.log_summary import LogSummary
from gameday.history.log_lines import Hints
from gameday.jobs.access_logs import AccessLogOrder
from gameday.jobs.import_history import ImportOrder, import_history
from gameday.scenario.blocks import parse_url_rule
from tests.support.log_layouts import Asked, crowd, written_as

CROWD = crowd(300)
TRUTH = Counter(
    {"/": "home", "/cart": "cart", "/checkout": "checkout"}.get(asked.target, "product")
    for asked in CROWD
)


def read(folder: Path, *texts: str) -> tuple[LogSummary, Counter[str]]:
    """Return what is read of logs, and their steps."""
    files = [folder / f"{number}.log" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    summary = read_access_logs(files, None, folder / "events.parquet")
    return summary, Counter(pd.read_parquet(folder / "events.parquet")["event_type"])


def answered(asked: Asked) -> list[Asked]:
    """Return a request with the page that its redirect leads to, in the same second."""
    if asked.target != "/cart":
        return [asked]
    sent = replace(asked, location="")
    return [sent, replace(asked, method="GET", target="/thanks-for-the-cart", status=200)]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(servers=st.integers(2, 5), seed=st.randoms(use_true_random=False))
def test_whichever_server_answers_each_request_the_steps_are_the_same(
    servers: int, seed: Any, tmp_path: Path
) -> None:
    lines: list[list[Asked]] = [[] for _ in range(servers)]
    for asked in CROWD:
        for request in answered(asked):
            lines[seed.randrange(servers)].append(request)
    _, steps = read(tmp_path, *(written_as("combined", part) for part in lines))
    assert steps == TRUTH


def woo(asked: Asked) -> list[Asked]:
    """Return a request as of a shop whose pages are parameters of one path, and its page's call."""
    target, method = asked.target, asked.method
    if method == "POST":
        target = {"/cart": "/?wc-ajax=add_to_cart", "/checkout": "/?wc-ajax=checkout"}[target]
    page = replace(asked, target=target, status=200, location="")
    call = replace(page, method="POST", target="/?wc-ajax=get_refreshed_fragments")
    return [page, call]


def test_a_parameter_that_chooses_pages_tells_them_apart_and_its_other_values_are_no_page(
    tmp_path: Path,
) -> None:
    searches = [replace(a, target="/?s=red", at=a.at) for a in CROWD if a.target == "/"]
    asked = sorted([w for a in CROWD for w in woo(a)] + searches, key=lambda request: request.at)
    summary, steps = read(tmp_path, written_as("combined", asked))
    assert steps == TRUTH + Counter({"search": len(searches)})
    assert summary.unmapped == {"POST /?wc-ajax=get_refreshed_fragments": len(CROWD)}
    assert not list(log_doubts(summary)), "calls right behind their pages are nobody's pages"


def test_where_a_customer_came_from_chooses_no_page(tmp_path: Path) -> None:
    sources = ("search", "product", "cart")
    asked = [
        replace(a, target=f"/?utm_source={sources[n % 3]}&ref=checkout") if a.target == "/" else a
        for n, a in enumerate(CROWD)
    ]
    _, steps = read(tmp_path, written_as("combined", asked))
    assert steps == TRUTH


def test_a_rule_may_say_which_parameters_a_request_must_not_have() -> None:
    rule = parse_url_rule("/?!s&!wc-ajax")
    assert rule.takes("GET", "/", "")
    assert rule.takes("GET", "/", "utm_source=mail")
    assert not rule.takes("GET", "/", "s=shoes")
    assert not rule.takes("POST", "/", "x=1&wc-ajax=checkout")
    assert parse_url_rule("/i?route=home&!preview").takes("GET", "/i", "route=home")
    assert not parse_url_rule("/i?route=home&!preview").takes("GET", "/i", "route=home&preview=1")


@pytest.mark.parametrize("order", ["{whole} {behind}", "{behind} {whole}"])
def test_of_two_durations_the_longer_is_the_request_s(order: str, tmp_path: Path) -> None:
    lines = []
    for n, asked in enumerate(CROWD):
        whole, behind = asked.took_s + 0.004, "-" if n % 9 == 0 else f"{asked.took_s:.3f}"
        times = order.format(whole=f"{whole:.3f}", behind=behind)
        lines.append(f"{written_as('combined', [asked]).strip()} {times}")
    summary, _ = read(tmp_path, "\n".join(lines))
    took = {row.step: row for row in summary.times.rows() if row.kind == "request"}
    mean = sum(a.took_s + 0.004 for a in CROWD if a.target == "/") / TRUTH["home"]
    assert took["home"].mean_s == pytest.approx(mean, rel=0.01)


def test_an_empty_log_beside_others_is_named_and_alone_refused(tmp_path: Path) -> None:
    summary, steps = read(tmp_path, "", written_as("combined", CROWD))
    assert steps == TRUTH
    assert f"  1 files are empty: {tmp_path / '0.log'}" in list(describe_log(summary))
    with pytest.raises(HistoryError, match="it is empty"):
        read(tmp_path, "\n")


@pytest.mark.parametrize("languages", [("de", "en"), ("de-DE", "en-GB", "fr-FR"), ("us", "uk")])
def test_pages_in_several_languages_are_one_step(
    languages: tuple[str, ...], tmp_path: Path
) -> None:
    spoken = {asked.client: n % len(languages) for n, asked in enumerate(CROWD)}
    asked = [replace(a, target=f"/{languages[spoken[a.client]]}{a.target}") for a in CROWD]
    _, steps = read(tmp_path, written_as("combined", asked))
    assert steps == TRUTH


def test_other_fields_in_the_middle_of_a_log_are_doubted(tmp_path: Path) -> None:
    first, second = CROWD[:400], CROWD[400:]
    text = written_as("IIS", first)
    other = written_as("IIS", second).replace("#Fields: date", "#Fields: x-other date")
    summary, _ = read(tmp_path, text + other)
    assert any("say other #Fields" in doubt for doubt in log_doubts(summary))
    summary, _ = read(tmp_path, text + written_as("IIS", second))
    assert not any("say other #Fields" in doubt for doubt in log_doubts(summary))


def test_two_ways_to_pay_are_both_orders_and_stages_of_one_are_not(tmp_path: Path) -> None:
    ways = ("/checkout/card/complete", "/checkout/paypal/complete")
    buyers = [asked.client for asked in CROWD if asked.target == "/checkout"]
    way = {client: ways[n % 5 == 0] for n, client in enumerate(buyers)}
    asked = [replace(a, target=way[a.client]) if a.target == "/checkout" else a for a in CROWD]
    _, steps = read(tmp_path, written_as("combined", asked))
    assert steps == TRUTH
    staged = [
        replace(a, target=f"/checkout/{stage}", at=a.at + timedelta(seconds=5 * n))
        if a.target == "/checkout"
        else a
        for a in CROWD
        for n, stage in enumerate(
            ("address", "payment", "confirm") if a.target == "/checkout" else (0,)
        )
    ]
    staged.sort(key=lambda request: request.at)
    _, steps = read(tmp_path, written_as("combined", staged))
    assert steps == TRUTH


def test_what_a_page_asks_for_again_and_again_is_no_action(tmp_path: Path) -> None:
    polls = [
        replace(a, method="GET", target="/api/cart/count", at=a.at + timedelta(seconds=5 + 7 * n))
        for a in CROWD
        if a.target == "/"
        for n in range(20)
    ]
    asked = sorted([*CROWD, *polls], key=lambda request: request.at)
    _, steps = read(tmp_path, written_as("combined", asked))
    assert steps == TRUTH


def test_an_address_made_up_for_each_request_is_nobody_s(tmp_path: Path) -> None:
    plain = [written_as("combined", [replace(a, client="10.0.0.5")]).strip() for a in CROWD]
    lines = [
        f'{line} "203.0.{n // 250}.{n % 250}, {a.client}"'
        for n, (line, a) in enumerate(zip(plain, CROWD, strict=True))
    ]
    summary, _ = read(tmp_path, "\n".join(lines))
    assert [choice.name for choice in summary.clients] == ["http_x_forwarded_for:last"]
    events = pd.read_parquet(tmp_path / "events.parquet")
    assert events["user_id"].nunique() == len({a.client for a in CROWD})


@pytest.mark.parametrize(("factor", "is_read"), [(1.0, True), (1000.0, False)])
def test_fractions_of_milliseconds_are_not_read_as_seconds(
    factor: float, is_read: bool, tmp_path: Path
) -> None:
    lines = [f"{written_as('combined', [a]).strip()} {factor * a.took_s:.3f}" for a in CROWD]
    summary, _ = read(tmp_path, "\n".join(lines))
    assert bool(summary.times.rows()) == is_read
    assert bool(summary.unitless) != is_read


def test_durations_of_whole_seconds_are_said_to_be_so(tmp_path: Path) -> None:
    text = "\n".join(f"{written_as('combined', [a]).strip()} {round(a.took_s)}" for a in CROWD)
    file = tmp_path / "a.log"
    file.write_text(text)
    log_format = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %T'
    how = LogReading(Hints(log_format=log_format))
    summary = read_access_logs([file], None, tmp_path / "events.parquet", how)
    assert any("are whole seconds" in line for line in describe_log(summary))


def test_one_log_given_twice_is_refused(tmp_path: Path) -> None:
    files = tmp_path / "a.log", tmp_path / "b.log"
    for file in files:
        file.write_text(written_as("combined", CROWD))
    order = ImportOrder(out=tmp_path / "o.yaml", access_logs=AccessLogOrder(files))
    with pytest.raises(UsageError, match=r"b\.log: given twice"):
        import_history(order)
    assert not (tmp_path / "o.yaml").exists()


def test_an_empty_log_hides_no_other_of_its_name(tmp_path: Path) -> None:
    files = [tmp_path / folder / "access.log" for folder in ("a", "b")]
    for file, text in zip(files, ("", written_as("combined", CROWD)), strict=True):
        file.parent.mkdir()
        file.write_text(text)
    read_access_logs(files, None, tmp_path / "events.parquet")
    assert Counter(pd.read_parquet(tmp_path / "events.parquet")["event_type"]) == TRUTH


@pytest.mark.parametrize("rule", ["/?!", "/?!s=red", "/?a=1&!s=red"])
def test_a_rule_that_says_nothing_of_an_absent_parameter_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="must be !NAME"):
        parse_url_rule(rule)
