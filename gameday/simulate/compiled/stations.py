"""A service in the compiled engine: attempts are refused, served or queued, and callers time out."""

from __future__ import annotations

from gameday.record import ATTEMPTS, LOADS
from gameday.scenario.caller_policies import gives_up_at_s, is_too_late, lineage
from gameday.scenario.queue_policies import (
    is_over_limit,
    is_shed,
    next_limit,
    share_of,
    tokens_at,
)
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
_lineage, _is_over_limit = inlined(lineage), inlined(is_over_limit)
_next_limit, _tokens_at = inlined(next_limit), inlined(tokens_at)


@inlined
def begin_attempt(spec, world, stats, c, number, now, slot):
    """Begin an attempt, served or queued, and its caller's timer; return False if it is refused."""
    call = call_at(world, c)
    s = visit_at(spec, call.visit).service
    service = service_at(world, s)
    lane_index = _admit(spec, world, stats, s, c, number, now, slot)
    if lane_index == NONE:
        if call.first == NONE:
            call.ok = 0
            now_then(world, REPLY, c)
        return False
    lane = lane_at(world, lane_index)
    a = _new_attempt(world, service, c, number, lane_index, now)
    lane.inside += 1
    touch(spec, world, stats, s, now)
    _begin_to_wait(spec, world, service, s, a, now)
    if may_begin_at(service, lane):
        lane.in_use += 1
        service.connected += 1
        service.in_use += 1
        begin_own_work(spec, world, a, now)
    else:
        join_queue(world, service, lane, a)
    return True


@inlined
def _admit(spec, world, stats, s, c, number, now, slot):
    """Return the lane that an attempt enters, NONE if it is refused; count which."""
    call, service = call_at(world, c), service_at(world, s)
    count_attempt(stats, s, _ARRIVED, slot)
    if number > 0 or call.line > 0:
        add_load(stats, s, _REPEATS, slot, 1.0)
    if service.is_heedful and _is_too_late(now, call.deadline_s):
        count_attempt(stats, s, _TIMED_OUT, slot)
        return NONE
    service.arrived_since_scaling += 1
    lane_index = NONE if service.is_down else _lane_for(spec, world, service, call, number, now)
    if lane_index == NONE:
        count_attempt(stats, s, _SHED, slot)
    return lane_index


@inlined
def _new_attempt(world, service, c, number, lane_index, now):
    """Return the index of a new attempt of a call, in a lane."""
    a = new_attempt(world)
    attempt, call = attempt_at(world, a), call_at(world, c)
    attempt.call, attempt.visit, attempt.number = c, call.visit, number
    attempt.exchange, attempt.caller_s = call.exchange, call.deadline_s
    if service.hedge_s > 0:
        if call.first == NONE:
            call.first = a
        else:
            call.second = a
    attempt.session, attempt.line, attempt.position = call.session, call.line, call.position
    attempt.arrived_s = now
    attempt.has_replied, attempt.is_queued = 0, 0
    attempt.lane = lane_index
    attempt.zone = call.zone if service.balance == 0 else lane_at(world, lane_index).zone
    return a


@inlined
def _lane_for(spec, world, service, call, number, now):
    """Return the lane for an attempt; NONE if it is shed, or over a limit of rate or of concurrency."""
    index = service.lane_from
    if service.balance > 0:
        uniform = uniform_of(spec, call, number, _BALANCE)
        index = choose_lane(world, service, uniform, call.zone)
        if index == NONE:
            return NONE
    if service.refusing_share > 0:
        phase = lane_at(world, index).phase
        if phase < 0:
            phase = uniform_of(spec, call, number, _INSTANCE)
        if phase < service.refusing_share:
            return NONE
    if service.rate_per_s > 0 and not _takes_rate_token(service, now):
        return NONE
    lane = lane_at(world, index)
    share = visit_at(spec, call.visit).share
    if not may_begin_at(service, lane) and _is_shed(
        lane.servers, lane.servers, lane.queued, _share_of(lane.queue_bound, share)
    ):
        return NONE
    if service.limit_target_s > 0 and _is_over_limit(lane.inside, lane.limit * share):
        return NONE
    return index


@inlined
def _takes_rate_token(service, now):
    """Take a token of the rate limit's bucket; return whether there was one."""
    since_s = now - service.rate_since_s
    tokens = _tokens_at(service.rate_tokens, since_s, service.rate_per_s, service.rate_burst)
    has_token = tokens >= 1.0
    service.rate_tokens, service.rate_since_s = tokens - 1.0 if has_token else tokens, now
    return has_token


@inlined
def _begin_to_wait(spec, world, service, s, a, now):
    """Start a caller's timer: all of a service are as long, so only the oldest is in the heap."""
    attempt = attempt_at(world, a)
    attempt.deadline_s = _gives_up_at_s(now, service.timeout_s)
    attempt.before, attempt.behind = service.newest, NONE
    if service.newest == NONE:
        service.oldest = a
    else:
        attempt_at(world, service.newest).behind = a
    service.newest = a
    if service.is_armed:
        attempt.deadline_seq = world.sequence
        world.sequence += 1
    else:
        attempt.deadline_seq = at(world, attempt.deadline_s, TIMEOUT, s)
        service.is_armed = 1


@inlined
def time_out(spec, world, stats, s, seq, now, slot):
    """Let the oldest timer of a service's callers go off: its owner gives up, if it still waits."""
    service = service_at(world, s)
    a = service.oldest
    if a != NONE and attempt_at(world, a).deadline_seq == seq:
        _give_up(spec, world, stats, s, a, now, slot)
    a = service.oldest
    service.is_armed = 0
    if a != NONE:
        again_at(
            world, attempt_at(world, a).deadline_s, TIMEOUT, s, attempt_at(world, a).deadline_seq
        )
        service.is_armed = 1


@inlined
def _give_up(spec, world, stats, s, a, now, slot):
    attempt = attempt_at(world, a)
    give(spec, world, stats, s, a, 0, now)
    if attempt.is_queued:
        touch(spec, world, stats, s, now)
        leave_queue(spec, world, stats, s, a, now)
        count_attempt(stats, s, _TIMED_OUT, slot)
        free_attempt(world, a)


@inlined
def begin_own_work(spec, world, a, now):
    """Begin an attempt's own work, with the server it has."""
    attempt = attempt_at(world, a)
    visit = visit_at(spec, attempt.visit)
    service = service_at(world, visit.service)
    seconds = seconds_of(spec, visit, _uniform_of_attempt(spec, attempt, _SERVICE_TIME))
    seconds = seconds * visit.factor * service.slow
    seconds = max(0.0, seconds + (service.stretch - 1.0) * visit.hold_s)
    if not service.is_plain:
        lane = lane_at(world, attempt.lane)
        phase = lane.phase
        if (service.pause_every_s > 0 or service.degraded_share > 0) and phase < 0:
            phase = _uniform_of_attempt(spec, attempt, _INSTANCE)
        seconds = work_seconds(service, lane, seconds, phase, now)
    attempt.group = visit.group_from
    at(world, now + seconds, WORK_END, a)


@inlined
def _uniform_of_attempt(spec, attempt, purpose):
    """Return an attempt's uniform number in (0, 1) for a purpose."""
    return request_uniform(
        spec,
        attempt.session,
        attempt.line,
        attempt.position,
        attempt.exchange,
        attempt.visit,
        attempt.number,
        purpose,
    )


@inlined
def own_work_ended(spec, world, stats, a, now, slot):
    """End own work: the calls below begin, with the server held or not."""
    visit = visit_at(spec, attempt_at(world, a).visit)
    if not visit.is_held:
        _release(spec, world, stats, visit.service, attempt_at(world, a).lane, now)
    next_calls(spec, world, stats, a, now, slot)


@inlined
def _release(spec, world, stats, s, lane_index, now):
    """Free a server; who is next takes it."""
    lane = lane_at(world, lane_index)
    touch(spec, world, stats, s, now)
    lane.in_use -= 1
    service_at(world, s).in_use -= 1
    hand_over(spec, world, stats, s, lane, now)


@inlined
def next_calls(spec, world, stats, a, now, slot):
    """Make the next group of calls, all at once; without one more, the attempt is over."""
    attempt = attempt_at(world, a)
    visit = visit_at(spec, attempt.visit)
    if attempt.group == visit.group_to:
        _finish(spec, world, stats, a, 1, now, slot)
        return
    until_s = min(attempt.caller_s, attempt.deadline_s)
    if service_at(world, visit.service).is_heedful and _is_too_late(now, until_s):
        _finish(spec, world, stats, a, 0, now, slot)
        return
    group = group_at(spec, attempt.group)
    attempt.pending, attempt.ok = group.member_to - group.member_from, 1
    for member in range(group.member_from, group.member_to):
        _call_below(spec, world, a, member, until_s)


@inlined
def _call_below(spec, world, a, member, until_s):
    """Let an attempt make one call of its group, at this instant."""
    c = new_call(world)
    call, attempt = call_at(world, c), attempt_at(world, a)
    call.visit, call.parent, call.is_root = member_at(spec, member).visit, a, 0
    call.member, call.number, call.zone = member, 0, attempt.zone
    call.session, call.position = attempt.session, attempt.position
    call.exchange, call.line = attempt.exchange, _lineage(attempt.line, attempt.number)
    call.deadline_s = until_s
    now_first(world, c)


@inlined
def child_ended(spec, world, stats, a, is_well, now, slot):
    """Note that a call of an attempt has ended; `is_well` also if it was optional."""
    attempt = attempt_at(world, a)
    if not is_well:
        attempt.ok = 0
    attempt.pending -= 1
    if attempt.pending:
        return
    if attempt.ok:
        attempt.group += 1
        next_calls(spec, world, stats, a, now, slot)
    else:
        _finish(spec, world, stats, a, 0, now, slot)


@inlined
def _finish(spec, world, stats, a, ok, now, slot):
    """End an attempt: it frees its server if it still holds it, and replies if anybody waits."""
    attempt = attempt_at(world, a)
    visit = visit_at(spec, attempt.visit)
    s = visit.service
    if visit.is_held:
        _release(spec, world, stats, s, attempt.lane, now)
    _leave(spec, world, stats, s, a, now)
    if attempt.has_replied:
        count_attempt(stats, s, _ORPHANED, slot)
    else:
        count_attempt(stats, s, _DONE if ok else _FAILED, slot)
        count_visit(stats, s, slot, bin_of(now - attempt.arrived_s))
        give(spec, world, stats, s, a, ok, now)
    free_attempt(world, a)


@inlined
def _leave(spec, world, stats, s, a, now):
    """Take an attempt out of its lane, and give its connection back."""
    service, attempt = service_at(world, s), attempt_at(world, a)
    lane = lane_at(world, attempt.lane)
    lane.inside -= 1
    if service.limit_target_s > 0:
        took_s = now - attempt.arrived_s
        lane.limit = _next_limit(lane.limit, took_s, service.limit_target_s, lane.most_inside)
    service.connected -= 1
    if service.connections > 0:
        touch(spec, world, stats, s, now)
        for index in range(service.lane_from, service.lane_to):
            hand_over(spec, world, stats, s, lane_at(world, index), now)
