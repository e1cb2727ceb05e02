"""`gameday simulate` as a person types it: what it tells, what it draws, and how it is stopped."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.program import Bench, until

pytestmark = pytest.mark.slow

BRIEF = (
    "--window",
    "2027-07-13T10:00-04:00/2027-07-13T10:20-04:00",
    "--replications",
    "2",
    "--budget",
    "1",
    "--no-n-minus-one",
)


def test_what_ifs_are_told_and_drawn_and_so_is_what_the_cell_is_too_small_to_show(
    bench: Bench,
) -> None:
    variants = ("pay.instances = 13", "forecast = 1.3x", "edge.timeout = 1s")
    run = bench.says(
        "simulate",
        "--event",
        bench.scenario(),
        "--out",
        str(bench.out),
        "--scale",
        "0.05",
        *BRIEF,
        *(word for text in variants for word in ("--what-if", text)),
    )
    run.says_no_trace()
    assert run.code in (0, 1), run.complained
    page = Path(run.said.splitlines()[-1].removeprefix("pictures: "))
    html = (run.bench.path / page).read_text()
    for text in variants:
        assert f"what if {text}" in run.said
        assert f"What if {text}" in html
    told = "only its times change"
    assert (told in run.said, told in html) == (True, True)


@pytest.mark.nightly
def test_headroom_is_told_and_drawn_in_the_same_words(bench: Bench) -> None:
    run = bench.says(
        "simulate",
        "--event",
        bench.scenario(),
        "--out",
        str(bench.out),
        "--json",
        "--headroom",
        *BRIEF,
    )
    result = json.loads(run.said)
    said = [row["said"] for row in result["headroom"]["main"]]
    assert len(said) == len(result["stacks"]["main"]["objectives"]) > 0
    html = (bench.path / result["page"]).read_text()
    assert all(words in html for words in said)


def test_a_drill_says_what_brings_the_shop_back_and_what_can_be_lost(bench: Bench) -> None:
    run = bench.says(
        "simulate",
        "--event",
        "drills/surge-retries",
        "--out",
        str(bench.out),
        "--replications",
        "2",
    )
    run.says_no_trace()
    assert run.code == 1, run.complained
    page = Path(run.said.splitlines()[-1].removeprefix("pictures: "))
    html = (run.bench.path / page).read_text()
    for told in (run.said, html):
        assert "stays down" in told
        assert "comes back within the window if the load falls to" in told
        assert "a retry budget of a tenth" in told
        assert "any one of 2 zones" in told
    assert html.count("comes back by itself") >= 3


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (signal.SIGINT, "Ctrl-C"),
        pytest.param(signal.SIGTERM, "SIGTERM", marks=pytest.mark.nightly),
    ],
)
def test_a_rehearsal_that_a_person_stops_ends_with_code_4_and_leaves_nothing(
    number: int, name: str, bench: Bench
) -> None:
    run = bench.start(
        "simulate",
        "--event",
        bench.scenario(),
        "--out",
        str(bench.out),
        "--window",
        "all",
        "--scale",
        "1",
        "--replications",
        "1000",
        "--workers",
        "2",
    )
    until(lambda: len(bench.processes()) >= 3, 60, "the model's processes began")
    os.kill(run.process.pid, number)
    assert run.wait(20).code == 4
    assert f"stopped by {name}" in run.complained
    run.says_no_trace()
    bench.falls_silent()
    assert not list(bench.out.rglob("*.html"))


def test_what_is_injected_must_be_able_to_happen_in_every_variant(bench: Bench) -> None:
    run = bench.says(
        "simulate",
        "--event",
        bench.scenario(),
        "--out",
        str(bench.out),
        *BRIEF,
        "--inject",
        "11 instances of pay lost at +5m",
        "--what-if",
        "pay.instances = 8",
    )
    assert run.code == 2
    assert (
        "--inject: '11 instances of pay lost at +5m': pay has 8 instances in main" in run.complained
    )
