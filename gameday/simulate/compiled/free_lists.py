"""Places for sessions, works, calls and attempts: taken from a stack, given back to it.

Whoever leaves less than one event may begin says so, and the loop asks for more room before the next.
"""

from __future__ import annotations

from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import number_at

__all__ = [
    "free_attempt",
    "free_call",
    "free_session",
    "free_work",
    "new_attempt",
    "new_call",
    "new_session",
    "new_work",
]


@inlined
def new_session(w):
    w.sessions_free -= 1
    if w.sessions_free < w.room:
        w.is_tight = 1
    return number_at(w.free_sessions, w.sessions_free).n


@inlined
def free_session(w, place):
    number_at(w.free_sessions, w.sessions_free).n = place
    w.sessions_free += 1


@inlined
def new_work(w):
    w.works_free -= 1
    if w.works_free < w.room:
        w.is_tight = 1
    return number_at(w.free_works, w.works_free).n


@inlined
def free_work(w, place):
    number_at(w.free_works, w.works_free).n = place
    w.works_free += 1


@inlined
def new_call(w):
    w.calls_free -= 1
    if w.calls_free < w.room:
        w.is_tight = 1
    return number_at(w.free_calls, w.calls_free).n


@inlined
def free_call(w, place):
    number_at(w.free_calls, w.calls_free).n = place
    w.calls_free += 1


@inlined
def new_attempt(w):
    w.attempts_free -= 1
    if w.attempts_free < w.room:
        w.is_tight = 1
    return number_at(w.free_attempts, w.attempts_free).n


@inlined
def free_attempt(w, place):
    number_at(w.free_attempts, w.attempts_free).n = place
    w.attempts_free += 1
