"""The shops of a run: each in a process of its own, watched while the run goes on, ended with it."""

from __future__ import annotations

import http.client
import json
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from gameday.errors import (
    CleanUpFailed,
    GeneratorFailed,
    PreflightFailed,
    ShopFailed,
    StoppedByPerson,
)
from gameday.scenario.reading import LoadedScenario
from gameday.shop.watch import ShopWatch, is_stopped

__all__ = ["Shops", "begin_run", "running_shops"]

_READY_S = 30.0
"""Longest wait for a shop's address."""
_LOOK_EVERY_S = 0.2
_ENDS_S = 2.0
"""Longest wait for the exit code of a shop that does not start."""
_REFUSED = (2, 5, 6)
"""Exit codes of a shop that would not start, and gave the reason: a file, a port, a disk."""
_STOP_S = 6.0
"""Longest wait for a shop to end, after each signal."""
_BEGIN_S = 2.0
"""Longest wait for a shop's answer that a run may begin."""


def begin_run(
    url: str, *, window_at_s: float, window_start: datetime, speed: float, inject: list[str]
) -> None:
    """Tell an embedded shop when a run's window begins (Unix seconds), the event's instant then, what is injected.

    CleanUpFailed when it does not answer: load is being sent by then.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_BEGIN_S)
    message = {
        "window_in_s": window_at_s - time.time(),
        "window_start": window_start.isoformat(),
        "speed": speed,
        "inject": inject,
    }
    try:
        connection.request("POST", "/run", json.dumps(message))
        reply = connection.getresponse()
        answer = reply.read(4096).decode(errors="replace")
        if reply.status != HTTPStatus.OK:
            raise OSError(f"status {reply.status}: {answer}")
    except (OSError, http.client.HTTPException) as error:
        raise CleanUpFailed(
            f"the shop at {url} was not told what is injected ({error}); load was stopped"
        ) from None
    finally:
        connection.close()


class Shops:
    """The shops of one run, one process for each stack."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._watches: list[ShopWatch] = []

    def add(self, stack: str, process: subprocess.Popen[str]) -> None:
        """Watch a stack's process from now on."""
        self.processes[stack] = process
        self._watches.append(ShopWatch(stack, process))
        self._watches[-1].start()

    def addresses(self) -> dict[str, str]:
        """Wait until every shop is up; return stack -> URL.

        PreflightFailed when one refuses to start, ShopFailed when one died or fell silent.
        """
        for watch in self._watches:
            watch.url = watch.url or _address(watch, self.logs)
        if (fault := self.fault()) is not None:
            raise ShopFailed(fault)
        return {watch.stack: watch.url for watch in self._watches if watch.url is not None}

    def fault(self) -> str | None:
        """Return which shop's process failed, of what and when; None while all are well."""
        return next((fault for watch in self._watches if (fault := watch.fault())), None)

    @contextmanager
    def answer_for_failures(self) -> Iterator[None]:
        """Turn any failure into ShopFailed while a shop is not well: the shop is its cause."""
        try:
            yield
        except (PreflightFailed, StoppedByPerson, GeneratorFailed, CleanUpFailed) as error:
            if (fault := self.fault()) is None:
                raise
            raise ShopFailed(fault) from error

    def end(self) -> None:
        """End every process; CleanUpFailed when one does not end."""
        for watch in self._watches:
            watch.over.set()
        _stop(self.processes)


@contextmanager
def running_shops(
    loaded: LoadedScenario,
    *,
    scale: float,
    stock_scale: float,
    seed: int,
    logs: Path,
) -> Iterator[Shops]:
    """Start a shop for each stack of a scenario; end them afterwards. CleanUpFailed when one does not end."""
    sizes = ["--scale", repr(scale), "--stock-scale", repr(stock_scale), "--seed", str(seed)]
    shops = Shops(logs)
    try:
        for stack in loaded.played.stack_names:
            shops.add(stack, _start(loaded, stack, sizes, logs))
        yield shops
    finally:
        shops.end()


def _start(
    loaded: LoadedScenario, stack: str, sizes: list[str], logs: Path
) -> subprocess.Popen[str]:
    """Start the shop of one stack; `sizes`: its options of scale and seed."""
    shop = [sys.executable, "-m", "gameday.cli", "shop", "--event", loaded.played.event.name]
    here = ["--scenario-on-stdin", "--stack", stack]
    ways = ["--port", "0", "--json", "--with-parent"]
    with (logs / f"shop-{stack}.log").open("w") as log, tempfile.TemporaryFile("w+") as scenario:
        scenario.write(loaded.text)  # no name on the disk: it may hold secrets
        scenario.seek(0)
        return subprocess.Popen(
            [*shop, *here, *sizes, *ways],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=scenario,
            text=True,
            start_new_session=True,
        )


def _address(watch: ShopWatch, logs: Path) -> str:
    """Return a shop's URL once it is up; PreflightFailed or ShopFailed says why it is not."""
    out, until = watch.process.stdout, time.monotonic() + _READY_S
    assert out is not None
    while time.monotonic() < until:
        if select.select([out], [], [], _LOOK_EVERY_S)[0]:
            if line := out.readline():
                return str(json.loads(line)["url"])
            break  # its output is closed: it is about to end
        if is_stopped(watch.process.pid):
            raise ShopFailed(f"{watch.fault()}, while it started")
    raise _start_failure(watch, logs)


def _start_failure(watch: ShopWatch, logs: Path) -> PreflightFailed | ShopFailed:
    """Return why a shop gave no address: it refused to start, or failed."""
    with suppress(subprocess.TimeoutExpired):
        watch.process.wait(_ENDS_S)
    code = watch.process.returncode
    if code not in _REFUSED:
        silence = f"the embedded shop of stack {watch.stack} said nothing in {_READY_S:g} s"
        return ShopFailed(f"{watch.fault() or silence}, while it started")
    lines = (logs / f"shop-{watch.stack}.log").read_text(errors="replace").strip().splitlines()
    return PreflightFailed(
        f"the shop of stack {watch.stack} did not start (exit {code}): {lines[-1] if lines else 'no word'}"
    )


def _stop(shops: dict[str, subprocess.Popen[str]]) -> None:
    """End every process, first by SIGTERM, then by SIGKILL; CleanUpFailed when one does not end."""
    for shop in shops.values():
        if shop.poll() is None and is_stopped(shop.pid):
            shop.kill()  # a stopped process handles no other signal
        elif shop.poll() is None:
            shop.terminate()
    for stack, shop in shops.items():
        try:
            shop.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            shop.kill()
            try:
                shop.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                raise CleanUpFailed(
                    f"the shop of stack {stack} (pid {shop.pid}) does not end; end it by hand"
                ) from None
        if shop.stdout is not None:
            shop.stdout.close()
