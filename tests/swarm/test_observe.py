"""The target's own numbers: what a selector picks, and that what is missing is absent, never zero."""

from __future__ import annotations

import json
import math
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import PreflightFailed, ScenarioError
from gameday.scenario import Scenario
from gameday.swarm.tally import observe
from gameday.swarm.tally.counters import total
from gameday.swarm.tally.observe import Observer, Sample, unsummed
from tests.support import examples
from tests.support.small_runs import busy_shop
from tests.support.wire_tls_shop import Authority, TlsShop, read_request

TEXT = """# TYPE in_use gauge
in_use{service="pay",zone="a"} 2
in_use{service="pay",zone="b"} 3
in_use{service="edge",zone="a"} 0
# TYPE attempts counter
attempts_total{service="pay",outcome="done"} 70
attempts_total{service="pay",outcome="shed"} 30
# TYPE visit_seconds histogram
visit_seconds_bucket{service="pay",le="0.1"} 5
visit_seconds_bucket{service="pay",le="+Inf"} 9
visit_seconds_count{service="pay"} 9
visit_seconds_sum{service="pay"} 1.5
"""
SERIES = {
    "in_use": 'in_use{service="$service"}',
    "done": 'attempts_total{service="$service",outcome="done"}',
    "arrived": 'attempts_total{ service = "$service" }',
    "capacity": 'capacity{service="$service"}',
    "queue": "in_use",
}
URL = {"main": "http://127.0.0.1:9"}


def shop(folder: Path, **block: Any) -> Scenario:
    changes = {"series": SERIES, "latency": "visit_seconds", **block}
    scenario = busy_shop(folder)
    seen = scenario.observe.model_copy(update=changes)
    return scenario.model_copy(update={"observe": seen})


def summed(sample: Sample) -> dict[tuple[str, str, str], float]:
    return {key: total(instances) for key, instances in sample.values.items()}


def read(scenario: Scenario, text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Observer]:
    monkeypatch.setattr(observe, "fetch", lambda *_, **__: text.encode())
    observer = Observer(scenario, URL)
    sample = observer.read()
    assert sample is not None
    return summed(sample), observer


def test_a_selector_picks_by_name_and_labels_and_sums_what_it_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, observer = read(shop(tmp_path), TEXT, monkeypatch)
    assert observer.faults == {}
    assert values["main", "pay", "in_use"] == 5
    assert values["main", "pay", "done"] == 70
    assert values["main", "pay", "arrived"] == 100
    assert values["main", "pay", "queue"] == 5
    assert values["main", "pay", "le=0.1"] == 5
    assert values["main", "pay", "le=+Inf"] == 9


def test_a_series_that_is_zero_is_zero_and_one_that_is_missing_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, _ = read(shop(tmp_path), TEXT, monkeypatch)
    assert values["main", "edge", "in_use"] == 0
    assert ("main", "edge", "done") not in values
    assert ("main", "stock", "in_use") not in values
    assert ("main", "pay", "capacity") not in values


def test_services_that_are_not_to_be_observed_are_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, _ = read(shop(tmp_path, services=["edge"]), TEXT, monkeypatch)
    assert {service for _, service, _ in values} == {"edge"}


@pytest.mark.parametrize(
    "selector",
    [
        'attempts_total{service="$service",outcome=~"done"}',
        'attempts_total{service="$service",outcome!="shed"}',
    ],
)
def test_a_matcher_that_is_not_spoken_here_never_matches_more_than_it_says(
    selector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, _ = read(shop(tmp_path, series={"done": selector}), TEXT, monkeypatch)
    assert values.get(("main", "pay", "done")) in (70, None), "it counts the shed as done"


@pytest.mark.parametrize(
    "selector", ["sum(in_use)", "in use", "", "{}", 'in_use{service="$service"']
)
def test_a_selector_that_is_none_is_absent(
    selector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, _ = read(shop(tmp_path, series={"in_use": selector}), TEXT, monkeypatch)
    assert ("main", "pay", "in_use") not in values


def test_a_target_that_cannot_be_read_is_a_fault_by_name_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer(shop(tmp_path), URL)

    def gone(*_: object, **__: object) -> bytes:
        raise OSError("status 500")

    monkeypatch.setattr(observe, "fetch", gone)
    sample = observer.read()
    assert sample is not None
    assert sample.values == {}
    assert "status 500" in observer.faults["main"]
    monkeypatch.setattr(observe, "fetch", lambda *_, **__: TEXT.encode())
    assert observer.read() is not None
    assert observer.faults == {}


@settings(
    max_examples=examples(80),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.text('in_use{}="le,# \n\\0123eE+-.naifTYPEHL', max_size=80).map(str.encode),
    )
)
def test_no_exposition_whatever_it_is_ends_the_run(body: bytes, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observe, "fetch", lambda *_, **__: body)
        observer = Observer(busy_shop(tmp_path), URL)
        assert observer.read() is not None


class Prometheus(BaseHTTPRequestHandler):
    """Answers query_range as it was told, by query."""

    answers: dict[str, Any]
    asked: list[dict[str, list[str]]]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.asked.append(query)
        answer = self.answers.get(query["query"][0], ok())
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200 if parts.path == "/api/v1/query_range" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def ok(*series: list[tuple[float, str]]) -> dict[str, Any]:
    found = [{"metric": {}, "values": [list(pair) for pair in one]} for one in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": found}}


@pytest.fixture
def prometheus() -> Iterator[tuple[str, dict[str, Any], list[dict[str, list[str]]]]]:
    handler: Any = type("Handler", (Prometheus,), {"answers": {}, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.answers, handler.asked
        server.shutdown()
        thread.join()


def asking(folder: Path, url: str) -> Observer:
    series = {"in_use": 'sum(in_use{svc="$service",cell="$stack"})'}
    return Observer(
        shop(folder, source="prometheus", url=url, series=series, services=["pay", "edge"]), URL
    )


PAY, EDGE = (f'sum(in_use{{svc="{name}",cell="main"}})' for name in ("pay", "edge"))


def test_promql_is_asked_by_range_and_read_into_samples_by_time(
    prometheus: tuple[str, dict[str, Any], list[dict[str, list[str]]]], tmp_path: Path
) -> None:
    url, answers, asked = prometheus
    answers |= {PAY: ok([(100, "1"), (103, "2.5")]), EDGE: ok([(103, "0")])}
    observer = asking(tmp_path, url)
    assert observer.read() is None
    samples = observer.read_range(100.0, 106.0, 3.0)
    assert [(s.at_s, summed(s)) for s in samples] == [
        (100, {("main", "pay", "in_use"): 1.0}),
        (103, {("main", "pay", "in_use"): 2.5, ("main", "edge", "in_use"): 0.0}),
    ]
    buckets = {f'visit_seconds_bucket{{service="{name}"}}' for name in ("pay", "edge")}
    assert {q["query"][0] for q in asked} == {PAY, EDGE} | buckets
    assert {(*q["start"], *q["end"], *q["step"]) for q in asked} == {("100.0", "106.0", "3.0")}


def test_a_query_that_finds_nothing_is_absent_and_no_zero(
    prometheus: tuple[str, dict[str, Any], list[Any]], tmp_path: Path
) -> None:
    url, answers, _ = prometheus
    answers[PAY] = ok()
    assert asking(tmp_path, url).read_range(0, 9, 3) == []


def test_a_query_of_several_series_is_summed_or_refused_but_never_cut_to_the_first(
    prometheus: tuple[str, dict[str, Any], list[Any]], tmp_path: Path
) -> None:
    url, answers, _ = prometheus
    answers[PAY] = ok([(100, "1")], [(100, "4")])
    observer = asking(tmp_path, url)
    values = [summed(s).get(("main", "pay", "in_use")) for s in observer.read_range(99, 102, 3)]
    assert values == [5.0] or (observer.faults and values in ([], [None]))


def test_a_sum_over_a_counter_is_read_by_its_instances_and_a_gauges_sum_as_it_is(
    prometheus: tuple[str, dict[str, Any], list[dict[str, list[str]]]], tmp_path: Path
) -> None:
    url, _, asked = prometheus
    series = {"busy_seconds": 'sum(busy_total{svc="$service"})', "in_use": "sum(in_use)"}
    block = {"source": "prometheus", "url": url, "series": series, "services": ["pay"]}
    Observer(shop(tmp_path, latency=None, **block), URL).read_range(0, 9, 3)
    assert {q["query"][0] for q in asked} == {'busy_total{svc="pay"}', "sum(in_use)"}


@pytest.mark.parametrize(
    ("latency", "selector"),
    [
        ("http_seconds", 'http_seconds_bucket{service="pay"}'),
        ('http_seconds{app="$service-main"}', 'http_seconds_bucket{app="pay-main"}'),
    ],
)
def test_the_histogram_of_visits_is_read_by_instance_from_a_server_too(
    latency: str,
    selector: str,
    prometheus: tuple[str, dict[str, Any], list[Any]],
    tmp_path: Path,
) -> None:
    url, answers, _ = prometheus
    rows = [("a", "0.1", 5), ("a", "+Inf", 9), ("b", "0.1", 1), ("b", "+Inf", 2), ("b", "no", 7)]
    result = [
        {"metric": {"pod": pod, "le": bound}, "values": [[100, str(count)]]}
        for pod, bound, count in rows
    ]
    answers[selector] = {"status": "success", "data": {"result": result}}
    block = {"source": "prometheus", "url": url, "services": ["pay"], "latency": latency}
    [sample] = Observer(shop(tmp_path, series={}, **block), URL).read_range(99, 102, 3)
    assert summed(sample) == {("main", "pay", "le=0.1"): 6.0, ("main", "pay", "le=+Inf"): 11.0}


def test_a_scrape_picks_the_histogram_by_the_selector_behind_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT.replace('service="pay",le=', 'app="pay",le=')
    values, _ = read(shop(tmp_path, latency='visit_seconds{app="$service"}'), text, monkeypatch)
    assert values["main", "pay", "le=0.1"] == 5


def test_headers_are_sent_with_what_stands_in_files_and_the_environment(
    prometheus: tuple[str, dict[str, Any], list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, _, _ = prometheus
    seen: list[dict[str, str]] = []
    real = observe.fetch

    def spied(*args: Any, **options: Any) -> bytes:
        seen.append(options["headers"])
        return real(*args, **options)

    monkeypatch.setattr(observe, "fetch", spied)
    (tmp_path / "token").write_text("s3cret\n")
    headers = {"Authorization": f"Bearer ${{file:{tmp_path / 'token'}}}", "X-Org": "${env:ORG_ID}"}
    block = {"source": "prometheus", "url": url, "series": {"in_use": "up"}, "headers": headers}
    with pytest.raises(PreflightFailed, match="environment variable ORG_ID is not set"):
        Observer(shop(tmp_path, **block), URL)
    monkeypatch.setenv("ORG_ID", "shop-7")
    Observer(shop(tmp_path, **block), URL).read_range(0, 9, 3)
    assert seen
    assert all(h == {"Authorization": "Bearer s3cret", "X-Org": "shop-7"} for h in seen)


def test_a_server_over_tls_is_read_with_its_authority_and_not_without(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    def act(conn: ssl.SSLSocket, _: TlsShop) -> None:
        read_request(conn)
        body = json.dumps(ok([(100, "3")])).encode()
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with TlsShop(authority.context("IP:127.0.0.1"), act) as server:
        url = f"https://127.0.0.1:{server.target.port}"
        block = {"source": "prometheus", "url": url, "series": {"in_use": "up"}, "latency": None}
        scenario = shop(tmp_path, services=["pay"], **block)
        trusting = Observer(scenario, URL, metrics_ca_pem=authority.pem)
        [sample] = trusting.read_range(99, 102, 3)
        assert summed(sample) == {("main", "pay", "in_use"): 3.0}
        strict = Observer(scenario, URL)
        assert strict.read_range(99, 102, 3) == []
        assert "certificate" in strict.faults["main"]


def test_questions_are_asked_several_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four questions that each wait for all four to be under way."""
    barrier = threading.Barrier(4)

    def together(*_: Any, **__: Any) -> bytes:
        barrier.wait(10)
        return json.dumps(ok([(100, "1")])).encode()

    monkeypatch.setattr(observe, "fetch", together)
    series = {"in_use": "a", "capacity": "b"}
    block = {"source": "prometheus", "url": "http://127.0.0.1:9", "series": series}
    scenario = shop(tmp_path, services=["pay", "edge"], latency=None, **block)
    [sample] = Observer(scenario, URL).read_range(99, 102, 3)
    assert len(sample.values) == 4


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("sum(a_total)", "a_total"),
        ('sum by (zone) (a{b="c"})', 'a{b="c"}'),
        ("sum (a) without(x)", "a"),
        ("sum(a) + sum(b)", None),
        ("sum(rate(a[1m]))", None),
        ("a", None),
        ("sum(a + b)", None),
        ("max(a)", None),
    ],
)
def test_only_a_sum_over_one_selector_is_taken_apart(query: str, read: str | None) -> None:
    assert unsummed(query) == (read or query)


def test_series_of_one_exposition_keep_their_instances_buckets_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(
        f'visit_seconds_bucket{{service="pay",pod="{pod}",le="+Inf"}} {n}\n'
        for pod, n in (("a", 5), ("b", 7))
    )
    values, _ = read(shop(tmp_path), text, monkeypatch)
    assert values["main", "pay", "le=+Inf"] == 12


@pytest.mark.parametrize(("again", "known"), [("3", True), ("4", False), ("NaN", False)])
def test_a_series_that_stands_there_twice_is_not_added_up(
    again: str, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'in_use{{service="pay"}} 3\nin_use{{service="pay"}} {again}\n'
    values, _ = read(shop(tmp_path), text, monkeypatch)
    assert values["main", "pay", "in_use"] == pytest.approx(
        3 if known else float("nan"), nan_ok=True
    )


def test_a_sample_of_promql_that_is_no_number_is_not_known(
    prometheus: tuple[str, dict[str, Any], list[Any]], tmp_path: Path
) -> None:
    url, answers, _ = prometheus
    answers[PAY] = ok(
        [(100, "NaN"), (103, "2")],
        [(100, "4"), (103, "+Inf")],
    )
    values = [
        summed(s)["main", "pay", "in_use"] for s in asking(tmp_path, url).read_range(99, 105, 3)
    ]
    assert all(math.isnan(value) for value in values)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"",
        b"[]",
        b"null",
        b'{"status": "error", "error": "parse error"}',
        b'{"data": {"result": [{"values": 3}]}}',
        b'{"data": {"result": [{"value": [1, "2"]}]}}',
        b'{"data": {"result": {}}}',
        b'{"data": {"result": [[1]]}}',
        b'{"data": {"result": [{"values": [[1, "many"]]}]}}',
    ],
)
def test_an_answer_that_is_none_of_prometheus_is_a_fault_and_no_crash(
    answer: bytes, prometheus: tuple[str, dict[str, Any], list[Any]], tmp_path: Path
) -> None:
    url, answers, _ = prometheus
    answers[PAY] = answer
    observer = asking(tmp_path, url)
    assert observer.read_range(0, 9, 3) == []
    assert "main" in observer.faults


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'{"keys": null}', b'{"keys": 3}', b"{}", b"<html>", b"\xff"]
)
def test_order_lists_that_are_none_are_a_fault_and_no_crash(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "fetch", lambda *_, **__: body)
    observer = Observer(shop(tmp_path, orders="/orders"), URL)
    assert observer.orders("r1") is None
    assert "main" in observer.faults


def test_order_keys_are_read_for_the_run_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(url: str, path: str, *_: float, **__: object) -> bytes:
        asked.append(path)
        return b'{"keys": ["a", "b", "a", 7]}'

    monkeypatch.setattr(observe, "fetch", fetch)
    assert Observer(shop(tmp_path, orders="/orders"), URL).orders("r 1") == {
        "main": {"a", "b", "7"}
    }
    assert asked == ["/orders?run=r%201"]
    assert Observer(shop(tmp_path), URL).orders("r1") is None


@pytest.mark.parametrize("query", ["sum(rate(busy_total[1m]))", "increase(busy_total[5m])"])
def test_a_counter_given_as_its_rate_is_refused_with_what_to_write(
    query: str, tmp_path: Path
) -> None:
    with pytest.raises(ScenarioError, match=r"busy_seconds: must be the counter itself"):
        busy_shop(tmp_path, {"observe": {"series": {"busy_seconds": query}}})
    busy_shop(tmp_path, {"observe": {"series": {"queue": query}}})  # a gauge may be anything
