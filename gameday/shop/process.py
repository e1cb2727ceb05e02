"""Shops started beside a run, each in its own process, and ended with it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gameday.errors import CleanUpFailed, PreflightFailed

__all__ = ["running_shops"]

_READY_S = 30.0
_STOP_S = 6.0


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
