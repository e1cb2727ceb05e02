"""Plain Locust: `locust -f` alone, and with master and workers; its own tables, files and exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.program import Bench, Run, free_address, until

pytestmark = pytest.mark.slow

FILE = """\
from gameday.swarm.locust_user import customers_of

Customers, Clock = customers_of({scenario!r})
"""


def locustfile(bench: Bench) -> str:
    """Write a locustfile of the small fair."""
    file = bench.path / "fair_locust.py"
    file.write_text(FILE.format(scenario=bench.scenario()))
    return str(file)


def shop(bench: Bench, scale: str = "0.5") -> str:
    """Start the fair's shop and return its address."""
    run = bench.start(
        "shop", "--event", bench.scenario(), "--stack", "main", "--port", "0", "--scale", scale
    )
    return str(
        until(
            lambda: next((w for w in run.said.split() if w.startswith("http:")), ""), 20, "a shop"
        )
    )


def locust(bench: Bench, file: str, *arguments: str) -> Run:
    return bench.start("-f", file, *arguments, module="locust")


def outputs(bench: Bench) -> tuple[str, ...]:
    return (
        "--csv",
        str(bench.path / "out"),
        "--html",
        str(bench.path / "out.html"),
        "--json-file",
        str(bench.path / "out"),
    )


def check_outputs(folder: Path) -> int:
    """Check that Locust's files agree with each other; return the requests they count."""
    rows = list(csv.DictReader((folder / "out_stats.csv").read_text().splitlines()))
    total = next(row for row in rows if row["Name"] == "Aggregated")
    each = {
        (row["Type"], row["Name"]): int(row["Request Count"])
        for row in rows
        if row["Name"] != "Aggregated"
    }
    assert set(each) == {
        ("GET", "home"),
        ("POST", "cart"),
        ("GET", "checkout"),
        ("POST", "checkout"),
    }
    assert int(total["Request Count"]) == sum(each.values())
    assert int(total["Failure Count"]) == 0
    assert 0 < float(total["50%"]) <= float(total["99%"]) <= float(total["100%"])
    entries = json.loads((folder / "out.json").read_text())
    assert {(e["method"], e["name"]): e["num_requests"] for e in entries} == each
    assert "Locust" in (folder / "out.html").read_text()
    return sum(each.values())


@pytest.mark.nightly
def test_locust_alone_follows_the_plan_and_writes_its_own_files(bench: Bench) -> None:
    run = locust(
        bench,
        locustfile(bench),
        "--headless",
        "--host",
        shop(bench),
        "--run-time",
        "8s",
        *outputs(bench),
    ).wait()
    assert run.code == 0, run.complained[-2000:]
    run.says_no_trace()
    assert check_outputs(bench.path) > 50, "eight seconds of load, whatever the plan took to make"


@pytest.mark.nightly
def test_a_master_with_workers_counts_what_they_sent(bench: Bench) -> None:
    file, host, (address, port) = locustfile(bench), shop(bench), free_address().split(":")
    master = locust(
        bench,
        file,
        "--master",
        "--master-bind-host",
        address,
        "--master-bind-port",
        port,
        "--expect-workers",
        "2",
        "--headless",
        "--host",
        host,
        "--run-time",
        "8s",
        *outputs(bench),
    )
    workers = [
        locust(bench, file, "--worker", "--master-host", address, "--master-port", port)
        for _ in range(2)
    ]
    assert master.wait().code == 0, master.complained[-2000:]
    assert [worker.wait(20).code for worker in workers] == [0, 0]
    assert check_outputs(bench.path) > 50


@pytest.mark.nightly
def test_failures_make_locusts_own_exit_code_and_refusals_ours(bench: Bench) -> None:
    address = free_address()
    run = locust(
        bench, locustfile(bench), "--headless", "--host", f"http://{address}", "--run-time", "4s"
    ).wait()
    assert run.code == 1, "nobody listens there: every request fails"
    assert "connection_refused" in run.said + run.complained
    away = locust(bench, locustfile(bench), "--headless", "--host", "http://10.0.0.1").wait()
    assert away.code == 6
    assert "only loopback" in away.complained
    seedless = bench.environment
    bench.environment = lambda: seedless() | {"GAMEDAY_SEED": "abc"}  # type: ignore[method-assign]
    odd = locust(bench, locustfile(bench), "--headless", "--host", f"http://{address}").wait(30)
    bench.environment = seedless  # type: ignore[method-assign]
    assert odd.code == 2
    assert "GAMEDAY_SEED: must be a whole number" in odd.complained
    small = locust(bench, locustfile(bench), "--headless", "--host", shop(bench, "0.00001")).wait()
    assert small.code == 2
    assert "too fast" in small.complained
