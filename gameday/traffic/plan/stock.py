"""What is limited: when the orders come to the stock, and how many of them can be filled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

from gameday.scenario import Scenario
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.traffic.plan.plan_outlook import Limit, Outlook

__all__ = ["StockRow", "sold_orders", "stock_rows"]

_LEVELS = (0.1, 0.5, 0.9)
"""Quantiles of the event's strength."""


@dataclass(frozen=True, slots=True)
class StockRow:
    """A product's limited stock in a stack, and when it is sold out on paper."""

    stack: str
    product: str
    units: int
    """Stock, as the plan is played."""
    orders_asked: float
    """Orders that customers want to place from the release on."""
    release_utc: str | None
    """ISO 8601; None: it is sold all the time."""
    sold_out_utc: dict[str, str | None]
    """Quantile of the event's strength, as `p90` -> when orders come to the stock, ISO 8601; None: never."""
    released_before: bool
    """Whether the release lies before the plan: the whole stock is then taken to be there."""


def stock_rows(
    scenario: Scenario, strength_sigma: float, plan: LoadPlan, outlook: Outlook, stack: str
) -> Iterator[StockRow]:
    """Yield every product of limited stock in a stack.

    Reckoned as if all customers could order at once. `strength_sigma` is the deviation of the logarithm of the
    event's strength.
    """
    for product in scenario.stock(stack):
        limit, release = _limit(scenario, plan, product, stack), scenario.release(product, stack)
        limit = replace(limit, units=round(limit.units))
        orders = outlook.orders_by_type[product][limit.regions][:, limit.opens :]
        yield StockRow(
            stack=stack,
            product=product,
            units=round(limit.units),
            orders_asked=round(float(orders.sum()), 2),
            release_utc=None if release is None else release.isoformat(),
            sold_out_utc=_sold_out_utc(strength_sigma, plan, outlook, product, limit),
            released_before=release is not None and release < plan.grid.start,
        )


def _sold_out_utc(
    strength_sigma: float, plan: LoadPlan, outlook: Outlook, product: str, limit: Limit
) -> dict[str, str | None]:
    """Return quantile of the event's strength -> when the orders come to the stock."""
    out: dict[str, str | None] = {}
    for level in _LEVELS:
        beyond_plan = NormalDist().inv_cdf(level) - NormalDist().inv_cdf(plan.quantile)
        factor = math.exp(beyond_plan * strength_sigma)
        # so many times the orders come to the stock when the plan's come to a share of it
        share = replace(limit, units=limit.units / factor, most=limit.most / factor)
        slot = outlook.sold_out(product, share)
        out[f"p{100 * level:g}"] = None if slot is None else plan.grid.instant(slot).isoformat()
    return out


def sold_orders(scenario: Scenario, plan: LoadPlan, outlook: Outlook, product: str) -> float:
    """Return how many orders can be filled: no stack sells another one's stock, or before release."""
    return sum(
        outlook.sold(product, _limit(scenario, plan, product, stack))
        for stack in scenario.stack_names
    )


def _limit(scenario: Scenario, plan: LoadPlan, product: str, stack: str) -> Limit:
    """Return what bounds the orders of a product in a stack."""
    share = plan.clock.stock_scale
    release = scenario.release(product, stack)
    return Limit(
        units=scenario.stock(stack).get(product, math.inf) * share,
        opens=0 if release is None else max(0, plan.grid.index_of(release)),
        most=_admitted(scenario, product, stack) * share,
        regions=[
            r for r, region in enumerate(plan.regions) if scenario.regions[region].stack == stack
        ],
    )


def _admitted(scenario: Scenario, product: str, stack: str) -> float:
    """Return how many customers a minute a stack lets on to a product, at full scale."""
    rooms = [
        launch.admits
        for launch in scenario.launches.values()
        if launch.product == product and launch.admits
    ]
    regions = scenario.stack_regions(stack)
    return min(
        (sum(room.get(region, 0.0) for region in regions) for room in rooms), default=math.inf
    )
