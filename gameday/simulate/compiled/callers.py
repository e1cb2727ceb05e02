"""The callers of a service in the compiled engine: look, ask, ask again, ask a second one, or do not ask."""

from __future__ import annotations

from gameday.record import LOADS
from gameday.scenario.caller_policies import (
    backoff_s,
    failing_after,
    hedge_number,
    is_too_late,
    may_retry,
    tokens_after_answer,
    tokens_after_retry,
    trips,
)
from gameday.simulate.compiled import caches
from gameday.simulate.compiled.draws import uniform_of
from gameday.simulate.compiled.event_queue import CALL_ENDED, HEDGE, RETRY, again_at, at, now_then
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import hedge_no_more
from gameday.simulate.compiled.stations import begin_attempt
from gameday.simulate.compiled.step_work import outcome_of
from gameday.simulate.compiled.tables_at import add_load, call_at, service_at, visit_at
from gameday.vocabulary import Draw

__all__ = ["answer", "begin_call", "hedge"]

NONE, _CLOSED = -1, -1.0
_LOOKUPS, _HITS = LOADS.index("lookups"), LOADS.index("hits")
_BACKOFF, _CACHE = int(Draw.BACKOFF), int(Draw.CACHE)
_backoff_s, _hedge_number = inlined(backoff_s), inlined(hedge_number)
_failing_after, _trips = inlined(failing_after), inlined(trips)
_may_retry, _tokens_after_retry = inlined(may_retry), inlined(tokens_after_retry)
_tokens_after_answer, _is_too_late = inlined(tokens_after_answer), inlined(is_too_late)


@inlined
def begin_call(spec, w, books, c, now, slot):
    """A call begins, or is tried again: an answer is found, nobody may ask, or an attempt goes out."""
    call = call_at(w, c)
    s = visit_at(spec, call.visit).service
    sv = service_at(w, s)
    if sv.entries > 0 and call.number == 0:
        call.item = caches.item(sv, uniform_of(spec, call, 0, _CACHE))
        add_load(books, s, _LOOKUPS, slot, 1.0)
        if caches.finds(w, sv, call.item):
            add_load(books, s, _HITS, slot, 1.0)
            _ends(spec, w, c, 1, now)
            return
    if sv.open_s > 0 and not _may_ask(sv, now):
        _ends(spec, w, c, 0, now)
        return
    call.first, call.second, call.is_hedged, call.era = NONE, NONE, 0, sv.era
    is_under_way = begin_attempt(spec, w, books, c, call.number, now, slot)
    if sv.hedge_s > 0 and is_under_way:
        _will_hedge(w, sv, s, c, now)


@inlined
def _ends(spec, w, c, ok, now):
    """A call is over before anything went out."""
    call_at(w, c).ok = ok
    if call_at(w, c).is_root:
        call_at(w, c).outcome = outcome_of(spec, w, c, now)
    now_then(w, CALL_ENDED, c)


@inlined
def _may_ask(sv, now):
    """Return whether the breaker lets a request go out now; it counts as gone out."""
    if sv.open_until_s == _CLOSED:
        return True
    if now < sv.open_until_s or sv.is_trying:
        return False
    sv.is_trying = 1
    return True


@inlined
def _heard(sv, era, ok, now):
    """Note how a request was answered."""
    if sv.open_s > 0 and era == sv.era:
        if sv.open_until_s == _CLOSED:
            sv.failing = _failing_after(sv.failing, 0.0 if ok else 1.0, sv.window)
            if _trips(sv.failing, sv.failures):
                sv.open_until_s, sv.is_trying = now + sv.open_s, 0
                sv.era += 1
        else:
            sv.is_trying, sv.failing = 0, 0.0
            sv.era += 1
            sv.open_until_s = _CLOSED if ok else now + sv.open_s
    if ok and sv.tokens_each > 0:
        sv.tokens = _tokens_after_answer(sv.tokens, sv.tokens_each, sv.tokens_most)


@inlined
def _takes_token(sv):
    """Take a token for a request more; return whether there was one, or none is needed."""
    if sv.tokens_each == 0:
        return True
    if not _may_retry(sv.tokens):
        return False
    sv.tokens = _tokens_after_retry(sv.tokens)
    return True


@inlined
def answer(spec, w, c, now):
    """A caller hears of its try; return whether its call is over, else it will try again."""
    call = call_at(w, c)
    sv = service_at(w, visit_at(spec, call.visit).service)
    _heard(sv, call.era, call.ok, now)
    if call.ok:
        if sv.entries > 0:
            caches.keep(w, sv, call.item)
        return True
    if call.number == sv.retries:
        return True
    uniform = uniform_of(spec, call, call.number + 1, _BACKOFF)
    again_s = now + _backoff_s(sv.backoff_s, call.number + 1, uniform)
    if sv.is_heedful and _is_too_late(again_s, call.deadline_s):
        return True
    if not _takes_token(sv):
        return True
    call.number += 1
    at(w, again_s, RETRY, c)
    return False


@inlined
def _will_hedge(w, sv, s, c, now):
    """A call joins those who ask a second time: all of a service wait as long, as with time-outs."""
    call = call_at(w, c)
    call.hedge_at_s, call.is_hedged = now + sv.hedge_s, 1
    call.before, call.behind = sv.newest_hedge, NONE
    if sv.newest_hedge == NONE:
        sv.oldest_hedge = c
    else:
        call_at(w, sv.newest_hedge).behind = c
    sv.newest_hedge = c
    if sv.is_hedge_armed:
        call.hedge_seq = w.sequence
        w.sequence += 1
    else:
        call.hedge_seq = at(w, call.hedge_at_s, HEDGE, s)
        sv.is_hedge_armed = 1


@inlined
def hedge(spec, w, books, s, seq, now, slot):
    """An answer is late: its caller asks a second time."""
    sv = service_at(w, s)
    c = sv.oldest_hedge
    if c != NONE and call_at(w, c).hedge_seq == seq:
        hedge_no_more(w, sv, c)
        if _takes_token(sv):
            begin_attempt(spec, w, books, c, _hedge_number(call_at(w, c).number), now, slot)
    c = sv.oldest_hedge
    sv.is_hedge_armed = 0
    if c != NONE:
        again_at(w, call_at(w, c).hedge_at_s, HEDGE, s, call_at(w, c).hedge_seq)
        sv.is_hedge_armed = 1
