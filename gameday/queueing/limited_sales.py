"""What is sold of a product type that is limited: from when on, how much is left, who may have some.

One machine for the embedded shop and the SimPy reference; the compiled engine has the same in its tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from gameday.scenario import Scenario
from gameday.scenario.queue_policies import room_now
from gameday.vocabulary import Clock

__all__ = ["DONE", "SOLD_OUT", "WAITING", "Sale", "sales"]

DONE, SOLD_OUT, WAITING = "done", "sold_out", "waiting"


@dataclass(slots=True)
class Sale:
    """A product type in one stack. Instants are seconds of its keeper's clock."""

    left: int
    """Units that are not ordered."""
    opens_s: float = -math.inf
    """When it is released; before, everybody is told to come again."""
    countdown_s: float = 0.0
    """Those told so before come in so many wall seconds from the release on; 0: whenever they like."""
    most: int = 0
    """Units a customer may have; 0 = as many as they like."""
    admits_per_s: float = 0.0
    """Customers let on to the cart a second; 0 = everybody."""
    gone_s: float = math.inf
    """When somebody was first told that it is sold out."""
    room: float = 1.0
    room_s: float = -math.inf
    """How many could be let on, and when that was so."""

    def is_open(self, now: float) -> bool:
        """Return whether it is released."""
        return now >= self.opens_s

    def put_in_cart(self, now: float, in_cart: int) -> str:
        """Return what a customer is told who puts one in a cart with `in_cart` of it."""
        if now < self.opens_s:
            return WAITING
        if self.left <= 0:
            self.gone_s = min(self.gone_s, now)
            return SOLD_OUT
        return DONE if in_cart or self._lets_on(now) else WAITING

    def cart_with(self, in_cart: int) -> int:
        """Return how many a cart holds with one more, or what a customer may have."""
        return in_cart if 0 < self.most <= in_cart else in_cart + 1

    def would_order(self, now: float, units: int) -> str:
        """Return what a customer would be told who ordered `units`."""
        if now < self.opens_s:
            return WAITING
        return SOLD_OUT if self.left < units else DONE

    def order(self, now: float, units: int) -> str:
        """Return what a customer is told who orders `units`, and take them away if there are so many."""
        told = self.would_order(now, units)
        if told == DONE:
            self.left -= units
        elif told == SOLD_OUT:
            self.gone_s = min(self.gone_s, now)
        return told

    def _lets_on(self, now: float) -> bool:
        if self.admits_per_s <= 0:
            return True
        self.room = room_now(self.room, max(0.0, now - self.room_s), self.admits_per_s)
        self.room_s = now
        if self.room < 1.0:
            return False
        self.room -= 1.0
        return True


def sales(
    scenario: Scenario,
    stack: str,
    clock: Clock,
    *,
    stock_scale: float | None = None,
    window_start: datetime | None = None,
) -> dict[str, Sale]:
    """Return product type -> its sale in a stack; those without a limit are left out.

    `stock_scale`: share of the stock that is there; None: the clock's. The window begins at `window_start` of the
    event; without one everything is released. A stack that serves several regions sells from the first release on.
    """
    stock_scale = clock.stock_scale if stock_scale is None else stock_scale
    out = {name: Sale(round(n * stock_scale)) for name, n in scenario.stock(stack).items()}
    here = scenario.stack_regions(stack)
    for launch in scenario.launches.values():
        if not (mine := [region for region in here if region in launch.at]):
            continue
        sale = out[launch.product]
        if launch.admits is not None:
            sale.admits_per_s = clock.scale * sum(launch.admits.get(r, 0.0) for r in mine) / 60
        sale.most = launch.per_customer or 0
        if window_start is not None:
            first = scenario.release(launch.product, stack) or window_start
            sale.opens_s = clock.run_s((first - window_start).total_seconds())
            sale.countdown_s = clock.wall_s(launch.countdown or 0.0)
    return out
