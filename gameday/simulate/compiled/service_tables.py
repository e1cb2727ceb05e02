"""Services, their policies, lanes and caches as tables: what a scenario says of them, one row each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gameday.queueing import Cell
from gameday.scenario import Scenario
from gameday.scenario.blocks import Lane, Service, Station
from gameday.scenario.queue_policies import ORDERS
from gameday.scenario.server_policies import METRICS
from gameday.simulate.compiled.layout import BALANCES, ITEM, LANE, NONE, SERVICE, Row, table
from gameday.vocabulary import Array

__all__ = ["Bands", "ServiceTables", "band_rows", "service_tables"]

Bands = dict[str, tuple[int, int]]
"""Service -> the rows of its autoscaling's steps."""

_LINKS = (
    "oldest",
    "newest",
    "balance",
    "oldest_hedge",
    "newest_hedge",
    "item_oldest",
    "item_newest",
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
            _set_policies(row, rule)
            _set_callers(row, station, rule)
            _set_autoscaling(row, station, rule, bands[name])
            items.append(_set_cache(row, station, rule, first_item=sum(map(len, items))))
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
    row["connections"] = station.connections
    row["queue_order"] = ORDERS.index(rule.queue_order)
    row["is_heedful"] = rule.deadline == "propagated"
    row["is_plain"] = not (rule.load or rule.warm_up or rule.pauses)


def _set_policies(row: Any, rule: Service) -> None:
    """Set the policies of the service itself."""
    if rule.balance is not None:
        row["balance"] = BALANCES.index(rule.balance.by)
        row["is_in_zone"] = rule.balance.zone_affinity
    if rule.load is not None:
        row["contention"], row["coherency"] = rule.load.contention, rule.load.coherency
    if rule.warm_up is not None:
        row["cold_s"], row["cold_factor"] = rule.warm_up.last, rule.warm_up.factor
    if rule.pauses is not None:
        row["pause_every_s"], row["pause_s"] = rule.pauses.every, rule.pauses.last
    if rule.limit is not None:
        row["limit_target_s"] = rule.limit.target
    if rule.codel is not None:
        row["codel_target_s"], row["codel_interval_s"] = rule.codel.target, rule.codel.interval


def _set_callers(row: Any, station: Station, rule: Service) -> None:
    """Set the policies of the service's callers."""
    row["timeout_s"], row["open_until_s"] = rule.timeout, -1.0
    if rule.retry is not None:
        row["retries"], row["backoff_s"] = rule.retry.attempts, rule.retry.backoff
        if rule.retry.budget is not None:
            row["tokens_each"] = rule.retry.budget.ratio
            row["tokens"] = row["tokens_most"] = station.tokens
    if rule.hedge is not None:
        row["hedge_s"] = rule.hedge.after
    if rule.breaker is not None:
        row["open_s"], row["failures"] = rule.breaker.open, rule.breaker.failures
        row["window"] = station.window


def _set_autoscaling(row: Any, station: Station, rule: Service, bands: tuple[int, int]) -> None:
    row["most"], row["least"], row["wanted"] = station.most, station.least, station.servers
    if (policy := rule.autoscale) is None:
        return
    row["scale_interval_s"], row["scale_target"] = policy.interval, policy.target or 0.0
    row["scale_delay_s"], row["scale_cooldown_s"] = policy.delay, policy.cooldown
    row["scale_metric"], row["acted_s"] = METRICS.index(policy.metric), -math.inf
    row["bands_from"], row["bands_to"] = bands


def _set_cache(row: Any, station: Station, rule: Service, *, first_item: int) -> Array:
    """Return the cache's items, full of the most popular: of these the most popular is the newest."""
    if (cache := rule.cache) is None:
        return np.zeros(0, ITEM)
    row["keys"], row["skew"], row["key_share"] = cache.keys, cache.skew, station.key_share
    row["entries"], row["items_from"] = station.entries, first_item
    row["cached"], row["item_newest"], row["item_oldest"] = station.entries, 0, station.entries - 1
    keys = int(cache.keys * station.key_share) + 1
    return _full_cache(station.entries, size=max(keys, station.entries))


def _full_cache(cached: int, *, size: int) -> Array:
    """Return the items of a cache that holds the first `cached` of them, the first one used latest."""
    items = np.zeros(size, ITEM)
    items["older"] = items["newer"] = NONE
    items["is_cached"][:cached] = 1
    items["older"][: cached - 1] = np.arange(1, cached)
    items["newer"][1:cached] = np.arange(cached - 1)
    return items
