"""A launch's day: how its traffic spikes, how its orders do, and when it is sold out, with quantiles.

What customers would order is the crowd through its journey, as they buy; what they get is limited by who is let
on and by what is left. The spread is that of the crowd's size; its decay is taken as told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist

import numpy as np

from gameday.forecast import Demand
from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.traffic.fit.crowds import as_they_buy
from gameday.traffic.fit.kernels import lag_kernel
from gameday.traffic.fit.session_starts import caused_steps
from gameday.vocabulary import Array, supported

__all__ = ["LaunchDay", "launch_days"]

LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class LaunchDay:
    """One launch in one region."""

    launch: str
    region: str
    release: datetime
    """UTC."""
    sessions: dict[float, float]
    """Quantile -> who comes, in all."""
    sessions_a_minute: dict[float, float]
    """Quantile -> session starts in the hottest minute."""
    orders_a_minute: dict[float, float]
    """Quantile -> orders in the hottest minute, of what is left."""
    stock: int
    sold_out_min: dict[float, float | None]
    """Quantile -> minutes from the release until nothing is left; None: something stays."""
    sold_out_chance: float
    """That it sells out within the minutes forecast."""
    calibrated_to: float
    """The highest quantile that past launches support; 0: the crowd's spread is a prior."""
    held_back: bool
    """Whether who is let on to the cart, not the crowd, sets the pace of orders."""


def launch_days(scenario: Scenario, demand: Demand) -> list[LaunchDay]:
    """Return every launch's day, in every region that has one."""
    found = []
    for name, launch in scenario.launches.items():
        walkers = [j for j in scenario.journeys.values() if j.launch == name]
        for region in launch.at if walkers else ():
            found.append(_day(scenario, demand, walkers[0], region))
    return found


def _day(scenario: Scenario, demand: Demand, journey: Journey, region: str) -> LaunchDay:
    assert journey.launch is not None
    launch, crowd = scenario.launches[journey.launch], demand.launches[journey.launch]
    starts = crowd.starts[demand.regions.index(region)]
    release = scenario.launch_at(journey.launch, region)
    would = _orders(scenario, journey, region, demand, starts)
    most = _most_orders(scenario, journey, region)
    first = (release - demand.grid.start).total_seconds() / 60
    sizes = {q: float(np.exp(NormalDist().inv_cdf(q) * crowd.log_sigma)) for q in LEVELS}
    sold = {q: _sold(size * would, most, launch.stock[region]) for q, size in sizes.items()}
    # The larger the crowd, the sooner: the early quantile is that of a large one.
    gone = {q: sold[other][1] for q, other in zip(LEVELS, reversed(LEVELS), strict=True)}
    return LaunchDay(
        journey.launch,
        region,
        release,
        {q: size * float(starts.sum()) for q, size in sizes.items()},
        {q: size * float(starts.max()) for q, size in sizes.items()},
        {q: float(row.max()) for q, (row, _) in sold.items()},
        launch.stock[region],
        {q: None if at is None else max(0.0, at - first) for q, at in gone.items()},
        _chance(would, most, launch.stock[region], crowd.log_sigma),
        supported(crowd.past_launches),
        sold[0.5][0].max() >= most,
    )


def _orders(
    scenario: Scenario, journey: Journey, region: str, demand: Demand, starts: Array
) -> Array:
    """Return what would be ordered each minute were there enough, replies taking no time, shape (slots,)."""
    buying = as_they_buy(scenario, journey, region, demand.grid, starts)
    kernel = lag_kernel(journey, scenario.step_names, dict.fromkeys(scenario.step_names, 0.0))
    places = [step.places_order for step in scenario.steps.values()]
    return np.asarray(caused_steps(buying[None], [kernel])[places].sum(axis=0))


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


def _sold(would: Array, most: float, stock: int) -> tuple[Array, float | None]:
    """Return what is ordered each minute, shape (slots,), and when the last is, in minutes of the grid.

    Who is not let on waits; what is gone is gone. None: something stays.
    """
    out, waiting, left, gone = np.zeros(len(would)), 0.0, float(stock), None
    for slot, asked in enumerate(would):
        waiting += asked
        served = min(waiting, most)
        if served >= left and gone is None:
            gone = slot + left / max(served, 1e-9)
        out[slot] = min(served, left)
        waiting, left = waiting - out[slot], left - out[slot]
    return out, gone


def _chance(would: Array, most: float, stock: int, sigma: float) -> float:
    """Return the chance that all is sold: that of a crowd at least as large as just empties the shelves."""
    low, high = -8.0, 8.0
    if _sold(np.exp(high * sigma) * would, most, stock)[1] is None:
        return 0.0
    for _ in range(30):
        middle = (low + high) / 2
        gone = _sold(np.exp(middle * sigma) * would, most, stock)[1]
        low, high = (middle, high) if gone is None else (low, middle)
    return 1 - NormalDist().cdf(high)
