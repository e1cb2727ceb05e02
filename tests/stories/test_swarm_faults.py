"""Workers that die, freeze, come late or lose their master; guardrails that hold a run down."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import falling_silent
from tests.support.program import (
    Bench,
    Run,
    alive,
    assert_judged,
    assert_sound,
    free_address,
    unhurried,
    until,
)
from tests.support.small_fair import Edit

pytestmark = pytest.mark.slow

LONG: Edit = ("replay: {peak: 5m", "replay: {peak: 15m")
"""A quarter of a minute: time enough to lose a worker and see what the others do."""
GUARD: Edit = ("  - when: p50 of all steps > 60s for 5s\n", "  - {{when: {when}, then: {then}}}\n")


def guarded(when: str, then: str) -> Edit:
    """Return the edit that puts another guardrail in place."""
    return GUARD[0], GUARD[1].format(when=when, then=then)


def starts(summary: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Return session starts by slot of the window: planned, started."""
    series = summary["series"]["stacks"]["main"]
    return series["sessions_planned"], series["sessions_started"]


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def window_s(run: Run) -> float:
    """Return wall seconds from the window's start until now; the lead-in is two slots of 1 s."""
    begun = next(line for line in run.journal() if line["what"] == "load started")
    return time.time() - begun["at_epoch_s"] - 2.0


def test_a_killed_workers_sessions_go_to_the_others_within_3_s_and_the_rest_is_booked_as_lost(
    bench: Bench,
) -> None:
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    workers = [pid for pid in run.children("--worker") if alive(pid)]
    os.kill(workers[0], signal.SIGKILL)
    killed_s = window_s(run)
    run.wait()
    summary = assert_judged(run, "INVALID", 7)
    assert "lost 1 worker" in summary["verdict"]["reasons"][0]
    planned, started = starts(summary)
    again = int(killed_s + 3.0) + 1
    assert started[again:] == planned[again:], "dealt anew within 3 s"
    assert sum(started) < sum(planned)
    assert sum(row["lost"] for row in summary["books"]["steps"].values()) > 0
    assert summary["books"]["orders"]["never_sent"] == 0
    bench.falls_silent()


@pytest.mark.parametrize(
    "who",
    [
        "master",
        "worker",
        "both workers",
        "target",
    ],
)
@pytest.mark.nightly
def test_whatever_dies_at_whatever_moment_no_accounting_is_lost(bench: Bench, who: str) -> None:
    """The books balance, and no order is in the shop that the run knows nothing of."""
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    time.sleep(moment := time.time_ns() % 12_000 / 1000)
    workers = [pid for pid in run.children("--worker") if alive(pid)]
    victims = {
        "worker": workers[:1],
        "both workers": workers,
        "master": run.children("--master"),
        "target": run.children("shop"),
    }[who]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    run.wait()
    summary = run.summary
    assert not [r for r in summary["verdict"]["reasons"] if "balance" in r], f"{moment:.2f} s"
    orders = summary["books"]["orders"]
    if who == "target":  # the shop is ours: that it died says nothing of any target
        assert (summary["verdict"]["name"], run.code) == ("ERROR", 9)
    else:
        assert summary["verdict"]["name"] == "INVALID"
        assert orders["confirmed_missing"] == orders["never_sent"] == 0, f"{moment:.2f} s"
        assert sum(row["lost"] for row in summary["books"]["steps"].values()) > 0
    bench.falls_silent()


MOMENTS_S = {"lead-in": -1.5, "window": 4.0, "last second": 14.5, "drain": 15.3}
"""Wall seconds from the window's start, which lasts 15 s."""


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
@pytest.mark.parametrize("moment", ["start", *MOMENTS_S])
def test_the_death_of_the_embedded_shop_is_ours_and_said_first(
    bench: Bench, number: signal.Signals, moment: str
) -> None:
    run = bench.replay(bench.scenario(LONG))
    if moment == "start":
        until(lambda: run.children("shop"), 60, "the shop starts")
    else:
        run.until_load()
        time.sleep(max(0.0, MOMENTS_S[moment] - window_s(run)))
    (shop,) = run.children("shop")
    os.kill(shop, number)
    run.wait()
    assert run.code == 9
    assert run.manifest["verdict"] == "ERROR"
    first = run.complained if moment == "start" else run.summary["verdict"]["reasons"][0]
    how = {signal.SIGSTOP: "was stopped by a signal"}.get(
        number, f"was ended by signal {number.name}"
    )
    assert f"the embedded shop of stack main (pid {shop}) {how}" in first
    if moment != "start":
        assert run.summary["findings"] == [], "what the dead shop did is no news of a target"
    run.says_no_trace()
    bench.falls_silent()


@pytest.mark.nightly
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_locust_that_hangs_is_ended_and_its_run_is_judged(bench: Bench, workers: str) -> None:
    run = bench.replay(bench.scenario(LONG), "--workers", workers).until_load()
    time.sleep(2.0)
    (hanging,) = run.children("--master") if workers == "2" else run.children("locust")
    os.kill(hanging, signal.SIGSTOP)
    began = time.monotonic()
    run.wait()
    assert time.monotonic() - began < 30.0
    summary = assert_judged(run, "INVALID", 7)
    assert "said nothing for 4 s" in summary["verdict"]["reasons"][0]
    bench.falls_silent()


@pytest.mark.nightly
def test_a_run_that_nobody_watches_is_stopped(bench: Bench) -> None:
    """Guardrails and ceilings live in the conductor: frozen, it is blind."""
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    os.kill(run.process.pid, signal.SIGSTOP)
    try:
        until(lambda: not run.children("--worker"), 12, "the workers were done")
    finally:
        os.kill(run.process.pid, signal.SIGCONT)
    run.wait()
    summary = assert_judged(run, "INVALID", 7)
    assert "nobody watched for" in summary["verdict"]["reasons"][0]
    bench.falls_silent()


@pytest.mark.nightly
def test_a_replay_killed_while_the_model_runs_leaves_nothing_behind(bench: Bench) -> None:
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    until(lambda: "loky" in "".join(map(command_of, bench.processes())), 60, "the model runs")
    os.kill(run.process.pid, signal.SIGKILL)
    run.wait()
    until(lambda: not bench.processes(), 10, "the model's processes ended")


def test_a_dry_run_says_what_the_run_would_be_refused_for(bench: Bench) -> None:
    low = ("steps_per_s: 60}", "steps_per_s: 60, ceilings: {requests_per_s: 5}}")
    run = bench.replay(bench.scenario(low), "--dry-run").wait()
    assert run.code == 6
    assert "peak steps per s" in run.said
    assert "replay.ceilings.requests_per_s" in run.complained


@pytest.mark.nightly
def test_a_worker_held_up_for_seconds_starts_no_session_that_was_dealt_to_another(
    bench: Bench,
) -> None:
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    workers = [pid for pid in run.children("--worker") if alive(pid)]
    os.kill(workers[0], signal.SIGSTOP)
    try:
        time.sleep(3.5)
    finally:
        os.kill(workers[0], signal.SIGCONT)
    back_s = window_s(run)
    run.wait()
    summary = assert_judged(run, "INVALID", 7)
    planned, started = starts(summary)
    assert all(s <= p for s, p in zip(started, planned, strict=True)), "none was started twice"
    again = int(back_s + 2.0)
    assert started[again:] == planned[again:]
    journal = [line["what"] for line in run.journal()]
    assert journal.index("worker lost") < journal.index("worker joined")
    orders = summary["books"]["orders"]
    assert orders["confirmed_missing"] == orders["never_sent"] == 0


@pytest.mark.nightly
def test_a_worker_that_joins_late_is_used_and_changes_nothing_else(bench: Bench) -> None:
    def joined_late() -> Run:
        address = free_address()
        run = bench.replay(bench.scenario(LONG), "--listen", address)
        workers = [bench.start("worker", "--master", address)]
        run.until_load()
        workers.append(bench.start("worker", "--master", address))
        until(
            lambda: any(line["what"] == "worker joined" for line in run.journal()),
            20,
            "the late one joined",
        )
        run.wait()
        assert [worker.wait(20).code for worker in workers] == [0, 0]
        return run

    run = unhurried(joined_late)
    summary = assert_sound(run)
    planned, started = starts(summary)
    assert started == planned
    live = json.loads((run.folder / "live.json").read_text())
    assert sorted(worker for worker, _ in live["busy"]) == [0, 1]
    bench.falls_silent()


@pytest.mark.nightly
def test_workers_whose_master_is_gone_stop_by_themselves(bench: Bench) -> None:
    address = free_address()
    run = bench.replay(bench.scenario(LONG), "--workers", "2", "--listen", address)
    workers = [bench.start("worker", "--master", address) for _ in range(2)]
    run.until_load()
    (master,) = run.children("--master")
    os.kill(master, signal.SIGKILL)
    for worker in workers:
        assert worker.wait(10).code == 7, "a worker that lost its master"
    run.wait()
    summary = assert_judged(run, "INVALID", 7)
    orders = summary["books"]["orders"]
    assert orders["confirmed_missing"] == orders["never_sent"] == 0
    bench.falls_silent()


@pytest.mark.nightly
@pytest.mark.parametrize(("then", "kept"), [("freeze", 1.0), ("back off", 0.5)])
def test_a_guardrail_holds_session_starts_down_and_books_what_it_held(
    bench: Bench, then: str, kept: float
) -> None:
    trips = guarded("p50 of all steps >= 0.001ms for 5s", then)
    run = bench.replay(bench.scenario(LONG, trips)).wait()
    summary = assert_judged(run, "ABORTED", 3)
    assert then in summary["verdict"]["reasons"][0]
    planned, started = starts(summary)
    holds = [line for line in run.journal() if line["what"] == "holding"]
    assert holds
    sessions = summary["books"]["sessions"]
    assert sessions["planned"] == sessions["started"] + sessions["held"]
    late = sum(started[-4:]) / sum(planned[-4:])
    if then == "back off":
        assert len(holds) > 1
        assert late < 1.3 * kept ** len(holds) + 0.1
    else:
        assert len(holds) == 1, "what is frozen stays so"
        assert 0.5 < late <= 1.0


@pytest.mark.nightly
def test_a_guardrail_on_a_service_stops_the_run(bench: Bench) -> None:
    trips = guarded("utilisation of stock > 0% for 6s", "stop")
    run = bench.replay(bench.scenario(LONG, trips)).wait()
    summary = assert_judged(run, "ABORTED", 3)
    assert "utilisation of stock" in summary["verdict"]["reasons"][0]
    assert summary["books"]["steps"]["home"]["lost"] > 0


@pytest.mark.nightly
def test_a_target_that_falls_silent_is_no_longer_loaded_long_before_patience_ends(
    bench: Bench,
) -> None:
    patient = ("patience: 3s", "patience: 20s")
    trips = guarded("p50 of all steps > 1s for 5s", "stop")
    with falling_silent(4.0) as url:
        scenario = bench.scenario(LONG, trips, patient)
        run = bench.replay(scenario, "--target", url, "--scale", "1").wait()
    summary = assert_judged(run, "ABORTED", 3)
    assert "guardrail crossed: p50 of all steps > 1s" in summary["verdict"]["reasons"][0]
    journal = {line["what"]: line for line in run.journal()}
    at_s = [datetime.fromisoformat(journal[what]["at"]) for what in ("load started", "stopping")]
    assert (at_s[1] - at_s[0]).total_seconds() < 4.0 + 1.0 + 5.0 + 5.0, "its patience is 20 s"


@pytest.mark.nightly
def test_a_guardrail_whose_service_cannot_be_read_stops_the_run_and_says_so(bench: Bench) -> None:
    trips = guarded("utilisation of stock > 90% for 5s", "stop")
    elsewhere = ("  path: /metrics\n", "  path: /no-such-page\n")
    run = bench.replay(bench.scenario(LONG, trips, elsewhere)).wait()
    summary = assert_judged(run, "ABORTED", 3)
    said = summary["verdict"]["reasons"][0]
    assert said.startswith("guardrail cannot be read: utilisation of stock > 90% for 5s")
    assert "/no-such-page" in said


def test_a_guardrail_longer_than_the_run_is_refused_before_anything_starts(bench: Bench) -> None:
    run = bench.replay(bench.scenario(guarded("p99 of home > 1s for 2m", "stop")), "--dry-run")
    assert run.wait().code == 2
    assert "guardrails.0.when: 'p99 of home > 1s for 2m'" in run.complained
    assert "the run lasts 7 s at 60x" in run.complained


def test_a_plan_beyond_a_ceiling_is_refused_and_nothing_is_sent(bench: Bench) -> None:
    low = ("steps_per_s: 60}", "steps_per_s: 60, ceilings: {requests_per_s: 20, orders: 10}}")
    run = bench.replay(bench.scenario(low)).wait()
    assert run.code == 6
    assert "replay.ceilings.requests_per_s: the plan comes to" in run.complained
    assert "replay.ceilings.orders" in run.complained
    assert not any(line["what"] == "load started" for line in run.journal())


@pytest.mark.nightly
def test_a_run_beyond_a_ceiling_is_stopped(bench: Bench) -> None:
    low = ("steps_per_s: 60}", "steps_per_s: 60, ceilings: {concurrency: 1}}")
    run = bench.replay(bench.scenario(LONG, low)).wait()
    assert run.code in (3, 6)
    said = run.complained if run.code == 6 else run.summary["verdict"]["reasons"][0]
    assert "concurrency" in said


def test_an_address_nobody_can_join_at_is_said_before_anything_else(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = bench.replay(bench.scenario(), "--listen", address).wait()
    assert (run.code, bench.folders()) == (5, [])
    assert f"--listen {address}: cannot be had" in run.complained
    away = bench.replay(bench.scenario(), "--listen", "nowhere.invalid:5557").wait()
    assert away.code == 5
    assert "nowhere.invalid" in away.complained
    worker = bench.start("worker", "--master", "nowhere.invalid:5557").wait(20)
    assert worker.code == 2
    assert "nowhere.invalid" in worker.complained
    worker.says_no_trace()


@pytest.mark.nightly
def test_a_target_that_speaks_only_http2_is_named_before_anything_is_sent(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guest, _ = server.accept()
                    guest.recv(4096)  # closed with bytes unread, it would be reset
                    guest.sendall(b"\0\0\x06\4\0\0\0\0\0\0\3\0\0\0\x64\0\0\0\7\0\0\0\0\0")
                    guest.close()

        threading.Thread(target=greet, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        run = bench.replay(bench.scenario(), "--target", url).wait()
        server.shutdown(socket.SHUT_RDWR)
    assert run.code == 5
    assert "speaks only HTTP/2" in run.complained
    assert "speaks HTTP/1.1" in run.complained
