"""A launch's day: the peaks of its traffic and of its orders, and when it is sold out, with quantiles.

What customers would order is what the crowd orders along its journey. What they get is limited by how many are
let on to the cart and by the stock that is left. The quantiles are those of the crowd's size; its decay is taken
as known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist

import numpy as np

from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.traffic.fit.crowds import steps_of_crowd
from gameday.vocabulary import SLOT_S, Array, TimeGrid, supported

__all__ = ["LaunchDay", "launch_days"]

LEVELS = (0.1, 0.5, 0.9)
"""Quantiles of the crowd's size."""


@dataclass(frozen=True, slots=True)
class LaunchDay:
    """One launch in one region."""

    launch: str
    region: str
    release: datetime
    """UTC."""
    sessions: dict[float, float]
    """Quantile -> session starts in all."""
    sessions_a_minute: dict[float, float]
    """Quantile -> session starts in the hottest minute."""
    orders_a_minute: dict[float, float]
    """Quantile -> orders in the hottest minute that the stock can fill."""
    stock: int
    sold_out_min: dict[float, float | None]
    """Quantile -> minutes from the release until nothing is left; None: something is left."""
    sold_out_chance: float
    """Chance that it sells out within the minutes forecast."""
    calibrated_to: float
    """The highest quantile that past launches support; 0: the crowd's spread is a prior."""
    held_back: bool
    """Whether the number of customers let on to the cart, not the crowd, sets the pace of orders."""


def launch_days(scenario: Scenario, demand: Demand) -> list[LaunchDay]:
    """Return every launch's day, in every region that has one."""
    found = []
    for name, launch in scenario.launches.items():
        journeys = [j for j in scenario.journeys.values() if j.launch == name]
        for region in launch.at if journeys else ():
            found.append(_launch_day(scenario, demand, journeys[0], region))
    return found


def _launch_day(scenario: Scenario, demand: Demand, journey: Journey, region: str) -> LaunchDay:
    """Return the day of the launch that `journey` walks for."""
    assert journey.launch is not None
    crowd = demand.launches[journey.launch]
    starts = crowd.starts[demand.regions.index(region)]
    sale = _sale(scenario, journey, region, demand.grid, starts)
    sizes = {q: float(np.exp(NormalDist().inv_cdf(q) * crowd.log_sigma)) for q in LEVELS}
    most_orders = {q: float(sale.orders(size)[0].max()) for q, size in sizes.items()}
    return LaunchDay(
        launch=journey.launch,
        region=region,
        release=scenario.launch_at(journey.launch, region),
        sessions=_times(sizes, starts.sum()),
        sessions_a_minute=_times(sizes, starts.max()),
        orders_a_minute=most_orders,
        stock=sale.stock,
        sold_out_min=_sold_out_min(sale, sizes),
        sold_out_chance=_sold_out_chance(sale, crowd.log_sigma),
        calibrated_to=supported(crowd.past_launches),
        held_back=most_orders[0.5] >= sale.most,
    )


def _times(sizes: dict[float, float], count: float) -> dict[float, float]:
    """Return quantile -> a count of the median crowd at the crowd's size there."""
    return {q: size * float(count) for q, size in sizes.items()}


def _sale(
    scenario: Scenario, journey: Journey, region: str, grid: TimeGrid, starts: Array
) -> _Sale:
    """Return the sale to a launch's crowd; `starts` are its session starts a minute, shape (slots,)."""
    assert journey.launch is not None
    release = scenario.launch_at(journey.launch, region)
    return _Sale(
        wanted=_wanted_orders(scenario, journey, region, grid, starts),
        most=_most_orders(scenario, journey, region),
        stock=scenario.launches[journey.launch].stock[region],
        release_slot=(release - grid.start).total_seconds() / SLOT_S,
    )


def _wanted_orders(
    scenario: Scenario, journey: Journey, region: str, grid: TimeGrid, starts: Array
) -> Array:
    """Return the orders a minute if there were stock for all, replies taking no time, shape (slots,)."""
    response_s = dict.fromkeys(scenario.step_names, 0.0)
    steps = steps_of_crowd(scenario, journey, region, grid, starts, response_s)
    places_order = [step.places_order for step in scenario.steps.values()]
    return np.asarray(steps[places_order].sum(axis=0))


def _most_orders(scenario: Scenario, journey: Journey, region: str) -> float:
    """Return how many orders a minute those let on to the cart make at most."""
    assert journey.launch is not None
    admits = (scenario.launches[journey.launch].admits or {}).get(region)
    if admits is None:
        return float("inf")
    visits = journey.visits_per_session(scenario.step_names)
    steps = list(scenario.steps.values())
    carts = [any(x.action == "add_to_cart" for x in s.each_exchange()) for s in steps]
    orders = visits[[s.places_order for s in steps]].sum()
    return float(admits * min(1.0, orders / max(visits[carts].sum(), 1e-9)))


@dataclass(frozen=True, slots=True)
class _Sale:
    """The sale of a limited stock to a crowd of the median size."""

    wanted: Array
    """Orders a minute if there were stock for all, shape (slots,)."""
    most: float
    """Orders a minute that those let on to the cart make at most."""
    stock: int
    release_slot: float
    """When the release is, in slots."""

    def orders(self, size: float) -> tuple[Array, float | None]:
        """Return the orders a minute of a crowd `size` times the median, and when the last is, in slots.

        Customers who are not let on wait. None: something is left.
        """
        wanted = size * self.wanted
        orders, waiting, left, sold_out = np.zeros(len(wanted)), 0.0, float(self.stock), None
        for slot, more in enumerate(wanted):
            waiting += more
            served = min(waiting, self.most)
            if served >= left and sold_out is None:
                sold_out = slot + left / max(served, 1e-9)
            orders[slot] = min(served, left)
            waiting, left = waiting - orders[slot], left - orders[slot]
        return orders, sold_out


def _sold_out_min(sale: _Sale, sizes: dict[float, float]) -> dict[float, float | None]:
    """Return quantile -> minutes from the release until all is sold; None: something is left.

    The larger the crowd, the sooner: the low quantile of the time is that of a large crowd.
    """
    out: dict[float, float | None] = {}
    for level, opposite in zip(LEVELS, reversed(LEVELS), strict=True):
        _, sold_out = sale.orders(sizes[opposite])
        out[level] = None if sold_out is None else max(0.0, sold_out - sale.release_slot)
    return out


def _sold_out_chance(sale: _Sale, log_sigma: float) -> float:
    """Return the chance that all is sold: that the crowd is as large as the smallest one that buys it all."""
    low, high = -8.0, 8.0
    if sale.orders(np.exp(high * log_sigma))[1] is None:
        return 0.0
    for _ in range(30):
        middle = (low + high) / 2
        _, sold_out = sale.orders(np.exp(middle * log_sigma))
        low, high = (middle, high) if sold_out is None else (low, middle)
    return 1 - NormalDist().cdf(high)
