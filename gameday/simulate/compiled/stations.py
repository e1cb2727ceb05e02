"""A service in the compiled engine: attempts that are refused, served or wait, and callers who give up."""

from __future__ import annotations

from gameday.record import ATTEMPTS, LOADS
from gameday.scenario.caller_policies import gives_up_at_s, is_too_late, lineage
from gameday.scenario.queue_policies import is_over_limit, is_shed, next_limit, share_of
from gameday.simulate.compiled.draws import bin_of, request_uniform, seconds_of, uniform_of
from gameday.simulate.compiled.event_queue import (
    REPLY,
    TIMEOUT,
    WORK_END,
    again_at,
    at,
    now_first,
    now_then,
)
from gameday.simulate.compiled.free_lists import free_attempt, new_attempt, new_call
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.lanes import choose_lane, work_seconds
from gameday.simulate.compiled.pools import (
    give,
    hand_over,
    join_queue,
    leave_queue,
    may_begin_at,
    touch,
)
from gameday.simulate.compiled.tables_at import (
    add_load,
    attempt_at,
    call_at,
    count_attempt,
    count_visit,
    group_at,
    lane_at,
    member_at,
    service_at,
    visit_at,
)
from gameday.vocabulary import Draw

__all__ = [
    "begin_attempt",
    "begin_own_work",
    "child_ended",
    "own_work_ended",
    "time_out",
]

_ARRIVED, _DONE, _FAILED, _SHED, _TIMED_OUT, _, _ORPHANED, _ = range(len(ATTEMPTS))
_REPEATS = LOADS.index("repeats")
_SERVICE_TIME, _BALANCE = int(Draw.SERVICE_TIME), int(Draw.BALANCE)
_INSTANCE = int(Draw.INSTANCE)
NONE = -1

_gives_up_at_s, _is_shed = inlined(gives_up_at_s), inlined(is_shed)
_is_too_late, _share_of = inlined(is_too_late), inlined(share_of)
_lineage, _is_over_limit, _next_limit = (
    inlined(lineage),
    inlined(is_over_limit),
    inlined(next_limit),
)


@inlined
def begin_attempt(spec, w, books, c, number, now, slot):
    """A caller asks: it is refused (False), served, or put in the queue; and it will wait so long."""
    call = call_at(w, c)
    s = visit_at(spec, call.visit).service
    sv = service_at(w, s)
    count_attempt(books, s, _ARRIVED, slot)
    if number > 0 or call.line > 0:
        add_load(books, s, _REPEATS, slot, 1.0)
    is_late = sv.is_heedful and _is_too_late(now, call.deadline_s)
    place = NONE
    if not is_late:
        sv.arrived_since_scaling += 1
        place = NONE if sv.is_down else _lane(spec, w, sv, call, number)
    if place == NONE:
        count_attempt(books, s, _TIMED_OUT if is_late else _SHED, slot)
        if call.first == NONE:
            call.ok = 0
            now_then(w, REPLY, c)
        return False
    lane = lane_at(w, place)
    a = new_attempt(w)
    one = attempt_at(w, a)
    one.call, one.visit, one.number, one.exchange = c, call.visit, number, call.exchange
    one.caller_s = call.deadline_s
    if sv.hedge_s > 0:
        if call.first == NONE:
            call.first = a
        else:
            call.second = a
    one.session, one.line, one.place, one.arrived_s = call.session, call.line, call.place, now
    one.has_replied, one.is_queued = 0, 0
    one.lane, one.zone = place, call.zone if sv.balance == NONE else lane.zone
    lane.inside += 1
    touch(spec, w, books, s, now)
    _begin_to_wait(spec, w, sv, s, a, now)
    if may_begin_at(sv, lane):
        lane.in_use += 1
        sv.connected += 1
        sv.in_use += 1
        begin_own_work(spec, w, a, now)
    else:
        join_queue(w, sv, lane, a)
    return True


@inlined
def _lane(spec, w, sv, call, number):
    """Return where an attempt goes; NONE if it is refused."""
    place = sv.lane_from
    if sv.balance != NONE:
        place = choose_lane(w, sv, uniform_of(spec, call, number, _BALANCE), call.zone)
        if place == NONE:
            return NONE
    lane = lane_at(w, place)
    share = visit_at(spec, call.visit).share
    if not may_begin_at(sv, lane) and _is_shed(
        lane.servers, lane.servers, lane.queued, _share_of(lane.queue_bound, share)
    ):
        return NONE
    if sv.limit_target_s > 0 and _is_over_limit(lane.inside, lane.limit * share):
        return NONE
    return place


@inlined
def _begin_to_wait(spec, w, sv, s, a, now):
    """A caller's timer: all of a service are as long, so only the oldest needs a place in the heap."""
    one = attempt_at(w, a)
    one.deadline_s = _gives_up_at_s(now, sv.timeout_s)
    one.before, one.behind = sv.newest, NONE
    if sv.newest == NONE:
        sv.oldest = a
    else:
        attempt_at(w, sv.newest).behind = a
    sv.newest = a
    if sv.is_armed:
        one.deadline_seq = w.sequence
        w.sequence += 1
    else:
        one.deadline_seq = at(w, one.deadline_s, TIMEOUT, s)
        sv.is_armed = 1


@inlined
def time_out(spec, w, books, s, seq, now, slot):
    """A timer of a service's callers goes off: its owner gives up, if it still waits."""
    sv = service_at(w, s)
    a = sv.oldest
    if a != NONE and attempt_at(w, a).deadline_seq == seq:
        _give_up(spec, w, books, s, a, now, slot)
    a = sv.oldest
    sv.is_armed = 0
    if a != NONE:
        again_at(w, attempt_at(w, a).deadline_s, TIMEOUT, s, attempt_at(w, a).deadline_seq)
        sv.is_armed = 1


@inlined
def _give_up(spec, w, books, s, a, now, slot):
    one = attempt_at(w, a)
    give(spec, w, books, s, a, 0, now)
    if one.is_queued:
        touch(spec, w, books, s, now)
        leave_queue(spec, w, books, s, a, now)
        count_attempt(books, s, _TIMED_OUT, slot)
        free_attempt(w, a)


@inlined
def begin_own_work(spec, w, a, now):
    """A server is there: its own work begins."""
    one = attempt_at(w, a)
    visit = visit_at(spec, one.visit)
    uniform = request_uniform(
        spec, one.session, one.line, one.place, one.exchange, one.visit, one.number, _SERVICE_TIME
    )
    sv = service_at(w, visit.service)
    seconds = seconds_of(spec, visit, uniform) * visit.factor * sv.slow
    seconds = max(0.0, seconds + (sv.stretch - 1.0) * visit.hold_s)
    if not sv.is_plain:
        phase = lane_at(w, one.lane).phase
        if sv.pause_every_s > 0 and phase < 0:
            phase = request_uniform(
                spec,
                one.session,
                one.line,
                one.place,
                one.exchange,
                one.visit,
                one.number,
                _INSTANCE,
            )
        seconds = work_seconds(sv, lane_at(w, one.lane), seconds, phase, now)
    one.group = visit.group_from
    at(w, now + seconds, WORK_END, a)


@inlined
def own_work_ended(spec, w, books, a, now, slot):
    """Own work is done: calls below begin, with the server held or not."""
    visit = visit_at(spec, attempt_at(w, a).visit)
    if not visit.is_held:
        _release(spec, w, books, visit.service, attempt_at(w, a).lane, now)
    next_calls(spec, w, books, a, now, slot)


@inlined
def _release(spec, w, books, s, place, now):
    """Free a server; who is next takes it."""
    lane = lane_at(w, place)
    touch(spec, w, books, s, now)
    lane.in_use -= 1
    service_at(w, s).in_use -= 1
    hand_over(spec, w, books, s, lane, now)


@inlined
def next_calls(spec, w, books, a, now, slot):
    """Make the next group of calls, all at once; without one more, the attempt is over."""
    one = attempt_at(w, a)
    visit = visit_at(spec, one.visit)
    if one.group == visit.group_to:
        _finish(spec, w, books, a, 1, now, slot)
        return
    until_s = min(one.caller_s, one.deadline_s)
    if service_at(w, visit.service).is_heedful and _is_too_late(now, until_s):
        _finish(spec, w, books, a, 0, now, slot)
        return
    group = group_at(spec, one.group)
    one.pending, one.ok = group.member_to - group.member_from, 1
    for member in range(group.member_from, group.member_to):
        c = new_call(w)
        call = call_at(w, c)
        call.visit, call.parent, call.is_root, call.member = (
            member_at(spec, member).visit,
            a,
            0,
            member,
        )
        call.session, call.place, call.exchange = one.session, one.place, one.exchange
        call.line, call.number, call.zone = _lineage(one.line, one.number), 0, one.zone
        call.deadline_s = until_s
        now_first(w, c)


@inlined
def child_ended(spec, w, books, a, is_well, now, slot):
    """A call that an attempt made has ended: well, or it was optional."""
    one = attempt_at(w, a)
    if not is_well:
        one.ok = 0
    one.pending -= 1
    if one.pending:
        return
    if one.ok:
        one.group += 1
        next_calls(spec, w, books, a, now, slot)
    else:
        _finish(spec, w, books, a, 0, now, slot)


@inlined
def _finish(spec, w, books, a, ok, now, slot):
    """Free the server if it is still held; the caller hears, if it still waits."""
    one = attempt_at(w, a)
    s = visit_at(spec, one.visit).service
    if visit_at(spec, one.visit).is_held:
        _release(spec, w, books, s, one.lane, now)
    sv, lane = service_at(w, s), lane_at(w, one.lane)
    lane.inside -= 1
    if sv.limit_target_s > 0:
        took_s = now - one.arrived_s
        lane.limit = _next_limit(lane.limit, took_s, sv.limit_target_s, lane.most_inside)
    sv.connected -= 1
    if sv.connections > 0:
        touch(spec, w, books, s, now)
        for place in range(sv.lane_from, sv.lane_to):
            hand_over(spec, w, books, s, lane_at(w, place), now)
    if one.has_replied:
        count_attempt(books, s, _ORPHANED, slot)
    else:
        count_attempt(books, s, _DONE if ok else _FAILED, slot)
        count_visit(books, s, slot, bin_of(now - one.arrived_s))
        give(spec, w, books, s, a, ok, now)
    free_attempt(w, a)
