"""Lanes in the compiled engine: which one an attempt is sent to, and how long work takes there."""

from __future__ import annotations

from gameday.scenario.queue_policies import BALANCES, first_of, is_less_busy, second_of
from gameday.scenario.server_policies import cold_factor, load_factor, seconds_with_pauses
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import lane_at

__all__ = ["choose_lane", "work_seconds"]

NONE = -1
_, _ROUND_ROBIN, _, _LEAST_CONNECTIONS, _TWO_CHOICES = range(len(BALANCES))
_first_of, _second_of, _is_less_busy = inlined(first_of), inlined(second_of), inlined(is_less_busy)
_load_factor, _cold_factor = inlined(load_factor), inlined(cold_factor)
_seconds_with_pauses = inlined(seconds_with_pauses)


@inlined
def _works(world, index, zone):
    """Return whether a lane has servers, and is in `zone` unless that is NONE."""
    lane = lane_at(world, index)
    return lane.servers > 0 and (zone == NONE or lane.zone == zone)


@inlined
def _how_many(world, service, zone):
    count = 0
    for index in range(service.lane_from, service.lane_to):
        count += _works(world, index, zone)
    return count


@inlined
def _numbered(world, service, zone, number):
    """Return the lane of this number among those that work."""
    for index in range(service.lane_from, service.lane_to):
        if _works(world, index, zone):
            if number == 0:
                return index
            number -= 1
    return NONE


@inlined
def _is_better(world, index, other):
    """Return whether a lane is less busy than another."""
    a, b = lane_at(world, index), lane_at(world, other)
    return _is_less_busy(a.inside, a.servers, b.inside, b.servers)


@inlined
def choose_lane(world, service, uniform, from_zone):
    """Return the lane of an attempt from a zone, as the service balances; NONE if none works."""
    zone = from_zone % service.zones if service.is_in_zone else NONE
    count = _how_many(world, service, zone)
    if count == 0 and service.is_in_zone:
        zone = NONE
        count = _how_many(world, service, zone)
    if count == 0:
        return NONE
    if service.balance == _ROUND_ROBIN:
        return _numbered(world, service, zone, _next_turn(world, service, from_zone) % count)
    if service.balance == _LEAST_CONNECTIONS:
        return _least_busy(world, service, zone)
    first = _numbered(world, service, zone, _first_of(uniform, count))
    if service.balance == _TWO_CHOICES:
        second = _numbered(world, service, zone, _second_of(uniform, count))
        if _is_better(world, second, first):
            return second
    return first


@inlined
def _next_turn(world, service, from_zone):
    """Return a round robin's turn, from 0; with zone affinity each zone has turns of its own."""
    own = from_zone % service.zones if service.is_in_zone else 0
    counter = lane_at(world, service.lane_from + own % (service.lane_to - service.lane_from))
    counter.turn += 1
    return counter.turn - 1


@inlined
def _least_busy(world, service, zone):
    """Return the first of the lanes with the fewest requests a server."""
    best = _numbered(world, service, zone, 0)
    for index in range(best + 1, service.lane_to):
        if _works(world, index, zone) and _is_better(world, index, best):
            best = index
    return best


@inlined
def work_seconds(service, lane, seconds, phase, now):
    """Return how long work takes that begins now in a lane, s, degraded instances, contention,
    cold servers and pauses.
    """
    if service.degraded_share > 0 and phase < service.degraded_share:
        seconds *= service.degraded_slow
    if service.contention > 0 or service.coherency > 0:
        at_once = lane.in_use * service.servers_per_instance / max(1, lane.servers)
        seconds *= _load_factor(at_once, service.contention, service.coherency)
    if service.cold_s > 0:
        seconds *= _cold_factor(
            now - lane.cold_since_s, lane.cold_share, service.cold_s, service.cold_factor
        )
    if service.pause_every_s > 0:
        every_s = service.pause_every_s
        seconds = _seconds_with_pauses(now, seconds, every_s, service.pause_s, phase * every_s)
    return seconds
