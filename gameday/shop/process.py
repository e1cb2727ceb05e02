"""Shops started beside a run, each in its own process, and ended with it."""

from __future__ import annotations

import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from gameday.errors import CleanUpFailed, PreflightFailed

__all__ = ["begin_run", "running_shops"]

_READY_S = 30.0
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
        "window_in_s": window_at_s - time.time(), "window_start": window_start.isoformat(),
        "speed": speed, "inject": inject,
    }  # fmt: skip
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


@contextmanager
def running_shops(
    event: str, stacks: tuple[str, ...], *, scale: float, stock_scale: float, seed: int,
    logs: Path,
) -> Iterator[tuple[Callable[[], dict[str, str]], dict[str, subprocess.Popen[str]]]]:  # fmt: skip
    """Start a shop a stack; yield what waits for stack -> URL, and stack -> process; end them then.

    PreflightFailed when one does not come up, CleanUpFailed when one does not end.
    """
    shops: dict[str, subprocess.Popen[str]] = {}
    try:
        for stack in stacks:
            shops[stack] = _start(event, stack, scale, stock_scale, seed, logs)
        yield lambda: {stack: _address(stack, s, logs) for stack, s in shops.items()}, shops
    finally:
        _stop(shops)


def _start(
    event: str, stack: str, scale: float, stock_scale: float, seed: int, logs: Path
) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "gameday.cli", "shop", "--event", event, "--stack", stack,
        "--scale", repr(scale), "--stock-scale", repr(stock_scale), "--seed", str(seed),
        "--port", "0", "--json", "--with-parent",
    ]  # fmt: skip
    with (logs / f"shop-{stack}.log").open("w") as log:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True,
            start_new_session=True,
        )  # fmt: skip


def _address(stack: str, shop: subprocess.Popen[str], logs: Path) -> str:
    assert shop.stdout is not None
    readable, _, _ = select.select([shop.stdout], [], [], _READY_S)
    line = shop.stdout.readline() if readable else ""  # it says where it is, or ends
    if not line:
        code = shop.poll()
        said = (logs / f"shop-{stack}.log").read_text().strip().splitlines()
        raise PreflightFailed(
            f"the shop of stack {stack} did not start (exit {code}): {said[-1] if said else 'no word'}"
        )
    return str(json.loads(line)["url"])


def _stop(shops: dict[str, subprocess.Popen[str]]) -> None:
    for shop in shops.values():
        if shop.poll() is None:
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
