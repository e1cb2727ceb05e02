"""Servers and their queue in the compiled engine: who has one, who waits, and what is booked of it."""

from __future__ import annotations

import math

from gameday.run_record import ATTEMPTS, LOADS
from gameday.scenario.policies import has_waited_too_long, servers_wanted
from gameday.simulate.compiled.agenda import HANDED, READY, REPLY, SCALE, SWITCH, at, now_then
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.slots import free_attempt
from gameday.simulate.compiled.tables_at import (
    add_load,
    attempt_at,
    call_at,
    count_attempt,
    service_at,
    switch_at,
)
from gameday.simulate.compiled.walks import slot_at

__all__ = [
    "book_those_who_wait",
    "grow",
    "hand_over",
    "join_queue",
    "leave_queue",
    "read_utilisation",
    "switch",
    "touch",
    "wait_no_more",
]

NONE = -1
_BUSY, _QUEUE, _SERVERS, _WAITED = range(len(LOADS))
_SHED = ATTEMPTS.index("shed")
_servers_wanted, _has_waited_too_long = inlined(servers_wanted), inlined(has_waited_too_long)


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


@inlined
def join_queue(w, sv, a):
    """Put an attempt behind all who wait."""
    one = attempt_at(w, a)
    one.is_queued, one.ahead, one.after = 1, sv.last, NONE
    if sv.last == NONE:
        sv.first, sv.standing_since_s = a, one.arrived_s
    else:
        attempt_at(w, sv.last).after = a
    sv.last = a
    sv.queued += 1


@inlined
def book_wait(spec, w, books, s, a, now):
    """Book how long one had waited who leaves the queue; after the last slot nothing counts."""
    waited = min(now, spec.slots * spec.slot_s) - attempt_at(w, a).arrived_s
    add_load(books, s, _WAITED, min(slot_at(spec, now), spec.slots - 1), max(0.0, waited))


@inlined
def book_those_who_wait(spec, w, books, s, now):
    """Book it for everybody who is in the queue at the end."""
    a = service_at(w, s).first
    while a != NONE:
        book_wait(spec, w, books, s, a, now)
        a = attempt_at(w, a).after


@inlined
def leave_queue(spec, w, books, s, a, now):
    """Take an attempt out of the queue, wherever it stands."""
    sv = service_at(w, s)
    book_wait(spec, w, books, s, a, now)
    one = attempt_at(w, a)
    if one.ahead == NONE:
        sv.first = one.after
    else:
        attempt_at(w, one.ahead).after = one.after
    if one.after == NONE:
        sv.last = one.ahead
    else:
        attempt_at(w, one.after).ahead = one.ahead
    one.is_queued = 0
    sv.queued -= 1


@inlined
def hand_over(spec, w, books, s, now):
    """Give free servers to those who wait, refuse those who have waited too long."""
    sv = service_at(w, s)
    while sv.first != NONE and sv.in_use < sv.servers:
        a = sv.last if sv.is_lifo else sv.first
        standing_s = now - sv.standing_since_s
        leave_queue(spec, w, books, s, a, now)
        if sv.codel_interval_s > 0 and _has_waited_too_long(
            now - attempt_at(w, a).arrived_s, standing_s, sv.codel_target_s, sv.codel_interval_s
        ):
            _refuse(spec, w, books, s, a, now)
        else:
            sv.in_use += 1
            now_then(w, HANDED, a)


@inlined
def _refuse(spec, w, books, s, a, now):
    """One who waited too long is told so."""
    sv = service_at(w, s)
    wait_no_more(w, sv, a)
    c = attempt_at(w, a).call
    call_at(w, c).ok = 0
    now_then(w, REPLY, c)
    sv.inside -= 1
    count_attempt(books, s, _SHED, min(slot_at(spec, now), spec.slots - 1))
    free_attempt(w, a)


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


@inlined
def read_utilisation(spec, w, books, s, now):
    """Autoscaling looks: more servers are asked for, or not."""
    sv = service_at(w, s)
    touch(spec, w, books, s, now)
    utilisation = sv.busy_since_scaling / (sv.servers * sv.scale_interval_s)
    sv.busy_since_scaling = 0.0
    wanted = _servers_wanted(sv.servers, utilisation, sv.scale_target, sv.provisioned, sv.most)
    at(w, now + sv.scale_interval_s, SCALE, s)
    if wanted > sv.wanted:
        sv.wanted = wanted
        at(w, now + sv.scale_delay_s, READY, s | (wanted << 24))


@inlined
def switch(spec, w, books, place, is_over, now):
    """An outage of a service begins, or is over."""
    one = switch_at(spec, place)
    sv = service_at(w, one.service)
    touch(spec, w, books, one.service, now)
    if is_over:
        sv.servers += one.lost
        sv.slow, sv.is_down = 1.0, 0
        hand_over(spec, w, books, one.service, now)
    else:
        sv.servers -= one.lost
        sv.slow, sv.is_down = one.slow, one.is_down
        if one.until_s < math.inf:
            at(w, one.until_s, SWITCH, 2 * place + 1)


@inlined
def grow(spec, w, books, s, servers, now):
    """New servers are there: those who wait get them."""
    sv = service_at(w, s)
    if servers > sv.servers:
        touch(spec, w, books, s, now)
        sv.servers = servers
        hand_over(spec, w, books, s, now)
