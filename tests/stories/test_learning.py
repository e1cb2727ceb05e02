"""What a replay learns of its target: a fault in the shop only is named, a ladder gives knees, a
calibration is used.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.program import Bench, Run, assert_judged, free_address, unhurried, until
from tests.support.small_fair import Edit

pytestmark = [pytest.mark.slow, pytest.mark.alone]

BUSY: tuple[Edit, ...] = (
    ("stacks: {main: {instances: 12, instance: m8g.large}}\n    servers_per_instance: 8\n    queue_per_server: 4",
     "stacks: {main: {instances: 3, instance: m8g.large}}\n    servers_per_instance: 2\n    queue_per_server: 6"),
    ("mean: 25ms, cv: 0.4", "mean: 60ms, cv: 0.4"),
    ("replay: {peak: 5m, speed: 60, steps_per_s: 60}", "replay: {peak: 16m, speed: 30, steps_per_s: 60}"),
)  # fmt: skip
SICK: Edit = ("mean: 60ms, cv: 0.4", "mean: 180ms, cv: 0.4")


@contextmanager
def shop(bench: Bench, scenario: str) -> Iterator[str]:
    """Run the shop of a scenario, at full scale; yield its address."""
    host, port = free_address().rsplit(":", 1)
    command = [sys.executable, "-m", "gameday.cli", "shop", "--event", scenario, "--scale", "1"]
    process = subprocess.Popen(
        [*command, "--port", port],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=bench.environment(),
        cwd=bench.path,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            until(lambda: "http" in process.stdout.readline(), 30, "the shop says its address")
            yield f"http://{host}:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def sick(kept_bench: Bench) -> Run:
    """Give a replay of the fair against a shop in which pay works three times as long."""
    declared, real = kept_bench.scenario(*BUSY), kept_bench.scenario(*BUSY, SICK)

    def play() -> Run:
        with shop(kept_bench, real) as url:
            return kept_bench.replay(declared, "--target", url, "--scale", "1").wait()

    return unhurried(play)


def test_a_sound_fair_passes_with_exit_code_0(kept_bench: Bench) -> None:
    summary = assert_judged(kept_bench.replayed(kept_bench.scenario()), "PASS", 0)
    assert summary["findings"] == []


def test_a_service_that_is_slower_in_the_shop_only_is_named_as_itself(sick: Run) -> None:
    causes = [f for f in sick.summary["findings"] if f["rule"] == "slower_service"]
    assert [f["subject"] for f in causes] == ["pay"], sick.said
    [cause] = causes
    assert cause["evidence"]["measured"] == pytest.approx(3.0, rel=0.08)
    assert re.search(
        r"pay works (2\.[89]|3(\.[0-2])?) times as long as declared \(1\d\d ms, 60 ms\)",
        cause["title"],
    )
    assert cause["severity"] in ("S1", "S2")
    assert sick.summary["verdict"]["name"] in ("WARN", "FAIL")
    assert sick.code in (1, 10)
    others = {f["rule"] for f in sick.summary["findings"] if not f["cause"]} - {"slower_service"}
    assert not others & {"slow_endpoint", "heavier_tail", "disagreement"}, others


def test_its_order_is_sized_for_what_was_measured(sick: Run) -> None:
    orders = {request["service"]: request for request in sick.summary["requests"]}
    assert orders["pay"]["instances_to"] >= 2 * orders["pay"]["instances_from"]
    [cause] = [f["id"] for f in sick.summary["findings"] if f["rule"] == "slower_service"]
    assert cause in orders["pay"]["findings"]


def test_the_finding_is_explained_from_samples_to_remedy(sick: Run, kept_bench: Bench) -> None:
    told = kept_bench.start(
        "explain", "slower_service", "--out", str(kept_bench.out), "--json"
    ).wait()
    assert told.code == 0, told.complained
    answer = json.loads(told.said)
    assert "by utilisation law" in answer["steps"][0]
    assert answer["symptoms"]
    assert "pay: share of its servers" in Path(answer["page"]).read_text()


def test_what_a_run_said_is_used_and_refused_by_another_scenario(
    sick: Run, kept_bench: Bench
) -> None:
    file = kept_bench.path / "calibrated.yaml"
    done = kept_bench.start("calibrate", str(sick.folder), "--out", str(file)).wait()
    assert done.code in (0, 10), done.complained
    assert "main pay time_factor: 3." in done.said or "main pay time_factor: 2.9" in done.said
    declared = kept_bench.scenario(*BUSY)
    again = kept_bench.start(
        *("simulate", "--event", declared, "--calibration", str(file), "--budget", "2", "--json"),
        *("--no-n-minus-one", "--replications", "3"),
    ).wait()
    busy = json.loads(again.said)["stacks"]["main"]["services"]
    [pay] = [row for row in busy if row["service"] == "pay"]
    assert pay["peak_hour"]["utilisation"]["mid"] > 0.4
    other = kept_bench.start(
        "simulate", "--event", kept_bench.scenario(), "--calibration", str(file)
    ).wait()
    assert other.code == 2
    assert "of another scenario" in other.complained


@pytest.mark.nightly
def test_a_ladder_gives_knees_and_no_verdict(kept_bench: Bench) -> None:
    run = unhurried(
        lambda: kept_bench.replay(
            kept_bench.scenario(*BUSY), "--ladder", "40,100%", "--scale", "1"
        ).wait()
    )
    assert run.code == 0, run.said + run.complained
    assert run.summary["verdict"]["name"] == "NO VERDICT"
    assert run.summary["requests"] == []
    learned = run.summary["learned"]
    knees = {knee["service"]: knee["load"]["mid"] for knee in learned["knees"]}
    rows = {row["service"]: row for row in run.summary["services"]}
    expected = 1 / rows["pay"]["utilisation"]["predicted"]["mid"] * 0.7
    assert knees["pay"] == pytest.approx(expected, rel=0.25)
    assert (run.folder / "calibrated.yaml").is_file()
    assert not [row for row in learned["parameters"] if not row["agrees"]]


def test_every_order_of_a_run_is_in_its_file(sick: Run) -> None:
    rows = (sick.folder / "orders.csv").read_text().splitlines()
    assert rows[0] == "key,order_number,customer,stack,time_utc,outcome"
    confirmed = [row for row in rows[1:] if row.endswith(",confirmed")]
    assert len(confirmed) == sick.summary["books"]["orders"]["confirmed"]
    assert all(row.split(",")[1].isdecimal() for row in confirmed)
