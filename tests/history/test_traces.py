"""Traces: the instrumented shop is told as it is, whatever format, files and clocks its spans come in."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from gameday.errors import HistoryError, ScenarioError, UsageError
from gameday.history.traces import CallSeen, TraceSource, TraceStructure, read_traces
from gameday.history.traces.self_times import TimeSums
from gameday.jobs.import_traces import TraceOrder, import_traces
from gameday.products import to_json
from gameday.scenario import Scenario, load_scenario
from gameday.scenario.reading import from_yaml, to_yaml
from tests.support.small_shop import load_small, service, small_shop
from tests.support.trace_formats import TO_THE_MICROSECOND, TRACE_FORMATS
from tests.support.traced_shop import otlp_of, traced

REQUESTS = {"home": 900, "product": 600, "checkout": 600}


def lognormal(mean: str, cv: float, **changes: Any) -> dict[str, Any]:
    return service(mean, **changes) | {"time": {"law": "lognormal", "mean": mean, "cv": cv}}


SHOP = {
    "steps": {
        "home": {"exchanges": [{"path": "/", "calls": [{"home": [["catalogue", "recs?"]]}]}]},
        "checkout": {
            "exchanges": [
                {"path": "/checkout", "calls": [["identity", "cart"]]},
                {
                    "method": "POST",
                    "path": "/checkout",
                    "calls": [{"order": [["price", "stock"], "pay", "stock"]}],
                    "check": {"status": [201]},
                    "action": "place_order",
                },
            ]
        },
    },
    "services": {
        "home": service("8ms"),
        "catalogue": lognormal("12ms", 0.5),
        "recs": lognormal("30ms", 0.6, timeout="60ms"),
        "identity": lognormal("10ms", 0.5),
        "cart": lognormal("15ms", 0.5),
        "order": lognormal("30ms", 0.4, servers=30),
        "price": lognormal(
            "8ms", 0.4, servers=3, retry={"attempts": 2, "backoff": "40ms"}, timeout="18ms"
        ),
    },
}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return load_small(tmp_path_factory.mktemp("shop"), small_shop(), SHOP)


@pytest.fixture(scope="module")
def spans(scenario: Scenario) -> list[ReadableSpan]:
    return traced(scenario, REQUESTS)


@pytest.fixture(scope="module")
def structure(
    scenario: Scenario, spans: list[ReadableSpan], tmp_path_factory: pytest.TempPathFactory
) -> TraceStructure:
    return read(tmp_path_factory.mktemp("truth"), scenario, otlp_of(spans))


def read(
    folder: Path, scenario: Scenario | None, *files: bytes, window_s: float = 60.0
) -> TraceStructure:
    paths = [folder / f"{number}.bin" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return read_traces(TraceSource(tuple(map(str, paths)), window_s), scenario)


def declared_edges(scenario: Scenario) -> dict[tuple[str, str, tuple[str, ...], str], int]:
    """(step, method, callers, service) -> calls a visit."""
    out: dict[Any, int] = {}

    def walk(key: tuple[str, str], call: Any, callers: tuple[str, ...]) -> None:
        callers = (*callers, call.service)
        for group in call.then:
            for below in group:
                out[*key, callers, below.service] = out.get((*key, callers, below.service), 0) + 1
        for below in {b.service: b for group in call.then for b in group}.values():
            walk(key, below, callers)

    for name, step in scenario.steps.items():
        for exchange in step.each_exchange():
            walk((name, exchange.method), step.entry_call(exchange), ())
    return out


def test_every_call_is_found_as_often_as_it_is_made(
    scenario: Scenario, structure: TraceStructure
) -> None:
    found = {
        (graph.step, graph.method, edge.callers, edge.service): edge.per_visit
        for graph in structure.requests
        for edge in graph.edges
    }
    declared = declared_edges(scenario)
    assert set(found) == set(declared)
    for edge, times in declared.items():
        assert found[edge] == pytest.approx(times, rel=0.02)


def plain(groups: Any) -> list[list[str]]:
    """Return calls as text, without the order within a group, which no span tells."""
    return [
        sorted(f"{call.service}{'?' * _optional(call)} {plain(call.then)}" for call in group)
        for group in groups
    ]


def _optional(call: Any) -> bool:
    return bool(call.is_optional if isinstance(call, CallSeen) else call.optional)


def test_sequence_and_parallel_are_as_declared(
    scenario: Scenario, structure: TraceStructure
) -> None:
    for graph in structure.requests:
        exchange = next(
            e for e in scenario.steps[graph.step].each_exchange() if e.method == graph.method
        )
        assert plain(graph.calls) == plain(exchange.calls)
        assert graph.as_written_share >= 0.95


def test_own_work_is_told_without_calls_and_waits(
    scenario: Scenario, structure: TraceStructure
) -> None:
    for seen in structure.services:
        law = scenario.services[seen.service].time
        # 5 and 15 % are the bounds; beside them the chance of so many draws, three standard errors
        chance = 3 * np.sqrt(law.scv / seen.count)
        assert seen.mean_s == pytest.approx(law.mean, rel=max(0.05, chance))
        assert seen.p99_s == pytest.approx(law.seconds(0.99), rel=0.15 + chance)
    waited = {seen.service: seen.waited_s for seen in structure.services}
    assert waited["price"] > 0


def test_what_failed_was_retried_or_done_without_is_told(structure: TraceStructure) -> None:
    edges = {edge.service: edge for graph in structure.requests for edge in graph.edges}
    services = {seen.service: seen for seen in structure.services}
    assert edges["recs"].is_optional is True
    assert edges["recs"].failed_share == pytest.approx(0.065, abs=0.02)
    assert services["recs"].timeout_s == pytest.approx(0.060, rel=0.01)
    assert edges["price"].retry_share > 0
    assert edges["pay"].is_optional is None


def assert_alike(told: Any, truth: Any) -> None:
    """Assert that products are equal, but for the order in which sums were made."""
    if is_dataclass(told):
        for field in fields(told):
            assert_alike(getattr(told, field.name), getattr(truth, field.name))
    elif isinstance(told, dict):
        assert told.keys() == truth.keys()
        assert_alike(tuple(told.values()), tuple(truth.values()))
    elif isinstance(told, tuple):
        assert len(told) == len(truth)
        for mine, its in zip(told, truth, strict=True):
            assert_alike(mine, its)
    elif isinstance(told, float):
        assert told == pytest.approx(truth, rel=1e-9)
    else:
        assert told == truth


@pytest.mark.parametrize("name", TRACE_FORMATS)
def test_every_format_of_one_truth_gives_one_result(
    tmp_path: Path,
    scenario: Scenario,
    spans: list[ReadableSpan],
    structure: TraceStructure,
    name: str,
) -> None:
    told = read(tmp_path, scenario, TRACE_FORMATS[name](spans), window_s=1e6)
    assert told.counts.spans == told.counts.used == len(spans)
    if name not in TO_THE_MICROSECOND:
        assert_alike(told.requests, structure.requests)
        assert_alike(told.services, structure.services)
        return
    for mine, its in zip(told.services, structure.services, strict=True):
        assert (mine.service, mine.visits) == (its.service, its.visits)
        assert mine.mean_s == pytest.approx(its.mean_s, rel=1e-3, abs=2e-6)
    for graph, of_truth in zip(told.requests, structure.requests, strict=True):
        assert (graph.step, graph.requests, graph.calls) == (
            of_truth.step,
            of_truth.requests,
            of_truth.calls,
        )


def test_splitting_and_shuffling_files_changes_nothing(
    tmp_path: Path, scenario: Scenario, spans: list[ReadableSpan], structure: TraceStructure
) -> None:
    rng = np.random.default_rng(5)
    by_service: dict[str, list[ReadableSpan]] = {}
    for span in spans:
        by_service.setdefault(str(span.resource.attributes["service.name"]), []).append(span)
    shuffled = [spans[i] for i in rng.permutation(len(spans))]
    thirds = [shuffled[i::3] for i in range(3)]
    for number, parts in enumerate((list(by_service.values()), thirds)):
        folder = tmp_path / str(number)
        folder.mkdir()
        told = read(folder, scenario, *map(otlp_of, parts))
        assert told.counts.used == len(spans)
        assert_alike(told.requests, structure.requests)
        for mine, its in zip(told.services, structure.services, strict=True):
            assert mine.mean_s == pytest.approx(its.mean_s, rel=1e-9)
            assert mine.p99_s == its.p99_s


def test_clocks_that_differ_change_nothing_and_are_counted(
    tmp_path: Path, scenario: Scenario, structure: TraceStructure
) -> None:
    skew = {"price": -2.0, "pay": 0.7, "home": 30.0}
    told = read(tmp_path, scenario, otlp_of(traced(scenario, REQUESTS, skew_s=skew)))
    assert told.counts.skewed >= 3 * REQUESTS["home"] // 2
    assert told.counts.largest_skew_s == pytest.approx(30.0, abs=0.5)
    assert [graph.calls for graph in told.requests] == [g.calls for g in structure.requests]
    for mine, its in zip(told.services, structure.services, strict=True):
        assert mine.mean_s == pytest.approx(its.mean_s, rel=1e-3)
    assert any("clocks were moved" in note for note in told.notes)


@pytest.mark.parametrize("window_s", [0.01, 1.0, 60.0])
def test_spans_are_used_or_left_out_for_a_reason(
    tmp_path: Path, scenario: Scenario, spans: list[ReadableSpan], window_s: float
) -> None:
    rng = np.random.default_rng(6)
    kept = [span for span in spans if rng.random() > 0.002]
    twice = kept + [span for span in kept if rng.random() < 0.01]
    shuffled = [twice[i] for i in rng.permutation(len(twice))]
    batches = [otlp_of(shuffled[i : i + 500]) for i in range(0, len(shuffled), 500)]
    data = b"".join(len(batch).to_bytes(4, "big") + batch for batch in batches)
    counts = read(tmp_path, scenario, data, window_s=window_s).counts
    assert counts.spans == len(shuffled)
    left = counts.late + counts.impossible + counts.duplicates + counts.of_broken_traces
    assert counts.spans == counts.used + left
    assert counts.duplicates > 0
    assert counts.of_broken_traces > 0


def test_memory_holds_the_traces_of_a_window_only(
    tmp_path: Path, scenario: Scenario, spans: list[ReadableSpan]
) -> None:
    ordered = sorted(spans, key=lambda span: span.start_time)
    batches = [otlp_of(ordered[i : i + 200]) for i in range(0, len(ordered), 200)]
    data = b"".join(len(batch).to_bytes(4, "big") + batch for batch in batches)
    lasts_s = (ordered[-1].end_time - ordered[0].start_time) / 1e9
    told = read(tmp_path, scenario, data, window_s=2.0)
    assert told.counts.late == 0
    assert told.counts.most_open < 3.5 / lasts_s * len(spans) + 400


@pytest.mark.parametrize(
    ("share", "state"),
    [(0.25, "vendor=1,ot=rv:aa;th:c"), (0.5, "ot=p:1"), (0.125, "ot=th:e")],
)
def test_a_sampled_trace_stands_for_those_left_out(
    tmp_path: Path, scenario: Scenario, spans: list[ReadableSpan], share: float, state: str
) -> None:
    kept = [span for span in spans if span.context.trace_id / 2**128 < share]
    message = encode(kept)
    for group in message.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                span.trace_state = state
    told = read(tmp_path, scenario, message.SerializeToString())
    assert told.counts.sampled == pytest.approx(1 / share)
    requests = {(g.step, g.method): g.requests for g in told.requests}
    assert requests["home", "GET"] == pytest.approx(REQUESTS["home"], rel=0.15 / share**0.5)


def encode(spans: list[ReadableSpan]) -> Any:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    return encode_spans(spans)


def test_a_call_made_in_a_share_of_visits_is_written_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    calls = [["40% stock", "pay?"], {"70% edge2": ["15% stock"]}]
    changes = {
        "steps": {"product": {"exchanges": [{"path": "/product/{product}", "calls": calls}]}},
        "services": {"edge2": service("5ms")},
    }
    some = load_small(tmp_path_factory.mktemp("some"), small_shop(), changes)
    told = read(tmp_path, some, otlp_of(traced(some, {"product": 4000})))
    [graph] = told.requests
    assert graph.as_written_share == 1.0
    [[pay, stock], [edge2]] = graph.calls
    [[below]] = edge2.then
    assert (pay.service, pay.chance) == ("pay", 1.0)
    assert (stock.service, edge2.service, below.service) == ("stock", "edge2", "stock")
    chances = [call.chance for call in (stock, edge2, below)]
    assert chances == pytest.approx([0.40, 0.70, 0.15], rel=0.1)
    out = tmp_path / "out.yaml"
    import_traces(TraceOrder(TraceSource((str(tmp_path / "0.bin"),)), out))
    assert f"{100 * stock.chance:.3g}% stock" in out.read_text()
    assert f"{100 * edge2.chance:.3g}% edge2:" in out.read_text()


def test_waits_that_no_span_tells_are_found_by_how_many_were_there(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    busy = load_small(
        tmp_path_factory.mktemp("busy"),
        small_shop(),
        {"services": {"stock": lognormal("40ms", 0.3, servers=4)}},
    )
    spans = traced(busy, {"product": 4000}, per_s=85.0)
    hidden = [span for span in spans if span.name != "wait for a worker"]
    told = read(tmp_path, busy, otlp_of(hidden))
    stock = next(seen for seen in told.services if seen.service == "stock")
    assert stock.waits_from is not None
    assert stock.mean_s == pytest.approx(0.040, rel=0.05)
    assert stock.p99_s == pytest.approx(busy.services["stock"].time.seconds(0.99), rel=0.15)
    assert any("they wait" in note for note in told.notes)


def test_without_a_scenario_steps_are_proposed_and_what_is_none_is_counted(
    tmp_path: Path, spans: list[ReadableSpan]
) -> None:
    told = read(tmp_path, None, otlp_of(spans))
    steps = {(graph.method, graph.template): graph.step for graph in told.requests}
    assert steps["POST", "/checkout"] == "checkout"
    assert steps["GET", "/"] == "home"
    assert (
        sum(graph.requests for graph in told.requests)
        == sum(REQUESTS.values()) + REQUESTS["checkout"]
    )


def test_what_is_written_is_a_part_of_the_scenario_and_leaves_open_what_traces_cannot_tell(
    tmp_path: Path, scenario: Scenario, spans: list[ReadableSpan], tmp_path_factory: Any
) -> None:
    data, out = tmp_path / "spans.bin", tmp_path / "services.yaml"
    data.write_bytes(otlp_of(spans))
    known = tmp_path_factory.mktemp("known") / "shop.yaml"
    known.write_text(json.dumps(merged_back(scenario)), encoding="utf-8")
    imported = import_traces(TraceOrder(TraceSource((str(data),)), out, event=str(known)))
    assert imported.unknown == ()
    event = tmp_path / "event.yaml"
    whole = merged_back(scenario)
    for name in whole["services"]:
        del whole["services"][name]["time"]
    whole["steps"] = {}
    event.write_text(to_yaml(whole | {"include": ["services.yaml"]}), encoding="utf-8")
    loaded = load_scenario(str(event))
    assert declared_edges(loaded) == declared_edges(scenario)
    for name, mine in loaded.services.items():
        assert mine.time.mean == pytest.approx(scenario.services[name].time.mean, rel=0.1)

    alone = import_traces(TraceOrder(TraceSource((str(data),)), out))
    assert "services.pay.servers_per_instance" in alone.unknown
    del whole["services"]
    event.write_text(to_yaml(whole | {"include": ["services.yaml"]}), encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load_scenario(str(event))
    lines = [line for line in str(refused.value).splitlines() if "services.pay." in line]
    assert len(lines) == 4
    assert all("not known yet; write it: the comment beside it says how" in line for line in lines)


def merged_back(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data again, as its file was written."""
    from tests.support.small_shop import merged

    return merged(small_shop(), SHOP)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no whole trace"),
        (b"\x00\x00\x00\x50\x0a\x02", "ends within a message"),
        (b'{"hello": 1}', "is no OTLP, Jaeger or Zipkin traces"),
        (b'{"resourceSpans": [', "is no whole JSON"),
        (b"time,step,count\n", "is text, but no JSON of traces"),
        (b'{"resourceSpans": []}', "no whole trace"),
        (b"\x1f\x8b\x08broken", "0.bin"),
    ],
)
def test_what_holds_no_traces_is_refused_by_name(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(HistoryError, match=says):
        read(tmp_path, None, data)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="check --traces"):
        read_traces(TraceSource((str(tmp_path / "nothing"),)), None)


def spans_by_hand(*rows: dict[str, Any]) -> bytes:
    """Return OTLP JSON of spans given by hand: service, id, parent, kind, start and end in ms, and attributes."""
    groups = [
        {
            "resource": {"attributes": attributes({"service.name": row["service"]})},
            "scopeSpans": [{"spans": [by_hand(row)]}],
        }
        for row in rows
    ]
    return json.dumps({"resourceSpans": groups}).encode()


def by_hand(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "traceId": f"{row.get('trace', 1):032x}",
        "spanId": f"{row['id']:016x}",
        "parentSpanId": f"{row['parent']:016x}" if row.get("parent") else "",
        "name": row.get("name", "work"),
        "kind": row.get("kind", 2),
        "startTimeUnixNano": str(int(row["start"] * 1e6)),
        "endTimeUnixNano": str(int(row["end"] * 1e6)),
        "attributes": attributes(row.get("tags", {})),
        "status": {"code": 2} if row.get("error") else {},
    }


def attributes(named: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": str(v)}} for name, v in named.items()]


ROOT = {
    "service": "web",
    "id": 1,
    "start": 0,
    "end": 100,
    "tags": {"http.request.method": "GET", "url.path": "/cart"},
}


def edges_of(told: TraceStructure) -> dict[str, Any]:
    return {edge.service: edge for graph in told.requests for edge in graph.edges}


def test_a_database_that_sends_no_spans_is_a_service_seen_by_its_callers(tmp_path: Path) -> None:
    query = {
        "service": "web",
        "id": 2,
        "parent": 1,
        "kind": 3,
        "start": 10,
        "end": 40,
        "tags": {"db.system": "postgresql"},
    }
    told = read(tmp_path, None, spans_by_hand(ROOT, query))
    database = next(seen for seen in told.services if seen.service == "postgresql")
    web = next(seen for seen in told.services if seen.service == "web")
    assert database.is_seen_by_callers_only
    assert database.mean_s == pytest.approx(0.030)
    assert web.mean_s == pytest.approx(0.070)


def test_messages_nobody_waits_for_are_no_calls(tmp_path: Path) -> None:
    sent = {
        "service": "web",
        "id": 2,
        "parent": 1,
        "kind": 4,
        "start": 10,
        "end": 11,
        "tags": {"messaging.system": "kafka"},
    }
    taken = {"service": "mailer", "id": 3, "parent": 2, "kind": 5, "start": 500, "end": 900}
    told = read(tmp_path, None, spans_by_hand(ROOT, sent, taken))
    assert edges_of(told)["mailer"].asynchronous_share == 1.0
    assert told.requests[0].calls == ()
    assert next(s for s in told.services if s.service == "web").mean_s == pytest.approx(
        0.1, rel=0.02
    )


def test_a_browser_that_begins_the_trace_is_no_service(tmp_path: Path) -> None:
    browser = {"service": "page", "id": 9, "kind": 3, "start": -50, "end": 150}
    told = read(tmp_path, None, spans_by_hand(browser, ROOT | {"parent": 9}))
    assert [graph.entry for graph in told.requests] == ["web"]
    assert [seen.service for seen in told.services] == ["web"]


def test_caller_and_called_may_share_one_identity(tmp_path: Path) -> None:
    client = {"service": "web", "id": 2, "parent": 1, "kind": 3, "start": 10, "end": 40}
    server = {"service": "stock", "id": 2, "parent": 1, "kind": 2, "start": 12, "end": 38}
    told = read(tmp_path, None, spans_by_hand(ROOT, client, server))
    assert told.counts.duplicates == 0
    assert edges_of(told)["stock"].transit_s == pytest.approx(0.004)


def test_spans_in_a_circle_or_very_deep_are_left_out_and_counted(tmp_path: Path) -> None:
    circle = [
        {"service": "a", "trace": 2, "id": 11, "parent": 12, "start": 0, "end": 5},
        {"service": "b", "trace": 2, "id": 12, "parent": 11, "start": 0, "end": 5},
    ]
    deep = [
        {
            "service": f"s{n % 2}",
            "trace": 3,
            "id": 100 + n,
            "parent": 99 + n if n else 0,
            "start": n / 1e3,
            "end": 9,
        }
        for n in range(5000)
    ]
    told = read(tmp_path, None, spans_by_hand(ROOT, *circle, *deep))
    assert told.counts.used == 1
    assert told.counts.of_broken_traces == 5002


# --- odd members, each once wrong in silence -------------------------------------------------------


def many(*rows: dict[str, Any], count: int = 300, chance: dict[int, float] | None = None) -> bytes:
    """Return traces of these rows; a row whose id is in `chance` is in that share of them."""
    rng, out = np.random.default_rng(3), []
    for trace in range(1, count + 1):
        made = {i for i, share in (chance or {}).items() if rng.random() < share}
        for row in rows:
            if row["id"] in made or row["id"] not in (chance or {}):
                shift = 200.0 * trace
                moved = {"start": row["start"] + shift, "end": row["end"] + shift}
                out.append(row | moved | {"trace": trace})
    return spans_by_hand(*out)


def client(identity: int, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {
        "service": "web",
        "id": identity,
        "parent": 1,
        "kind": 3,
        "start": start,
        "end": end,
    } | more


def server(
    service: str, identity: int, parent: int, start: float, end: float, **more: Any
) -> dict[str, Any]:
    return {"service": service, "id": identity, "parent": parent, "start": start, "end": end} | more


def own_ms(told: TraceStructure) -> dict[str, float]:
    return {seen.service: 1e3 * seen.mean_s for seen in told.services if seen.mean_s is not None}


def test_waits_for_what_is_not_awaited_are_own_work(tmp_path: Path) -> None:
    publish = client(2, 10, 40, kind=4, tags={"messaging.system": "kafka"})
    later = client(4, 20, 150)
    told = read(
        tmp_path,
        None,
        many(
            ROOT, publish, server("mail", 3, 2, 60, 70, kind=5), later, server("log", 5, 4, 21, 149)
        ),
    )
    assert own_ms(told)["web"] == pytest.approx(100.0)
    lost = {seen.service: seen.asynchronous_share for seen in told.services}
    assert lost == {"web": 0.0, "mail": 1.0, "log": 1.0}
    assert sum("work that nobody waits for" in doubt for doubt in told.doubts) == 2


def test_calls_whose_own_span_is_lost_are_not_the_service_s_work(tmp_path: Path) -> None:
    rows = (ROOT, client(2, 10, 80), server("stock", 3, 2, 11, 16))
    told = read(tmp_path, None, many(*rows, chance={3: 0.9}))
    stock = next(seen for seen in told.services if seen.service == "stock")
    assert stock.mean_s == pytest.approx(0.005)
    assert stock.unseen_share == pytest.approx(0.1, abs=0.05)


def test_services_behind_one_address_are_told_apart_by_what_is_asked_of_them(
    tmp_path: Path,
) -> None:
    at = {"server.address": "gateway", "http.request.method": "GET"}
    rows = (
        ROOT,
        client(2, 10, 20, tags=at | {"url.path": "/pay/7"}),
        server("pay", 3, 2, 11, 19),
        client(4, 30, 60, tags=at | {"url.path": "/legacy/7"}),
        client(5, 60, 70, tags={"db.system": "postgresql", "db.namespace": "users"}),
        client(6, 70, 90, tags={"db.system": "postgresql", "db.namespace": "orders"}),
    )
    told = read(tmp_path, None, many(*rows))
    assert own_ms(told) == pytest.approx(
        {"web": 30, "pay": 8, "gateway": 30, "postgresql-users": 10, "postgresql-orders": 20}
    )
    assert {name: edge.per_visit for name, edge in edges_of(told).items()} == dict.fromkeys(
        ("pay", "gateway", "postgresql-users", "postgresql-orders"), 1.0
    )


def test_another_request_after_a_failure_is_no_retry_and_a_retry_s_pause_is_no_work(
    tmp_path: Path,
) -> None:
    level, reserve = (
        {"http.request.method": "GET", "url.path": path} for path in ("/level", "/reserve")
    )
    rows = (
        ROOT,
        client(2, 10, 20, tags=level, error=True),
        server("stock", 3, 2, 11, 19, error=True),
        client(4, 30, 40, tags=reserve),
        server("stock", 5, 4, 31, 39),
        client(6, 40, 50, tags=level, error=True),
        client(7, 70, 80, tags=level),
    )
    told = read(tmp_path, None, many(*rows))
    assert edges_of(told)["stock"].per_visit == 2.0
    assert edges_of(told)["stock"].retry_share == pytest.approx(
        2 / 2
    )  # the first call was asked three times
    # 100 ms without the span from the first try to the last one
    assert own_ms(told)["web"] == pytest.approx(30.0)


def test_work_of_two_sizes_is_written_as_measured(tmp_path: Path) -> None:
    small, large = (ROOT | {"end": end} for end in (10, 1000))
    rows = [small | {"trace": n, "start": n, "end": n + 10} for n in range(1, 981)]
    rows += [large | {"trace": n, "start": n, "end": n + 1000} for n in range(981, 1001)]
    told = read(tmp_path, None, spans_by_hand(*rows))
    law = told.services[0].law
    assert law.law == "empirical"
    assert law.quantiles_s["p50"] == pytest.approx(0.010, rel=0.01)
    assert law.quantiles_s["p99"] == pytest.approx(1.0, rel=0.01)


def test_probes_are_no_part_of_the_law_that_is_written(tmp_path: Path) -> None:
    probe = {"http.request.method": "GET", "url.path": "/healthz"}
    rows = [ROOT | {"trace": n, "start": 0, "end": 1, "tags": probe} for n in range(1, 901)]
    rows += [ROOT | {"trace": n} for n in range(901, 1001)]
    told = read(tmp_path, None, spans_by_hand(*rows))
    assert own_ms(told) == {"web": pytest.approx(100.0)}
    assert any("GET /healthz (900)" in note for note in told.notes)


def test_lines_and_spans_that_are_none_are_counted_and_doubted(tmp_path: Path) -> None:
    good = spans_by_hand(ROOT)
    bad = json.loads(spans_by_hand(ROOT | {"trace": 2}, ROOT | {"trace": 3}))
    bad["resourceSpans"][1]["scopeSpans"][0]["spans"][0].pop("startTimeUnixNano")
    data = good[:50] + b"\n" + good + b"\n" + json.dumps(bad).encode() + b"\n" + good[:70] + b"\n"
    told = read(tmp_path, None, data)
    assert told.counts.used == told.counts.spans == 2
    assert told.counts.malformed == 3
    assert any("3 lines or spans are none" in doubt for doubt in told.doubts)


def test_an_empty_message_does_not_end_a_file(tmp_path: Path, spans: list[ReadableSpan]) -> None:
    first, second = otlp_of(spans[:2000]), otlp_of(spans[2000:])
    data = b"".join(len(part).to_bytes(4, "big") + part for part in (first, b"", second))
    assert read(tmp_path, None, data).counts.spans == len(spans)


@pytest.mark.parametrize("skew_ms", [7_200_000.0, -50.0, 81.5])
def test_clocks_of_services_that_are_called_without_a_client_s_span_are_mended(
    tmp_path: Path, skew_ms: float
) -> None:
    rows = (ROOT, server("stock", 3, 1, 9 + skew_ms, 19 + skew_ms))
    told = read(tmp_path, None, many(*rows), window_s=1e5)
    assert edges_of(told)["stock"].per_visit == 1.0
    assert own_ms(told)["stock"] == pytest.approx(10.0)


def test_a_reply_that_comes_after_its_caller_gave_up_is_no_clock_s_fault(tmp_path: Path) -> None:
    rows = (
        ROOT,
        client(2, 10, 30, error=True, tags={"error.type": "timeout"}),
        server("stock", 3, 2, 25, 44),
    )
    told = read(tmp_path, None, many(*rows))
    assert told.counts.skewed == 0
    assert next(s for s in told.services if s.service == "stock").timeout_s == pytest.approx(0.020)


def test_what_one_order_of_calls_cannot_tell_is_doubted(tmp_path: Path) -> None:
    a, b = client(2, 10, 20), client(4, 30, 40)
    one = [ROOT, a, server("a", 3, 2, 11, 19), b, server("b", 5, 4, 31, 39)]
    other = [ROOT, a, server("b", 3, 2, 11, 19), b, server("a", 5, 4, 31, 39)]
    rows = [row | {"trace": n} for n in range(1, 301) for row in (one if n % 2 else other)]
    told = read(tmp_path, None, spans_by_hand(*rows))
    assert told.requests[0].as_written_share == pytest.approx(0.5, abs=0.01)
    assert any("order that is written" in doubt for doubt in told.doubts)

    beside = (
        ROOT,
        client(2, 10, 20),
        server("a", 3, 2, 11, 19),
        client(4, 22, 40),
        server("b", 5, 4, 23, 39),
    )
    chain = (*beside, client(6, 10, 50), server("c", 7, 6, 11, 49))
    assert any("beside a longer" in doubt for doubt in read(tmp_path, None, many(*chain)).doubts)


def test_so_many_shapes_that_they_are_not_told_apart_keep_their_shares(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [ROOT]
    for n in range(12):
        rows += [
            client(10 + n, 5 * n, 5 * n + 4),
            server(f"s{n}", 30 + n, 10 + n, 5 * n, 5 * n + 3),
        ]
    rng, out = np.random.default_rng(8), []
    for trace in range(1, 3001):
        made = {n for n in range(12) if rng.random() < 0.3}
        out += [
            row | {"trace": trace}
            for row in rows
            if row["id"] == 1 or (row["id"] - 10) % 20 in made
        ]
    edges = edges_of(read(tmp_path, None, spans_by_hand(*out)))
    assert [edges[f"s{n}"].per_visit for n in range(12)] == pytest.approx([0.3] * 12, abs=0.03)


def test_names_that_a_scenario_cannot_have_are_changed_and_told(tmp_path: Path) -> None:
    long = "com.acme." + "x" * 50
    names = ("100% off", "who?", "Cart", "cart", "заказы", "カート", f"{long}.a", f"{long}.b")
    rows: list[dict[str, Any]] = [ROOT]
    for n, name in enumerate(names):
        rows += [client(10 + n, 5 * n, 5 * n + 4), server(name, 30 + n, 10 + n, 5 * n, 5 * n + 3)]
    (tmp_path / "t.json").write_bytes(many(*rows, count=3))
    imported = import_traces(
        TraceOrder(TraceSource((str(tmp_path / "t.json"),)), tmp_path / "o.yaml")
    )
    written = from_yaml((tmp_path / "o.yaml").read_text())
    assert set(imported.renamed) == set(names) - {"cart"} or "cart" in imported.renamed
    assert len(written["services"]) == len(names) + 1
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name) for name in written["services"])


def test_several_requests_of_what_is_called_alike_are_steps_of_their_own(tmp_path: Path) -> None:
    summary = ROOT | {"tags": {"http.request.method": "GET", "url.path": "/cart/summary"}}
    rows = [ROOT | {"trace": n} for n in range(1, 101)]
    rows += [summary | {"trace": n} for n in range(101, 111)]
    told = read(tmp_path, None, spans_by_hand(*rows))
    assert {graph.step: graph.requests for graph in told.requests} == {
        "cart": 100,
        "cart-summary": 10,
    }


def test_requests_of_a_step_that_are_none_of_its_exchanges_are_doubted(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    urls = {"history": {"urls": {"home": ["/", "/start"]}}}
    file = tmp_path_factory.mktemp("urls") / "small.yaml"
    load_small(file.parent, small_shop(), urls)
    here = [
        ROOT
        | {"trace": n, "service": "edge", "tags": {"http.request.method": "GET", "url.path": path}}
        for n, path in enumerate(["/"] * 60 + ["/start"] * 40, start=1)
    ]
    (tmp_path / "t.json").write_bytes(spans_by_hand(*here))
    order = TraceOrder(TraceSource((str(tmp_path / "t.json"),)), tmp_path / "o.yaml", str(file))
    [doubt] = import_traces(order).doubts
    assert doubt.startswith(
        "home: 40.0% of its requests are none of its exchanges: GET /start (40)"
    )


def test_a_service_of_which_nothing_went_well_has_no_time(tmp_path: Path) -> None:
    rows = (ROOT, client(2, 10, 20, error=True), server("reco", 3, 2, 11, 19, error=True))
    (tmp_path / "t.json").write_bytes(many(*rows))
    imported = import_traces(
        TraceOrder(TraceSource((str(tmp_path / "t.json"),)), tmp_path / "o.yaml")
    )
    assert "services.reco.time" in imported.unknown
    assert any("reco: no visit went well" in doubt for doubt in imported.doubts)
    assert json.dumps(to_json(imported), allow_nan=False)


def test_requests_whose_common_caller_is_lost_are_read_each(tmp_path: Path) -> None:
    rows = [ROOT | {"id": n, "parent": 99, "start": n, "end": n + 10} for n in (1, 2, 3)]
    told = read(tmp_path, None, spans_by_hand(*rows))
    assert told.counts.used == 3
    assert told.requests[0].requests == 3


def test_other_files_of_a_folder_are_left_out_by_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# These are traces\n")
    (tmp_path / "a.json").write_bytes(spans_by_hand(ROOT))
    told = read_traces(TraceSource((str(tmp_path),)), None)
    assert told.counts.used == 1
    assert any("README.md: is text" in note for note in told.notes)


@pytest.mark.parametrize("pack", ["zstd", "gzip"])
def test_json_may_be_packed_as_a_whole(tmp_path: Path, pack: str) -> None:
    held = pa.BufferOutputStream()
    with pa.CompressedOutputStream(held, pack) as stream:
        stream.write(spans_by_hand(ROOT))
    assert read(tmp_path, None, held.getvalue().to_pybytes()).counts.used == 1


def test_a_call_whose_visit_is_lost_is_no_request(
    tmp_path: Path, scenario: Scenario, spans: list[ReadableSpan], structure: TraceStructure
) -> None:
    kept = [s for s in spans if s.parent is not None or s.context.trace_id % 2]
    told = read(tmp_path, scenario, otlp_of(kept))
    whole = sum(s.parent is None and s.context.trace_id % 2 for s in spans)
    assert sum(graph.requests for graph in told.requests) == whole
    assert told.counts.of_broken_traces == told.counts.spans - told.counts.used > 0
    assert any("a span's parent is missing" in doubt for doubt in told.doubts)
    truth = {seen.service: seen.mean_s for seen in structure.services}
    for seen in told.services:
        assert seen.mean_s == pytest.approx(truth[seen.service], rel=0.15)


def test_unequal_weights_are_worth_fewer_visits() -> None:
    rng = np.random.default_rng(4)
    means, errors = [], []
    for _ in range(300):
        sums = TimeSums()
        weights = np.where(rng.random(400) < 0.1, 30.0, 1.0)
        sums.add(rng.exponential(0.01, 400), weights)
        means.append(sums.mean_s)
        errors.append(sums.error_s)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)
