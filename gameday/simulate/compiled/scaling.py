"""Autoscaling, outages and scheduled changes in the compiled engine: servers come and go."""

from __future__ import annotations

import math

from gameday.scenario.queue_policies import places_of
from gameday.scenario.server_policies import (
    cold_share,
    metric_of,
    servers_by_change,
    servers_left,
    servers_wanted,
    stretched,
)
from gameday.simulate.compiled.caches import flush_items
from gameday.simulate.compiled.event_queue import CHANGE, READY, SCALE, at
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import hand_over, leave_queue, refuse, touch
from gameday.simulate.compiled.tables_at import change_at, lane_at, law_row, service_at

__all__ = ["apply_change", "grow", "look"]

NONE = -1
_servers_wanted, _metric_of = inlined(servers_wanted), inlined(metric_of)
_servers_by_change, _cold_share = inlined(servers_by_change), inlined(cold_share)
_places_of = inlined(places_of)
_servers_left, _stretched = inlined(servers_left), inlined(stretched)


@inlined
def look(spec, world, stats, s, now):
    """Let autoscaling look: it asks for more or fewer servers, or leaves them."""
    service = service_at(world, s)
    touch(spec, world, stats, s, now)
    wanted = _wanted_by_metric(spec, service) + _servers_lost(world, service)
    service.busy_since_scaling = service.queue_since_scaling = 0.0
    service.arrived_since_scaling = 0
    at(world, now + service.scale_interval_s, SCALE, s)
    wanted = max(service.least, min(wanted, service.most))
    if wanted != service.wanted and now - service.acted_s >= service.scale_cooldown_s:
        service.wanted, service.acted_s = wanted, now
        at(world, now + service.scale_delay_s, READY, s | (wanted << 24))


@inlined
def _wanted_by_metric(spec, service):
    """Return the servers that the metric of the last interval asks for, by target or by step."""
    metric = _metric_of(
        service.scale_metric,
        service.busy_since_scaling,
        service.queue_since_scaling,
        service.arrived_since_scaling,
        service.servers,
        service.scale_interval_s,
    )
    for row in range(service.bands_from, service.bands_to, 3):
        if law_row(spec, row) <= metric < law_row(spec, row + 1):
            return _servers_by_change(service.servers, law_row(spec, row + 2))
    if service.scale_target > 0:
        return _servers_wanted(service.servers, metric, service.scale_target)
    return service.servers


@inlined
def _servers_lost(world, service):
    lost = 0
    for index in range(service.lane_from, service.lane_to):
        lane = lane_at(world, index)
        lost += lane.sized - lane.servers
    return lost


@inlined
def _servers_sized(world, service):
    """Return a service's servers, those that are lost included."""
    sized = 0
    for index in range(service.lane_from, service.lane_to):
        sized += lane_at(world, index).sized
    return sized


@inlined
def grow(spec, world, stats, s, servers, now):
    """Provide `servers` in all, lost ones included; never fewer than is scheduled."""
    service = service_at(world, s)
    servers = max(servers, service.least)
    for index in range(service.lane_from, service.lane_to):
        lane = lane_at(world, index)
        sized = min(max(0, servers - lane.before), lane.room)
        _resize(spec, world, stats, s, lane, sized, lane.lost, now)


@inlined
def _resize(spec, world, stats, s, lane, sized, lost, now):
    """Give a lane `sized` servers, `lost` of which do not work; with none left its queue is refused."""
    service = service_at(world, s)
    touch(spec, world, stats, s, now)
    servers = max(0, sized - lost)
    if servers > lane.servers and service.cold_s > 0:
        _add_cold_servers(service, lane, servers, now)
    service.servers += servers - lane.servers
    lane.sized, lane.lost, lane.servers = sized, lost, servers
    there = sized if sized > 0 else lane.room
    lane.queue_bound = _places_of(lane.before, there, service.places_each)
    lane.most_inside = there + lane.queue_bound
    hand_over(spec, world, stats, s, lane, now)
    while lane.first != NONE and lane.servers == 0:
        a = lane.first
        leave_queue(spec, world, stats, s, a, now)
        refuse(spec, world, stats, s, a, now, is_late=False)


@inlined
def _add_cold_servers(service, lane, servers, now):
    """Note that a lane has more servers from now on, which are cold."""
    lane.cold_share = _cold_share(
        now - lane.cold_since_s, lane.cold_share, service.cold_s, lane.servers, servers
    )
    lane.cold_since_s = now


@inlined
def apply_change(spec, world, stats, index, is_over, now):
    """Let an injected or scheduled change begin, or end."""
    change = change_at(spec, index)
    service = service_at(world, change.service)
    if change.least_servers > 0:
        service.least = change.least_servers
        service.wanted = max(service.wanted, change.least_servers)
        sized = _servers_sized(world, service)
        grow(spec, world, stats, change.service, sized, now)
    elif change.is_flush:
        flush_items(world, service)
    elif not is_over:
        if change.until_s < math.inf:
            at(world, change.until_s, CHANGE, 2 * index + 1)
        service.outage = index + 1
        service.slow, service.is_down = change.slow_factor, change.is_down
        _lose_servers(spec, world, stats, service, change, now)
    elif service.outage == index + 1:  # else another has begun since
        _end_outage(spec, world, stats, change.service, now)


@inlined
def _end_outage(spec, world, stats, s, now):
    service = service_at(world, s)
    service.outage, service.slow, service.stretch, service.is_down = 0, 1.0, 1.0, 0
    for index in range(service.lane_from, service.lane_to):
        lane = lane_at(world, index)
        _resize(spec, world, stats, s, lane, lane.sized, 0, now)


@inlined
def _lost_of_lane(service, lane, change, to_lose):
    """Return the servers a lane loses while so many instances may still be lost."""
    if service.balance == 0:
        return lane.sized - _servers_left(lane.sized, change.share_left)
    is_in_zone = change.zone == -1 or change.zone == lane.zone
    is_lost = to_lose > 0 and lane.sized > 0 and is_in_zone and change.share_left < 1
    return lane.sized if is_lost else 0


@inlined
def _instances_to_lose(world, service, change):
    """Return how many instances an outage takes at most: never the last."""
    there = 0
    for index in range(service.lane_from, service.lane_to):
        there += lane_at(world, index).sized > 0
    hit = round(there * (1 - change.share_left)) if change.zone < 0 else there
    return min(hit, there - 1)


@inlined
def _lose_servers(spec, world, stats, service, change, now):
    """Take an outage's servers away: of a service that balances whole instances."""
    sized, lost = _servers_sized(world, service), 0
    most = to_lose = _instances_to_lose(world, service, change)
    for index in range(service.lane_from, service.lane_to):
        gone = _lost_of_lane(service, lane_at(world, index), change, to_lose)
        to_lose -= gone > 0
        lost += gone
    service.stretch = _stretched(sized, sized - lost, change.share_left)
    to_lose = most
    for index in range(service.lane_from, service.lane_to):
        lane = lane_at(world, index)
        gone = _lost_of_lane(service, lane, change, to_lose)
        to_lose -= gone > 0
        _resize(spec, world, stats, change.service, lane, lane.sized, gone, now)
