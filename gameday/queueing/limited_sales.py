"""Sales of limited product types: when they open, how much is left, who may have some.

The embedded shop and the SimPy reference share this code; the compiled engine keeps the same state in its tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gameday.scenario import Scenario
from gameday.scenario.queue_policies import room_now
from gameday.vocabulary import Clock

__all__ = ["DONE", "SOLD_OUT", "WAITING", "Sale", "build_sales"]

DONE, SOLD_OUT, WAITING = "done", "sold_out", "waiting"


@dataclass(slots=True)
class Sale:
    """The sale of a product type in one stack. Instants are seconds of the clock of the engine or shop."""

    left: int
    """Units not yet ordered."""
    opens_s: float = -math.inf
    """When it is released; before, everybody is told to wait."""
    countdown_s: float = 0.0
    """Customers told to wait come back within so many wall seconds of the release; 0: whenever they like."""
    most: int = 0
    """Units a customer may have; 0 = as many as they like."""
    admits_per_s: float = 0.0
    """Rate at which a waiting room admits customers to the cart; 0 = everybody at once."""
    gone_s: float = math.inf
    """When somebody was first told that it is sold out."""
    room: float = 1.0
    """How many customers could be admitted at `room_s`."""
    room_s: float = -math.inf

    def is_open(self, now: float) -> bool:
        """Return whether it is released."""
        return now >= self.opens_s

    def put_in_cart(self, now: float, in_cart: int) -> str:
        """Return the outcome of adding one to a cart that holds `in_cart`: DONE, SOLD_OUT or WAITING."""
        if now < self.opens_s:
            return WAITING
        if self.left <= 0:
            self.gone_s = min(self.gone_s, now)
            return SOLD_OUT
        return DONE if in_cart or self._admits(now) else WAITING

    def cart_with(self, in_cart: int) -> int:
        """Return how many a cart holds after adding one; no more than a customer may have."""
        return in_cart if 0 < self.most <= in_cart else in_cart + 1

    def would_order(self, now: float, units: int) -> str:
        """Return the outcome that an order of `units` would have now."""
        if now < self.opens_s:
            return WAITING
        return SOLD_OUT if self.left < units else DONE

    def order(self, now: float, units: int) -> str:
        """Return the outcome of an order of `units`; DONE takes them from the stock."""
        outcome = self.would_order(now, units)
        if outcome == DONE:
            self.left -= units
        elif outcome == SOLD_OUT:
            self.gone_s = min(self.gone_s, now)
        return outcome

    def _admits(self, now: float) -> bool:
        """Return whether the waiting room admits one more customer, and count them."""
        if self.admits_per_s <= 0:
            return True
        self.room = room_now(self.room, max(0.0, now - self.room_s), self.admits_per_s)
        self.room_s = now
        if self.room < 1.0:
            return False
        self.room -= 1.0
        return True


def build_sales(
    scenario: Scenario,
    stack: str,
    clock: Clock,
    *,
    stock_scale: float | None = None,
    window_start: datetime | None = None,
) -> dict[str, Sale]:
    """Return product type -> its sale in a stack; types without a limit are left out.

    `stock_scale`: share of the stock that is there; None: the clock's. `window_start`: when the window begins;
    without one everything is released. A stack that serves several regions sells from the first release on.
    """
    stock_scale = clock.stock_scale if stock_scale is None else stock_scale
    stock = scenario.stock(stack)
    sales = {product: Sale(round(units * stock_scale)) for product, units in stock.items()}
    here = scenario.stack_regions(stack)
    for launch in scenario.launches.values():
        regions = [region for region in here if region in launch.at]
        if not regions:
            continue
        sale = sales[launch.product]
        sale.admits_per_s = clock.scale * _admits_per_min(launch.admits, regions) / 60
        sale.most = launch.per_customer or 0
        if window_start is not None:
            first = scenario.release(launch.product, stack) or window_start
            sale.opens_s = clock.run_s((first - window_start).total_seconds())
            sale.countdown_s = clock.wall_s(launch.countdown or 0.0)
    return sales


def _admits_per_min(admits: Mapping[str, float] | None, regions: list[str]) -> float:
    """Return how many customers a waiting room admits a minute in these regions; 0: there is none."""
    return sum((admits or {}).get(region, 0.0) for region in regions)
