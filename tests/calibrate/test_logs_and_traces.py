"""What access logs and traces teach: the parameters of what they were written by."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.calibrate import Calibration, read_calibration
from gameday.calibrate.compared.observed import BIN_S
from gameday.calibrate.equivalent import SITE
from gameday.calibrate.widening import HOW_MANY
from gameday.errors import HistoryError, UsageError
from gameday.jobs.calibrate import Calibrated, CalibrationOrder, calibrate
from gameday.scenario import Scenario, load_scenario
from gameday.simulate import RunControl, simulate
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed
from tests.support.random_systems import rising_plan
from tests.support.small_shop import black_box, load_small, merged, small_shop
from tests.support.traced_shop import otlp_of, traced

ONCE = RunControl(replications=1, workers=1)
MINUTES = 30
FIRST = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PATHS = {"home": "GET /", "product": "GET /product/7", "checkout": "POST /checkout"}
URLS = {
    "home": ["GET /"],
    "product": ["GET /product/{product}"],
    "checkout": ["POST /checkout"],
}


def shop(**changes: Any) -> dict[str, Any]:
    """Return a shop whose stock works alone, on few servers."""
    out = merged(small_shop(), {"history": {"urls": URLS}})
    for name, servers in (("edge", 200), ("stock", 4), ("pay", 40)):
        out["services"][name]["stacks"]["main"]["instances"] = servers
    return merged(out, changes)


def slower(factor: float) -> dict[str, Any]:
    measured = {"stacks": {"main": {"measured": {"time_factor": factor}}}}
    return {"services": {"stock": measured}}


def plan_of(scenario: Scenario, per_s: float) -> LoadPlan:
    plan = rising_plan(scenario, per_s, 1, slots=MINUTES)
    return plan_at_real_speed(plan, per_s)


def plan_at_real_speed(plan: LoadPlan, per_s: float) -> LoadPlan:
    """Return the plan played at the speed of the clock: a slot is a minute."""
    from dataclasses import replace

    shape = plan.starts / plan.starts.max()
    mean = shape * per_s * 60
    played = Seed(1).stream("counts").poisson(mean)
    return replace(plan, speed=1.0, starts=mean, played=played)


def log_of(scenario: Scenario, per_s: float, file: Path, *, line: Callable[..., str]) -> Path:
    """Write what the model's servers would log of a load that rises and falls, each step by the minute."""
    plan = plan_of(scenario, per_s)
    [record] = simulate(scenario, plan, seed=Seed(3), control=ONCE)
    rng = np.random.default_rng(1)
    rows = []
    for number, step in enumerate(record.steps):
        for slot in range(plan.lead_in, plan.grid.slots):
            histogram = record.latency[0, number, 0, slot]
            seconds = np.repeat(BIN_S, histogram)
            instants = rng.uniform(60 * slot, 60 * (slot + 1), len(seconds))
            rows += [(at, step, s) for at, s in zip(instants, seconds, strict=True)]
    rows.sort()
    text = [
        line(FIRST + timedelta(seconds=at), PATHS[step], s, n)
        for n, (at, step, s) in enumerate(rows)
    ]
    file.write_text("\n".join(text) + "\n")
    return file


def nginx(at: datetime, request: str, seconds: float, number: int) -> str:
    client = f"10.{number % 97}.{number % 89}.{number % 83}"
    when = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/128.0"
    return f'{client} - - [{when}] "{request} HTTP/1.1" 200 512 "-" "{agent}" rt={seconds:.3f}'


def learned(folder: Path, evidence: Path, data: dict[str, Any], **more: Any) -> Calibrated:
    file = folder / "shop.json"
    file.write_text(json.dumps(data))
    order = CalibrationOrder((str(evidence),), folder / "c.yaml", folder, str(file), **more)
    return calibrate(order)


@pytest.mark.nightly  # 20 s: each service of the log's shop is tried slower
def test_a_log_tells_which_service_is_slower(tmp_path: Path) -> None:
    real = load_small(tmp_path, shop(), slower(3.0))
    log = log_of(real, 5.0, tmp_path / "access.log", line=nginx)
    done = learned(tmp_path, log, shop())
    found = {(row.service, row.name): row.measured for row in done.calibration.differing}
    assert found["stock", "time_factor"].holds(3.0), found
    assert done.score is not None
    [source] = done.calibration.sources
    assert (source.kind, source.name) == ("log", "access.log")
    assert any("requests that failed are not in it" in note for note in done.calibration.notes)


def test_a_log_of_a_black_box_gives_the_station_that_answers_like_it(tmp_path: Path) -> None:
    declared = shop(services={"stock": {"time": {"law": "exponential", "mean": "100ms"}}})
    declared["services"]["edge"]["time"]["mean"] = "0.2ms"
    declared["services"]["stock"]["stacks"]["main"]["instances"] = 2
    log = log_of(load_small(tmp_path, declared), 12.0, tmp_path / "access.log", line=nginx)
    box = black_box(shop())
    done = learned(tmp_path, log, box)
    [station] = done.calibration.equivalents
    assert station.servers.low is not None
    assert station.servers.high is not None
    assert station.servers.low <= 2 <= station.servers.high
    assert done.score is not None
    modelled = read_calibration(done.written).applied(load_small(tmp_path, box))
    assert modelled.services[SITE].servers("main") == station.station[0]
    assert not modelled.services_are_known


def test_a_calibration_without_a_station_is_refused_for_a_black_box(tmp_path: Path) -> None:
    box = black_box(shop())
    calibration = Calibration(load_small(tmp_path, box).sha256(), (), {}, (), ())
    with pytest.raises(UsageError, match="holds no station"):
        calibration.applied(load_small(tmp_path, box))


def spans_file(folder: Path, factor: float) -> Path:
    """Write traces of a shop whose stock works `factor` times as long as declared."""
    data = shop()
    data["services"]["stock"]["time"]["mean"] = f"{10 * factor:g}ms"
    scenario = load_small(folder, data)
    spans = traced(scenario, {"home": 200, "product": 400, "checkout": 200}, per_s=20.0)
    file = folder / "traces.otlp"
    file.write_bytes(otlp_of(spans))
    return file


def test_traces_tell_how_long_each_service_works(tmp_path: Path) -> None:
    done = learned(tmp_path, spans_file(tmp_path, 2.5), shop())
    rows = {(row.service, row.name): row for row in done.calibration.parameters}
    assert rows["stock", "time_factor"].measured.holds(2.5)
    assert not rows["stock", "time_factor"].agrees
    assert rows["pay", "time_factor"].agrees
    assert done.score is None
    scenario = load_scenario(str(tmp_path / "shop.json"))
    measured = read_calibration(done.written).applied(scenario).services["stock"].stacks["main"]
    assert measured.measured is not None
    assert measured.measured.time_factor.holds(2.5)


def test_traces_tell_no_servers_and_say_so(tmp_path: Path) -> None:
    done = learned(tmp_path, spans_file(tmp_path, 1.0), shop())
    unknown = {row.service for row in done.calibration.unidentified if row.what == HOW_MANY}
    assert unknown == set(shop()["services"])


@pytest.mark.parametrize("is_there", [b"event:\n  kind: sale\n", b"\xff\xfe", b""])
def test_no_file_is_written_over_that_is_no_calibration(is_there: bytes, tmp_path: Path) -> None:
    out = tmp_path / "c.yaml"
    out.write_bytes(is_there)
    order = CalibrationOrder((str(spans_file(tmp_path, 1.0)),), out, tmp_path, "no matter")
    with pytest.raises(UsageError, match="is there and is no calibration"):
        calibrate(order)
    assert out.read_bytes() == is_there
    out.unlink()
    out.mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        calibrate(order)


def test_what_is_neither_run_log_nor_traces_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("nothing of the kind\n" * 20)
    with pytest.raises(HistoryError, match=r"other\.txt"):
        learned(tmp_path, other, shop())
    with pytest.raises(UsageError, match="give --event"):
        calibrate(CalibrationOrder((str(other),), tmp_path / "c.yaml", tmp_path))
    assert not (tmp_path / "c.yaml").exists()


def test_a_log_without_times_is_refused(tmp_path: Path) -> None:
    def plain(at: datetime, request: str, seconds: float, number: int) -> str:
        return nginx(at, request, seconds, number).rpartition(" ")[0]

    log = log_of(load_small(tmp_path, shop()), 1.0, tmp_path / "access.log", line=plain)
    with pytest.raises(UsageError, match="request time; log it"):
        learned(tmp_path, log, shop())
