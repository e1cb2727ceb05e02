"""The compiled engine's loop: one event after another, each done by the function of its name."""

from __future__ import annotations

import math

from numba import njit

from gameday.simulate.compiled.callers import answer, begin_call, hedge
from gameday.simulate.compiled.customers import begin_session, begin_step, step_over
from gameday.simulate.compiled.draws import session_key
from gameday.simulate.compiled.event_queue import (
    ARRIVE,
    CALL_ENDED,
    CHANGE,
    HANDED,
    HEDGE,
    PATIENCE,
    PAUSE_OVER,
    READY,
    REPLY,
    RETRY,
    SCALE,
    STEP_OVER,
    TIMEOUT,
    WORK_END,
    at,
    drop_first,
    is_before_all,
    next_call,
    next_key,
    next_packed,
    now_first,
    now_then,
)
from gameday.simulate.compiled.free_lists import free_call, new_session
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import add_waits_of_queue, touch
from gameday.simulate.compiled.scaling import apply_change, grow, look
from gameday.simulate.compiled.stations import (
    begin_own_work,
    child_ended,
    own_work_ended,
    time_out,
)
from gameday.simulate.compiled.step_work import exchange_ended, lose_patience, outcome_of
from gameday.simulate.compiled.tables_at import (
    call_at,
    change_at,
    event_at,
    member_at,
    number_at,
    service_at,
    session_at,
    sum_at,
)
from gameday.simulate.compiled.walks import slot_at

__all__ = ["DONE", "FEED", "GROW", "begin", "let_come", "run"]

DONE, GROW, FEED = 0, 1, 2
_SEQ_MASK = (1 << 52) - 1
_SURELY = 1e-6
"""Of a slot: farther before its end an instant lies in it, however `slot_at` rounds."""


@inlined
def _arrive(spec, world, stats, now):
    i, index = new_session(world), world.arrival
    session = session_at(world, i)
    session.number = number_at(spec.arrival_number, index).n
    session.journey = number_at(spec.arrival_journey, index).n
    session.product = number_at(spec.arrival_product, index).n
    session.key = session_key(spec.plan_root, session.number)
    session.nominal_s = sum_at(spec.arrival_s, index).x
    session.start_s = session.nominal_s
    _schedule_arrival(spec, world, index + 1)
    begin_session(spec, world, stats, i, now)


@inlined
def _schedule_arrival(spec, world, index):
    """Let the next session come at its time: it waits beside the heap, the next of a sorted row."""
    world.arrival, world.arrives_s = index, math.inf
    if index < spec.arrivals:
        world.arrives_s = sum_at(spec.arrival_s, index).x + spec.offset_s
        world.arrival_key = next_key(world, ARRIVE)
    else:
        world.is_starved = 1


@inlined
def _call_ended(spec, world, stats, c, now, slot):
    call = call_at(world, c)
    if call.is_root:
        exchange_ended(spec, world, c)
        return
    a, is_well = call.parent, call.ok or member_at(spec, call.member).is_optional
    free_call(world, c)
    child_ended(spec, world, stats, a, is_well, now, slot)


@inlined
def _reply(spec, world, c, now):
    """A caller gets its answer; return CALL_ENDED if its call is over and nothing else follows before."""
    if not answer(spec, world, c, now):
        return -1
    if call_at(world, c).is_root:
        call_at(world, c).outcome = outcome_of(spec, world, c, now)
    if world.normal_from == world.normal_to:
        return CALL_ENDED
    now_then(world, CALL_ENDED, c)
    return -1


@inlined
def _follows(spec, world, stats, kind, x, now, slot):
    """Do what follows at this instant."""
    if kind == REPLY:
        kind = _reply(spec, world, x, now)
    if kind == CALL_ENDED:
        _call_ended(spec, world, stats, x, now, slot)
    elif kind == STEP_OVER:
        step_over(spec, world, stats, x, now)
    elif kind == HANDED:
        begin_own_work(spec, world, x, now)


@inlined
def _falls_due(spec, world, stats, kind, x, seq, now, slot):
    """Do what the heap had for this instant."""
    if kind == WORK_END:
        own_work_ended(spec, world, stats, x, now, slot)
    elif kind == RETRY:
        now_first(world, x)
    elif kind == PAUSE_OVER:
        begin_step(spec, world, stats, x, now)
    elif kind == TIMEOUT:
        time_out(spec, world, stats, x, seq, now, slot)
    elif kind == PATIENCE:
        lose_patience(world, x, seq)
    elif kind == SCALE:
        look(spec, world, stats, x, now)
    elif kind == HEDGE:
        hedge(spec, world, stats, x, seq, now, slot)
    elif kind == READY:
        grow(spec, world, stats, x & 0xFFFFFF, x >> 24, now)
    elif kind == CHANGE:
        apply_change(spec, world, stats, x >> 1, x & 1, now)


@njit(cache=True, error_model="numpy")
def let_come(spec_row, world_row):
    """Let the first session of a part of the plan come."""
    spec, world = spec_row[0], world_row[0]
    world.is_starved = 0
    _schedule_arrival(spec, world, 0)


@njit(cache=True, error_model="numpy")
def begin(spec_row, world_row):
    """Schedule the first look of autoscaling, and what is injected or scheduled."""
    spec, world = spec_row[0], world_row[0]
    for s in range(spec.service_count):
        if service_at(world, s).scale_interval_s:
            at(world, service_at(world, s).scale_interval_s, SCALE, s)
    for index in range(spec.change_count):
        at(world, change_at(spec, index).at_s, CHANGE, 2 * index)


@inlined
def _do_what_follows(spec, world, stats, now, slot):
    """Do what comes next at this same instant; return whether there was anything."""
    c = next_call(world)
    if c >= 0:
        begin_call(spec, world, stats, c, now, slot)
        return True
    packed = next_packed(world)
    if packed >= 0:
        _follows(spec, world, stats, packed & 15, packed >> 4, now, slot)
        return True
    return False


@inlined
def _do_first_event(spec, world, stats, now, slot):
    """Do the heap's first event."""
    event = event_at(world, 0)
    seq, packed = event.key & _SEQ_MASK, event.packed
    drop_first(world)
    _falls_due(spec, world, stats, packed & 15, packed >> 4, seq, now, slot)


@inlined
def _close(spec, world, stats):
    """Add up what lasted to the end of the run."""
    for s in range(spec.service_count):
        touch(spec, world, stats, s, spec.until_s)
        add_waits_of_queue(spec, world, stats, s, spec.until_s)


@njit(cache=True, nogil=True, error_model="numpy")
def run(spec_row, world_row, stats_row):
    """Play until nothing is left to happen (DONE), there is no room for more (GROW), or the next
    part of the plan is due (FEED).
    """
    spec, world, stats = spec_row[0], world_row[0], stats_row[0]
    now = world.now_s
    slot, same_slot_s = min(slot_at(spec, now), spec.slots - 1), now
    while True:
        if world.is_tight | world.is_starved:
            world.now_s = now
            return FEED if world.is_starved else GROW
        if _do_what_follows(spec, world, stats, now, slot):
            continue
        is_arrival = is_before_all(world, world.arrives_s, world.arrival_key)
        now = world.arrives_s if is_arrival else event_at(world, 0).when_s
        if now >= spec.until_s:
            break
        if now >= same_slot_s:
            slot = min(slot_at(spec, now), spec.slots - 1)
            same_slot_s = (slot + 1 - _SURELY) * spec.slot_s
        if is_arrival:
            _arrive(spec, world, stats, now)
        else:
            _do_first_event(spec, world, stats, now, slot)
    _close(spec, world, stats)
    return DONE
