"""Traces asked of Jaeger's and Tempo's query APIs, as a server that speaks them answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gameday.errors import HistoryError, UsageError
from gameday.history.trace_formats.query_apis import _MOST_A_QUESTION
from gameday.history.traces import TraceSource, read_traces

TOKEN = "Bearer s3cret"


def trace_of(number: int, start_us: int) -> dict[str, Any]:
    """Return a trace in Jaeger's form: web calls stock."""
    trace = f"{number:x}"

    def span(identity: str, parent: str | None, process: str, begins: int, lasts: int) -> Any:
        refs = [{"refType": "CHILD_OF", "traceID": trace, "spanID": parent}] if parent else []
        tags = {"span.kind": "server", "http.method": "GET", "http.target": "/cart"}
        return {
            "traceID": trace,
            "spanID": identity,
            "operationName": "GET /cart",
            "references": refs,
            "startTime": start_us + begins,
            "duration": lasts,
            "tags": [{"key": k, "type": "string", "value": v} for k, v in tags.items()],
            "processID": process,
        }

    return {
        "traceID": trace,
        "spans": [span("1", None, "p1", 0, 9000), span("2", "1", "p2", 1000, 5000)],
        "processes": {"p1": {"serviceName": "web"}, "p2": {"serviceName": "stock"}},
    }


def otlp_of(trace: dict[str, Any]) -> dict[str, Any]:
    """Return the same trace as Tempo tells it."""
    groups = []
    for span in trace["spans"]:
        name = trace["processes"][span["processID"]]["serviceName"]
        parent = span["references"][0]["spanID"] if span["references"] else ""
        row = {
            "traceId": span["traceID"].zfill(32),
            "spanId": span["spanID"].zfill(16),
            "parentSpanId": parent.zfill(16) if parent else "",
            "kind": "SPAN_KIND_SERVER",
            "name": span["operationName"],
            "startTimeUnixNano": str(span["startTime"] * 1000),
            "endTimeUnixNano": str((span["startTime"] + span["duration"]) * 1000),
        }
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]}
        groups.append({"resource": resource, "scopeSpans": [{"spans": [row]}]})
    return {"batches": groups}


class Server:
    """A server with traces, which answers at most so many at once as its API does."""

    def __init__(self, kind: str, traces: list[dict[str, Any]]) -> None:
        self.kind, self.traces = kind, traces
        self.asked: list[str] = []

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        if self.kind == "jaeger" and path == "/api/services":
            return {"data": ["web", "stock"]}
        if self.kind == "jaeger" and path == "/api/traces":
            first, last = int(query["start"][0]), int(query["end"][0])
            return {"data": self._between(first, last)[: int(query["limit"][0])]}
        if self.kind == "tempo" and path == "/api/search":
            first, last = int(query["start"][0]) * 10**6, int(query["end"][0]) * 10**6
            rows = self._between(first, last)[: int(query["limit"][0])]
            return {"traces": [{"traceID": trace["traceID"]} for trace in rows]}
        if self.kind == "tempo" and path.startswith("/api/traces/"):
            name = path.rpartition("/")[2]
            return otlp_of(next(trace for trace in self.traces if trace["traceID"] == name))
        return None

    def _between(self, first_us: int, last_us: int) -> list[dict[str, Any]]:
        return [t for t in self.traces if first_us <= t["spans"][0]["startTime"] < last_us]


@contextmanager
def serving(server: Server) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if self.headers.get("Authorization") != TOKEN:
                self.send_error(401)
                return
            server.asked.append(parts.path)
            found = server.answer(parts.path, parse_qs(parts.query))
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.mark.parametrize("kind", ["jaeger", "tempo"])
def test_all_traces_of_the_time_are_asked_for_and_each_counts_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE_TOKEN", "s3cret")
    now_us = round(time.time() * 1e6)
    count = _MOST_A_QUESTION + 300 if kind == "jaeger" else 40
    spread_us = 3000 * 10**6 // count
    traces = [trace_of(n + 1, now_us - 3400 * 10**6 + n * spread_us) for n in range(count)]
    too_old = trace_of(9999, now_us - 7200 * 10**6)
    server = Server(kind, [*traces, too_old])
    with serving(server) as url:
        headers = {"Authorization": "Bearer ${env:TRACE_TOKEN}"}
        told = read_traces(TraceSource((url,), headers=headers), None)
    assert told.counts.traces == count
    assert told.counts.used == 2 * count
    assert {seen.service: seen.visits for seen in told.services} == {"stock": count, "web": count}
    assert told.doubts == ()


def test_more_in_a_second_than_an_answer_holds_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACE_TOKEN", "s3cret")
    at_us = (int(time.time()) - 60) * 10**6
    server = Server("jaeger", [trace_of(n + 1, at_us + n) for n in range(_MOST_A_QUESTION + 50)])
    with serving(server) as url:
        headers = {"Authorization": "Bearer ${env:TRACE_TOKEN}"}
        told = read_traces(TraceSource((url,), last_s=120.0, headers=headers), None)
    assert told.counts.traces == _MOST_A_QUESTION
    assert any("has more traces than the" in doubt for doubt in told.doubts)


def test_a_token_that_is_missing_or_wrong_is_said_with_its_remedy(tmp_path: Path) -> None:
    with serving(Server("jaeger", [])) as url:
        with pytest.raises(HistoryError, match="wants a --header"):
            read_traces(TraceSource((url,)), None)
        with pytest.raises(UsageError, match="environment variable NO_SUCH is not set"):
            read_traces(TraceSource((url,), headers={"A": "${env:NO_SUCH}"}), None)
        missing = {"Authorization": f"${{file:{tmp_path / 'token'}}}"}
        with pytest.raises(UsageError, match="token cannot be read"):
            read_traces(TraceSource((url,), headers=missing), None)


def test_a_server_that_is_neither_or_none_is_refused() -> None:
    with serving(Server("other", [])) as url, pytest.raises(HistoryError, match="404"):
        read_traces(TraceSource((url,), headers={"Authorization": TOKEN}), None)
    with pytest.raises(HistoryError, match="refused"):
        read_traces(TraceSource(("http://127.0.0.1:9",)), None)


def test_a_token_is_not_taken_along_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()

        class Redirecting(Elsewhere):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{other.server_port}/")
                self.end_headers()

        with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as first:
            threading.Thread(target=first.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{first.server_port}"
            with pytest.raises(HistoryError, match=r"redirects to http://127\.0\.0\.1"):
                read_traces(TraceSource((url,), headers={"Authorization": TOKEN}), None)
            first.shutdown()
        other.shutdown()
    assert seen == []


def test_an_error_in_place_of_traces_is_told_in_the_server_s_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(Server):
        def answer(self, path: str, query: dict[str, list[str]]) -> Any:
            if path == "/api/services":
                return {"data": ["web"]}
            return {"data": None, "errors": [{"code": 500, "msg": "no storage"}]}

    with (
        serving(Broken("jaeger", [])) as url,
        pytest.raises(HistoryError, match="the server answered: no storage"),
    ):
        read_traces(TraceSource((url,), headers={"Authorization": TOKEN}), None)


def test_traces_that_are_listed_and_gone_are_doubted() -> None:
    now_us = round(time.time() * 1e6)
    traces = [trace_of(n + 1, now_us - 10**8 - n) for n in range(20)]

    class Forgetful(Server):
        def answer(self, path: str, query: dict[str, list[str]]) -> Any:
            return None if path.endswith("/7") else super().answer(path, query)

    with serving(Forgetful("tempo", traces)) as url:
        told = read_traces(TraceSource((url,), headers={"Authorization": TOKEN}), None)
    assert told.counts.traces == 19
    assert any("1 of 20 traces were listed, and not there" in doubt for doubt in told.doubts)
