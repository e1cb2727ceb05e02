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
from gameday.simulate.compiled.layout import CART, LOOK
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
_room_now = inlined(room_now)


@inlined
def begin_to_wait(spec, world, i, now):
    """Start a customer's patience: all of a journey are as patient, so only the oldest is in the heap."""
    session = session_at(world, i)
    j = session.journey
    session.deadline_s = now + journey_at(spec, j).patience_s
    patient = patient_at(world, j)
    session.before, session.behind = patient.newest, NONE
    if patient.newest == NONE:
        patient.oldest = i
    else:
        session_at(world, patient.newest).behind = i
    patient.newest = i
    if patient.is_armed:
        session.deadline_seq = world.sequence
        world.sequence += 1
    else:
        session.deadline_seq = at(world, session.deadline_s, PATIENCE, j)
        patient.is_armed = 1


@inlined
def _wait_no_more(world, i):
    session = session_at(world, i)
    patient = patient_at(world, session.journey)
    if session.before == NONE:
        patient.oldest = session.behind
    else:
        session_at(world, session.before).behind = session.behind
    if session.behind == NONE:
        patient.newest = session.before
    else:
        session_at(world, session.behind).before = session.before


@inlined
def lose_patience(world, j, seq):
    """Let the oldest patience of a journey run out: its owner leaves, if it still waits."""
    patient = patient_at(world, j)
    i = patient.oldest
    if i != NONE and session_at(world, i).deadline_seq == seq:
        _wait_no_more(world, i)
        session_at(world, i).outcome = ABANDONED
        k = session_at(world, i).work
        work_at(world, k).has_left = 1
        _clear(world, k)
        now_then(world, STEP_OVER, i)
    i = patient.oldest
    patient.is_armed = 0
    if i != NONE:
        again_at(
            world, session_at(world, i).deadline_s, PATIENCE, j, session_at(world, i).deadline_seq
        )
        patient.is_armed = 1


@inlined
def next_group(spec, world, k):
    """Send the exchanges of the next group; one without a required exchange holds nothing up."""
    work = work_at(world, k)
    while work.group < script_at(spec, work.script).group_to:
        first, last = group_at(spec, work.group).member_from, group_at(spec, work.group).member_to
        work.pending, work.bad_outcome, work.bad_member = 0, DONE, last
        for member in range(first, last):
            _send(spec, world, k, member, work.exchange + (member - first))
        work.exchange += last - first
        if work.pending:
            return
        work.group += 1
    _work_over(world, k, DONE)


@inlined
def _send(spec, world, k, member, exchange):
    """Let an exchange's call begin at this instant."""
    c = new_call(world)
    call, work = call_at(world, c), work_at(world, k)
    call.visit, call.parent, call.is_root = member_at(spec, member).visit, k, 1
    call.member, call.number, call.line = member, 0, work.tries
    call.session, call.position = session_at(world, work.session).number, work.position
    call.zone, call.deadline_s = call.session, math.inf
    call.exchange = exchange
    work.pending += member_at(spec, member).is_required
    work.members += 1
    now_first(world, c)


@inlined
def outcome_of(spec, world, c, now):
    """Return what an exchange comes to: a limited product may be sold out, or not released yet."""
    call = call_at(world, c)
    if not call.ok:
        return FAILED
    session = session_at(world, work_at(world, call.parent).session)
    action = member_at(spec, call.member).action
    if action == 0 or not number_at(spec.is_limited, session.product).n:
        return DONE
    sale = sale_at(world, session.product)
    if now < sale.opens_s:
        return WAITING
    if action == LOOK:
        return DONE
    if action == CART:
        return _put_in_cart(sale, session, now)
    return _order(sale, session, now)


@inlined
def _order(sale, session, now):
    """Order what is in the cart, as `Sale.order`; return the outcome."""
    units = session.cart if session.cart else 1
    if sale.left < units:
        sale.gone_s = min(sale.gone_s, now)
        return SOLD_OUT
    session.cart = 0
    sale.left -= units
    return DONE


@inlined
def _put_in_cart(sale, session, now):
    """Put a unit in the cart, as `Sale.put_in_cart`; return the outcome."""
    if sale.left <= 0:
        sale.gone_s = min(sale.gone_s, now)
        return SOLD_OUT
    if session.cart == 0 and sale.admits_per_s > 0:
        since_s = max(0.0, now - sale.room_s)
        sale.room, sale.room_s = _room_now(sale.room, since_s, sale.admits_per_s), now
        if sale.room < 1.0:
            return WAITING
        sale.room -= 1.0
    if not 0 < sale.most <= session.cart:
        session.cart += 1
    return DONE


@inlined
def exchange_ended(spec, world, c):
    """End an exchange: the step goes on once all the required ones of its group have ended."""
    call = call_at(world, c)
    k, member, outcome = call.parent, call.member, call.outcome
    free_call(world, c)
    work = work_at(world, k)
    work.members -= 1
    if member_at(spec, member).is_required:
        if outcome != DONE and member < work.bad_member:
            work.bad_outcome, work.bad_member = outcome, member
        work.pending -= 1
        if work.pending == 0 and not work.has_left:
            if work.bad_outcome != DONE:
                _work_over(world, k, work.bad_outcome)
            else:
                work.group += 1
                next_group(spec, world, k)
            return
    _clear(world, k)


@inlined
def _work_over(world, k, outcome):
    i = work_at(world, k).session
    work_at(world, k).has_left = 1
    _wait_no_more(world, i)
    session_at(world, i).outcome = outcome
    now_then(world, STEP_OVER, i)
    _clear(world, k)


@inlined
def _clear(world, k):
    """Free a step's work once nobody waits for it and nothing of it is under way."""
    work = work_at(world, k)
    if work.has_left and work.members == 0:
        i = work.session
        free_work(world, k)
        session_at(world, i).works -= 1
        if session_at(world, i).is_over and session_at(world, i).works == 0:
            free_session(world, i)
