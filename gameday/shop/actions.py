"""What the shop does for an exchange beside its work: one function for each value of `Exchange.action`."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from gameday.shop.store import NotYet, Session, SoldOut, Store

__all__ = ["ACTIONS", "Visitor"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """One request, with its customer's session and the shop's store."""

    request: Request
    session: Session
    store: Store
    now: float
    """The shop's clock, s."""


Action = Callable[[Visitor], Awaitable[Response]]


def _page(title: str, body: str = "", status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><title>{title}</title><h1>{title}</h1>{body}", status_code=status
    )


async def _show(visitor: Visitor) -> Response:
    token = visitor.session.csrf
    form = f'<form method="post"><input name="csrf" value="{token}"></form>'
    return _page("shop", form)


async def _sign_in(visitor: Visitor) -> Response:
    form = await _form(visitor.request)
    if not _has_token(form, visitor.session):
        return _page("please sign in again", status=403)
    name = form.get("name")
    if not name or not form.get("password"):
        return _page("name and password are needed", status=422)
    visitor.session.customer = str(name)
    return _page("welcome")


async def _search(visitor: Visitor) -> Response:
    term = visitor.request.query_params.get("q", "")
    found = [f"{kind}-0" for kind in visitor.store.items]
    listed = "".join(f'<a href="/product/{name}">{name}</a>' for name in found)
    return _page(f"results for {html.escape(term)}", listed)


async def _product(visitor: Visitor) -> Response:
    product = str(visitor.request.path_params.get("product", ""))
    kind = visitor.store.product_type(product)
    if kind is None:
        return _page("no such product", status=404)
    sale = visitor.store.selling.get(kind)
    if sale is None or (sale.left > 0 and sale.is_open(visitor.now)):
        return _page(product, "<p>buy</p>")
    return _page(product, "<p>sold out</p>" if sale.left <= 0 else "<p>not yet released</p>")


async def _add_to_cart(visitor: Visitor) -> Response:
    try:
        product = str((await visitor.request.json())["product"])
    except (ValueError, KeyError, TypeError):
        return _not_added("send {product}", 422)
    if visitor.store.product_type(product) is None:
        return _not_added("no such product", 404)
    try:
        visitor.store.add_to_cart(visitor.session, product, visitor.now)
    except SoldOut:
        return _not_added("sold out", 409)
    except NotYet:
        return _not_added("not yet: come again", 425)
    return JSONResponse({"added": True, "basket": len(visitor.session.cart)})


def _not_added(why: str, status: int) -> JSONResponse:
    return JSONResponse({"added": False, "why": why}, status_code=status)


async def _place_order(visitor: Visitor) -> Response:
    form, headers = await _form(visitor.request), visitor.request.headers
    if not _has_token(form, visitor.session):
        return _page("please open the checkout again", status=403)
    key, run = headers.get("idempotency-key"), headers.get("x-gameday-run", "")
    if not key:
        return _page("an Idempotency-Key header is needed", status=400)
    try:
        number = visitor.store.place_order(visitor.session, key, run, visitor.now)
    except SoldOut:
        return _page("sold out", status=409)
    except NotYet:
        return _page("not yet released", status=425)
    except KeyError:
        return _page("the cart is empty", status=422)
    return _page(f"order {number}", status=201)


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _has_token(form: Mapping[str, str], session: Session) -> bool:
    return form.get("csrf") == session.csrf


ACTIONS: dict[str, Action] = {
    "page": _show,
    "sign_in": _sign_in,
    "search": _search,
    "product": _product,
    "add_to_cart": _add_to_cart,
    "place_order": _place_order,
}
