"""Services, their policies, lanes and caches as tables: what a scenario says of them, one row each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.queueing import Cell
from gameday.scenario import Scenario
from gameday.scenario.blocks import Lane, Service, Station
from gameday.scenario.caller_policies import Cache
from gameday.scenario.queue_policies import ORDERS
from gameday.simulate.compiled.layout import ITEM, LANE, NONE, SERVICE, Row, table
from gameday.vocabulary import Array

__all__ = ["Bands", "ServiceTables", "band_rows", "service_tables"]

Bands = dict[str, tuple[int, int]]
"""Service -> the rows of its autoscaling's steps."""

_LINKS = (
    "oldest",
    "newest",
    "oldest_hedge",
    "newest_hedge",
)
"""Fields of SERVICE that are NONE to begin with."""


@dataclass(frozen=True, slots=True)
class ServiceTables:
    """The tables of services as a run begins."""

    services: Array
    lanes: Array
    items: Array
    """Of the callers' caches; the first is nobody's."""


def band_rows(scenario: Scenario, numbers: list[float]) -> Bands:
    """Add the steps of every service's autoscaling to `numbers`; return where they stand."""
    bands = {}
    for name, rule in scenario.services.items():
        first = len(numbers)
        for step in rule.autoscale.steps if rule.autoscale is not None else ():
            numbers += [step.above, step.upto, step.change]
        bands[name] = first, len(numbers)
    return bands


def service_tables(scenario: Scenario, cell: Cell, bands: Bands) -> ServiceTables:
    """Return the services of a cell as they begin; those of other stacks have a row too, and no lane."""
    rows = np.zeros(len(scenario.services), SERVICE)
    lanes, items = list[Row](), [np.zeros(1, ITEM)]
    for link in _LINKS:
        rows[link] = NONE
    for row, (name, rule) in zip(rows, scenario.services.items(), strict=True):
        row["servers"], row["zones"], row["lane_from"] = 1, 1, len(lanes)
        if (station := cell.stations.get(name)) is not None:
            lanes += [_lane(lane) for lane in station.lanes]
            _set_servers(row, station, rule)
            for _, policy in rule.policies():
                for column, value in policy.columns(cell.scale).items():
                    row[column] = value
            row["bands_from"], row["bands_to"] = bands[name]
            row["items_from"] = sum(map(len, items))
            items.append(_items(rule.cache, cell.scale))
        row["lane_to"] = len(lanes)
    return ServiceTables(rows, table(LANE, lanes), np.concatenate(items))


def _lane(lane: Lane) -> Row:
    limit, places = lane.servers or lane.room, lane.places(lane.servers)
    return {
        "limit": limit,
        "most_inside": limit + places,
        "cold_since_s": -math.inf,
        "phase": -1.0 if lane.phase is None else lane.phase,
        "servers": lane.servers,
        "first": NONE,
        "last": NONE,
        "queue_bound": places,
        "sized": lane.servers,
        "room": lane.room,
        "before": lane.first,
        "zone": lane.zone,
    }


def _set_servers(row: Any, station: Station, rule: Service) -> None:
    row["servers"], row["zones"] = station.servers, station.zones
    row["slow"] = row["stretch"] = 1.0
    row["places_each"] = rule.queue_per_server
    row["servers_per_instance"] = rule.servers_per_instance
    row["most"], row["least"], row["wanted"] = station.most, station.least, station.servers
    row["timeout_s"] = rule.timeout
    row["queue_order"] = ORDERS.index(rule.queue_order)
    row["is_heedful"] = rule.deadline == "propagated"
    row["is_plain"] = not any(policy.changes_work for _, policy in rule.policies())


def _items(cache: Cache | None, scale: float) -> Array:
    """Return the items of the callers' cache as it begins."""
    if cache is None:
        return np.zeros(0, ITEM)
    entries, keys = cache.entries_at(scale), int(cache.keys * cache.key_share(scale)) + 1
    return _filled_cache(cache.cached_at(scale), size=max(keys, entries))


def _filled_cache(cached: int, *, size: int) -> Array:
    """Return the items of a cache that holds the first `cached` of them, the first one used latest."""
    items = np.zeros(size, ITEM)
    items["older"] = items["newer"] = NONE
    items["is_cached"][:cached] = 1
    items["older"][: max(0, cached - 1)] = np.arange(1, cached)
    items["newer"][1:cached] = np.arange(max(0, cached - 1))
    return items
