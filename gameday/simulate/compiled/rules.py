"""Services, their rules, lanes and caches as tables: what a scenario says of them, one row each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gameday.queueing import Cell
from gameday.scenario import Scenario
from gameday.scenario.blocks import Lane, Service, Station
from gameday.scenario.queue_policies import ORDERS
from gameday.scenario.server_policies import METRICS
from gameday.simulate.compiled import layout
from gameday.vocabulary import Array

__all__ = ["Bands", "band_rows", "service_tables", "table"]

Bands = dict[str, tuple[int, int]]
"""Service -> the rows of its autoscaling's steps."""


def table(dtype: np.dtype[Any], rows: list[tuple[Any, ...]]) -> Array:
    """Return rows as a table, of one blank row at least: its address is then one of ours."""
    out = np.zeros(max(1, len(rows)), dtype)
    for place, row in enumerate(rows):
        out[place] = row
    return out


def band_rows(scenario: Scenario, rows: list[float]) -> Bands:
    """Add every service's steps to `rows`; return where they stand."""
    out = {}
    for name, rule in scenario.services.items():
        first = len(rows)
        for step in rule.autoscale.steps if rule.autoscale is not None else ():
            rows += [step.above, step.upto, step.change]
        out[name] = first, len(rows)
    return out


def service_tables(scenario: Scenario, cell: Cell, bands: Bands) -> tuple[Array, Array, Array]:
    """Return the services as they begin, their lanes, and what their callers may keep."""
    rows = np.zeros(len(scenario.services), layout.SERVICE)
    lanes, items = list[tuple[Any, ...]](), list[Array]()
    for row, (name, rule) in zip(rows, scenario.services.items(), strict=True):
        for link in (
            "oldest",
            "newest",
            "balance",
            "oldest_hedge",
            "newest_hedge",
            "item_oldest",
            "item_newest",
        ):
            row[link] = layout.NONE
        row["servers"], row["zones"], row["lane_from"] = 1, 1, len(lanes)
        if (station := cell.stations.get(name)) is not None:
            lanes += [_lane(lane) for lane in station.lanes]
            _serve(row, station, rule)
            _ask(row, station, rule)
            _scale(row, station, rule, bands[name])
            items.append(_keep(row, station, rule, sum(map(len, items))))
        row["lane_to"] = len(lanes)
    return rows, table(layout.LANE, lanes), np.concatenate([np.zeros(1, layout.ITEM), *items])


def _lane(lane: Lane) -> tuple[Any, ...]:
    begins = lane.servers or lane.room
    places = lane.places(lane.servers)
    phase = -1.0 if lane.phase is None else lane.phase
    return (
        begins,
        begins + places,
        0.0,
        -math.inf,
        0.0,
        phase,
        0,
        0,
        lane.servers,
        0,
        layout.NONE,
        layout.NONE,
        places,
        lane.servers,
        0,
        lane.room,
        lane.first,
        lane.zone,
        0,
    )


def _serve(row: Any, station: Station, rule: Service) -> None:
    """What the service itself does."""
    row["servers"], row["zones"] = station.servers, station.zones
    row["slow"] = row["stretch"] = 1.0
    row["places_each"] = rule.queue_per_server
    row["each"], row["connections"] = rule.servers_per_instance, station.connections
    row["order"] = ORDERS.index(rule.queue_order)
    row["is_heedful"] = rule.deadline == "propagated"
    row["is_plain"] = not (rule.load or rule.warm_up or rule.pauses)
    if rule.balance is not None:
        row["balance"] = layout.BALANCES.index(rule.balance.by)
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


def _ask(row: Any, station: Station, rule: Service) -> None:
    """What its callers do."""
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


def _scale(row: Any, station: Station, rule: Service, bands: tuple[int, int]) -> None:
    row["most"], row["least"], row["wanted"] = station.most, station.least, station.servers
    if (policy := rule.autoscale) is None:
        return
    row["scale_interval_s"], row["scale_target"] = policy.interval, policy.target or 0.0
    row["scale_delay_s"], row["scale_cooldown_s"] = policy.delay, policy.cooldown
    row["scale_metric"], row["acted_s"] = METRICS.index(policy.metric), -math.inf
    row["bands_from"], row["bands_to"] = bands


def _keep(row: Any, station: Station, rule: Service, before: int) -> Array:
    """Return the cache's items, full of what is asked for most: the most popular is the newest."""
    if (cache := rule.cache) is None:
        return np.zeros(0, layout.ITEM)
    row["keys"], row["skew"], row["key_share"] = cache.keys, cache.skew, station.key_share
    row["entries"], row["items_from"] = station.entries, 1 + before
    there = max(int(cache.keys * station.key_share) + 1, station.entries)
    kept = station.entries
    row["kept"], row["item_newest"], row["item_oldest"] = kept, 0, kept - 1
    items = np.zeros(there, layout.ITEM)
    items["older"] = items["newer"] = layout.NONE
    items["is_kept"][:kept] = 1
    items["older"][: kept - 1] = np.arange(1, kept)
    items["newer"][1:kept] = np.arange(kept - 1)
    return items
