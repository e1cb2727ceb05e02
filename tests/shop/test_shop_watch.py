"""A shop of ours that dies, is stopped or hangs is noticed by us, with its process, why and when."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import CleanUpFailed, GamedayError, ShopFailed
from gameday.shop import Shops
from gameday.shop.watch import ShopWatch, is_stopped

NOBODY = "http://127.0.0.1:9"
NAMED = r"the embedded shop of stack us \(pid {pid}\) {what} at 20\d\d-\d\d-\d\dT[\d:.]+Z"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield child
    child.kill()
    child.communicate()


def noticed(watch: ShopWatch) -> str:
    """Return the fault once a signal has arrived."""
    while (fault := watch.fault()) is None:
        time.sleep(0.005)
    return fault


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (signal.SIGKILL, "was ended by signal SIGKILL"),
        (signal.SIGTERM, "was ended by signal SIGTERM"),
        (signal.SIGSTOP, r"was stopped by a signal \(SIGSTOP or its like\)"),
    ],
)
def test_a_signal_to_a_shop_is_named_with_its_process_and_when(
    process: Any, number: signal.Signals, what: str
) -> None:
    watch = ShopWatch("us", process)
    assert watch.fault() is None
    os.kill(process.pid, number)
    assert re.fullmatch(NAMED.format(pid=process.pid, what=what), noticed(watch))


def test_what_became_of_a_shop_stands_though_it_goes_on_later(process: Any) -> None:
    watch = ShopWatch("us", process)
    os.kill(process.pid, signal.SIGSTOP)
    first = noticed(watch)
    os.kill(process.pid, signal.SIGCONT)
    while is_stopped(process.pid):
        time.sleep(0.005)
    assert watch.fault() == first


def test_a_shop_that_lives_and_does_not_answer_is_noticed_after_ten_checks(process: Any) -> None:
    watch = ShopWatch("us", process)
    for _ in range(9):
        watch.ask(NOBODY)
    assert watch.fault() is None
    watch.ask(NOBODY)
    assert "lives but has not answered 10 health checks in a row" in (watch.fault() or "")


def shops_of(process: Any, folder: Path) -> Shops:
    shops = Shops(folder)
    shops.add("us", process)
    return shops


def test_what_fails_because_the_shop_died_is_the_shops_failure_and_no_other(
    process: Any, tmp_path: Path
) -> None:
    shops = shops_of(process, tmp_path)
    with pytest.raises(CleanUpFailed), shops.answer_for_failures():
        raise CleanUpFailed("not told what is injected")
    process.kill()
    process.wait()
    with (
        pytest.raises(ShopFailed, match="ended by signal SIGKILL") as failed,
        shops.answer_for_failures(),
    ):
        raise CleanUpFailed("not told what is injected")
    assert failed.value.exit_code == 9
    shops.end()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_shop_that_is_killed_or_stopped_while_it_starts_is_our_failure(
    process: Any, number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "shop-us.log").touch()
    shops = shops_of(process, tmp_path)
    os.kill(process.pid, number)
    with pytest.raises(ShopFailed, match="while it started"):
        shops.addresses()
    shops.end()
    assert process.poll() is not None, "stopped or not, it is ended"


def test_a_shop_that_refuses_to_start_says_why_and_is_a_failed_preflight(tmp_path: Path) -> None:
    (tmp_path / "shop-us.log").write_text("no such scenario\n")
    refusing = subprocess.Popen(
        [sys.executable, "-c", "raise SystemExit(2)"], stdout=subprocess.PIPE, text=True
    )
    shops = shops_of(refusing, tmp_path)
    with pytest.raises(GamedayError, match=r"did not start .exit 2.: no such scenario") as failed:
        shops.addresses()
    assert failed.value.exit_code == 5
    shops.end()
