"""The shop as a program: one stack, one process, one loopback address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from gameday.errors import PreflightFailed
from gameday.files import scratch_folder
from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.shop.app import make_app

__all__ = ["serve"]

_BACKLOG = 2048
"""Connections that may wait to be accepted; uvicorn's default."""


def serve(
    scenario: Scenario,
    stack: str,
    *,
    scale: float,
    stock_scale: float,
    seed: int,
    port: int,
    ready: Callable[[str], None],
    over: Callable[[], bool] = lambda: False,
) -> None:
    """Run the shop of `stack` on 127.0.0.1 until a signal stops it or `over()` is true; call `ready(url)` once.

    `over` is called twice a second. `port` 0 takes a free one. PreflightFailed when the port is taken.
    """
    scenario = scenario.as_measured(stack)
    cell = build_cell(scenario, stack, scale=scale)
    with _listen(port) as listener, scratch_folder("shop") as folder:
        app = make_app(
            scenario, cell, seed=seed, stock_scale=stock_scale, database=folder / "orders.db"
        )
        is_stopped = asyncio.run(_run(_server(app), listener, ready, over))
    if is_stopped:
        raise KeyboardInterrupt


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            backlog=_BACKLOG,
            http="httptools",
            loop="asyncio",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=2,
        )
    )


async def _run(
    server: uvicorn.Server,
    listener: socket.socket,
    ready: Callable[[str], None],
    over: Callable[[], bool],
) -> bool:
    """Return whether a signal ended it."""
    task = asyncio.ensure_future(_until_stopped(server, listener))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    if server.started:
        ready(f"http://127.0.0.1:{listener.getsockname()[1]}")
    while not task.done():
        await asyncio.wait([task], timeout=0.5)
        server.should_exit = server.should_exit or over()
    return await task


async def _until_stopped(server: uvicorn.Server, listener: socket.socket) -> bool:
    """Serve; return whether a signal ended it.

    The server raises it again when it is done, here inside a task, where asyncio would print a trace of it.
    """
    try:
        await server.serve(sockets=[listener])
    except KeyboardInterrupt:
        return True
    return False


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise PreflightFailed(
            f"port {port} on 127.0.0.1 cannot be had ({error}); choose another with --port, "
            "or 0 for a free one"
        ) from None
    return listener
