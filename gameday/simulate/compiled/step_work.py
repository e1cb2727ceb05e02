"""The exchanges of a step in the compiled engine, and how long their customer waits for them."""

from __future__ import annotations

import math

from gameday.scenario.queue_policies import room_now
from gameday.simulate.compiled.event_queue import (
    PATIENCE,
    STEP_OVER,
    again_at,
    at,
    now_first,
    now_then,
)
from gameday.simulate.compiled.free_lists import free_call, free_session, free_work, new_call
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import (
    call_at,
    group_at,
    journey_at,
    member_at,
    number_at,
    patient_at,
    sale_at,
    script_at,
    session_at,
    work_at,
)

__all__ = [
    "ABANDONED",
    "CHECK_FAILED",
    "DONE",
    "FAILED",
    "SOLD_OUT",
    "WAITING",
    "begin_to_wait",
    "exchange_ended",
    "lose_patience",
    "next_group",
    "outcome_of",
]

NONE = -1
DONE, FAILED, CHECK_FAILED, SOLD_OUT, ABANDONED, WAITING = range(6)
"""Outcomes, in STEPS' order."""
_CART, _ORDER, _LOOK = 1, 2, 3
_room_now = inlined(room_now)


@inlined
def begin_to_wait(spec, w, i, now):
    """Patience of a journey's customers is as long for all: only the oldest is in the heap."""
    one = session_at(w, i)
    j = one.journey
    one.deadline_s = now + journey_at(spec, j).patience_s
    patient = patient_at(w, j)
    one.before, one.behind = patient.newest, NONE
    if patient.newest == NONE:
        patient.oldest = i
    else:
        session_at(w, patient.newest).behind = i
    patient.newest = i
    if patient.is_armed:
        one.deadline_seq = w.sequence
        w.sequence += 1
    else:
        one.deadline_seq = at(w, one.deadline_s, PATIENCE, j)
        patient.is_armed = 1


@inlined
def _wait_no_more(w, i):
    one = session_at(w, i)
    patient = patient_at(w, one.journey)
    if one.before == NONE:
        patient.oldest = one.behind
    else:
        session_at(w, one.before).behind = one.behind
    if one.behind == NONE:
        patient.newest = one.before
    else:
        session_at(w, one.behind).before = one.before


@inlined
def lose_patience(w, j, seq):
    """A journey's patience runs out: its owner leaves, if it still waits."""
    patient = patient_at(w, j)
    i = patient.oldest
    if i != NONE and session_at(w, i).deadline_seq == seq:
        _wait_no_more(w, i)
        session_at(w, i).outcome = ABANDONED
        k = session_at(w, i).work
        work_at(w, k).has_left = 1
        _clear(w, k)
        now_then(w, STEP_OVER, i)
    i = patient.oldest
    patient.is_armed = 0
    if i != NONE:
        again_at(w, session_at(w, i).deadline_s, PATIENCE, j, session_at(w, i).deadline_seq)
        patient.is_armed = 1


@inlined
def next_group(spec, w, k):
    """Send the exchanges of the next group; one without a required exchange holds nothing up."""
    work = work_at(w, k)
    while work.group < script_at(spec, work.script).group_to:
        first, last = group_at(spec, work.group).member_from, group_at(spec, work.group).member_to
        work.pending, work.bad, work.bad_at = 0, DONE, last
        for member in range(first, last):
            c = new_call(w)
            call = call_at(w, c)
            call.visit, call.parent, call.is_root = member_at(spec, member).visit, k, 1
            call.member, call.number, call.line = member, 0, work.tries
            call.session, call.place = session_at(w, work.session).number, work.place
            call.zone, call.deadline_s = call.session, math.inf
            call.exchange = work.exchange + (member - first)
            work.pending += member_at(spec, member).is_required
            work.members += 1
            now_first(w, c)
        work.exchange += last - first
        if work.pending:
            return
        work.group += 1
    _work_over(w, k, DONE)


@inlined
def outcome_of(spec, w, c, now):
    """Return what an exchange comes to: a limited product may be gone."""
    call = call_at(w, c)
    if not call.ok:
        return FAILED
    one = session_at(w, work_at(w, call.parent).session)
    action = member_at(spec, call.member).action
    if action == 0 or not number_at(spec.is_limited, one.product).n:
        return DONE
    sale = sale_at(w, one.product)
    if now < sale.opens_s:
        return WAITING
    if action == _LOOK:
        return DONE
    if action == _CART:
        return _put_in_cart(sale, one, now)
    units = one.cart if one.cart else 1
    if sale.left < units:
        sale.gone_s = min(sale.gone_s, now)
        return SOLD_OUT
    one.cart = 0
    sale.left -= units
    return DONE


@inlined
def _put_in_cart(sale, one, now):
    """As `Sale.put_in_cart`."""
    if sale.left <= 0:
        sale.gone_s = min(sale.gone_s, now)
        return SOLD_OUT
    if one.cart == 0 and sale.admits_per_s > 0:
        since_s = max(0.0, now - sale.room_s)
        sale.room, sale.room_s = _room_now(sale.room, since_s, sale.admits_per_s), now
        if sale.room < 1.0:
            return WAITING
        sale.room -= 1.0
    if not 0 < sale.most <= one.cart:
        one.cart += 1
    return DONE


@inlined
def exchange_ended(spec, w, c):
    """An exchange has ended: the step goes on once all the required ones of its group have."""
    call = call_at(w, c)
    k, member, outcome = call.parent, call.member, call.outcome
    free_call(w, c)
    work = work_at(w, k)
    work.members -= 1
    if member_at(spec, member).is_required:
        if outcome != DONE and member < work.bad_at:
            work.bad, work.bad_at = outcome, member
        work.pending -= 1
        if work.pending == 0 and not work.has_left:
            if work.bad != DONE:
                _work_over(w, k, work.bad)
            else:
                work.group += 1
                next_group(spec, w, k)
            return
    _clear(w, k)


@inlined
def _work_over(w, k, outcome):
    i = work_at(w, k).session
    work_at(w, k).has_left = 1
    _wait_no_more(w, i)
    session_at(w, i).outcome = outcome
    now_then(w, STEP_OVER, i)
    _clear(w, k)


@inlined
def _clear(w, k):
    """Give a work's place back once nobody waits for it and nothing of it is under way."""
    work = work_at(w, k)
    if work.has_left and work.members == 0:
        i = work.session
        free_work(w, k)
        session_at(w, i).works -= 1
        if session_at(w, i).is_over and session_at(w, i).works == 0:
            free_session(w, i)
