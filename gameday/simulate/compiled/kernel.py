"""The compiled engine's loop: one event after another, each done by the function of its name."""

from __future__ import annotations

import math

from numba import njit

from gameday.simulate.compiled import event_queue as now_
from gameday.simulate.compiled.callers import answer, begin_call, hedge
from gameday.simulate.compiled.customers import begin_session, begin_step, step_over
from gameday.simulate.compiled.draws import session_key
from gameday.simulate.compiled.event_queue import (
    at,
    drop_first,
    is_before_all,
    next_call,
    next_key,
    next_what,
    now_first,
    now_then,
)
from gameday.simulate.compiled.free_lists import free_call, new_session
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import book_those_who_wait, touch
from gameday.simulate.compiled.scaling import grow, look, switch
from gameday.simulate.compiled.stations import (
    begin_own_work,
    child_ended,
    own_work_ended,
    time_out,
)
from gameday.simulate.compiled.step_work import exchange_ended, lose_patience, outcome_of
from gameday.simulate.compiled.tables_at import (
    call_at,
    event_at,
    member_at,
    number_at,
    service_at,
    session_at,
    sum_at,
    switch_at,
)
from gameday.simulate.compiled.walks import slot_at

__all__ = ["DONE", "FEED", "GROW", "begin", "let_come", "run"]

DONE, GROW, FEED = 0, 1, 2
_SEQ_MASK = (1 << 52) - 1
_SURELY = 1e-6
"""Of a slot: farther before its end an instant lies in it, however `slot_at` rounds."""

ARRIVE, PAUSE_OVER, PATIENCE, TIMEOUT = now_.ARRIVE, now_.PAUSE_OVER, now_.PATIENCE, now_.TIMEOUT
RETRY, WORK_END, SCALE, READY = now_.RETRY, now_.WORK_END, now_.SCALE, now_.READY
SWITCH, HEDGE = now_.SWITCH, now_.HEDGE
HANDED, REPLY = now_.HANDED, now_.REPLY
CALL_ENDED, STEP_OVER = now_.CALL_ENDED, now_.STEP_OVER


@inlined
def _arrive(spec, w, books, now):
    i, index = new_session(w), w.arrival
    one = session_at(w, i)
    one.number = number_at(spec.arrival_number, index).n
    one.journey = number_at(spec.arrival_journey, index).n
    one.product = number_at(spec.arrival_product, index).n
    one.key, one.nominal_s = (
        session_key(spec.plan_root, one.number),
        sum_at(spec.arrival_s, index).x,
    )
    one.start_s = one.nominal_s
    _schedule_arrival(spec, w, index + 1)
    begin_session(spec, w, books, i, now)


@inlined
def _schedule_arrival(spec, w, index):
    """Let the next session come at its time: it waits beside the heap, the next of a sorted row."""
    w.arrival, w.arrives_s = index, math.inf
    if index < spec.arrivals:
        w.arrives_s, w.arrival_key = (
            sum_at(spec.arrival_s, index).x + spec.offset_s,
            next_key(w, ARRIVE),
        )
    else:
        w.is_starved = 1


@inlined
def _call_ended(spec, w, books, c, now, slot):
    call = call_at(w, c)
    if call.is_root:
        exchange_ended(spec, w, c)
        return
    a, is_well = call.parent, call.ok or member_at(spec, call.member).is_optional
    free_call(w, c)
    child_ended(spec, w, books, a, is_well, now, slot)


@inlined
def _reply(spec, w, c, now):
    """A caller hears; return CALL_ENDED if its call is over and nothing else follows before."""
    if not answer(spec, w, c, now):
        return -1
    if call_at(w, c).is_root:
        call_at(w, c).outcome = outcome_of(spec, w, c, now)
    if w.normal_from == w.normal_to:
        return CALL_ENDED
    now_then(w, CALL_ENDED, c)
    return -1


@inlined
def _follows(spec, w, books, kind, x, now, slot):
    """Do what follows at this instant."""
    if kind == REPLY:
        kind = _reply(spec, w, x, now)
    if kind == CALL_ENDED:
        _call_ended(spec, w, books, x, now, slot)
    elif kind == STEP_OVER:
        step_over(spec, w, books, x, now)
    elif kind == HANDED:
        begin_own_work(spec, w, x, now)


@inlined
def _falls_due(spec, w, books, kind, x, seq, now, slot):
    """Do what the heap had for this instant."""
    if kind == WORK_END:
        own_work_ended(spec, w, books, x, now, slot)
    elif kind == RETRY:
        now_first(w, x)
    elif kind == PAUSE_OVER:
        begin_step(spec, w, books, x, now)
    elif kind == TIMEOUT:
        time_out(spec, w, books, x, seq, now, slot)
    elif kind == PATIENCE:
        lose_patience(w, x, seq)
    elif kind == SCALE:
        look(spec, w, books, x, now)
    elif kind == HEDGE:
        hedge(spec, w, books, x, seq, now, slot)
    elif kind == READY:
        grow(spec, w, books, x & 0xFFFFFF, x >> 24, now)
    elif kind == SWITCH:
        switch(spec, w, books, x >> 1, x & 1, now)


@njit(cache=True, error_model="numpy")
def let_come(spec_row, world_row):
    """Let the first session of a part of the plan come."""
    spec, w = spec_row[0], world_row[0]
    w.is_starved = 0
    _schedule_arrival(spec, w, 0)


@njit(cache=True, error_model="numpy")
def begin(spec_row, world_row):
    """Let autoscaling look for the first time, and outages come."""
    spec, w = spec_row[0], world_row[0]
    for s in range(spec.service_count):
        if service_at(w, s).scale_interval_s:
            at(w, service_at(w, s).scale_interval_s, SCALE, s)
    for place in range(spec.switch_count):
        at(w, switch_at(spec, place).at_s, SWITCH, 2 * place)


@njit(cache=True, nogil=True, error_model="numpy")
def run(spec_row, world_row, books_row):
    """Play until nothing is left to happen (DONE), there is no room for more (GROW), or the next
    part of the plan is due (FEED).
    """
    spec, w, books = spec_row[0], world_row[0], books_row[0]
    now = w.now_s
    slot, same_slot_s = min(slot_at(spec, now), spec.slots - 1), now
    while True:
        if w.is_tight | w.is_starved:
            w.now_s = now
            return FEED if w.is_starved else GROW
        c = next_call(w)
        if c >= 0:
            begin_call(spec, w, books, c, now, slot)
            continue
        what = next_what(w)
        if what >= 0:
            _follows(spec, w, books, what & 15, what >> 4, now, slot)
            continue
        is_arrival = is_before_all(w, w.arrives_s, w.arrival_key)
        now = w.arrives_s if is_arrival else event_at(w, 0).when_s
        if now >= spec.until_s:
            break
        if now >= same_slot_s:
            slot = min(slot_at(spec, now), spec.slots - 1)
            same_slot_s = (slot + 1 - _SURELY) * spec.slot_s
        if is_arrival:
            _arrive(spec, w, books, now)
            continue
        seq, what = event_at(w, 0).key & _SEQ_MASK, event_at(w, 0).what
        drop_first(w)
        _falls_due(spec, w, books, what & 15, what >> 4, seq, now, slot)
    for s in range(spec.service_count):
        touch(spec, w, books, s, spec.until_s)
        book_those_who_wait(spec, w, books, s, spec.until_s)
    return DONE
