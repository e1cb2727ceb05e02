"""Ways to stop: a file, a signal; the first reason is kept, the handlers are given back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.errors import StoppedByPerson
from gameday.safety import StopWatch, ask_to_stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give the handlers back whatever a test does."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nothing_stops_a_run_nobody_stopped(tmp_path: Path) -> None:
    with StopWatch(tmp_path) as watch:
        assert watch.reason is None
        watch.check()


def test_the_stop_file_stops_the_run(tmp_path: Path) -> None:
    with StopWatch(tmp_path) as watch:
        ask_to_stop(tmp_path)
        assert watch.reason == "gameday stop"
        with pytest.raises(StoppedByPerson, match="gameday stop") as caught:
            watch.check()
        assert caught.value.exit_code == 4


def test_the_stop_file_is_seen_without_the_signals_taken(tmp_path: Path) -> None:
    ask_to_stop(tmp_path)
    assert StopWatch(tmp_path).reason == "gameday stop"


def test_asking_twice_to_stop_is_asking_once(tmp_path: Path) -> None:
    ask_to_stop(tmp_path)
    ask_to_stop(tmp_path)
    assert StopWatch(tmp_path).reason == "gameday stop"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_the_reason_and_does_not_end_the_process(tmp_path: Path, number: int) -> None:
    with StopWatch(tmp_path) as watch:
        os.kill(os.getpid(), number)
        assert watch.reason == f"signal {signal.Signals(number).name}"
        with pytest.raises(StoppedByPerson, match=signal.Signals(number).name):
            watch.check()


def test_a_second_ctrl_c_ends_the_run_at_once(tmp_path: Path) -> None:
    with StopWatch(tmp_path):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("first", ["file", "SIGINT", "SIGTERM"])
def test_the_first_reason_is_the_one_remembered(tmp_path: Path, first: str) -> None:
    with StopWatch(tmp_path) as watch:
        if first == "file":
            ask_to_stop(tmp_path)
        else:
            os.kill(os.getpid(), getattr(signal, first))
        reason = watch.reason
        os.kill(os.getpid(), signal.SIGTERM)
        ask_to_stop(tmp_path)
        assert watch.reason == reason


def test_the_first_ctrl_c_after_a_stop_file_still_lets_the_run_end_in_order(tmp_path: Path) -> None:
    with StopWatch(tmp_path) as watch:
        ask_to_stop(tmp_path)
        assert watch.reason == "gameday stop"
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            pytest.fail("the first Ctrl-C ended the run at once; only a second may")


def test_the_handlers_are_given_back_afterwards(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopWatch(tmp_path):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_the_handlers_are_given_back_after_a_run_that_failed(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(RuntimeError, match="broke"), StopWatch(tmp_path):
        raise RuntimeError("broke")
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_an_error_inside_is_not_swallowed(tmp_path: Path) -> None:
    ask_to_stop(tmp_path)
    with pytest.raises(StoppedByPerson), StopWatch(tmp_path) as watch:
        watch.check()
