"""Shops started beside a run, each in its own process, watched while it goes on, ended with it."""

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
_LOOK_EVERY_S = 0.2
_ENDS_S = 2.0
_REFUSED = (2, 5, 6)
"""Exit codes of a shop that would not start, and said why: a file, a port, a disk."""
_STOP_S = 6.0
_TELL_S = 2.0


def begin_run(
    url: str, *, window_at_s: float, window_start: datetime, speed: float, inject: list[str]
) -> None:
    """Tell a shop of ours when a run's window begins (Unix seconds), the event's instant then, what is injected.

    CleanUpFailed when it does not hear: load is out by then.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TELL_S)
    told = {
        "window_in_s": window_at_s - time.time(),
        "window_start": window_start.isoformat(),
        "speed": speed,
        "inject": inject,
    }
    try:
        connection.request("POST", "/run", json.dumps(told))
        reply = connection.getresponse()
        said = reply.read(4096).decode(errors="replace")
        if reply.status != HTTPStatus.OK:
            raise OSError(f"status {reply.status}: {said}")
    except (OSError, http.client.HTTPException) as error:
        raise CleanUpFailed(
            f"the shop at {url} was not told what is injected ({error}); load was stopped"
        ) from None
    finally:
        connection.close()


class Shops:
    """The shops of one run, a process a stack."""

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
        """Turn what fails while a shop is not well into ShopFailed: it failed of that."""
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
    """Start a shop for each stack of a scenario; end them then. CleanUpFailed when one does not end."""
    shops = Shops(logs)
    try:
        for stack in loaded.played.stack_names:
            shops.add(stack, _start(loaded, stack, scale, stock_scale, seed, logs))
        yield shops
    finally:
        shops.end()


def _start(
    loaded: LoadedScenario, stack: str, scale: float, stock_scale: float, seed: int, logs: Path
) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "gameday.cli",
        "shop",
        "--event",
        loaded.played.event.name,
        "--scenario-on-stdin",
        "--stack",
        stack,
        "--scale",
        repr(scale),
        "--stock-scale",
        repr(stock_scale),
        "--seed",
        str(seed),
        "--port",
        "0",
        "--json",
        "--with-parent",
    ]
    with (logs / f"shop-{stack}.log").open("w") as log, tempfile.TemporaryFile("w+") as told:
        told.write(loaded.text)  # no name on the disk: it may hold secrets
        told.seek(0)
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=told,
            text=True,
            start_new_session=True,
        )


def _address(watch: ShopWatch, logs: Path) -> str:
    """Wait until a shop says where it is; raise why it does not."""
    out, until = watch.process.stdout, time.monotonic() + _READY_S
    assert out is not None
    while time.monotonic() < until:
        if select.select([out], [], [], _LOOK_EVERY_S)[0]:
            if line := out.readline():
                return str(json.loads(line)["url"])
            break  # it says no more: it is about to end
        if is_stopped(watch.process.pid):
            raise ShopFailed(f"{watch.fault()}, while it started")
    with suppress(subprocess.TimeoutExpired):
        watch.process.wait(_ENDS_S)
    code = watch.process.returncode
    if code not in _REFUSED:
        what = (
            watch.fault()
            or f"the embedded shop of stack {watch.stack} said nothing in {_READY_S:g} s"
        )
        raise ShopFailed(f"{what}, while it started")
    said = (logs / f"shop-{watch.stack}.log").read_text(errors="replace").strip().splitlines()
    raise PreflightFailed(
        f"the shop of stack {watch.stack} did not start (exit {code}): {said[-1] if said else 'no word'}"
    )


def _stop(shops: dict[str, subprocess.Popen[str]]) -> None:
    for shop in shops.values():
        if shop.poll() is None and is_stopped(shop.pid):
            shop.kill()  # it cannot hear anything milder
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
