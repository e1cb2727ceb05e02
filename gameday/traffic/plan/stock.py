"""What is limited: when the orders asked for come to it, and how many of them can be filled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from gameday.scenario import Scenario
from gameday.traffic.plan.load_plan import LoadPlan
from gameday.traffic.plan.plan_outlook import Outlook

__all__ = ["sold_orders", "stock_rows"]


@dataclass(frozen=True, slots=True)
class _Limit:
    """What bounds the orders of a product in a stack, as the plan is played."""

    units: float
    """Stock there; infinite where it has none."""
    opens: int
    """Slot of its release; 0 where it is sold all the time."""
    most: float
    """Orders a slot that a waiting room lets on; infinite without one."""
    regions: list[int]
    """Whose customers meet the stack."""


def _limit(scenario: Scenario, plan: LoadPlan, product: str, stack: str) -> _Limit:
    share = plan.clock.stock_scale
    release = scenario.release(product, stack)
    return _Limit(
        scenario.stock(stack).get(product, math.inf) * share,
        0 if release is None else max(0, plan.grid.index_of(release)),
        _admitted(scenario, product, stack) * share,
        [r for r, region in enumerate(plan.regions) if scenario.regions[region].stack == stack],
    )


def stock_rows(
    scenario: Scenario, strength_sigma: float, plan: LoadPlan, seen: Outlook, stack: str
) -> Iterator[dict[str, Any]]:
    """Yield what is limited in a stack, and when orders asked for from the release on come to it.

    As all who ask could order at once; the quantiles are of the event's strength, whose logarithm
    has the deviation `strength_sigma`.
    """
    for product in scenario.stock(stack):
        release, limit = scenario.release(product, stack), _limit(scenario, plan, product, stack)
        there = round(limit.units)
        times: dict[str, str | None] = {}
        for level in (0.1, 0.5, 0.9):
            of_plan = NormalDist().inv_cdf(level) - NormalDist().inv_cdf(plan.quantile)
            asked = math.exp(of_plan * strength_sigma)
            slot = seen.sold_out(
                product, there / asked, limit.regions, limit.opens, limit.most / asked
            )
            times[f"p{100 * level:g}"] = (
                None if slot is None else plan.grid.instant(slot).isoformat()
            )
        rows = seen.orders_by_type[product][limit.regions][:, limit.opens :]
        yield {
            "stack": stack,
            "product": product,
            "units": there,
            "orders_asked": round(float(rows.sum()), 2),
            "release_utc": None if release is None else release.isoformat(),
            "sold_out_utc": times,
            "released_before": release is not None and release < plan.grid.start,
        }


def _admitted(scenario: Scenario, product: str, stack: str) -> float:
    """Return how many customers a minute a stack lets on to a product, at full scale."""
    rooms = [
        one.admits for one in scenario.launches.values() if one.product == product and one.admits
    ]
    here = scenario.stack_regions(stack)
    return min((sum(room.get(region, 0.0) for region in here) for room in rooms), default=math.inf)


def sold_orders(scenario: Scenario, plan: LoadPlan, seen: Outlook, product: str) -> float:
    """Return how many orders can be filled: no stack sells another one's stock, or before release."""
    limits = [_limit(scenario, plan, product, stack) for stack in scenario.stack_names]
    return sum(seen.sold(product, x.units, x.regions, x.opens, x.most) for x in limits)
