"""The shop over HTTP: the scenario's own steps as routes, each answered by its call graph."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
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
from gameday.scenario.reading import Injection, parse_injections
from gameday.shop.actions import ACTIONS, Visitor
from gameday.shop.metrics import exposition
from gameday.shop.station import LiveServices
from gameday.shop.store import Session, Store
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
    """Index of its group in the step."""
    index: int
    """Its index in the group."""
    exchange: Exchange


class _Endpoint:
    """Answers one route: finds which exchange of which step a request is, works, then acts."""

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
        about = self._product_type(request, session)
        use = self._use(request.headers, about)
        visit = shop.cell.exchanges(use.step, about)[use.group][use.index]
        if not await shop.services.call(visit, shop.services.next_asker()):
            return PlainTextResponse("the shop cannot answer now", status_code=503)
        response = await ACTIONS[use.exchange.action](
            Visitor(request, session, shop.store, asyncio.get_running_loop().time())
        )
        response.set_cookie(_COOKIE, session.sid, httponly=True, samesite="lax")
        return response

    def _product_type(self, request: Request, session: Session) -> str | None:
        """Return the product type that a request is about: its header's, else the session's latest."""
        store = self.shop.store
        product = str(request.path_params.get("product", ""))
        session.product_type = store.product_type(product) or session.product_type
        named = request.headers.get("x-gameday-product")
        return named if named in store.items else session.product_type

    def _use(self, headers: Headers, product: str | None) -> _Use:
        """Return what a request to this route is: what the step does for its product type, or for any."""
        step = headers.get("x-gameday-step", self.first.step)
        return self.uses.get((step, product)) or self.uses.get((step, None)) or self.first


@dataclass(frozen=True, slots=True)
class _RunBegin:
    """When a run's window begins, and what is injected into it."""

    window_start: datetime
    """The event's instant at which the window begins."""
    clock: Clock
    """Event seconds from the window's start -> the event loop's seconds."""
    injections: tuple[Injection, ...]


@dataclass(frozen=True, slots=True)
class _Shop:
    """What all routes share, and the shop's own routes."""

    scenario: Scenario
    cell: Cell
    services: LiveServices
    store: Store

    async def metrics(self, _: Request) -> Response:
        """Answer with Prometheus text."""
        return Response(exposition(self.services), media_type="text/plain; version=0.0.4")

    async def orders(self, request: Request) -> Response:
        """Answer with the keys of a run's orders."""
        run = request.query_params.get("run", "")
        return JSONResponse({"run": run, "keys": self.store.order_keys(run)})

    async def health(self, _: Request) -> Response:
        """Answer which shop this is."""
        event = self.scenario.event.name
        return JSONResponse({"stack": self.cell.stack, "scale": self.cell.scale, "event": event})

    async def begin_run(self, request: Request) -> Response:
        """Let a run begin: injections, schedules and releases count from its window's start."""
        scenario, cell = self.scenario, self.cell
        try:
            run = self._read_begin(await request.body())
            planned = plan_timed_changes(scenario, cell, run.injections, run.clock)
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"begun": False, "why": str(error)}, status_code=422)
        self.services.begin(planned)
        selling = build_sales(scenario, cell.stack, run.clock, window_start=run.window_start)
        for product, sale in selling.items():
            self.store.selling[product].opens_s = sale.opens_s
        return JSONResponse({"begun": True, "switches": len(planned)})

    def _read_begin(self, body: bytes) -> _RunBegin:
        """Return what a request to begin a run says; ValueError, KeyError or TypeError where it says none.

        The body is JSON: `window_in_s`, wall seconds until the window; `window_start`, the event's instant then;
        `speed`; `inject`, a list of sentences.
        """
        message = json.loads(body)
        window_start = datetime.fromisoformat(str(message["window_start"]))
        if window_start.tzinfo is None:
            raise ValueError("window_start needs its offset")
        begins_s = asyncio.get_running_loop().time() + float(message["window_in_s"])
        injections = parse_injections(list(message["inject"]), self.scenario, math.inf)
        speed = float(message["speed"])
        if not 0 < speed < math.inf or not math.isfinite(begins_s):
            raise ValueError("speed must be above 0, window_in_s a number of seconds")
        return _RunBegin(window_start, Clock(speed, self.cell.scale, begins_s), injections)


def make_app(
    scenario: Scenario, cell: Cell, *, seed: int, stock_scale: float, database: Path
) -> Starlette:
    """Return the shop of one cell. `stock_scale`: share of the stock it has (k/s)."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        selling = build_sales(
            scenario, cell.stack, Clock(scale=cell.scale), stock_scale=stock_scale
        )
        store = Store(scenario, selling, database)
        shop = _Shop(scenario, cell, LiveServices(scenario, cell, seed), store)
        app.router.routes.extend([*_own_routes(shop), *_step_routes(shop)])
        yield
        store.close()

    return Starlette(lifespan=lifespan)


def _own_routes(shop: _Shop) -> list[Route]:
    return [
        Route("/metrics", shop.metrics),
        Route("/orders", shop.orders),
        Route("/health", shop.health),
        Route("/run", shop.begin_run, methods=["POST"]),
    ]


def _step_routes(shop: _Shop) -> list[Route]:
    """Return a route for each method and path of the scenario's exchanges."""
    uses: dict[tuple[str, str], list[_Use]] = {}
    for use in _uses(shop.scenario):
        uses.setdefault((use.exchange.method, use.exchange.path), []).append(use)
    return [
        Route(path, _Endpoint(shop, found).__call__, methods=[method])
        for (method, path), found in uses.items()
    ]


def _uses(scenario: Scenario) -> Iterator[_Use]:
    """Yield every exchange: those of the steps, then those of product types in place of them."""
    own = [(step, name) for name, block in scenario.products.items() for step in block.exchanges]
    for step, product in [*((step, None) for step in scenario.steps), *own]:
        for group, exchanges in enumerate(scenario.exchanges(step, product)):
            for index, exchange in enumerate(exchanges):
                yield _Use(step, product, group, index, exchange)
