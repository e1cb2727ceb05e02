"""The shop over HTTP: the scenario's own steps as routes, each answered by its call graph."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gameday.scenario import Cell, Scenario
from gameday.scenario.injections import parse_injections
from gameday.scenario.steps import Exchange
from gameday.scenario.switches import switches
from gameday.shop.actions import ACTIONS, Visitor
from gameday.shop.metrics import exposition
from gameday.shop.station import LiveServices
from gameday.shop.store import Store

__all__ = ["make_app"]

_COOKIE = "sid"


class _Answer:
    """One route: which exchange of which step it is, and how it is answered."""

    def __init__(self, shop: _Shop, uses: list[tuple[str, int, int, Exchange]]) -> None:
        self.shop = shop
        self.uses = {step: (group, place, exchange) for step, group, place, exchange in uses}
        self.first = uses[0][0]

    async def __call__(self, request: Request) -> Response:
        """Do the work, then the action. A customer who has gone does not stop the work."""
        return await asyncio.shield(self._answer(request))

    async def _answer(self, request: Request) -> Response:
        shop = self.shop
        step = request.headers.get("x-gameday-step", self.first)
        step = step if step in self.uses else self.first
        group, place, exchange = self.uses[step]
        session = shop.store.session(request.cookies.get(_COOKIE))
        product = str(request.path_params.get("product", ""))
        session.product_type = shop.store.product_type(product) or session.product_type
        visit = shop.cell.exchanges(step, session.product_type)[group][place]
        if not await shop.services.call(visit, shop.services.next_asker()):
            return PlainTextResponse("the shop cannot answer now", status_code=503)
        response = await ACTIONS[exchange.action](Visitor(request, session, shop.store))
        response.set_cookie(_COOKIE, session.sid, httponly=True, samesite="lax")
        return response


class _Shop:
    """What all routes share."""

    def __init__(self, cell: Cell, services: LiveServices, store: Store) -> None:
        self.cell, self.services, self.store = cell, services, store


def make_app(
    scenario: Scenario, cell: Cell, *, seed: int, stock_scale: float, database: Path
) -> Starlette:
    """Return the shop of one cell. `stock_scale`: share of the stock it has (k/s)."""
    shop: list[_Shop] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        store = Store(scenario, cell.stack, stock_scale=stock_scale, file=database)
        shop.append(_Shop(cell, LiveServices(scenario, cell, seed), store))
        app.router.routes.extend(_routes(scenario, shop[0]))
        yield
        store.close()

    async def metrics(_: Request) -> Response:
        return Response(exposition(shop[0].services), media_type="text/plain; version=0.0.4")

    async def orders(request: Request) -> Response:
        run = request.query_params.get("run", "")
        return JSONResponse({"run": run, "keys": shop[0].store.order_keys(run)})

    async def health(_: Request) -> Response:
        return JSONResponse(
            {"stack": cell.stack, "scale": cell.scale, "event": scenario.event.name}
        )

    async def run(request: Request) -> Response:
        return _begin(scenario, cell, shop[0].services, await request.body())

    own = [
        Route("/metrics", metrics), Route("/orders", orders), Route("/health", health),
        Route("/run", run, methods=["POST"]),
    ]  # fmt: skip
    return Starlette(routes=own, lifespan=lifespan)


def _begin(scenario: Scenario, cell: Cell, services: LiveServices, body: bytes) -> Response:
    """Let a run begin: what is injected and scheduled happens from its window's begin on.

    The body is JSON: `window_in_s`, wall seconds until then; `speed`; `inject`, a list of sentences.
    """
    try:
        told = json.loads(body)
        begins_s = asyncio.get_running_loop().time() + float(told["window_in_s"])
        injections = parse_injections(list(told["inject"]), scenario, math.inf)
        speed = float(told["speed"])
        if not 0 < speed < math.inf or not math.isfinite(begins_s):
            raise ValueError("speed must be above 0, window_in_s a number of seconds")
        planned = switches(scenario, cell, injections, begins_s=begins_s, speed=speed)
    except (ValueError, KeyError, TypeError) as error:
        return JSONResponse({"begun": False, "why": str(error)}, status_code=422)
    services.begin(planned)
    return JSONResponse({"begun": True, "switches": len(planned)})


def _routes(scenario: Scenario, shop: _Shop) -> list[Route]:
    uses: dict[tuple[str, str], list[tuple[str, int, int, Exchange]]] = {}
    for name, step in scenario.steps.items():
        for group, exchanges in enumerate(step.exchanges):
            for place, exchange in enumerate(exchanges):
                key = (exchange.method, exchange.path)
                uses.setdefault(key, []).append((name, group, place, exchange))
    return [
        Route(path, _Answer(shop, found).__call__, methods=[method])
        for (method, path), found in uses.items()
    ]
