"""Autoscaling, outages and what is scheduled in the compiled engine: servers come and go."""

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
from gameday.simulate.compiled import caches
from gameday.simulate.compiled.event_queue import READY, SCALE, SWITCH, at
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import hand_over, leave_queue, refuse, touch
from gameday.simulate.compiled.tables_at import lane_at, law_row, service_at, switch_at

__all__ = ["grow", "look", "switch"]

NONE = -1
_servers_wanted, _metric_of = inlined(servers_wanted), inlined(metric_of)
_servers_by_change, _cold_share = inlined(servers_by_change), inlined(cold_share)
_places_of = inlined(places_of)
_servers_left, _stretched = inlined(servers_left), inlined(stretched)


@inlined
def look(spec, w, books, s, now):
    """Autoscaling looks: more or fewer servers are asked for, or not."""
    sv = service_at(w, s)
    touch(spec, w, books, s, now)
    metric = _metric_of(
        sv.scale_metric,
        sv.busy_since_scaling,
        sv.queue_since_scaling,
        sv.arrived_since_scaling,
        sv.servers,
        sv.scale_interval_s,
    )
    sv.busy_since_scaling = sv.queue_since_scaling = 0.0
    sv.arrived_since_scaling = 0
    at(w, now + sv.scale_interval_s, SCALE, s)
    wanted = sv.servers
    if sv.scale_target > 0:
        wanted = _servers_wanted(sv.servers, metric, sv.scale_target)
    for row in range(sv.bands_from, sv.bands_to, 3):
        if law_row(spec, row) <= metric < law_row(spec, row + 1):
            wanted = _servers_by_change(sv.servers, law_row(spec, row + 2))
            break
    lost = 0
    for place in range(sv.lane_from, sv.lane_to):
        lost += lane_at(w, place).sized - lane_at(w, place).servers
    wanted = max(sv.least, min(wanted + lost, sv.most))
    if wanted != sv.wanted and now - sv.acted_s >= sv.scale_cooldown_s:
        sv.wanted, sv.acted_s = wanted, now
        at(w, now + sv.scale_delay_s, READY, s | (wanted << 24))


@inlined
def grow(spec, w, books, s, servers, now):
    """Let there be so many servers, those that are lost included."""
    sv = service_at(w, s)
    servers = max(servers, sv.least)
    for place in range(sv.lane_from, sv.lane_to):
        lane = lane_at(w, place)
        sized = min(max(0, servers - lane.before), lane.room)
        _resize(spec, w, books, s, lane, sized, lane.lost, now)


@inlined
def _resize(spec, w, books, s, lane, sized, lost, now):
    """Give a lane so many servers, of which so many are lost; who waits where none is left is refused."""
    sv = service_at(w, s)
    touch(spec, w, books, s, now)
    servers = max(0, sized - lost)
    if servers > lane.servers and sv.cold_s > 0:
        lane.cold_share = _cold_share(
            now - lane.cold_since_s, lane.cold_share, sv.cold_s, lane.servers, servers
        )
        lane.cold_since_s = now
    sv.servers += servers - lane.servers
    lane.sized, lane.lost, lane.servers = sized, lost, servers
    there = sized if sized > 0 else lane.room
    lane.queue_bound = _places_of(lane.before, there, sv.places_each)
    lane.most_inside = there + lane.queue_bound
    hand_over(spec, w, books, s, lane, now)
    while lane.first != NONE and lane.servers == 0:
        a = lane.first
        leave_queue(spec, w, books, s, a, now)
        refuse(spec, w, books, s, a, now, is_late=False)


@inlined
def switch(spec, w, books, place, is_over, now):
    """What is injected or scheduled begins, or is over."""
    one = switch_at(spec, place)
    sv = service_at(w, one.service)
    if one.least > 0:
        sv.least = one.least
        sv.wanted = max(sv.wanted, one.least)
        sized = 0
        for number in range(sv.lane_from, sv.lane_to):
            sized += lane_at(w, number).sized
        grow(spec, w, books, one.service, sized, now)
        return
    if one.is_flush:
        caches.flush(w, sv)
        return
    if is_over:
        if sv.outage == place + 1:
            sv.outage, sv.slow, sv.stretch, sv.is_down = 0, 1.0, 1.0, 0
            for number in range(sv.lane_from, sv.lane_to):
                lane = lane_at(w, number)
                _resize(spec, w, books, one.service, lane, lane.sized, 0, now)
        return
    if one.until_s < math.inf:
        at(w, one.until_s, SWITCH, 2 * place + 1)
    sv.outage, sv.slow, sv.is_down = place + 1, one.slow, one.is_down
    _lose(spec, w, books, sv, one, now)


@inlined
def _goes(sv, lane, one, go):
    """Return the servers a lane loses while so many instances may still go."""
    if sv.balance == NONE:
        return lane.sized - _servers_left(lane.sized, one.share)
    is_there = one.zone == -1 or one.zone == lane.zone
    return lane.sized if go > 0 and lane.sized > 0 and is_there and one.share < 1 else 0


@inlined
def _lose(spec, w, books, sv, one, now):
    """Servers go: of a service that balances whole instances, never the last."""
    there, sized, lost = 0, 0, 0
    for number in range(sv.lane_from, sv.lane_to):
        there += lane_at(w, number).sized > 0
        sized += lane_at(w, number).sized
    most = min(round(there * (1 - one.share)) if one.zone < 0 else there, there - 1)
    go = most
    for number in range(sv.lane_from, sv.lane_to):
        gone = _goes(sv, lane_at(w, number), one, go)
        go -= gone > 0
        lost += gone
    sv.stretch = _stretched(sized, sized - lost, one.share)
    go = most
    for number in range(sv.lane_from, sv.lane_to):
        lane = lane_at(w, number)
        gone = _goes(sv, lane, one, go)
        go -= gone > 0
        _resize(spec, w, books, one.service, lane, lane.sized, gone, now)
