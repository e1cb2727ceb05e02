"""`gameday replay` as a person types it, from history to report, and all that may befall it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gameday.files import RUN_FILES
from tests.support.hostile import ERRORS, HOSTILE, counting, hostile
from tests.support.program import (
    Bench,
    Run,
    alive,
    assert_books_balance,
    assert_judged,
    assert_sound,
    until,
)
from tests.support.small_fair import LONG, NO_WORD_OF_CHECKOUT, SMALL_PAY

pytestmark = pytest.mark.slow

NOT_EVERY_RUN = {"event.parquet", "capacity/CR-*.yaml", "stop", "hold.json", "swarm.json"}
"""Files of a run that only some runs have, and one that is gone when it is over."""
STOPS_WITHIN_S = 5.0
"""Promised by `gameday stop --help`."""


# a sound run


def test_a_sound_fair_misses_nothing(sound: Run) -> None:
    summary = assert_sound(sound)
    assert summary["findings"] == []


def test_every_session_starts_as_planned_slot_by_slot(sound: Run) -> None:
    summary = sound.summary
    series = summary["series"]["stacks"]["main"]
    assert series["sessions_started"] == series["sessions_planned"]
    assert sum(series["sessions_started"]) > 50
    assert summary["followed"]["session_starts_share"] == 1.0
    assert summary["validity"]["slots_off"] == 0
    plan = pd.read_parquet(sound.folder / "plan.parquet")
    assert int(plan["played"].sum()) == summary["books"]["sessions"]["started"]


def test_the_orders_are_exact_by_key(sound: Run) -> None:
    orders = sound.summary["books"]["orders"]
    done = sound.summary["books"]["steps"]["checkout"]["done"]
    assert orders == {
        "confirmed": done,
        "unknown": 0,
        "in_shop": done,
        "confirmed_missing": 0,
        "never_sent": 0,
    }
    assert done > 20


def test_every_visit_to_a_service_is_booked(sound: Run) -> None:
    attempts = sound.summary["books"]["attempts"]
    assert set(attempts) == {"main edge", "main stock", "main pay"}
    for row in attempts.values():
        assert row["arrived"] == sum(n for name, n in row.items() if name != "arrived")
        assert row["arrived"] > 0


def test_all_declared_files_of_the_runs_folder_exist_and_no_others(sound: Run) -> None:
    declared = {file.name for file in RUN_FILES}
    there = {str(p.relative_to(sound.folder)) for p in sound.folder.rglob("*") if p.is_file()}
    of_quiet = {"calibrated.yaml"} if "nothing learned" in sound.said else set[str]()
    for name in declared - NOT_EVERY_RUN - of_quiet:
        assert list(sound.folder.glob(name)), f"{name} is missing"
    strays = {name for name in there if not any(Path(name).match(d) for d in declared)}
    assert not strays


def test_the_manifest_carries_versions_seed_and_hashes(sound: Run) -> None:
    manifest = json.dumps(sound.manifest)
    for word in ("seed", "gameday", "scenario", "history", "plan", "locust"):
        assert f'"{word}' in manifest, f"run.json says nothing of {word}: {manifest}"


def test_a_sound_run_leaves_no_process(sound: Run) -> None:
    sound.bench.falls_silent()


def test_output_without_a_terminal_has_no_escape_codes_and_no_progress_bars(sound: Run) -> None:
    assert "\x1b" not in sound.said + sound.complained


def test_a_run_can_be_listed_rendered_again_and_read_as_json(sound: Run) -> None:
    out = ("--out", str(sound.bench.out))
    listed = json.loads(sound.bench.says("runs", *out, "--json").said)
    verdicts = [row["verdict"] for row in listed["runs"] if row["pid"] == sound.process.pid]
    assert verdicts == [sound.summary["verdict"]["name"]]
    again = sound.bench.says("report", sound.manifest["run_id"], *out)
    assert (again.code, Path(again.said.strip()).name) == (0, "report.html")
    found = json.loads(sound.bench.says("findings", str(sound.folder), *out, "--json").said)
    assert found["findings"] == []


# other ends


def test_a_pay_service_far_too_small_fails_with_exit_code_1(bench: Bench) -> None:
    run = bench.replayed(bench.scenario(*SMALL_PAY), "--json")
    summary = json.loads(run.said)
    assert (run.code, summary["verdict"]["name"]) == (1, "FAIL"), summary["verdict"]
    run.says_no_trace()
    assert_books_balance(summary)
    assert any("pay" in f["subject"] or "checkout" in f["subject"] for f in summary["findings"])
    assert any(r["service"] == "pay" for r in summary["requests"])
    assert list(run.folder.glob("capacity/CR-*.yaml"))
    assert summary["followed"]["session_starts_share"] == 1.0


@pytest.mark.nightly
def test_a_guardrail_that_trips_at_once_aborts_with_exit_code_3(tripped: Run) -> None:
    summary = assert_judged(tripped, "ABORTED", 3)
    assert "guardrail crossed" in summary["verdict"]["reasons"][0]
    sessions = summary["books"]["sessions"]
    assert sessions["started"] < sessions["planned"]


@pytest.mark.nightly
def test_a_run_that_ended_early_still_books_what_reached_the_services(tripped: Run) -> None:
    for name, row in tripped.summary["books"]["attempts"].items():
        assert row["arrived"], f"{name}: {row}"
        assert row["arrived"] == sum(n or 0 for what, n in row.items() if what != "arrived")


def test_gameday_stop_ends_the_load_within_seconds_and_a_second_run_is_refused(
    bench: Bench,
) -> None:
    scenario = bench.scenario(LONG)
    run = bench.replay(scenario).until_load()
    second = bench.replay(scenario).wait()
    assert second.code == 5
    assert run.manifest["run_id"] in second.complained
    second.says_no_trace()
    stop = bench.says("stop", "--out", str(bench.out))
    asked = time.monotonic()
    assert stop.code == 0
    until(lambda: not run.children("locust"), STOPS_WITHIN_S + 1, "Locust ended")
    run.wait(20)
    assert time.monotonic() - asked < 4 * STOPS_WITHIN_S  # other tests share this machine
    summary = assert_judged(run, "ABORTED", 4)
    assert "stopped by gameday stop" in summary["verdict"]["reasons"][0]
    bench.falls_silent()
    again = bench.says("stop", "--out", str(bench.out))
    assert (again.code, "is not running" in again.complained) == (2, True)


@pytest.mark.nightly
def test_ctrl_c_ends_two_workers_within_seconds(bench: Bench) -> None:
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    os.kill(run.process.pid, signal.SIGINT)
    until(lambda: not run.children("locust"), STOPS_WITHIN_S + 1, "Locust ended")
    run.wait(20)
    summary = assert_judged(run, "ABORTED", 4)
    assert "SIGINT" in summary["verdict"]["reasons"][0]
    bench.falls_silent()


def test_ctrl_c_before_the_load_ends_with_exit_code_4_and_sends_nothing(bench: Bench) -> None:
    run = bench.replay(bench.scenario(LONG))
    until(lambda: bench.folders(), 20, "the run's folder")
    time.sleep(0.3)
    os.kill(run.process.pid, signal.SIGINT)
    run.wait(STOPS_WITHIN_S + 5)
    assert (run.code, run.manifest["verdict"], run.manifest["exit_code"]) == (4, "ABORTED", 4)
    run.says_no_trace()
    assert not any(line["what"] == "load started" for line in run.journal())
    bench.falls_silent()


# what breaks on the way


@pytest.mark.nightly
def test_a_locust_killed_half_way_makes_the_run_invalid(bench: Bench) -> None:
    run = bench.replay(bench.scenario(LONG)).until_load()
    (locust,) = run.children("locust")
    os.kill(locust, signal.SIGKILL)
    run.wait()
    summary = assert_judged(run, "INVALID", 7)
    assert sum(row["lost"] for row in summary["books"]["steps"].values()) > 0
    assert (run.folder / "report.html").is_file()
    bench.falls_silent()


@pytest.mark.nightly
def test_two_workers_play_the_plan_together(bench: Bench) -> None:
    run = bench.replayed(bench.scenario(), "--workers", "2")
    summary = assert_sound(run)
    assert summary["followed"]["session_starts_share"] == 1.0
    orders = summary["books"]["orders"]
    assert orders["confirmed"] == orders["in_shop"] > 20


def test_a_program_killed_outright_leaves_no_process_and_a_folder_that_can_be_read(
    bench: Bench,
) -> None:
    run = bench.replay(bench.scenario(LONG), "--workers", "2").until_load()
    started = {"locust": run.children("locust"), "shop": run.children("shop")}
    assert [len(pids) for pids in started.values()] == [3, 1]
    os.kill(run.process.pid, signal.SIGKILL)
    run.wait()
    end = time.monotonic() + STOPS_WITHIN_S + 1
    while bench.processes() and time.monotonic() < end:
        time.sleep(0.1)
    left = {name: [p for p in pids if alive(p)] for name, pids in started.items()}
    listed = bench.says("runs", "--out", str(bench.out))
    assert "ABORTED" in listed.said
    report = bench.says("report", "--out", str(bench.out))
    assert report.code == 0
    page = Path(report.said.strip()).read_text()
    assert "ABORTED" in page
    assert "load started" in page
    assert left == {"locust": [], "shop": []}, "these outlive the program"


@pytest.mark.nightly
def test_a_disk_that_fills_up_under_way_is_not_called_a_failed_pre_flight(bench: Bench) -> None:
    arguments = ("replay", "--event", bench.scenario(), "--out", str(bench.out))
    run = bench.start(*arguments, most_bytes=400_000).wait()
    run.says_no_trace()
    assert any(line["what"] == "load started" for line in run.journal())
    assert "report.html: cannot be written" in run.complained
    assert run.code not in (0, 1, 5), "5 means that nothing was sent"
    assert run.manifest["exit_code"] == run.code
    bench.falls_silent()


# targets of one's own


def test_a_target_that_is_not_loopback_is_refused_and_nothing_is_sent(bench: Bench) -> None:
    run = bench.replay(bench.scenario(), "--target", "http://10.0.0.1:80").wait()
    assert run.code == 6
    assert "10.0.0.1" in run.complained
    assert "loopback" in run.complained
    run.says_no_trace()
    assert bench.folders() == []


@pytest.mark.nightly
def test_a_target_that_is_down_ends_with_exit_code_5_before_anything_is_sent(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    run = bench.replay(bench.scenario(), "--target", url).wait()
    assert run.code == 5
    assert f"{url} does not answer" in run.complained
    run.says_no_trace()
    assert not (run.folder / "locust.log").exists()
    assert run.manifest["exit_code"] == 5


@pytest.mark.nightly
@pytest.mark.parametrize("how", sorted(set(HOSTILE) - {ERRORS}))
def test_a_target_that_does_so_ends_in_findings_not_in_a_crash(bench: Bench, how: str) -> None:
    scenario = bench.scenario(NO_WORD_OF_CHECKOUT)
    with hostile(how) as url:
        run = bench.replay(scenario, "--target", url, "--scale", "1").wait(50)
    summary = assert_judged(run, "FAIL", 1)
    assert summary["findings"]
    assert summary["followed"]["session_starts_share"] == 1.0
    bench.falls_silent()


@pytest.mark.nightly
def test_an_objective_nobody_reached_because_the_target_failed_is_no_fault_of_ours(
    bench: Bench,
) -> None:
    with hostile(ERRORS) as url:
        run = bench.replay(bench.scenario(), "--target", url, "--scale", "1").wait(50)
    summary = assert_judged(run, "FAIL", 1)
    said = {row["text"]: row for row in summary["objectives"]}
    assert not said["p95 of checkout < 2s"].get("held")
    assert summary["findings"]
    assert summary["followed"]["session_starts_share"] == 1.0


def test_a_dry_run_opens_no_connection_and_leaves_no_run(bench: Bench) -> None:
    with counting() as (url, guests):
        run = bench.replay(bench.scenario(), "--target", url, "--dry-run", "--json").wait()
    plan = json.loads(run.said)
    assert (run.code, plan["schema_version"], guests) == (0, 3, [])
    assert plan["sessions"] > 50
    assert not bench.out.exists()


@pytest.mark.nightly
def test_the_same_seed_makes_the_same_plan_and_another_seed_another(sound: Run) -> None:
    played = pd.read_parquet(sound.folder / "plan.parquet")["played"].tolist()
    words: Any = sound.process.args
    scenario = words[words.index("--event") + 1]
    plans = [
        json.loads(sound.bench.says("plan", "--event", scenario, "--seed", seed, "--json").said)
        for seed in ("1", "2")
    ]
    again = [plan["sessions_per_slot"]["us"]["visitor"] for plan in plans]
    assert again[0] == played
    assert again[1] != played


@pytest.mark.nightly
def test_what_is_injected_happens_in_the_shop_and_is_told_with_whether_it_came_back(
    bench: Bench,
) -> None:
    """Stock is down for the second of five minutes: its callers fail, and then no more."""
    run = bench.replayed(bench.scenario(), "--n-minus-one", "--inject", "stock down at +1m for 1m")
    summary = assert_judged(run, "FAIL", 1)
    [told] = summary["recovery"].values()
    assert summary["injected"] == ["stock down at +1m for 1m"]
    assert told["before"] > 0.95
    assert told["in"] < 0.5
    assert told["after"] > 0.9
    assert told["said"] == "played at 60x: whether it comes back is the model's to say"
    assert "injected: stock down at +1m for 1m" in run.said
    assert "the model's to say; model: comes back by itself" in " ".join(run.said.split())
    html = (run.folder / "report.html").read_text()
    assert "Injected: stock down at +1m for 1m" in html
    assert {row["what"] for row in summary["n_minus_one"]["main"]["rows"]} >= {
        "edge",
        "stock",
        "pay",
    }
    assert "What can be lost at the peak" in html


@pytest.mark.nightly
def test_a_run_that_is_stopped_before_what_is_injected_ends_in_order_and_says_so(
    bench: Bench,
) -> None:
    run = bench.replay(bench.scenario(LONG), "--inject", "stock down at +25m for 1m").until_load()
    time.sleep(1)
    os.kill(run.process.pid, signal.SIGTERM)
    run.wait(2 * STOPS_WITHIN_S + 10)
    summary = assert_judged(run, "ABORTED", 4)
    assert "SIGTERM" in summary["verdict"]["reasons"][0]
    assert summary["recovery"]["main"]["said"] == "not observed"
    assert "Injected: stock down at +25m for 1m" in (run.folder / "report.html").read_text()
    bench.falls_silent()


@pytest.mark.nightly
def test_ctrl_c_after_the_load_keeps_what_was_judged_and_warns_of_what_was_not(
    bench: Bench,
) -> None:
    run = bench.replay(bench.scenario(), "--n-minus-one")
    until(lambda: "what can be lost at the peak ..." in run.complained, 60, "the load is over")
    os.kill(run.process.pid, signal.SIGINT)
    run.wait(30)
    summary = assert_judged(run, "WARN", 10)
    assert summary["n_minus_one"] == {}
    assert "not judged: the forecast's peak" in " ".join(summary["verdict"]["reasons"])
    assert "left out: signal SIGINT" in run.complained


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("stock down at +1m for 1m", "into a target of your own only traffic can be injected"),
        ("traffic 2x at +0m", "leave a minute of the window before it"),
        ("stok down at +1m", "did you mean 'stock'"),
    ],
)
def test_what_cannot_be_injected_is_refused_before_anything_is_sent(
    bench: Bench, text: str, why: str
) -> None:
    with counting() as (url, guests):
        run = bench.replay(
            bench.scenario(), "--target", url, "--scale", "1", "--inject", text
        ).wait()
    assert run.code == 2, run.complained
    assert why in run.complained
    assert guests == []
