"""One service alone: a queue of c servers, first come first served, fed by a Poisson stream by the minute.

What needs no journeys needs no event heap: who comes next starts when the first server is free
(Kiefer and Wolfowitz, 1955). It says at full scale what a small cell cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from gameday.record import BINS
from gameday.scenario.service_times import ServiceTime
from gameday.simulate.compiled import layout
from gameday.simulate.compiled.draws import bin_of, numbered, seconds_of, session_key
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.laws import law_of
from gameday.vocabulary import Array, Seed

__all__ = ["Alone", "queue_alone"]


@dataclass(frozen=True, slots=True)
class Alone:
    """What a queue alone shows, per slot of arrival."""

    arrived: Array
    """Shape (slots,), int64."""
    waited_s: Array
    """Seconds that those who came in the slot waited, (slots,)."""
    busy_s: Array
    """Server-seconds in use in the slot, (slots,)."""
    waits: Array
    """Waits over BINS, (slots, BINS), int32; those who did not wait are in the first."""

    @property
    def mean_wait_s(self) -> float:
        """Mean wait over all slots, s; NaN if nobody came."""
        return float(self.waited_s.sum() / self.arrived.sum()) if self.arrived.sum() else math.nan


def queue_alone(
    rate_per_s: Array,
    slot_s: float,
    servers: int,
    time: ServiceTime,
    *,
    seed: Seed,
    factor: float = 1.0,
) -> Alone:
    """Return a replication of M(t)/G/c: Poisson arrivals at `rate_per_s` in each slot, (slots,).

    A service takes `time` x `factor`. Memory does not grow with the number of arrivals.
    """
    slots = len(rate_per_s)
    numbers, law, rows = law_of(time)
    table = np.array(rows or [0.0])
    spec, visit = np.zeros(1, layout.SPEC), np.zeros(1, layout.VISIT)
    spec["law_rows"] = table.ctypes.data
    visit["mean_s"], visit["second"], visit["third"] = numbers
    visit["law"], visit["row_to"], visit["factor"] = law, len(rows), factor
    out = Alone(
        np.zeros(slots, np.int64),
        np.zeros(slots),
        np.zeros(slots),
        np.zeros((slots, BINS), np.int32),
    )
    rates = np.ascontiguousarray(rate_per_s, float)
    root = seed.root - (1 << 64) if seed.root >= 1 << 63 else seed.root
    _play(
        spec, visit, rates, slot_s, servers, root, out.arrived, out.waited_s, out.busy_s, out.waits
    )
    return out


@inlined
def _put(free, at):
    """Let the first free server be busy until `at`.

    The heap's hole goes down to a leaf, for who starts now is mostly among the last to end, and
    from there up to its place: one comparison a level, without a branch to guess.
    """
    servers, i = len(free), 0
    while 2 * i + 2 < servers:
        below = 2 * i + 1
        below += free[below + 1] < free[below]
        free[i] = free[below]
        i = below
    if 2 * i + 1 < servers:
        free[i] = free[2 * i + 1]
        i = 2 * i + 1
    while i > 0 and free[(i - 1) >> 1] > at:
        free[i] = free[(i - 1) >> 1]
        i = (i - 1) >> 1
    free[i] = at


@inlined
def _book(busy_s, whole, start, end, slot_s):
    """Add the time from start to end to its slots: the ends by value, whole slots by differences."""
    slots = len(busy_s)
    first, last = int(start / slot_s), int(end / slot_s)
    if first >= slots:
        return
    if first == last:
        busy_s[first] += end - start
        return
    busy_s[first] += (first + 1) * slot_s - start
    if last < slots:
        busy_s[last] += end - last * slot_s
    else:
        last = slots
    if last > first + 1:
        whole[first + 1] += 1
        whole[last] -= 1


@njit(cache=True, nogil=True, error_model="numpy")
def _play(spec_row, visit_row, rates, slot_s, servers, root, arrived, waited_s, busy_s, waits):
    spec, visit = spec_row[0], visit_row[0]
    free, whole = np.zeros(servers), np.zeros(len(rates) + 1, np.int64)
    coming, serving = session_key(root, 0), session_key(root, 1)
    now, number = 0.0, 0
    left = -math.log(numbered(coming, number))
    for slot in range(len(rates)):
        slot_end, rate = (slot + 1) * slot_s, rates[slot]
        gap, inside, waited, came, at_once = 1.0 / rate if rate else math.inf, 0.0, 0.0, 0, 0
        while now + left * gap < slot_end:  # a unit of chance through the rate of each slot
            now += left * gap
            start = max(now, free[0])
            end = start + seconds_of(spec, visit, numbered(serving, number)) * visit.factor
            _put(free, end)
            if end < slot_end:
                inside += end - start
            else:
                _book(busy_s, whole, start, end, slot_s)
            came += 1
            if start > now:
                waited += start - now
                waits[slot, bin_of(start - now)] += 1
            else:
                at_once += 1
            number += 1
            left = -math.log(numbered(coming, number))
        left -= (slot_end - now) * rate
        now = slot_end
        busy_s[slot] += inside
        arrived[slot], waited_s[slot] = came, waited
        waits[slot, 0] += at_once
    full = 0
    for slot in range(len(rates)):
        full += whole[slot]
        busy_s[slot] += full * slot_s
