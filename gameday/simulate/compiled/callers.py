"""The callers of a service in the compiled engine: cache, circuit breaker, retries and hedges."""

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
from gameday.simulate.compiled.caches import find_item, item_of_uniform, keep_item
from gameday.simulate.compiled.draws import uniform_of
from gameday.simulate.compiled.event_queue import CALL_ENDED, HEDGE, RETRY, again_at, at, now_then
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.pools import hedge_no_more
from gameday.simulate.compiled.stations import begin_attempt
from gameday.simulate.compiled.step_work import outcome_of
from gameday.simulate.compiled.tables_at import add_load, call_at, service_at, visit_at
from gameday.vocabulary import CALL_IS_MADE, Draw

__all__ = ["answer", "begin_call", "hedge"]

NONE, _CLOSED = -1, -1.0
_LOOKUPS, _HITS = LOADS.index("lookups"), LOADS.index("hits")
_BACKOFF, _CACHE = int(Draw.BACKOFF), int(Draw.CACHE)
_backoff_s, _hedge_number = inlined(backoff_s), inlined(hedge_number)
_failing_after, _trips = inlined(failing_after), inlined(trips)
_may_retry, _tokens_after_retry = inlined(may_retry), inlined(tokens_after_retry)
_tokens_after_answer, _is_too_late = inlined(tokens_after_answer), inlined(is_too_late)


@inlined
def begin_call(spec, world, stats, c, now, slot):
    """Begin a call, or try it again: the cache answers, the breaker refuses, or an attempt goes out.

    A call that only a share of visits make is over at once in the others.
    """
    call = call_at(world, c)
    chance = visit_at(spec, call.visit).chance
    if chance < 1.0 and call.number == 0 and uniform_of(spec, call, CALL_IS_MADE, _CACHE) >= chance:
        _ends(spec, world, c, 1, now)
        return
    s = visit_at(spec, call.visit).service
    service = service_at(world, s)
    if service.entries > 0 and call.number == 0 and _is_cached(spec, world, stats, s, call, slot):
        _ends(spec, world, c, 1, now)
        return
    if service.open_s > 0 and not _may_ask(service, now):
        _ends(spec, world, c, 0, now)
        return
    call.first, call.second, call.is_hedged, call.era = NONE, NONE, 0, service.era
    is_under_way = begin_attempt(spec, world, stats, c, call.number, now, slot)
    if service.hedge_s > 0 and is_under_way:
        _will_hedge(world, service, s, c, now)


@inlined
def _is_cached(spec, world, stats, s, call, slot):
    """Return whether the callers' cache has the answer; count the lookup and the hit."""
    service = service_at(world, s)
    call.item = item_of_uniform(service, uniform_of(spec, call, 0, _CACHE))
    add_load(stats, s, _LOOKUPS, slot, 1.0)
    if not find_item(world, service, call.item):
        return False
    add_load(stats, s, _HITS, slot, 1.0)
    return True


@inlined
def _ends(spec, world, c, ok, now):
    """End a call before anything went out."""
    call_at(world, c).ok = ok
    if call_at(world, c).is_root:
        call_at(world, c).outcome = outcome_of(spec, world, c, now)
    now_then(world, CALL_ENDED, c)


@inlined
def _may_ask(service, now):
    """Return whether the breaker lets a request go out now; it counts as gone out."""
    if service.open_until_s == _CLOSED:
        return True
    if now < service.open_until_s or service.is_trying:
        return False
    service.is_trying = 1
    return True


@inlined
def _note_answer(service, era, ok, now):
    """Note how a request was answered; the breaker counts only those sent in its present era."""
    if service.open_s > 0 and era == service.era:
        if service.open_until_s == _CLOSED:
            service.failing = _failing_after(service.failing, 0.0 if ok else 1.0, service.window)
            if _trips(service.failing, service.failures):
                service.open_until_s, service.is_trying = now + service.open_s, 0
                service.era += 1
        else:  # the one request that was let out to try decides
            service.is_trying, service.failing = 0, 0.0
            service.era += 1
            service.open_until_s = _CLOSED if ok else now + service.open_s
    if ok and service.tokens_each > 0:
        service.tokens = _tokens_after_answer(
            service.tokens, service.tokens_each, service.tokens_most
        )


@inlined
def _takes_token(service):
    """Take a token for one more request; return whether there was one, or none is needed."""
    if service.tokens_each == 0:
        return True
    if not _may_retry(service.tokens):
        return False
    service.tokens = _tokens_after_retry(service.tokens)
    return True


@inlined
def answer(spec, world, c, now):
    """Give a caller the answer to its try; return whether its call is over, else it will try again."""
    call = call_at(world, c)
    service = service_at(world, visit_at(spec, call.visit).service)
    _note_answer(service, call.era, call.ok, now)
    if call.ok:
        if service.entries > 0:
            keep_item(world, service, call.item)
        return True
    if call.number == service.retries:
        return True
    uniform = uniform_of(spec, call, call.number + 1, _BACKOFF)
    again_s = now + _backoff_s(service.backoff_s, call.number + 1, uniform)
    is_late = service.is_heedful and _is_too_late(again_s, call.deadline_s)
    if is_late or not _takes_token(service):
        return True
    call.number += 1
    at(world, again_s, RETRY, c)
    return False


@inlined
def _will_hedge(world, service, s, c, now):
    """Start a call's hedge timer: all of a service are as long, so only the oldest is in the heap."""
    call = call_at(world, c)
    call.hedge_at_s, call.is_hedged = now + service.hedge_s, 1
    call.before, call.behind = service.newest_hedge, NONE
    if service.newest_hedge == NONE:
        service.oldest_hedge = c
    else:
        call_at(world, service.newest_hedge).behind = c
    service.newest_hedge = c
    if service.is_hedge_armed:
        call.hedge_seq = world.sequence
        world.sequence += 1
    else:
        call.hedge_seq = at(world, call.hedge_at_s, HEDGE, s)
        service.is_hedge_armed = 1


@inlined
def hedge(spec, world, stats, s, seq, now, slot):
    """Let the oldest hedge timer go off: its caller asks a second time, if its answer is late."""
    service = service_at(world, s)
    c = service.oldest_hedge
    if c != NONE and call_at(world, c).hedge_seq == seq:
        hedge_no_more(world, service, c)
        if _takes_token(service):
            begin_attempt(spec, world, stats, c, _hedge_number(call_at(world, c).number), now, slot)
    c = service.oldest_hedge
    service.is_hedge_armed = 0
    if c != NONE:
        again_at(world, call_at(world, c).hedge_at_s, HEDGE, s, call_at(world, c).hedge_seq)
        service.is_hedge_armed = 1
