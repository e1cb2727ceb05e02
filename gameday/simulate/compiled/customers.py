"""Customers in the compiled engine: they walk, wait, lose patience, try again, find things sold out."""

from __future__ import annotations

from gameday.record import SESSIONS, STEPS
from gameday.scenario.blocks import COUNTDOWN
from gameday.simulate.compiled.draws import bin_of, keyed
from gameday.simulate.compiled.event_queue import PAUSE_OVER, at
from gameday.simulate.compiled.free_lists import free_session, new_work
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.step_work import (
    ABANDONED,
    CHECK_FAILED,
    DONE,
    SOLD_OUT,
    WAITING,
    begin_to_wait,
    next_group,
)
from gameday.simulate.compiled.tables_at import (
    count_delay,
    count_response,
    count_session,
    count_step,
    journey_at,
    nominal_of,
    number_at,
    sale_at,
    script_at,
    script_of,
    session_at,
    work_at,
)
from gameday.simulate.compiled.walks import END, after, count_rest, first_step, slot_at
from gameday.vocabulary import Draw

__all__ = ["begin_session", "begin_step", "step_over"]

_PLANNED, _SENT, _EXTRA, _ACHIEVED, _FIRST_OUTCOME, _DELAYED = (
    STEPS.index(n) for n in ("planned", "sent", "extra", "achieved", "done", "delayed")
)
_AFTER_FAILED, _AFTER_SOLD_OUT, _AFTER_ABANDONED, _AFTER_WAITING = (
    STEPS.index(f"after_{n}") for n in ("failed", "sold_out", "abandoned", "waiting")
)
_S_PLANNED, _S_STARTED, _S_FINISHED, _S_ABANDONED, _S_FAILED, _S_DISPLACED = (
    SESSIONS.index(n)
    for n in ("planned", "started", "finished", "abandoned", "failed", "displaced")
)
_REACTION, _COUNTDOWN = int(Draw.REACTION), COUNTDOWN


@inlined
def begin_session(spec, world, stats, i, now):
    """A customer comes: the whole walk is planned, its first step begins."""
    session = session_at(world, i)
    session.began = min(slot_at(spec, now), spec.slots - 1)
    count_session(stats, _S_PLANNED, session.began)
    count_session(stats, _S_STARTED, session.began)
    session.step = first_step(spec, session.journey, session.key)
    session.position, session.tries = 0, 0
    session.works, session.is_over, session.cart = 0, 0, 0
    session.planned_slot = slot_at(spec, session.nominal_s + spec.offset_s)
    if session.planned_slot >= spec.slots:
        _end(world, stats, i, _S_FINISHED)
        return
    count_step(stats, session.step, _PLANNED, session.planned_slot)
    count_rest(spec, stats, session, _PLANNED)
    begin_step(spec, world, stats, i, now)


@inlined
def begin_step(spec, world, stats, i, now):
    """Do the step a customer is at, for the first time or again."""
    session = session_at(world, i)
    session.sent_s, session.sent_slot = now, min(slot_at(spec, now), spec.slots - 1)
    if session.tries:
        count_step(stats, session.step, _EXTRA, session.sent_slot)
    else:
        count_step(stats, session.step, _SENT, session.planned_slot)
    count_step(stats, session.step, _ACHIEVED, session.sent_slot)
    k = _new_step_work(spec, world, session, i)
    begin_to_wait(spec, world, i, now)
    next_group(spec, world, k)


@inlined
def _new_step_work(spec, world, session, i):
    """Return the index of the exchanges of a session's present step, none of them sent."""
    k = new_work(world)
    work = work_at(world, k)
    work.session, work.position, work.tries = i, session.position, session.tries
    work.script = script_of(spec, session.step, session.product)
    work.group = script_at(spec, work.script).group_from
    work.exchange, work.members, work.has_left = 0, 0, 0
    session.work = k
    session.works += 1
    return k


@inlined
def step_over(spec, world, stats, i, now):
    """Count a step's outcome and time, and go on as they demand."""
    session = session_at(world, i)
    outcome = session.outcome
    count_step(stats, session.step, _FIRST_OUTCOME + outcome, session.sent_slot)
    count_response(stats, session.step, session.sent_slot, bin_of(now - session.sent_s))
    if outcome == DONE:
        _go_on(spec, world, stats, i, now)
    elif not _try_again(spec, world, i, now):
        _break_off(spec, world, stats, i)


@inlined
def _try_again(spec, world, i, now):
    """Let a step be tried again as its outcome demands; return whether it is."""
    session = session_at(world, i)
    if session.outcome == ABANDONED or session.outcome == CHECK_FAILED:
        return False
    if session.tries == 0 or session.mood != session.outcome:
        session.mood, session.since = session.outcome, session.tries
    chance, pause_s, most = _reaction(journey_at(spec, session.journey), session.mood)
    if session.tries - session.since >= most:
        return False
    number = session.tries + 1
    if keyed(session.key, session.position, number, _REACTION) >= chance:
        return False
    due_s = _due_again_s(spec, world, session, number, now, pause_s)
    if slot_at(spec, due_s) >= spec.slots:
        return False
    session.tries = number
    at(world, due_s, PAUSE_OVER, i)
    return True


@inlined
def _reaction(journey, outcome):
    """Return a journey's probability to try again after an outcome, the pause before, s, and most tries."""
    if outcome == SOLD_OUT:
        return journey.sold_out_again, journey.sold_out_pause_s, journey.sold_out_most
    if outcome == WAITING:
        return journey.waiting_again, journey.waiting_pause_s, journey.waiting_most
    return journey.failed_again, journey.failed_pause_s, journey.failed_most


@inlined
def _due_again_s(spec, world, session, number, now, pause_s):
    """Return when a step is tried again: after a pause, or by the countdown to a release."""
    if session.mood == WAITING and number_at(spec.is_limited, session.product).n:
        sale = sale_at(world, session.product)
        if sale.countdown_s > 0 and now < sale.opens_s:
            uniform = keyed(session.key, session.position, _COUNTDOWN + number, _REACTION)
            return sale.opens_s + uniform * sale.countdown_s
    return now + pause_s


@inlined
def _break_off(spec, world, stats, i):
    """End a session whose step went wrong for good; its other planned steps are counted as left out."""
    session = session_at(world, i)
    if session.outcome == SOLD_OUT:
        count_rest(spec, stats, session, _AFTER_SOLD_OUT)
        _end(world, stats, i, _S_FINISHED)
    elif session.outcome == WAITING:
        count_rest(spec, stats, session, _AFTER_WAITING)
        _end(world, stats, i, _S_FINISHED)
    elif session.outcome == ABANDONED:
        count_rest(spec, stats, session, _AFTER_ABANDONED)
        _end(world, stats, i, _S_ABANDONED)
    else:
        count_rest(spec, stats, session, _AFTER_FAILED)
        _end(world, stats, i, _S_FAILED)


@inlined
def _go_on(spec, world, stats, i, now):
    """Let the customer think, or end the session as planned."""
    session = session_at(world, i)
    response_s = nominal_of(spec, session.step)
    think_s, following = after(
        spec,
        session.journey,
        session.key,
        session.position,
        session.step,
        session.nominal_s + response_s - session.start_s,
    )
    nominal_s = session.nominal_s + (response_s + think_s)
    slot = slot_at(spec, nominal_s + spec.offset_s)
    if following == END or slot >= spec.slots:
        late_s = now - (session.nominal_s + spec.offset_s + response_s)
        count_delay(stats, bin_of(max(0.0, late_s)))
        _end(world, stats, i, _S_FINISHED)
    elif slot_at(spec, now + think_s) >= spec.slots:
        count_rest(spec, stats, session, _DELAYED)
        _end(world, stats, i, _S_DISPLACED)
    else:
        session.position += 1
        session.step, session.nominal_s = following, nominal_s
        session.planned_slot, session.tries = slot, 0
        at(world, now + think_s, PAUSE_OVER, i)


@inlined
def _end(world, stats, i, outcome):
    session = session_at(world, i)
    count_session(stats, outcome, session.began)
    session.is_over = 1
    if session.works == 0:
        free_session(world, i)
