"""A shop on a clock that jumps: the ASGI app driven in-process, seconds pass in no time."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.applications import Starlette

from gameday.queueing import build_cell
from gameday.scenario import Scenario
from gameday.shop.app import make_app

__all__ = ["Client", "Reply", "in_virtual_time", "with_shop"]


T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Never blocks: what would have been waited for is added to the loop's clock."""

    loop: _VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: every task waits for another")
        found = super().select(0)
        if not found:
            self.loop.now_s += timeout + (self.loop.late_s if timeout > 0 else 0.0)
        return found


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything is to be done."""

    def __init__(self, late_s: float) -> None:
        jump = _Jump()
        jump.loop, self.now_s, self.late_s = self, 0.0, late_s
        super().__init__(jump)

    def time(self) -> float:
        return self.now_s


def in_virtual_time(main: Callable[[], Coroutine[Any, Any, T]], *, late_s: float = 0.0) -> T:
    """Run `main` to its end on a clock that jumps from one timer to `late_s` after the next."""
    with asyncio.Runner(loop_factory=lambda: _VirtualLoop(late_s)) as runner:
        return runner.run(main())


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """One customer's browser: keeps its cookie."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self.cookie = ""

    async def get(self, path: str, query: str = "", **headers: str) -> Reply:
        return await self.ask("GET", path, b"", headers, query)

    async def form(self, path: str, fields: dict[str, str], **headers: str) -> Reply:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", path, urlencode(fields).encode(), kind | headers)

    async def json(self, path: str, body: Any) -> Reply:
        kind = {"content-type": "application/json"}
        return await self.ask("POST", path, json.dumps(body).encode(), kind)

    async def ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str], query: str = ""
    ) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent["cookie"] = self.cookie
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "server": ("shop", 80),
            "client": ("test", 1),
            "headers": [(n.lower().encode(), v.encode()) for n, v in sent.items()],
        }
        pending = [{"type": "http.request", "body": body, "more_body": False}]
        messages: list[Any] = []

        async def receive() -> Any:
            return pending.pop() if pending else await asyncio.get_running_loop().create_future()

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        start = next(m for m in messages if m["type"] == "http.response.start")
        answered = {n.decode(): v.decode() for n, v in start["headers"]}
        if "set-cookie" in answered:
            self.cookie = answered["set-cookie"].partition(";")[0]
        body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
        return Reply(start["status"], answered, body.decode())


def with_shop(
    scenario: Scenario,
    folder: Path,
    story: Callable[[Starlette], Coroutine[Any, Any, T]],
    *,
    stack: str = "main",
    scale: float = 1.0,
    stock_scale: float = 1.0,
    seed: int = 1,
) -> T:
    """Open a stack's shop in virtual time, tell `story`, close it, return its end."""
    app = make_app(
        scenario,
        build_cell(scenario, stack, scale=scale),
        seed=seed,
        stock_scale=stock_scale,
        database=folder / "orders.db",
    )

    async def whole() -> T:
        async with app.router.lifespan_context(app):
            return await story(app)

    return in_virtual_time(whole)
