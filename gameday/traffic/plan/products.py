"""Which product type sessions are about, and which journey they walk: shares by region and minute of the day."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from gameday.scenario import Scenario
from gameday.scenario.blocks import Journey
from gameday.vocabulary import Array, TimeGrid

__all__ = ["by_minute", "minutes_of_day", "mix_of_journeys", "type_shares", "type_shares_by_slot"]

_DAY = 1440
"""Minutes of a day."""


def by_minute(hours: list[float] | None) -> Array:
    """Return 24 weights as one a minute, shape (1440,): straight from the middle of an hour to the next."""
    weights, hour = np.array(hours or [1.0] * 24), np.arange(-1, 25)
    return np.asarray(np.interp(np.arange(_DAY) / 60, hour + 0.5, weights[hour % 24]))


@lru_cache(maxsize=32)
def minutes_of_day(zone: str, grid: TimeGrid) -> Array:
    """Return the local minute of the day, 0-1439, of every slot, shape (slots,)."""
    local = (grid.instant(slot).astimezone(ZoneInfo(zone)) for slot in range(grid.slots))
    return np.array([60 * time.hour + time.minute for time in local], int)


def type_shares(scenario: Scenario, region: str, journey: Journey) -> Array:
    """Return the share of a journey's sessions that is about each product type, shape (types, 1440)."""
    products = scenario.products
    if journey.launch is not None:
        sold = scenario.launches[journey.launch].product
        return np.stack([np.full(_DAY, float(name == sold)) for name in products])
    shares = journey.products
    if shares is None:
        shares = {name: block.share.get(region, 0.0) for name, block in products.items()}
    all_day = np.stack([np.full(_DAY, shares.get(name, 0.0)) for name in products])
    weights = all_day * np.stack([by_minute(block.hours_of(region)) for block in products.values()])
    weights = np.where(weights.sum(axis=0) > 0, weights, all_day)
    return np.asarray(weights / weights.sum(axis=0))


def type_shares_by_slot(scenario: Scenario, region: str, journey: Journey, grid: TimeGrid) -> Array:
    """Return `type_shares` at the region's local minute of every slot, shape (types, slots)."""
    minutes = minutes_of_day(scenario.regions[region].zone, grid)
    return np.asarray(type_shares(scenario, region, journey)[:, minutes])


def mix_of_journeys(scenario: Scenario, grid: TimeGrid, region: str) -> Array:
    """Return the share of session starts of each journey without a launch, shape (journeys, slots)."""
    minutes, rows = minutes_of_day(scenario.regions[region].zone, grid), []
    for journey in scenario.journeys.values():
        if journey.launch is None:
            share = 1.0 if journey.share is None else journey.share.get(region, 0.0)
            rows.append(share * by_minute(journey.hours)[minutes])
    mix = np.array(rows)
    total = mix.sum(axis=0)
    even = np.full(mix.shape, 1 / max(1, len(mix)))
    return np.asarray(np.divide(mix, total, out=even, where=total > 0))
