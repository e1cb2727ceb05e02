"""A service in the compiled engine: servers, a queue, callers who wait, try again and give up."""

from __future__ import annotations

from gameday.run_record import ATTEMPTS
from gameday.scenario.policies import (
    backoff_s,
    gives_up_at_s,
    is_over_limit,
    is_shed,
    lineage,
    may_retry,
    next_limit,
    tokens_after_answer,
    tokens_after_retry,
)
from gameday.simulate.compiled.agenda import (
    REPLY,
    RETRY,
    TIMEOUT,
    WORK_END,
    again_at,
    at,
    now_first,
    now_then,
)
from gameday.simulate.compiled.draws import bin_of, keyed, seconds_of, session_key
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import hand_over, join_queue, leave_queue, touch, wait_no_more
from gameday.simulate.compiled.slots import free_attempt, new_attempt, new_call
from gameday.simulate.compiled.tables_at import (
    attempt_at,
    call_at,
    count_attempt,
    count_visit,
    group_at,
    member_at,
    service_at,
    visit_at,
)
from gameday.vocabulary import Draw

__all__ = [
    "answer", "begin_attempt", "begin_own_work", "child_ended", "own_work_ended", "time_out",
]  # fmt: skip

_ARRIVED, _DONE, _FAILED, _SHED, _TIMED_OUT, _, _ORPHANED, _ = range(len(ATTEMPTS))
_SERVICE_TIME, _BACKOFF = int(Draw.SERVICE_TIME), int(Draw.BACKOFF)
NONE = -1

_backoff_s, _gives_up_at_s, _is_shed = inlined(backoff_s), inlined(gives_up_at_s), inlined(is_shed)
_may_retry, _tokens_after_retry = inlined(may_retry), inlined(tokens_after_retry)
_tokens_after_answer = inlined(tokens_after_answer)
_lineage, _is_over_limit, _next_limit = (
    inlined(lineage),
    inlined(is_over_limit),
    inlined(next_limit),
)


@inlined
def _uniform(spec, session, line, place, exchange, visit, number, purpose):
    key = session_key(spec.root, session + (line << 32))
    part = visit_at(spec, visit).number + 64 * exchange + 2048 * number
    return keyed(key, place, part, purpose)


@inlined
def begin_attempt(spec, w, books, c, now, slot):
    """A caller asks: it is refused, served, or put in the queue; and it will wait so long."""
    call = call_at(w, c)
    s = visit_at(spec, call.visit).service
    sv = service_at(w, s)
    count_attempt(books, s, _ARRIVED, slot)
    is_full = _is_shed(sv.in_use, sv.servers, sv.queued, sv.queue_bound)
    if sv.is_down or is_full or (sv.limit_target_s > 0 and _is_over_limit(sv.inside, sv.limit)):
        count_attempt(books, s, _SHED, slot)
        call.ok = 0
        now_then(w, REPLY, c)
        return
    a = new_attempt(w)
    one = attempt_at(w, a)
    one.call, one.visit, one.number, one.exchange = c, call.visit, call.number, call.exchange
    one.session, one.line, one.place, one.arrived_s = call.session, call.line, call.place, now
    one.has_replied, one.is_queued = 0, 0
    sv.inside += 1
    touch(spec, w, books, s, now)
    _begin_to_wait(spec, w, sv, s, a, now)
    if sv.in_use < sv.servers:
        sv.in_use += 1
        begin_own_work(spec, w, a, now)
    else:
        join_queue(w, sv, a)


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
        _give_up(spec, w, books, sv, s, a, now, slot)
    a = sv.oldest
    sv.is_armed = 0
    if a != NONE:
        again_at(w, attempt_at(w, a).deadline_s, TIMEOUT, s, attempt_at(w, a).deadline_seq)
        sv.is_armed = 1


@inlined
def _give_up(spec, w, books, sv, s, a, now, slot):
    one = attempt_at(w, a)
    wait_no_more(w, sv, a)
    call_at(w, one.call).ok = 0
    now_then(w, REPLY, one.call)
    if one.is_queued:
        touch(spec, w, books, s, now)
        leave_queue(spec, w, books, s, a, now)
        sv.inside -= 1
        count_attempt(books, s, _TIMED_OUT, slot)
        free_attempt(w, a)


@inlined
def begin_own_work(spec, w, a, now):
    """A server is there: its own work begins."""
    one = attempt_at(w, a)
    visit = visit_at(spec, one.visit)
    uniform = _uniform(
        spec, one.session, one.line, one.place, one.exchange, one.visit, one.number, _SERVICE_TIME
    )
    seconds = seconds_of(spec, visit, uniform) * visit.factor * service_at(w, visit.service).slow
    one.group = visit.group_from
    at(w, now + seconds, WORK_END, a)


@inlined
def own_work_ended(spec, w, books, a, now, slot):
    """Own work is done: calls below begin, with the server held or not."""
    visit = visit_at(spec, attempt_at(w, a).visit)
    if not visit.is_held:
        _release(spec, w, books, visit.service, now)
    next_calls(spec, w, books, a, now, slot)


@inlined
def _release(spec, w, books, s, now):
    """Free a server; the longest waiting takes it."""
    sv = service_at(w, s)
    touch(spec, w, books, s, now)
    sv.in_use -= 1
    hand_over(spec, w, books, s, now)


@inlined
def next_calls(spec, w, books, a, now, slot):
    """Make the next group of calls, all at once; without one more, the attempt is over."""
    one = attempt_at(w, a)
    if one.group == visit_at(spec, one.visit).group_to:
        _finish(spec, w, books, a, 1, now, slot)
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
        call.line, call.number = _lineage(one.line, one.number), 0
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
        _release(spec, w, books, s, now)
    sv = service_at(w, s)
    sv.inside -= 1
    if sv.limit_target_s > 0:
        sv.limit = _next_limit(sv.limit, now - one.arrived_s, sv.limit_target_s, sv.most_inside)
    if one.has_replied:
        count_attempt(books, s, _ORPHANED, slot)
    else:
        wait_no_more(w, sv, a)
        count_attempt(books, s, _DONE if ok else _FAILED, slot)
        count_visit(books, s, slot, bin_of(now - one.arrived_s))
        call_at(w, one.call).ok = ok
        now_then(w, REPLY, one.call)
    free_attempt(w, a)


@inlined
def answer(spec, w, c, now):
    """A caller hears of its attempt; return whether its call is over, else it will try again."""
    call = call_at(w, c)
    sv = service_at(w, visit_at(spec, call.visit).service)
    if call.ok:
        if sv.tokens_each > 0:
            sv.tokens = _tokens_after_answer(sv.tokens, sv.tokens_each, sv.tokens_most)
        return True
    if call.number == sv.retries:
        return True
    if sv.tokens_each > 0:
        if not _may_retry(sv.tokens):
            return True
        sv.tokens = _tokens_after_retry(sv.tokens)
    call.number += 1
    uniform = _uniform(
        spec, call.session, call.line, call.place, call.exchange, call.visit, call.number, _BACKOFF
    )
    at(w, now + _backoff_s(sv.backoff_s, call.number, uniform), RETRY, c)
    return False
