"""The events to come: a binary heap by (time, rank of kind, sequence), and two rings for the present instant.

At one instant everything that follows from an event comes before the next event of the heap: first the
calls that begin (urgent), then what was answered (normal), each first in, first out, as SimPy orders its
processes and events. A follow-up that nothing can come between is done at once, without a ring.
"""

from __future__ import annotations

from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import event_at, number_at

__all__ = [
    "ARRIVE",
    "CALL_ENDED",
    "HANDED",
    "HEDGE",
    "PATIENCE",
    "PAUSE_OVER",
    "READY",
    "REPLY",
    "RETRY",
    "SCALE",
    "STEP_OVER",
    "CHANGE",
    "TIMEOUT",
    "WORK_END",
    "again_at",
    "at",
    "drop_first",
    "is_before_all",
    "next_call",
    "next_key",
    "next_packed",
    "now_first",
    "now_then",
]

(ARRIVE, PAUSE_OVER, PATIENCE, TIMEOUT, RETRY, WORK_END, SCALE, READY, CHANGE, HEDGE) = range(10)
"""Kinds that are scheduled in the heap."""
(HANDED, REPLY, CALL_ENDED, STEP_OVER) = range(10, 14)
"""Kinds that follow at the present instant."""
RANK = (3, 3, 5, 4, 2, 1, 6, 0, 0, 2)
"""Of each scheduled kind, as `instants.Rank`: at one instant new servers come first, then ends of work; callers
and customers give up only after every reply of it."""

_KIND_BITS = 4
_RANK_SHIFT = 52


@inlined
def at(world, when, kind, index):
    """Schedule an event; return its sequence number."""
    seq = world.sequence
    world.sequence = seq + 1
    again_at(world, when, kind, index, seq)
    return seq


@inlined
def next_key(world, kind):
    """Return the key of an event that is scheduled now but kept outside the heap."""
    world.sequence += 1
    return (RANK[kind] << _RANK_SHIFT) | (world.sequence - 1)


@inlined
def is_before_all(world, when, key):
    """Return whether an instant and key come before all of the heap."""
    first = event_at(world, 0)
    is_earlier = when < first.when_s or (when == first.when_s and key < first.key)
    return is_earlier or world.event_count == 0


@inlined
def again_at(world, when, kind, index, seq):
    """Schedule an event under a sequence number given before."""
    key = (RANK[kind] << _RANK_SHIFT) | seq
    i = world.event_count
    world.event_count = i + 1
    while i > 0:
        above = event_at(world, (i - 1) >> 1)
        if above.when_s < when or (above.when_s == when and above.key < key):
            break
        _put(event_at(world, i), above.when_s, above.key, above.packed)
        i = (i - 1) >> 1
    _put(event_at(world, i), when, key, (index << _KIND_BITS) | kind)


@inlined
def _put(event, when, key, packed):
    event.when_s, event.key, event.packed = when, key, packed


@inlined
def drop_first(world):
    """Remove the heap's first event."""
    n = world.event_count - 1
    world.event_count = n
    if n == 0:
        return
    last = event_at(world, n)
    when, key, packed = last.when_s, last.key, last.packed
    i, c = 0, 1
    while c < n:
        below = event_at(world, c)
        if c + 1 < n:  # arithmetic, not a branch: no predictor can guess it
            other = event_at(world, c + 1)
            is_tie = other.when_s == below.when_s
            c += (other.when_s < below.when_s) | (is_tie & (other.key < below.key))
            below = event_at(world, c)
        if when < below.when_s or (when == below.when_s and key < below.key):
            break
        _put(event_at(world, i), below.when_s, below.key, below.packed)
        i, c = c, 2 * c + 1
    _put(event_at(world, i), when, key, packed)


@inlined
def now_first(world, call):
    """Let a call begin at this instant."""
    number_at(world.urgent, world.urgent_to & world.ring_mask).n = call
    world.urgent_to += 1


@inlined
def now_then(world, kind, index):
    """Let something follow at this instant, after all calls that begin."""
    number_at(world.normal, world.normal_to & world.ring_mask).n = (index << _KIND_BITS) | kind
    world.normal_to += 1


@inlined
def next_call(world):
    """Return the call that begins at this instant; NONE if there is none."""
    if world.urgent_from < world.urgent_to:
        world.urgent_from += 1
        return number_at(world.urgent, (world.urgent_from - 1) & world.ring_mask).n
    return -1


@inlined
def next_packed(world):
    """Return what follows at this instant, packed; NONE if the heap is next."""
    if world.normal_from < world.normal_to:
        world.normal_from += 1
        return number_at(world.normal, (world.normal_from - 1) & world.ring_mask).n
    return -1
