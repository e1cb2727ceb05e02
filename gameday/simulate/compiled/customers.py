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
from gameday.simulate.compiled.walks import END, after, first_step, slot_at, walk_on
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
def begin_session(spec, w, books, i, now):
    """A customer comes: the whole walk is planned, its first step begins."""
    one = session_at(w, i)
    one.began = min(slot_at(spec, now), spec.slots - 1)
    count_session(books, _S_PLANNED, one.began)
    count_session(books, _S_STARTED, one.began)
    one.step, one.place, one.tries = first_step(spec, one.journey, one.key), 0, 0
    one.works, one.is_over, one.cart = 0, 0, 0
    one.planned_slot = slot_at(spec, one.nominal_s + spec.offset_s)
    if one.planned_slot >= spec.slots:
        _end(w, books, i, _S_FINISHED)
        return
    count_step(books, one.step, _PLANNED, one.planned_slot)
    walk_on(spec, books, one, _PLANNED)
    begin_step(spec, w, books, i, now)


@inlined
def begin_step(spec, w, books, i, now):
    """Do the step a customer is at, for the first time or again."""
    one = session_at(w, i)
    one.sent_s, one.sent_slot = now, min(slot_at(spec, now), spec.slots - 1)
    if one.tries:
        count_step(books, one.step, _EXTRA, one.sent_slot)
    else:
        count_step(books, one.step, _SENT, one.planned_slot)
    count_step(books, one.step, _ACHIEVED, one.sent_slot)
    k = new_work(w)
    work = work_at(w, k)
    work.session, work.place, work.tries = i, one.place, one.tries
    work.script = script_of(spec, one.step, one.product)
    work.group = script_at(spec, work.script).group_from
    work.exchange, work.members, work.has_left = 0, 0, 0
    one.work = k
    one.works += 1
    begin_to_wait(spec, w, i, now)
    next_group(spec, w, k)


@inlined
def step_over(spec, w, books, i, now):
    """Book a step's outcome and time, and go on as they demand."""
    one = session_at(w, i)
    outcome = one.outcome
    count_step(books, one.step, _FIRST_OUTCOME + outcome, one.sent_slot)
    count_response(books, one.step, one.sent_slot, bin_of(now - one.sent_s))
    if outcome == DONE:
        _go_on(spec, w, books, i, now)
    elif not _try_again(spec, w, i, now):
        _break_off(spec, w, books, i)


@inlined
def _try_again(spec, w, i, now):
    one = session_at(w, i)
    if one.outcome == ABANDONED or one.outcome == CHECK_FAILED:
        return False
    if one.tries == 0 or one.mood != one.outcome:
        one.mood, one.since = one.outcome, one.tries
    journey = journey_at(spec, one.journey)
    chance, pause, most = journey.failed_again, journey.failed_pause_s, journey.failed_most
    if one.mood == SOLD_OUT:
        chance, pause, most = (
            journey.sold_out_again,
            journey.sold_out_pause_s,
            journey.sold_out_most,
        )
    if one.mood == WAITING:
        chance, pause, most = (
            journey.waiting_again,
            journey.waiting_pause_s,
            journey.waiting_most,
        )
    number = one.tries + 1
    if one.tries - one.since >= most or keyed(one.key, one.place, number, _REACTION) >= chance:
        return False
    due = now + pause
    if one.mood == WAITING and number_at(spec.is_limited, one.product).n:
        sale = sale_at(w, one.product)
        if sale.countdown_s > 0 and now < sale.opens_s:
            uniform = keyed(one.key, one.place, _COUNTDOWN + number, _REACTION)
            due = sale.opens_s + uniform * sale.countdown_s
    if slot_at(spec, due) >= spec.slots:
        return False
    one.tries += 1
    at(w, due, PAUSE_OVER, i)
    return True


@inlined
def _break_off(spec, w, books, i):
    one = session_at(w, i)
    if one.outcome == SOLD_OUT:
        walk_on(spec, books, one, _AFTER_SOLD_OUT)
        _end(w, books, i, _S_FINISHED)
    elif one.outcome == WAITING:
        walk_on(spec, books, one, _AFTER_WAITING)
        _end(w, books, i, _S_FINISHED)
    elif one.outcome == ABANDONED:
        walk_on(spec, books, one, _AFTER_ABANDONED)
        _end(w, books, i, _S_ABANDONED)
    else:
        walk_on(spec, books, one, _AFTER_FAILED)
        _end(w, books, i, _S_FAILED)


@inlined
def _go_on(spec, w, books, i, now):
    """Let the customer think, or end the session as planned."""
    one = session_at(w, i)
    spent_s = one.nominal_s + nominal_of(spec, one.step) - one.start_s
    think, following = after(spec, one.journey, one.key, one.place, one.step, spent_s)
    nominal = one.nominal_s + (nominal_of(spec, one.step) + think)
    slot = slot_at(spec, nominal + spec.offset_s)
    if following == END or slot >= spec.slots:
        late = now - (one.nominal_s + spec.offset_s + nominal_of(spec, one.step))
        count_delay(books, bin_of(max(0.0, late)))
        _end(w, books, i, _S_FINISHED)
    elif slot_at(spec, now + think) >= spec.slots:
        walk_on(spec, books, one, _DELAYED)
        _end(w, books, i, _S_DISPLACED)
    else:
        one.place += 1
        one.step, one.nominal_s, one.planned_slot, one.tries = following, nominal, slot, 0
        at(w, now + think, PAUSE_OVER, i)


@inlined
def _end(w, books, i, how):
    one = session_at(w, i)
    count_session(books, how, one.began)
    one.is_over = 1
    if one.works == 0:
        free_session(w, i)
