"""What a person ends after the load costs that phase alone: what was measured is kept and judged."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gameday.jobs.one_run.after_load import AfterLoad, not_judged
from gameday.live import Show
from gameday.simulate.real_speed import RealSpeedRuns
from tests.support.program import Bench, until


def after(end: str = "complete", reason: str | None = None) -> AfterLoad:
    """Return the state after a load that ended so, with what a person asked since."""
    played: Any = SimpleNamespace(end=end, why="as it ended")
    stop: Any = SimpleNamespace(reason=reason)
    return AfterLoad(played, stop)


WHOLE: RealSpeedRuns[int] = RealSpeedRuns()
MISSING: RealSpeedRuns[int] = RealSpeedRuns(why="stopped by signal SIGINT")
QUIET = Show(quiet=True)


def test_an_interrupt_loses_the_phase_it_falls_in_and_no_other() -> None:
    state, done = after(), list[str]()
    for name in ("model", "losses", "proof"):
        with state.phase(name, QUIET):
            if name == "losses":
                raise KeyboardInterrupt
            done.append(name)
    assert done == ["model", "proof"]


def test_a_load_that_nobody_stopped_stays_complete() -> None:
    state = after()
    assert (state.why_cut(), state.outcome(WHOLE)) == (None, ("complete", "as it ended"))


def test_a_person_who_leaves_out_what_the_verdict_rests_on_aborts_the_run() -> None:
    state = after(reason="signal SIGINT")
    said = "stopped by signal SIGINT after the load; left out: the event at real speed"
    assert state.outcome(MISSING) == ("person", said)
    assert state.outcome(WHOLE) == ("complete", "as it ended")
    assert after().outcome(MISSING)[0] == "complete"  # its limit was over: a WARN


@pytest.mark.parametrize("end", ["guardrail", "worker_lost", "person"])
def test_a_load_that_ended_early_keeps_its_own_reason(end: str) -> None:
    state = after(end, reason="gameday stop")  # a guardrail writes the same file
    assert state.why_cut() == "the load ended early"
    assert state.outcome(MISSING) == (end, "as it ended")


def test_a_wait_that_is_interrupted_leaves_a_model_that_is_missing_and_says_why() -> None:
    def interrupted(*_: Any) -> RealSpeedRuns[int]:
        raise KeyboardInterrupt

    modelled = after(reason="signal SIGINT").real_speed(interrupted, QUIET)
    assert (modelled.event, modelled.why) == ((), "interrupted")
    assert "its model has no replications: interrupted" in not_judged(modelled)[0]
    assert not_judged(WHOLE) == ()


@pytest.mark.nightly
@pytest.mark.slow
def test_ctrl_c_while_the_model_at_real_speed_hangs_keeps_and_judges_what_was_measured(
    bench: Bench,
) -> None:
    run = bench.replay(bench.scenario()).until_load()
    [model] = run.children("joblib.externals.loky.backend.popen_loky_posix")
    os.kill(model, signal.SIGSTOP)
    told = "the event at real speed, in the model ..."
    until(lambda: told in run.complained, 90, "the load is over")
    assert (run.folder / "measured.parquet").is_file()
    os.kill(run.process.pid, signal.SIGINT)
    assert run.wait(60).code == 4, run.complained
    run.says_no_trace()
    verdict = run.summary["verdict"]
    assert (verdict["name"], verdict["exit_code"]) == ("ABORTED", 4)
    assert verdict["reasons"][0] == (
        "stopped by signal SIGINT after the load; left out: the event at real speed"
    )
    assert run.summary["followed"]["session_starts_share"] == 1.0
    assert (run.manifest["verdict"], run.manifest["exit_code"]) == ("ABORTED", 4)
    again = bench.says("report", run.manifest["run_id"], "--out", str(bench.out))
    assert "ABORTED" in Path(again.said.strip()).read_text()
    bench.falls_silent()


@pytest.mark.nightly
@pytest.mark.slow
def test_a_run_killed_right_after_its_load_still_shows_what_it_measured(bench: Bench) -> None:
    run = bench.replay(bench.scenario())
    until(lambda: list(bench.out.rglob("measured.parquet")), 90, "what was measured was written")
    os.kill(run.process.pid, signal.SIGKILL)
    run.wait(30)
    page = bench.says("report", str(run.folder), "--out", str(bench.out))
    text = (bench.path / page.said.strip()).read_text()
    for word in ("ABORTED", "ended before its report", "checkout", "achieved"):
        assert word in text
