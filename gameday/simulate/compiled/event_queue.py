"""What happens next: a heap by (time, rank of kind, sequence), and what happens at this very instant.

At one instant everything that follows from an event comes before the next event of the heap:
first the calls that begin (urgent), then what was answered (normal), each in the order it was said; so
SimPy orders its processes and events. What nothing can come between is done at once.
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
    "SWITCH",
    "TIMEOUT",
    "WORK_END",
    "again_at",
    "at",
    "drop_first",
    "is_before_all",
    "next_call",
    "next_key",
    "next_what",
    "now_first",
    "now_then",
]

(ARRIVE, PAUSE_OVER, PATIENCE, TIMEOUT, RETRY, WORK_END, SCALE, READY, SWITCH, HEDGE) = range(10)
"""Kinds that have a time."""
(HANDED, REPLY, CALL_ENDED, STEP_OVER) = range(10, 14)
"""Kinds that follow at this instant."""
RANK = (3, 3, 5, 4, 2, 1, 6, 0, 0, 2)
"""Of a timed kind: of what falls on one instant, servers come first, then ends of work; who waits
no longer goes only after every reply of that instant."""

_KIND_BITS = 4
_RANK_SHIFT = 52


@inlined
def at(w, when, kind, index):
    """Let something happen at `when`; return its sequence number."""
    seq = w.sequence
    w.sequence = seq + 1
    again_at(w, when, kind, index, seq)
    return seq


@inlined
def next_key(w, kind):
    """Return the key of what is scheduled now but kept elsewhere."""
    w.sequence += 1
    return (RANK[kind] << _RANK_SHIFT) | (w.sequence - 1)


@inlined
def is_before_all(w, when, key):
    """Return whether something comes before all of the heap."""
    first = event_at(w, 0)
    is_earlier = when < first.when_s or (when == first.when_s and key < first.key)
    return is_earlier or w.event_count == 0


@inlined
def again_at(w, when, kind, index, seq):
    """The same with a sequence number given before."""
    key = (RANK[kind] << _RANK_SHIFT) | seq
    i = w.event_count
    w.event_count = i + 1
    while i > 0:
        above = event_at(w, (i - 1) >> 1)
        if above.when_s < when or (above.when_s == when and above.key < key):
            break
        _put(event_at(w, i), above.when_s, above.key, above.what)
        i = (i - 1) >> 1
    _put(event_at(w, i), when, key, (index << _KIND_BITS) | kind)


@inlined
def _put(event, when, key, what):
    event.when_s, event.key, event.what = when, key, what


@inlined
def drop_first(w):
    """Take the heap's first event away."""
    n = w.event_count - 1
    w.event_count = n
    if n == 0:
        return
    last = event_at(w, n)
    when, key, what = last.when_s, last.key, last.what
    i, c = 0, 1
    while c < n:
        below = event_at(w, c)
        if c + 1 < n:  # which of two is first nobody can guess: reckoned, not branched on
            other = event_at(w, c + 1)
            is_tie = other.when_s == below.when_s
            c += (other.when_s < below.when_s) | (is_tie & (other.key < below.key))
            below = event_at(w, c)
        if when < below.when_s or (when == below.when_s and key < below.key):
            break
        _put(event_at(w, i), below.when_s, below.key, below.what)
        i, c = c, 2 * c + 1
    _put(event_at(w, i), when, key, what)


@inlined
def now_first(w, call):
    """Let a call begin at this instant."""
    number_at(w.urgent, w.urgent_to & w.ring_mask).n = call
    w.urgent_to += 1


@inlined
def now_then(w, kind, index):
    """Let something follow at this instant, after all that begins."""
    number_at(w.normal, w.normal_to & w.ring_mask).n = (index << _KIND_BITS) | kind
    w.normal_to += 1


@inlined
def next_call(w):
    """Return the call that begins at this instant; NONE if there is none."""
    if w.urgent_from < w.urgent_to:
        w.urgent_from += 1
        return number_at(w.urgent, (w.urgent_from - 1) & w.ring_mask).n
    return -1


@inlined
def next_what(w):
    """Return what follows at this instant, packed; NONE if the heap is next."""
    if w.normal_from < w.normal_to:
        w.normal_from += 1
        return number_at(w.normal, (w.normal_from - 1) & w.ring_mask).n
    return -1
