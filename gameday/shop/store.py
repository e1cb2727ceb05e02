"""The shop's state: its catalogue, its customers' sessions and carts, its orders, its stock."""

from __future__ import annotations

import secrets
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from gameday.queueing import DONE, SOLD_OUT, Sale
from gameday.scenario import Scenario

__all__ = ["NotYet", "Session", "SoldOut", "Store"]

_MOST_SESSIONS = 500_000
"""Sessions kept; the oldest go first. About 300 bytes each."""


class SoldOut(Exception):
    """The product's stock is gone: an answer to the customer, not a fault of the program."""


class NotYet(Exception):
    """The customer is to come again: the product is not released, or a line stands before it."""


@dataclass
class Session:
    """One customer's visit, by cookie."""

    sid: str
    csrf: str
    customer: str | None = None
    product_type: str | None = None
    cart: list[str] = field(default_factory=list)


class Store:
    """The state of one stack that outlives a request."""

    def __init__(self, scenario: Scenario, selling: dict[str, Sale], file: Path) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self.items = {name: product.items for name, product in scenario.products.items()}
        self.selling = selling
        """Sales of product types that are limited."""
        self._db = sqlite3.connect(file)
        self._db.executescript(
            """PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE IF NOT EXISTS orders (
                number INTEGER PRIMARY KEY,
                key TEXT NOT NULL UNIQUE,
                run TEXT NOT NULL,
                customer TEXT,
                items TEXT NOT NULL
            ) STRICT;"""
        )

    def session(self, sid: str | None) -> Session:
        """Return the session of a cookie, or a new one."""
        known = self._sessions.get(sid or "")
        if known is not None:
            return known
        session = Session(secrets.token_hex(12), secrets.token_hex(12))
        self._sessions[session.sid] = session
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def product_type(self, product: str) -> str | None:
        """Return the type of `type-number`; None if the catalogue has no such article."""
        name, _, number = product.rpartition("-")
        if (
            name not in self.items
            or not (number.isascii() and number.isdecimal())
            or int(number) >= self.items[name]
        ):
            return None
        return name

    def add_to_cart(self, session: Session, product: str, now: float) -> None:
        """Put a product in the cart, if a customer may have one more; SoldOut, NotYet where it cannot be."""
        sale = self.selling.get(self.product_type(product) or "")
        if sale is None:
            session.cart.append(product)
            return
        in_cart = self._units(session)[self.product_type(product) or ""]
        _refuse(sale.put_in_cart(now, in_cart))
        session.cart += [product] * (sale.cart_with(in_cart) - in_cart)

    def _order_of(self, key: str) -> int | None:
        """Return the number of the order that a key gave; None: it gave none yet."""
        found = self._db.execute("SELECT number FROM orders WHERE key = ?", (key,)).fetchone()
        return int(found[0]) if found else None

    def place_order(self, session: Session, key: str, run: str, now: float) -> int:
        """Return the order's number; the same key gives the same order, whatever was asked.

        Raises SoldOut when a product's stock is gone, NotYet before its release, KeyError when the cart is empty.
        """
        known = self._order_of(key)
        if known is not None:
            return known
        if not session.cart:
            raise KeyError("cart")
        units = {kind: count for kind, count in self._units(session).items() if count}
        for kind, count in units.items():
            _refuse(self.selling[kind].would_order(now, count))
        number = self._keep_order(session, key, run)
        for kind, count in units.items():
            self.selling[kind].order(now, count)
        session.cart.clear()
        return number

    def _keep_order(self, session: Session, key: str, run: str) -> int:
        """Write an order of what is in the cart; return its number."""
        with self._db:
            inserted = self._db.execute(
                "INSERT INTO orders (key, run, customer, items) VALUES (?, ?, ?, ?)",
                (key, run, session.customer, ",".join(session.cart)),
            )
        return int(inserted.lastrowid or 0)

    def _units(self, session: Session) -> dict[str, int]:
        """Return how many of each limited product type are in a cart."""
        kinds = [self.product_type(product) for product in session.cart]
        return {kind: kinds.count(kind) for kind in self.selling}

    def order_keys(self, run: str) -> list[str]:
        """Return the idempotency keys of a run's orders."""
        rows = self._db.execute("SELECT key FROM orders WHERE run = ? ORDER BY number", (run,))
        return [key for (key,) in rows]

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _refuse(outcome: str) -> None:
    """Raise SoldOut or NotYet where a sale's answer to a customer is not DONE."""
    if outcome != DONE:
        raise SoldOut if outcome == SOLD_OUT else NotYet
