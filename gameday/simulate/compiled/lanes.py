"""Lanes in the compiled engine: which one an attempt is sent to, and how long work takes there."""

from __future__ import annotations

from gameday.scenario.queue_policies import first_of, is_less_busy, second_of
from gameday.scenario.server_policies import cold_factor, load_factor, seconds_with_pauses
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.layout import BALANCES
from gameday.simulate.compiled.tables_at import lane_at

__all__ = ["choose_lane", "work_seconds"]

NONE = -1
_ROUND_ROBIN, _, _LEAST_CONNECTIONS, _TWO_CHOICES = range(len(BALANCES))
_first_of, _second_of, _is_less_busy = inlined(first_of), inlined(second_of), inlined(is_less_busy)
_load_factor, _cold_factor = inlined(load_factor), inlined(cold_factor)
_seconds_with_pauses = inlined(seconds_with_pauses)


@inlined
def _works(w, place, zone):
    """Return whether a lane has servers, and is in the zone if one is asked for."""
    lane = lane_at(w, place)
    return lane.servers > 0 and (zone == NONE or lane.zone == zone)


@inlined
def _how_many(w, sv, zone):
    count = 0
    for place in range(sv.lane_from, sv.lane_to):
        count += _works(w, place, zone)
    return count


@inlined
def _numbered(w, sv, zone, number):
    """Return the lane of this number among those that work."""
    for place in range(sv.lane_from, sv.lane_to):
        if _works(w, place, zone):
            if number == 0:
                return place
            number -= 1
    return NONE


@inlined
def _is_better(w, place, other):
    """Return whether a lane is less busy than another."""
    a, b = lane_at(w, place), lane_at(w, other)
    return _is_less_busy(a.inside, a.servers, b.inside, b.servers)


@inlined
def choose_lane(w, sv, uniform, from_zone):
    """Return the lane of an attempt from a zone, as the service balances; NONE if none works."""
    zone = from_zone % sv.zones if sv.is_in_zone else NONE
    count = _how_many(w, sv, zone)
    if count == 0 and sv.is_in_zone:
        zone = NONE
        count = _how_many(w, sv, zone)
    if count == 0:
        return NONE
    if sv.balance == _ROUND_ROBIN:
        own = from_zone % sv.zones if sv.is_in_zone else 0
        counter = lane_at(w, sv.lane_from + own % (sv.lane_to - sv.lane_from))
        counter.turn += 1
        return _numbered(w, sv, zone, (counter.turn - 1) % count)
    if sv.balance == _LEAST_CONNECTIONS:
        best = _numbered(w, sv, zone, 0)
        for place in range(best + 1, sv.lane_to):
            if _works(w, place, zone) and _is_better(w, place, best):
                best = place
        return best
    one = _numbered(w, sv, zone, _first_of(uniform, count))
    if sv.balance == _TWO_CHOICES:
        other = _numbered(w, sv, zone, _second_of(uniform, count))
        if _is_better(w, other, one):
            return other
    return one


@inlined
def work_seconds(sv, lane, seconds, phase, now):
    """Return how long work takes that begins now in a lane, if others, cold or pauses hold it up."""
    if sv.contention > 0 or sv.coherency > 0:
        at_once = lane.in_use * sv.each / max(1, lane.servers)
        seconds *= _load_factor(at_once, sv.contention, sv.coherency)
    if sv.cold_s > 0:
        seconds *= _cold_factor(now - lane.cold_since_s, lane.cold_share, sv.cold_s, sv.cold_factor)
    if sv.pause_every_s > 0:
        every_s = sv.pause_every_s
        seconds = _seconds_with_pauses(now, seconds, every_s, sv.pause_s, phase * every_s)
    return seconds
