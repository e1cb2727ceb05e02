"""Free indices of sessions, works, calls and attempts, each a stack: `new_` pops one, `free_` pushes it.

A pop that leaves fewer than one event may need sets `is_tight`: the loop then asks for more room before going on.
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
def new_session(world):
    world.sessions_free -= 1
    if world.sessions_free < world.room:
        world.is_tight = 1
    return number_at(world.free_sessions, world.sessions_free).n


@inlined
def free_session(world, index):
    number_at(world.free_sessions, world.sessions_free).n = index
    world.sessions_free += 1


@inlined
def new_work(world):
    world.works_free -= 1
    if world.works_free < world.room:
        world.is_tight = 1
    return number_at(world.free_works, world.works_free).n


@inlined
def free_work(world, index):
    number_at(world.free_works, world.works_free).n = index
    world.works_free += 1


@inlined
def new_call(world):
    world.calls_free -= 1
    if world.calls_free < world.room:
        world.is_tight = 1
    return number_at(world.free_calls, world.calls_free).n


@inlined
def free_call(world, index):
    number_at(world.free_calls, world.calls_free).n = index
    world.calls_free += 1


@inlined
def new_attempt(world):
    world.attempts_free -= 1
    if world.attempts_free < world.room:
        world.is_tight = 1
    return number_at(world.free_attempts, world.attempts_free).n


@inlined
def free_attempt(world, index):
    number_at(world.free_attempts, world.attempts_free).n = index
    world.attempts_free += 1
