"""The compiled engine's loop: one event after another, each done by the function of its name."""

from __future__ import annotations

from numba import njit

from gameday.simulate.compiled import agenda as now_
from gameday.simulate.compiled.agenda import at, drop_first, next_what, now_first, now_then
from gameday.simulate.compiled.customers import begin_session, begin_step, step_over
from gameday.simulate.compiled.draws import session_key
from gameday.simulate.compiled.pools import book_those_who_wait, grow, read_utilisation, touch
from gameday.simulate.compiled.slots import free_call, new_session
from gameday.simulate.compiled.stations import (
    answer,
    begin_attempt,
    begin_own_work,
    child_ended,
    own_work_ended,
    time_out,
)
from gameday.simulate.compiled.tables_at import (
    attempt_at,
    call_at,
    event_at,
    member_at,
    number_at,
    service_at,
    session_at,
    sum_at,
)
from gameday.simulate.compiled.walks import slot_at
from gameday.simulate.compiled.works import exchange_ended, lose_patience, next_group, outcome_of

__all__ = ["DONE", "FEED", "GROW", "begin", "let_come", "run"]

DONE, GROW, FEED = 0, 1, 2
_SEQ_MASK = (1 << 52) - 1

ARRIVE, PAUSE_OVER, PATIENCE, TIMEOUT = now_.ARRIVE, now_.PAUSE_OVER, now_.PATIENCE, now_.TIMEOUT
RETRY, WORK_END, SCALE, READY = now_.RETRY, now_.WORK_END, now_.SCALE, now_.READY
BEGIN_SESSION, BEGIN_WORK, BEGIN_CALL = now_.BEGIN_SESSION, now_.BEGIN_WORK, now_.BEGIN_CALL
SERVE, HANDED, REPLY = now_.SERVE, now_.HANDED, now_.REPLY
CALL_ENDED, STEP_OVER = now_.CALL_ENDED, now_.STEP_OVER


@njit
def _is_full(w):
    free = min(min(w.sessions_free, w.works_free), min(w.calls_free, w.attempts_free))
    rings = max(w.urgent_to - w.urgent_from, w.normal_to - w.normal_from)
    return free < w.room or w.event_room - w.event_count < w.room or w.ring_mask - rings < w.room


@njit
def _arrive(spec, w, index):
    i = new_session(w)
    one = session_at(w, i)
    one.number = number_at(spec.arrival_number, index).n
    one.journey = number_at(spec.arrival_journey, index).n
    one.product = number_at(spec.arrival_product, index).n
    one.key, one.nominal_s = (
        session_key(spec.plan_root, one.number),
        sum_at(spec.arrival_s, index).x,
    )
    now_first(w, BEGIN_SESSION, i)
    _schedule_arrival(spec, w, index + 1)


@njit
def _schedule_arrival(spec, w, index):
    """Let the next session come at its time."""
    if index < spec.arrivals:
        at(w, sum_at(spec.arrival_s, index).x + spec.offset_s, ARRIVE, index)
    else:
        w.is_starved = 1


@njit
def _call_ended(spec, w, books, c, now, slot):
    call = call_at(w, c)
    if call.is_root:
        exchange_ended(spec, w, c)
        return
    a, is_well = call.parent, call.ok or member_at(spec, call.member).is_optional
    free_call(w, c)
    child_ended(spec, w, books, a, is_well, now, slot)


@njit
def _happens(spec, w, books, kind, x, seq, now, slot):
    """Do one event."""
    if kind == WORK_END:
        own_work_ended(spec, w, books, x, now, slot)
    elif kind == SERVE:
        if not attempt_at(w, x).is_queued:
            begin_own_work(spec, w, x, now)
    elif kind == HANDED:
        begin_own_work(spec, w, x, now)
    elif kind == BEGIN_CALL or kind == RETRY:  # noqa: SIM109 (a loop over a tuple to numba)
        begin_attempt(spec, w, books, x, now, slot)
    elif kind == REPLY:
        if answer(spec, w, x, now):
            if call_at(w, x).is_root:
                call_at(w, x).outcome = outcome_of(spec, w, x)
            now_then(w, CALL_ENDED, x)
    elif kind == CALL_ENDED:
        _call_ended(spec, w, books, x, now, slot)
    elif kind == STEP_OVER:
        step_over(spec, w, books, x, now)
    elif kind == BEGIN_WORK:
        next_group(spec, w, x)
    elif kind == PAUSE_OVER:
        begin_step(spec, w, books, x, now)
    elif kind == BEGIN_SESSION:
        begin_session(spec, w, books, x, now)
    elif kind == ARRIVE:
        _arrive(spec, w, x)
    elif kind == TIMEOUT:
        time_out(spec, w, books, x, seq, now, slot)
    elif kind == PATIENCE:
        lose_patience(w, x, seq)
    elif kind == SCALE:
        read_utilisation(spec, w, books, x, now)
    elif kind == READY:
        grow(spec, w, books, x & 0xFFFFFF, x >> 24, now)


@njit(cache=True)
def let_come(spec_row, world_row):
    """Let the first session of a part of the plan come."""
    spec, w = spec_row[0], world_row[0]
    w.is_starved = 0
    _schedule_arrival(spec, w, 0)


@njit(cache=True)
def begin(spec_row, world_row):
    """Let autoscaling look for the first time."""
    spec, w = spec_row[0], world_row[0]
    for s in range(spec.service_count):
        if service_at(w, s).scale_interval_s:
            at(w, service_at(w, s).scale_interval_s, SCALE, s)


@njit(cache=True, nogil=True)
def run(spec_row, world_row, books_row):
    """Play until nothing is left to happen (DONE), there is no room for more (GROW), or the next
    part of the plan is due (FEED).
    """
    spec, w, books = spec_row[0], world_row[0], books_row[0]
    now = w.now_s
    slot = min(slot_at(spec, now), spec.slots - 1)
    while True:
        if _is_full(w) or w.is_starved:
            w.now_s = now
            return FEED if w.is_starved else GROW
        what, seq = next_what(w), 0
        if what < 0:
            first = event_at(w, 0)
            if w.event_count == 0 or first.when_s >= spec.until_s:
                break
            now, seq, what = first.when_s, first.key & _SEQ_MASK, first.what
            slot = min(slot_at(spec, now), spec.slots - 1)
            drop_first(w)
        _happens(spec, w, books, what & 15, what >> 4, seq, now, slot)
    for s in range(spec.service_count):
        touch(spec, w, books, s, spec.until_s)
        book_those_who_wait(spec, w, books, s, spec.until_s)
    return DONE
