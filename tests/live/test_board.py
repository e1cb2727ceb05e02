"""What a run shows while it runs: the scoreboard's numbers, the line and the board of a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gameday.live.board import board_of, line_of
from gameday.record.histograms import bin_of
from gameday.record.run_record import LATENCIES, SESSIONS, STEPS
from gameday.swarm.tally.reports import GaugeReading, TallyCounts, WorkerReport
from gameday.swarm.tally.scoreboard import BUSY_WARNING, Scoreboard
from gameday.traffic import LoadPlan
from gameday.vocabulary import Seed, TimeGrid

SLOTS = 10


@pytest.fixture
def plan() -> LoadPlan:
    from datetime import UTC, datetime

    blank = np.zeros((1, 2, SLOTS))
    return LoadPlan(
        grid=TimeGrid(datetime(2027, 7, 13, tzinfo=UTC), SLOTS),
        lead_in=2,
        regions=("us",),
        steps=("home", "cart"),
        journeys=("visitor",),
        starts=np.zeros((1, 1, SLOTS)),
        forecast=blank,
        caused=blank,
        played=np.zeros((1, 1, SLOTS), int),
        half_life_slots={},
        speed=60.0,
        scale=1.0,
        quantile=0.5,
        seed=Seed(1),
        nominal={},
    )


def report(
    *,
    worker: int = 0,
    sent: int = 0,
    done: int = 0,
    bad: int = 0,
    slot: int = 3,
    busy: float = 0.1,
    seconds: float = 0.05,
    late: float = 0.001,
    starts: int = 0,
) -> WorkerReport:
    """Return one worker's report, all of it about `home`."""
    counts = {"achieved": sent, "done": done, "failed": bad}
    latency = [
        [0, 0, LATENCIES.index(kind), slot, int(bin_of(value)), done + bad]
        for kind, value in (("response", seconds), ("lateness", late))
        if done + bad
    ]
    return WorkerReport(
        TallyCounts(
            worker=worker,
            number=0,
            latency=latency,
            delay=[],
            faults=[],
            redirects=[],
            orders=[],
            gone=[],
            steps=[[0, 0, STEPS.index(what), slot, n] for what, n in counts.items() if n],
            sessions=[[0, SESSIONS.index("started"), slot, starts]] if starts else [],
        ),
        GaugeReading(
            busy=busy,
            awake=3,
            most_awake=5,
            waiting=40,
            sockets=5,
            queued=1,
            limits={},
            open=[],
            seconds=1.0,
            requests=25,
        ),
    )


def test_a_scoreboard_adds_up_what_every_worker_says(plan: LoadPlan) -> None:
    board = Scoreboard(plan, np.full(SLOTS, 100))
    for worker in (0, 1):
        board.add(10.0, report(worker=worker, sent=30, done=20, bad=5))
    shown = board.progress(1.5)
    assert (shown.sent, shown.done, shown.bad) == (60, 40, 10)
    assert shown.achieved[3] == 60
    assert shown.planned == (100,) * SLOTS
    assert (shown.in_flight, shown.waiting, shown.sockets, shown.queued) == (6, 80, 10, 2)
    assert shown.slot == 3, "a slot lasts a second here, the lead-in two slots"


def test_the_forecast_shown_is_the_plan_s_with_its_launches_at_the_run_s_scale(
    plan: LoadPlan,
) -> None:
    forecast = np.full((1, 2, SLOTS), 400.0)
    forecast[0, 1, 4] = 2000.0  # a launch
    launched = replace(plan, forecast=forecast, scale=0.1, speed=20.0)
    board = Scoreboard(launched, np.full(SLOTS, 1))
    assert board.progress(0.0).forecast == (4.0, 4.0, 4.0, 4.0, 12.0, 4.0, 4.0, 4.0, 4.0, 4.0)


def test_latencies_are_of_the_last_ten_seconds_and_absent_where_nothing_came(
    plan: LoadPlan,
) -> None:
    board = Scoreboard(plan, np.zeros(SLOTS, int))
    board.add(0.0, report(sent=100, done=100, seconds=5.0))
    board.add(20.0, report(sent=100, done=100, seconds=0.2))
    home, cart = board.progress(0.0).steps
    assert home.p99 == pytest.approx(0.2, rel=0.02)
    assert home.p50 == pytest.approx(0.2, rel=0.02)
    assert (cart.p50, cart.p99, cart.bad_share) == (None, None, None)
    assert board.progress(0.0).lateness_p99_s == pytest.approx(0.001, rel=0.02)


@pytest.mark.parametrize(
    ("busy", "warns"), [(BUSY_WARNING - 0.01, False), (BUSY_WARNING + 0.01, True)]
)
def test_a_worker_is_warned_of_beyond_its_share_of_a_core_and_only_then(
    plan: LoadPlan, busy: float, warns: bool
) -> None:
    board = Scoreboard(plan, np.zeros(SLOTS, int))
    for second in range(4):
        board.add(float(second), report(worker=1, busy=busy))
    assert bool(board.busy_warnings()) == warns
    if warns:
        assert "worker 1" in board.progress(0.0).warnings[0]
        board.gone(1)
        assert board.busy_warnings() == []


def test_session_starts_a_second_are_those_of_the_last_seconds(plan: LoadPlan) -> None:
    board = Scoreboard(plan, np.zeros(SLOTS, int))
    assert board.starts_per_s() == 0.0
    for second in range(6):
        board.add(float(second), report(starts=12))
    assert board.starts_per_s() == pytest.approx(12.0)


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_rates_are_those_of_all_workers_together_however_many_report_at_once(
    workers: int, plan: LoadPlan
) -> None:
    board = Scoreboard(plan, np.zeros(SLOTS, int))
    for second in range(12):
        for worker in range(workers):
            board.add(second + 0.001 * worker, report(worker=worker, starts=12))
    assert board.starts_per_s() == pytest.approx(12.0 * workers)
    assert board.requests_per_s() == pytest.approx(25.0 * workers)
    board.gone(0)
    assert board.starts_per_s() == pytest.approx(12.0 * (workers - 1))


def test_the_line_and_the_board_say_what_the_numbers_are(plan: LoadPlan) -> None:
    per_slot = np.tile(np.arange(SLOTS) * 5.0, (1, 2, 1))
    board = Scoreboard(replace(plan, forecast=per_slot), np.arange(SLOTS) * 10)
    board.add(0.0, report(sent=100, done=90, bad=10, seconds=0.25))
    shown = board.progress(4.0, (("p99 of home > 1s", "back off", 0.25),), ("held to 3 starts/s",))
    assert "100 steps sent, 90 good, 10 bad" in line_of(shown)
    assert "lateness p99 1.0 ms" in line_of(shown)
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(board_of(shown))
    console.file.close()
    text = console.export_text()
    for words in (
        "home",
        "10.0%",
        "waiting customers 40",
        "p99 of home > 1s",
        "back off",
        "held to 3",
    ):
        assert words in text, words
    rows = [line for line in text.splitlines() if line.startswith(("forecast", "achieved"))]
    assert len(rows) == 2
    assert "█" in rows[0]


def test_a_board_of_a_run_that_has_not_begun_can_be_drawn(plan: LoadPlan, tmp_path: Path) -> None:
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    console.print(board_of(Scoreboard(plan, np.zeros(SLOTS, int)).progress(-2.0)))
    console.file.close()
    assert "in flight 0" in console.export_text()
