"""Print as JSON what planning costs: the fit, arrivals, imports of logs. Nothing is asserted.

python -m tests.bench.traffic [fit | arrivals | access_log | log_truth | clickstream | traces |
    trace_truth]
"""

from __future__ import annotations

import io
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from gameday.history.importers.access_log import read_access_logs
from gameday.history.importers.clickstream import Clickstream, read_clickstream
from gameday.history.trace_formats.otlp import messages_of
from gameday.history.traces import TraceSource, read_traces
from gameday.jobs.access_logs import AccessLogOrder
from gameday.jobs.import_history import Imported, ImportOrder, import_history
from gameday.scenario.blocks.journeys import Journey
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps, fit_starts
from gameday.traffic.journeys.calibration import calibrate
from tests.history.test_traces import SHOP, declared_edges, read
from tests.support.log_layouts import FORMATS, LAYOUTS, crowd, written_as
from tests.support.small_shop import flat_plan, load_small, small_shop
from tests.support.traced_shop import otlp_of, traced

STEPS = ("sign-in", "home", "search", "product", "cart", "checkout")


def _memory_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _journey(rng: np.random.Generator) -> Journey:
    rows = {}
    for step in STEPS:
        chances = np.round(0.85 * rng.dirichlet(np.ones(7)) + 0.15 * np.eye(7)[-1], 6)
        chances[-1] = 1 - chances[:-1].sum()
        rows[step] = dict(zip((*STEPS, "exit"), chances.tolist(), strict=True))
    think = {step: f"{int(rng.integers(10, 60))}s" for step in STEPS}
    return Journey.model_validate(
        {"start": {STEPS[0]: 1.0}, "next": rows, "think": think, "patience": "9s"}
    )


def fit(*, size: float = 1.0) -> dict[str, Any]:
    """48 hours, 2 regions, 6 steps, 8 classes: kernels, then both regions' starts."""
    rng, slots = np.random.default_rng(1), max(240, round(2880 * size))
    began = time.perf_counter()
    kernels = [lag_kernel(_journey(rng), STEPS, dict.fromkeys(STEPS, 0.5)) for _ in range(8)]
    kernels_s = time.perf_counter() - began
    day = 1 + 0.8 * np.sin(np.arange(slots) / 1440 * 2 * np.pi)
    planted = (5 + 30 * rng.random((2, 8)))[:, :, None] * day * (1 + 0.3 * rng.random((2, 8, 1)))
    steps = [caused_steps(starts, kernels) for starts in planted]
    began = time.perf_counter()
    found = [fit_starts(wanted, kernels) for wanted in steps]
    took = time.perf_counter() - began
    misses = np.concatenate(
        [
            ((caused_steps(x, kernels) - wanted) / np.sqrt(np.maximum(wanted, 1)))[:, 120:]
            for x, wanted in zip(found, steps, strict=True)
        ]
    )
    return {
        "kernels_s": round(kernels_s, 2),
        "fit_s": round(took, 2),
        "memory_mib": _memory_mib(),
        "slots_within_poisson_band": float((np.abs(misses) <= 2).mean()),
        "worst_deviation": round(float(np.abs(misses).max()), 3),
        "conditions": f"2 regions x {slots} slots x 6 steps x 8 journeys, steps caused by planted starts",
    }


def arrivals(*, size: float = 1.0) -> dict[str, Any]:
    """Sorted arrivals of an event, part by part."""
    with tempfile.TemporaryDirectory() as folder:
        plan = flat_plan(load_small(Path(folder), small_shop()), 1.0, slots=2880)
    out: dict[str, Any] = {}
    for number in (round(10**7 * size), round(10**8 * size)):
        counts = np.full((2, 3, 2880), round(number / 6 / 2880))
        whole = replace(
            plan, regions=("a", "b"), journeys=("x", "y", "z"), played=counts, half_life_slots={}
        )
        began, count = time.process_time(), 0
        for part in whole.arrivals_by_part():
            count += len(part.at_s)
        out[f"{number:.0e}"] = {
            "arrivals": count,
            "cpu_s": round(time.process_time() - began, 2),
            "memory_mib": _memory_mib(),
        }
    return out | {"conditions": "2 regions x 3 journeys x 2880 slots, Poisson within the slot"}


def access_log(*, size: float = 1.0) -> dict[str, Any]:
    """A Combined log of 300 MB in full, four of five requests steps, a tenth of them of robots that say so."""
    chance = np.random.default_rng(1)
    paths = (
        "/",
        "/index.html",
        "/search?q=shoes",
        "/product/%d",
        "/product/%d",
        "/product/%d",
        "/cart/add",
        "/checkout",
        "/static/app.%d.js",
        "/img/%d.png",
    )
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36"
    agents = (*(chrome,) * 9, "Googlebot/2.1 (+http://www.google.com/bot.html)")
    draws = chance.integers(0, (4, 256, 256, 10, 5000, 90000, 10), (round(1_500_000 * size), 7))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "access.log"
        with file.open("w") as stream:
            for number, (a, b, c, place, item, bytes_, agent) in enumerate(draws.tolist()):
                when = datetime.fromtimestamp(1714521600 + number // 40, UTC)
                path = paths[place].replace("%d", str(item))
                stream.write(
                    f'10.{a}.{b}.{c} - - [{when:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" 200 {bytes_} '
                    f'"https://shop.example/" "{agents[agent]}"\n'
                )
        began = time.process_time()
        summary = read_access_logs([file], None, Path(folder) / "events.parquet")
        took = time.process_time() - began
    return {
        "gb_per_min": round(summary.size / 1e9 / took * 60, 2),
        "lines": summary.lines,
        "cpu_s": round(took, 2),
        "memory_mib": _memory_mib(),
        "conditions": f"{summary.size / 1e6:.0f} MB unpacked, 200 bytes a line, no map: one is proposed",
    }


_STEP_OF = {"": "home", "product": "product", "cart": "cart", "checkout": "checkout"}


def log_truth(*, size: float = 1.0) -> dict[str, Any]:
    """Journeys of logs against the customers that made them: every layout detected, and by its format string."""
    requests = crowd(max(60, round(3000 * size)))
    customers = {asked.client for asked in requests}
    steps = Counter(_STEP_OF[urlsplit(asked.target).path.split("/")[1]] for asked in requests)
    buyers = {asked.client for asked in requests if asked.target == "/checkout"}
    cases = [(name, None) for name in LAYOUTS] + list(FORMATS.items())
    worst = {"sessions_off": 0.0, "conversion_off_points": 0.0, "counts_off": 0}
    for name, log_format in cases:
        told, counts = _imported(written_as(name, requests), log_format)
        sold = told.answer.buys[0].share
        off = {
            "sessions_off": abs(told.sessions / len(customers) - 1),
            "conversion_off_points": 100 * abs(sold - len(buyers) / len(customers)),
            "counts_off": sum(abs(counts.get(step, 0) - count) for step, count in steps.items()),
        }
        worst = {key: max(value, off[key]) for key, value in worst.items()}
    return {
        **worst,
        "conditions": f"worst of {len(LAYOUTS)} layouts detected and {len(FORMATS)} told by their format "
        f"string; {len(customers)} customers, {len(requests)} requests each",
    }


def _imported(text: str, log_format: str | None) -> tuple[Imported, dict[str, int]]:
    """Return what a log's import tells, and the counts it writes by step."""
    with tempfile.TemporaryDirectory() as folder:
        file, counts = Path(folder) / "access.log", Path(folder) / "counts.csv"
        file.write_text(text)
        logs = AccessLogOrder((file,), log_format=log_format)
        order = ImportOrder(out=Path(folder) / "out.yaml", access_logs=logs, counts=counts)
        imported = import_history(order)
        return imported, pd.read_csv(counts).groupby("step")["count"].sum().to_dict()


def clickstream(*, size: float = 1.0) -> dict[str, Any]:
    """Five million events in full, as Parquet, read, cut into sessions and fitted."""
    rng, events = np.random.default_rng(1), round(5_000_000 * size)
    seconds = np.sort(rng.integers(0, 86400, events))
    table = pd.DataFrame(
        {
            "event_time": pd.Timestamp("2024-05-01", tz="UTC") + pd.to_timedelta(seconds, "s"),
            "event_type": rng.choice(["view", "cart", "purchase"], events, p=[0.94, 0.04, 0.02]),
            "user_session": rng.integers(0, events // 4, events),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.parquet"
        table.to_parquet(file)
        began = time.process_time()
        seen = read_clickstream(file, Clickstream(user=None, category=None))
        read_s = time.process_time() - began
        calibrate(seen)
    return {
        "events": events,
        "read_cpu_s": round(read_s, 2),
        "whole_cpu_s": round(time.process_time() - began, 2),
        "memory_mib": _memory_mib(),
        "conditions": "four events a session, no product types",
    }


def traces(*, size: float = 1.0) -> dict[str, Any]:
    """A million spans in full: eight a trace over four services, as a collector writes them."""
    rng, count = np.random.default_rng(1), max(1, round(125_000 * size))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "traces.bin"
        with file.open("wb") as stream:
            for first in range(0, count, _TRACES_A_MESSAGE):
                message = _message_of_traces(rng, first, min(_TRACES_A_MESSAGE, count - first))
                stream.write(len(message).to_bytes(4, "big") + message)
        messages = list(messages_of(io.BytesIO(file.read_bytes())))
        began = time.process_time()
        for message in messages:
            TracesData.FromString(message)
        bare_s = time.process_time() - began
        began = time.process_time()
        told = read_traces(TraceSource((str(file),)), None)
        took = time.process_time() - began
    return {
        "spans": told.counts.spans,
        "spans_per_cpu_s": round(told.counts.spans / took),
        "times_a_bare_parse": round(took / bare_s, 1),
        "most_spans_held": told.counts.most_open,
        "memory_mib": _memory_mib(),
        "conditions": "OTLP protobuf, one process, 8 spans a trace, 500 traces a second, window 60 s",
    }


_TRACES_A_MESSAGE = 128
_CALLS = (
    # index of its parent, service, kind, ms from begin to end
    (None, "edge", 2, 0, 100),
    (0, "edge", 3, 10, 90),
    (1, "cart", 2, 11, 89),
    (2, "cart", 3, 20, 50),
    (3, "price", 2, 21, 49),
    (2, "cart", 3, 20, 60),
    (5, "stock", 2, 21, 59),
    (6, "stock", 1, 30, 40),
)
_ATTRIBUTES = (
    ("http.request.method", "GET"),
    ("url.path", "/cart"),
    ("http.route", "/cart"),
    ("http.response.status_code", "200"),
    ("server.address", "shop"),
    ("server.port", "80"),
    ("url.scheme", "http"),
    ("user_agent.original", "Mozilla/5.0"),
)


def trace_truth(*, size: float = 1.0) -> dict[str, Any]:
    """What traces tell of the embedded shop, instrumented, against what it was declared to be."""
    requests = {"home": 6000, "product": 4000, "checkout": 4000}
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_small(Path(folder), small_shop(), SHOP)
        spans = traced(scenario, {name: max(40, round(n * size)) for name, n in requests.items()})
        told = read(Path(folder), scenario, otlp_of(spans))
    declared = declared_edges(scenario)
    found = {
        (graph.step, graph.method, edge.callers, edge.service): edge.per_visit
        for graph in told.requests
        for edge in graph.edges
    }
    laws = {seen.service: scenario.services[seen.service].time for seen in told.services}
    return {
        "edges": len(declared),
        "edges_not_found": len(set(declared) - set(found)),
        "edges_made_up": len(set(found) - set(declared)),
        "multiplicity_off": max(abs(found.get(edge, 0) / n - 1) for edge, n in declared.items()),
        "as_written_share": min(graph.as_written_share for graph in told.requests),
        "mean_off": max(abs(s.mean_s / laws[s.service].mean - 1) for s in told.services),
        "p99_off": max(abs(s.p99_s / laws[s.service].seconds(0.99) - 1) for s in told.services),
        "conditions": f"{len(spans)} spans of {len(told.services)} services, OTLP, the worst of each",
    }


def _message_of_traces(rng: np.random.Generator, first: int, count: int) -> bytes:
    data = TracesData()
    spans = {}
    for service in ("edge", "cart", "price", "stock"):
        group = data.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = service
        spans[service] = group.scope_spans.add().spans
    for number in range(first, first + count):
        trace, identities = rng.bytes(16), [rng.bytes(8) for _ in _CALLS]
        start_ns = 1_700_000_000_000_000_000 + number * 2_000_000
        for index, (parent, service, kind, begin, end) in enumerate(_CALLS):
            span = spans[service].add(trace_id=trace, span_id=identities[index], kind=kind)
            span.name = f"{service} {kind}"
            span.parent_span_id = b"" if parent is None else identities[parent]
            span.start_time_unix_nano = start_ns + begin * 1_000_000
            span.end_time_unix_nano = start_ns + end * 1_000_000
            for key, value in _ATTRIBUTES:
                span.attributes.add(key=key).value.string_value = value
    return data.SerializeToString()


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "fit": fit,
    "arrivals": arrivals,
    "access_log": access_log,
    "log_truth": log_truth,
    "clickstream": clickstream,
    "traces": traces,
    "trace_truth": trace_truth,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        print(json.dumps({name: PARTS[name]()}, indent=1))
