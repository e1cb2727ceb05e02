"""A shop of which nothing is known but its pages: what works without services, and what cannot be told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from gameday.calibrate import Calibration, Equivalent, overlay_text
from gameday.calibrate.equivalent import StepTime
from gameday.record.intervals import Interval
from gameday.scenario import load_scenario
from tests.support.program import Bench, Run, assert_judged

pytestmark = pytest.mark.slow

_SCENARIO = """\
event: {name: unknown-shop, kind: sale, start: 2026-12-05T18:00, duration: 2h}
regions: {de: {zone: Europe/Berlin, stack: site}}
history: {until: 2026-12-01T00:00Z}
journeys:
  visitor:
    start: {home: 1.0}
    next:
      home: {product: 0.7, exit: 0.3}
      product: {product: 0.3, checkout: 0.2, exit: 0.5}
      checkout: {exit: 1.0}
    think: {other: 2s}
    patience: 10s
steps:
  home: {exchanges: [{path: /}]}
  product: {exchanges: [{path: /p/1}]}
  checkout: {exchanges: [{method: POST, path: /checkout, form: {a: b}, check: {status: [201]}}]}
objectives: [p95 of home < 300ms, error rate of all steps < 1%]
replay: {peak: 2m, speed: 20, steps_per_s: 200}
"""
_PER_MINUTE = {"home": 300, "product": 300, "checkout": 60}


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    takes_s = 0.0

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(201)

    def _answer(self, status: int) -> None:
        time.sleep(self.takes_s)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


@pytest.fixture(scope="module", params=[0.002, 0.5], ids=["quick", "slow"])
def site(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """Give the address of a shop that nobody described, and whether it is slow."""
    pages = type("Pages", (_Pages,), {"takes_s": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), pages)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", request.param > 0.1
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def three_at_once() -> Iterator[tuple[str, Callable[[float], None]]]:
    """Give the address of a shop that answers three at once, and what makes its checkout slower."""
    extra_s, three = {"POST": 0.0}, threading.Semaphore(3)

    class Pages(_Pages):
        wbufsize = -1

        def _answer(self, status: int) -> None:
            with three:
                time.sleep(0.03 + extra_s.get(self.command, 0.0))
            super()._answer(status)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", lambda s: extra_s.update(POST=s)
    server.shutdown()
    thread.join()
    server.server_close()


def _files(bench: Bench, times: int = 1) -> tuple[str, str]:
    """Write the scenario and the curve of its two hours; return their paths."""
    file, curve = bench.path / "unknown.yaml", bench.path / "curve.csv"
    file.write_text(_SCENARIO)
    minutes = pd.date_range("2026-12-05T17:00Z", periods=120, freq="min")
    rows = [
        (minute.isoformat(), "de", step, times * count)
        for minute in minutes
        for step, count in _PER_MINUTE.items()
    ]
    pd.DataFrame(rows, columns=["time", "region", "step", "count"]).to_csv(curve, index=False)
    return str(file), str(curve)


@pytest.fixture(scope="module")
def played(kept_bench: Bench, site: tuple[str, bool]) -> tuple[Run, bool]:
    url, is_slow = site
    event, curve = _files(kept_bench)
    more = ("--demand", curve, "--scale", "1")
    return kept_bench.replayed(event, "--target", url, *more), is_slow


def test_a_black_box_is_judged_by_what_is_measured(played: tuple[Run, bool]) -> None:
    run, is_slow = played
    summary = assert_judged(run, *(("FAIL", 1) if is_slow else ("WARN", 10)))
    missed = [f for f in summary["findings"] if "p95 of home < 300ms" in json.dumps(f)]
    assert bool(missed) == is_slow
    assert summary["books"]["sessions"]["started"] > 20
    assert summary["requests"] == []


def test_what_cannot_be_told_is_said_and_changes_the_verdict(played: tuple[Run, bool]) -> None:
    run, _ = played
    told = json.dumps(run.summary["verdict"])
    assert "the scenario has no services" in told
    assert "what can be lost, and how many servers to order" in told
    assert "the scenario has no services" in run.said
    page = (run.folder / "report.html").read_text()
    assert "How many servers to order cannot be told" in page
    assert "What can be lost cannot be told" in page
    assert "every fleet holds" not in page


def test_the_given_demand_is_called_given(played: tuple[Run, bool]) -> None:
    run, _ = played
    forecast = run.summary["forecast"]
    assert forecast["is_given"]
    assert forecast["actuals"] is None
    assert any("no spread" in note for note in forecast["notes"])
    assert "Nothing is forecast: the demand was given" in (run.folder / "report.html").read_text()


@pytest.mark.parametrize("verb", ["report", "findings", "capacity show"])
def test_a_black_box_s_run_is_shown_again(played: tuple[Run, bool], verb: str) -> None:
    run, _ = played
    again = run.bench.says(*verb.split(), str(run.folder))
    again.says_no_trace()
    assert again.code in (0, 1), again.complained


def test_a_black_box_is_planned(bench: Bench) -> None:
    event, curve = _files(bench)
    run = bench.says("plan", "--event", event, "--demand", curve, "--out", "plan.html")
    assert run.code == 0, run.complained
    assert "no services are written" in run.said
    assert (bench.path / "plan.html").is_file()


def test_what_a_black_box_cannot_do_is_refused_with_the_remedy(bench: Bench) -> None:
    event, curve = _files(bench)
    asked = ("--event", event, "--demand", curve)
    for verb, says in (
        ("simulate", "there is nothing to model"),
        ("replay", "give --target URL"),
    ):
        run = bench.says(verb, *asked)
        assert run.code == 2, (verb, run.complained)
        assert says in run.complained
        assert "history import --traces" in run.complained
    assert not bench.out.exists() or not list(bench.out.glob("*/*"))


def test_a_station_stands_in_for_the_services(
    bench: Bench, three_at_once: tuple[str, Callable[[float], None]]
) -> None:
    url, _ = three_at_once
    event, curve = _files(bench)
    known = Interval(3.0, 3.0, 3.0)
    times = tuple(StepTime(step, 0.03, 0.1) for step in _PER_MINUTE)
    station = Equivalent("site", known, Interval(1.0, 1.0, 1.0), known, known, times, 0.0, 20)
    sha256 = load_scenario(event).sha256()
    overlay = bench.path / "calibrated.yaml"
    calibration = Calibration(sha256, (), {}, (), (), equivalents=(station,))
    overlay.write_text(overlay_text(calibration))
    more = ("--demand", curve, "--scale", "1", "--target", url, "--calibration", str(overlay))
    run = bench.replayed(event, *more)
    summary = assert_judged(run, "WARN", 10)
    assert [row["service"] for row in summary["services"]] == ["site"]
    assert summary["requests"] == []
    assert "what can be lost, and how many servers to order" in json.dumps(summary["verdict"])
    again = bench.says("calibrate", "--reports", str(bench.out))
    assert again.code == 10 if "taught nothing" in again.said else again.code == 0


@pytest.mark.alone
@pytest.mark.nightly
def test_a_calibrated_black_box_is_modelled_and_what_changed_is_named(
    bench: Bench, three_at_once: tuple[str, Callable[[float], None]]
) -> None:
    url, slow_down = three_at_once
    event, curve = _files(bench, times=6)
    more: tuple[str, ...] = ("--demand", curve, "--scale", "1", "--target", url, "--speed", "60")
    bench.replayed(event, *more, "--ladder", "25,50,75,100%")
    overlay = bench.path / "calibrated.yaml"
    learned = bench.says("calibrate", "--out", str(overlay), "--reports", str(bench.out))
    assert learned.code in (0, 10), learned.complained
    simulated = bench.says(
        "simulate", "--event", event, "--demand", curve, "--calibration", str(overlay)
    )
    assert "one station that answers like the target stands in" in simulated.said
    more += ("--calibration", str(overlay), "--window", "2026-12-05T17:40Z/2026-12-05T18:10Z")
    same = bench.replayed(event, *more)
    assert_judged(same, "WARN", 10)
    assert same.summary["findings"] == []
    slow_down(0.12)
    slower = bench.replayed(event, *more)
    first = slower.summary["findings"][0]
    assert (first["subject"], first["rule"]) == ("site", "slow_endpoint"), first


def test_services_without_instances_are_still_refused(bench: Bench) -> None:
    event, _ = _files(bench)
    text = Path(event).read_text()
    service = (
        "services: {web: {stacks: {site: {instances: 1, instance: big}}, servers_per_instance: 1,"
    )
    law = " queue_per_server: 4, time: {law: exponential, mean: 10ms}, timeout: 1s}}\n"
    Path(event).write_text(text + service + law)
    run = bench.says("plan", "--event", event)
    assert run.code == 2
    assert "capacity: is missing" in run.complained
    assert "observe: is missing" in run.complained
