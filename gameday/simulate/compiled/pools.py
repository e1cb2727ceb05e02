"""Servers and their queue in the compiled engine: who has one, who waits, and what is booked of it."""

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
    "book_those_who_wait",
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
def touch(spec, w, books, s, now):
    """Book server-seconds, waiting-seconds and servers up to now; call before any change."""
    sv = service_at(w, s)
    since, slot = sv.since_s, sv.slot
    while slot < spec.slots and now > (slot + 1) * spec.slot_s:
        end = (slot + 1) * spec.slot_s
        if end > since:
            _book(sv, books, s, slot, end - since)
            since = end
        slot += 1
    if slot < spec.slots and now > since:
        _book(sv, books, s, slot, now - since)
    sv.since_s, sv.slot = now, slot


@inlined
def _book(sv, books, s, slot, spent):
    add_load(books, s, _BUSY, slot, sv.in_use * spent)
    add_load(books, s, _QUEUE, slot, sv.queued * spent)
    add_load(books, s, _SERVERS, slot, sv.servers * spent)
    sv.busy_since_scaling += sv.in_use * spent
    sv.queue_since_scaling += sv.queued * spent


@inlined
def join_queue(w, sv, lane, a):
    """Put an attempt behind all who wait in its lane."""
    one = attempt_at(w, a)
    one.is_queued, one.ahead, one.after = 1, lane.last, NONE
    if lane.last == NONE:
        lane.first, lane.standing_since_s = a, one.arrived_s
    else:
        attempt_at(w, lane.last).after = a
    lane.last = a
    lane.queued += 1
    sv.queued += 1


@inlined
def book_wait(spec, w, books, s, a, now):
    """Book how long one had waited who leaves the queue; after the last slot nothing counts."""
    waited = min(now, spec.slots * spec.slot_s) - attempt_at(w, a).arrived_s
    add_load(books, s, _WAITED, min(slot_at(spec, now), spec.slots - 1), max(0.0, waited))


@inlined
def book_those_who_wait(spec, w, books, s, now):
    """Book it for everybody who is in a queue at the end."""
    sv = service_at(w, s)
    for place in range(sv.lane_from, sv.lane_to):
        a = lane_at(w, place).first
        while a != NONE:
            book_wait(spec, w, books, s, a, now)
            a = attempt_at(w, a).after


@inlined
def leave_queue(spec, w, books, s, a, now):
    """Take an attempt out of the queue, wherever it stands."""
    book_wait(spec, w, books, s, a, now)
    one = attempt_at(w, a)
    lane = lane_at(w, one.lane)
    if one.ahead == NONE:
        lane.first = one.after
    else:
        attempt_at(w, one.ahead).after = one.after
    if one.after == NONE:
        lane.last = one.ahead
    else:
        attempt_at(w, one.after).ahead = one.ahead
    one.is_queued = 0
    lane.queued -= 1
    lane.inside -= 1
    service_at(w, s).queued -= 1


@inlined
def may_begin_at(sv, lane):
    """Return whether there are a server of a lane and a connection for one more."""
    return _may_begin(lane.in_use, lane.servers, sv.connected, sv.connections)


@inlined
def hand_over(spec, w, books, s, lane, now):
    """Give free servers to those who wait, refuse those who have waited too long."""
    sv = service_at(w, s)
    while lane.first != NONE and may_begin_at(sv, lane):
        standing_s = now - lane.standing_since_s
        a = lane.last if _takes_last(sv.order, standing_s, sv.timeout_s) else lane.first
        leave_queue(spec, w, books, s, a, now)
        if sv.is_heedful and _is_too_late(now, attempt_at(w, a).caller_s):
            refuse(spec, w, books, s, a, now, is_late=True)
        elif sv.codel_interval_s > 0 and _has_waited_too_long(
            now - attempt_at(w, a).arrived_s, standing_s, sv.codel_target_s, sv.codel_interval_s
        ):
            refuse(spec, w, books, s, a, now, is_late=False)
        else:
            lane.inside += 1
            sv.connected += 1
            lane.in_use += 1
            sv.in_use += 1
            now_then(w, HANDED, a)


@inlined
def refuse(spec, w, books, s, a, now, is_late):
    """One who has left the queue is told that there will be no server."""
    give(spec, w, books, s, a, 0, now)
    slot = min(slot_at(spec, now), spec.slots - 1)
    count_attempt(books, s, _TIMED_OUT if is_late else _SHED, slot)
    free_attempt(w, a)


@inlined
def give(spec, w, books, s, a, ok, now):
    """Answer a call, unless its other attempt may still do better; who is not needed leaves the queue."""
    sv, c = service_at(w, s), attempt_at(w, a).call
    wait_no_more(w, sv, a)
    call = call_at(w, c)
    if sv.hedge_s == 0:
        call.ok = ok
        now_then(w, REPLY, c)
        return
    other = call.second if call.first == a else call.first
    call.first, call.second = other, NONE
    if not ok and other != NONE:
        return
    call.ok = ok
    now_then(w, REPLY, c)
    if call.is_hedged:
        hedge_no_more(w, sv, c)
    if other != NONE:
        wait_no_more(w, sv, other)
        if attempt_at(w, other).is_queued:
            touch(spec, w, books, s, now)
            leave_queue(spec, w, books, s, other, now)
            count_attempt(books, s, _CANCELLED, min(slot_at(spec, now), spec.slots - 1))
            free_attempt(w, other)


@inlined
def hedge_no_more(w, sv, c):
    """Take a call out of those who will ask a second time."""
    one = call_at(w, c)
    if one.before == NONE:
        sv.oldest_hedge = one.behind
    else:
        call_at(w, one.before).behind = one.behind
    if one.behind == NONE:
        sv.newest_hedge = one.before
    else:
        call_at(w, one.behind).before = one.before
    one.is_hedged = 0


@inlined
def wait_no_more(w, sv, a):
    """Take a caller out of those whose timer runs."""
    one = attempt_at(w, a)
    if one.before == NONE:
        sv.oldest = one.behind
    else:
        attempt_at(w, one.before).behind = one.behind
    if one.behind == NONE:
        sv.newest = one.before
    else:
        attempt_at(w, one.behind).before = one.before
    one.has_replied = 1
