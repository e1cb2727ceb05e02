"""The shop over HTTP: the scenario's own steps as routes, each answered by its call graph."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gameday.queueing import Cell, build_sales, plan_timed_changes
from gameday.scenario import Scenario
from gameday.scenario.blocks import Exchange
from gameday.scenario.reading import parse_injections
from gameday.shop.actions import ACTIONS, Visitor
from gameday.shop.metrics import exposition
from gameday.shop.station import LiveServices
from gameday.shop.store import Store
from gameday.vocabulary import Clock

__all__ = ["make_app"]

_COOKIE = "sid"


@dataclass(frozen=True, slots=True)
class _Use:
    """An exchange that a route serves."""

    step: str
    product: str | None
    """The product type that does it in place of the step's own; None: any."""
    group: int
    place: int
    exchange: Exchange


class _Answer:
    """One route: which exchange of which step it is, and how it is answered."""

    def __init__(self, shop: _Shop, uses: list[_Use]) -> None:
        self.shop = shop
        self.uses = {(use.step, use.product): use for use in uses}
        self.first = uses[0]

    async def __call__(self, request: Request) -> Response:
        """Do the work, then the action. A customer who has gone does not stop the work."""
        return await asyncio.shield(self._answer(request))

    async def _answer(self, request: Request) -> Response:
        shop = self.shop
        session = shop.store.session(request.cookies.get(_COOKIE))
        product = str(request.path_params.get("product", ""))
        session.product_type = shop.store.product_type(product) or session.product_type
        named = request.headers.get("x-gameday-product")
        about = named if named in shop.store.items else session.product_type
        use = self._use(request.headers, about)
        visit = shop.cell.exchanges(use.step, about)[use.group][use.place]
        if not await shop.services.call(visit, shop.services.next_asker()):
            return PlainTextResponse("the shop cannot answer now", status_code=503)
        response = await ACTIONS[use.exchange.action](
            Visitor(request, session, shop.store, asyncio.get_running_loop().time())
        )
        response.set_cookie(_COOKIE, session.sid, httponly=True, samesite="lax")
        return response

    def _use(self, headers: Headers, product: str | None) -> _Use:
        """Return what a request to this route is: what the step does for its product type, or for any."""
        step = headers.get("x-gameday-step", self.first.step)
        return self.uses.get((step, product)) or self.uses.get((step, None)) or self.first


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
        selling = build_sales(
            scenario, cell.stack, Clock(scale=cell.scale), stock_scale=stock_scale
        )
        store = Store(scenario, selling, database)
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
        return _begin(scenario, shop[0], await request.body())

    own = [
        Route("/metrics", metrics),
        Route("/orders", orders),
        Route("/health", health),
        Route("/run", run, methods=["POST"]),
    ]
    return Starlette(routes=own, lifespan=lifespan)


def _begin(scenario: Scenario, shop: _Shop, body: bytes) -> Response:
    """Let a run begin: what is injected, scheduled and released happens from its window's begin on.

    The body is JSON: `window_in_s`, wall seconds until then; `window_start`, the event's instant it stands for;
    `speed`; `inject`, a list of sentences.
    """
    cell = shop.cell
    try:
        told = json.loads(body)
        start = datetime.fromisoformat(str(told["window_start"]))
        if start.tzinfo is None:
            raise ValueError("window_start needs its offset")
        begins_s = asyncio.get_running_loop().time() + float(told["window_in_s"])
        injections = parse_injections(list(told["inject"]), scenario, math.inf)
        speed = float(told["speed"])
        if not 0 < speed < math.inf or not math.isfinite(begins_s):
            raise ValueError("speed must be above 0, window_in_s a number of seconds")
        clock = Clock(speed, cell.scale, begins_s)
        planned = plan_timed_changes(scenario, cell, injections, clock)
    except (ValueError, KeyError, TypeError) as error:
        return JSONResponse({"begun": False, "why": str(error)}, status_code=422)
    shop.services.begin(planned)
    for product, sale in build_sales(scenario, cell.stack, clock, window_start=start).items():
        shop.store.selling[product].opens_s = sale.opens_s
    return JSONResponse({"begun": True, "switches": len(planned)})


def _routes(scenario: Scenario, shop: _Shop) -> list[Route]:
    uses: dict[tuple[str, str], list[_Use]] = {}
    own = [(step, name) for name, block in scenario.products.items() for step in block.exchanges]
    for step, product in [*((step, None) for step in scenario.steps), *own]:
        for group, exchanges in enumerate(scenario.exchanges(step, product)):
            for place, exchange in enumerate(exchanges):
                key = (exchange.method, exchange.path)
                uses.setdefault(key, []).append(_Use(step, product, group, place, exchange))
    return [
        Route(path, _Answer(shop, found).__call__, methods=[method])
        for (method, path), found in uses.items()
    ]
