"""Servers and their queue in the compiled engine: who has a server, who waits, and their statistics."""

from __future__ import annotations

from gameday.record import ATTEMPTS
from gameday.scenario.caller_policies import is_too_late
from gameday.scenario.queue_policies import has_waited_too_long, may_begin, takes_last
from gameday.simulate.compiled.event_queue import HANDED, REPLY, now_then
from gameday.simulate.compiled.free_lists import free_attempt
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import (
    add_load,
    attempt_at,
    call_at,
    count_attempt,
    lane_at,
    service_at,
)
from gameday.simulate.compiled.walks import slot_at

__all__ = [
    "add_waits_of_queue",
    "give",
    "hand_over",
    "hedge_no_more",
    "join_queue",
    "leave_queue",
    "may_begin_at",
    "refuse",
    "touch",
    "wait_no_more",
]

NONE = -1
_BUSY, _QUEUE, _SERVERS, _WAITED = range(4)
_SHED, _TIMED_OUT, _CANCELLED = (ATTEMPTS.index(n) for n in ("shed", "timed_out", "cancelled"))
_may_begin, _takes_last = inlined(may_begin), inlined(takes_last)
_is_too_late, _has_waited_too_long = inlined(is_too_late), inlined(has_waited_too_long)


@inlined
def touch(spec, world, stats, s, now):
    """Add up server-seconds, waiting-seconds and servers provided, slot by slot, to now.

    Call it before any change of them.
    """
    service = service_at(world, s)
    since, slot = service.since_s, service.slot
    while slot < spec.slots and now > (slot + 1) * spec.slot_s:
        end = (slot + 1) * spec.slot_s
        if end > since:
            _add_up(service, stats, s, slot, end - since)
            since = end
        slot += 1
    if slot < spec.slots and now > since:
        _add_up(service, stats, s, slot, now - since)
    service.since_s, service.slot = now, slot


@inlined
def _add_up(service, stats, s, slot, spent):
    add_load(stats, s, _BUSY, slot, service.in_use * spent)
    add_load(stats, s, _QUEUE, slot, service.queued * spent)
    add_load(stats, s, _SERVERS, slot, service.servers * spent)
    service.busy_since_scaling += service.in_use * spent
    service.queue_since_scaling += service.queued * spent


@inlined
def join_queue(world, service, lane, a):
    """Put an attempt at the end of its lane's queue."""
    attempt = attempt_at(world, a)
    attempt.is_queued, attempt.ahead, attempt.after = 1, lane.last, NONE
    if lane.last == NONE:
        lane.first, lane.standing_since_s = a, attempt.arrived_s
    else:
        attempt_at(world, lane.last).after = a
    lane.last = a
    lane.queued += 1
    service.queued += 1


@inlined
def add_wait(spec, world, stats, s, a, now):
    """Add the wait of an attempt that leaves the queue; time after the last slot does not count."""
    waited = min(now, spec.slots * spec.slot_s) - attempt_at(world, a).arrived_s
    add_load(stats, s, _WAITED, min(slot_at(spec, now), spec.slots - 1), max(0.0, waited))


@inlined
def add_waits_of_queue(spec, world, stats, s, now):
    """Add the waits of those still in a service's queues."""
    service = service_at(world, s)
    for index in range(service.lane_from, service.lane_to):
        a = lane_at(world, index).first
        while a != NONE:
            add_wait(spec, world, stats, s, a, now)
            a = attempt_at(world, a).after


@inlined
def leave_queue(spec, world, stats, s, a, now):
    """Take an attempt out of the queue, wherever it stands."""
    add_wait(spec, world, stats, s, a, now)
    attempt = attempt_at(world, a)
    lane = lane_at(world, attempt.lane)
    if attempt.ahead == NONE:
        lane.first = attempt.after
    else:
        attempt_at(world, attempt.ahead).after = attempt.after
    if attempt.after == NONE:
        lane.last = attempt.ahead
    else:
        attempt_at(world, attempt.after).ahead = attempt.ahead
    attempt.is_queued = 0
    lane.queued -= 1
    lane.inside -= 1
    service_at(world, s).queued -= 1


@inlined
def may_begin_at(service, lane):
    """Return whether a lane has a server free, and the callers' pool a connection."""
    return _may_begin(lane.in_use, lane.servers, service.connected, service.connections)


@inlined
def hand_over(spec, world, stats, s, lane, now):
    """Give free servers to those who wait; refuse those past their deadline, or by CoDel."""
    service = service_at(world, s)
    while lane.first != NONE and may_begin_at(service, lane):
        standing_s = now - lane.standing_since_s
        a = (
            lane.last
            if _takes_last(service.queue_order, standing_s, service.timeout_s)
            else lane.first
        )
        leave_queue(spec, world, stats, s, a, now)
        if service.is_heedful and _is_too_late(now, attempt_at(world, a).caller_s):
            refuse(spec, world, stats, s, a, now, is_late=True)
        elif service.codel_interval_s > 0 and _has_waited_too_long(
            now - attempt_at(world, a).arrived_s,
            standing_s,
            service.codel_target_s,
            service.codel_interval_s,
        ):
            refuse(spec, world, stats, s, a, now, is_late=False)
        else:
            lane.inside += 1
            service.connected += 1
            lane.in_use += 1
            service.in_use += 1
            now_then(world, HANDED, a)


@inlined
def refuse(spec, world, stats, s, a, now, is_late):
    """Refuse an attempt that has left the queue: it gets no server."""
    give(spec, world, stats, s, a, 0, now)
    slot = min(slot_at(spec, now), spec.slots - 1)
    count_attempt(stats, s, _TIMED_OUT if is_late else _SHED, slot)
    free_attempt(world, a)


@inlined
def give(spec, world, stats, s, a, ok, now):
    """Answer a call, unless its other attempt may still do better; that one then leaves its queue."""
    service, c = service_at(world, s), attempt_at(world, a).call
    wait_no_more(world, service, a)
    call = call_at(world, c)
    if service.hedge_s == 0:
        call.ok = ok
        now_then(world, REPLY, c)
        return
    other = call.second if call.first == a else call.first
    call.first, call.second = other, NONE
    if not ok and other != NONE:
        return
    call.ok = ok
    now_then(world, REPLY, c)
    if call.is_hedged:
        hedge_no_more(world, service, c)
    if other != NONE:
        _cancel(spec, world, stats, s, other, now)


@inlined
def _cancel(spec, world, stats, s, a, now):
    """Let nobody wait for an attempt any more; it leaves its queue if it is in one."""
    wait_no_more(world, service_at(world, s), a)
    if attempt_at(world, a).is_queued:
        touch(spec, world, stats, s, now)
        leave_queue(spec, world, stats, s, a, now)
        count_attempt(stats, s, _CANCELLED, min(slot_at(spec, now), spec.slots - 1))
        free_attempt(world, a)


@inlined
def hedge_no_more(world, service, c):
    """Take a call out of the list of those that will send a hedge."""
    call = call_at(world, c)
    if call.before == NONE:
        service.oldest_hedge = call.behind
    else:
        call_at(world, call.before).behind = call.behind
    if call.behind == NONE:
        service.newest_hedge = call.before
    else:
        call_at(world, call.behind).before = call.before
    call.is_hedged = 0


@inlined
def wait_no_more(world, service, a):
    """Take an attempt out of the list of those whose caller's timer runs."""
    attempt = attempt_at(world, a)
    if attempt.before == NONE:
        service.oldest = attempt.behind
    else:
        attempt_at(world, attempt.before).behind = attempt.behind
    if attempt.behind == NONE:
        service.newest = attempt.before
    else:
        attempt_at(world, attempt.behind).before = attempt.before
    attempt.has_replied = 1
