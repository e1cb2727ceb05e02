"""One service alone: a queue of c servers, first come, first served, fed by a Poisson process by the minute.

Without journeys no event heap is needed: the next arrival starts when the first server is free, by the
recursion of Kiefer and Wolfowitz (1955). It shows at full scale what a scaled-down system cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from gameday.record import BINS
from gameday.scenario.service_times import ServiceTime
from gameday.simulate.compiled.draws import bin_of, numbered, seconds_of, session_key
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.laws import LawRows
from gameday.simulate.compiled.layout import SPEC, VISIT, signed, table
from gameday.vocabulary import Array, Seed

__all__ = ["SingleQueueRun", "run_single_queue"]


@dataclass(frozen=True, slots=True)
class SingleQueueRun:
    """What a replication of a single queue shows, per slot of arrival."""

    arrived: Array
    """Shape (slots,), int64."""
    waited_s: Array
    """Sum of the waits of those who came in the slot, s, (slots,)."""
    busy_s: Array
    """Server-seconds in use in the slot, (slots,)."""
    waits: Array
    """Waits over BINS, (slots, BINS), int32; those who did not wait are in the first."""

    @property
    def mean_wait_s(self) -> float:
        """Mean wait over all slots, s; NaN if nobody came."""
        return float(self.waited_s.sum() / self.arrived.sum()) if self.arrived.sum() else math.nan


def run_single_queue(
    rate_per_s: Array,
    slot_s: float,
    servers: int,
    time: ServiceTime,
    *,
    seed: Seed,
    factor: float = 1.0,
) -> SingleQueueRun:
    """Return a replication of M(t)/G/c: Poisson arrivals at `rate_per_s` in each slot, (slots,).

    A service takes `time` x `factor`. Memory does not grow with the number of arrivals.
    """
    slots = len(rate_per_s)
    laws = LawRows()
    visit = table(VISIT, [laws.add(time) | {"factor": factor}])
    law_rows, spec = laws.array(), np.zeros(1, SPEC)
    spec["law_rows"], spec["root"] = law_rows.ctypes.data, signed(seed.root)
    seen = SingleQueueRun(
        np.zeros(slots, np.int64),
        np.zeros(slots),
        np.zeros(slots),
        np.zeros((slots, BINS), np.int32),
    )
    arrays = (seen.arrived, seen.waited_s, seen.busy_s, seen.waits)
    _play(spec, visit, np.ascontiguousarray(rate_per_s, float), slot_s, servers, arrays)
    return seen


@inlined
def _put(free, until_s):
    """Let the first server to be free be busy until `until_s`.

    `free` is a heap of the instants at which servers are free. Its hole goes down to a leaf, as a service that
    starts now mostly ends among the last, and from there up: one comparison a level, and no branch that a
    predictor must guess.
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
    while i > 0 and free[(i - 1) >> 1] > until_s:
        free[i] = free[(i - 1) >> 1]
        i = (i - 1) >> 1
    free[i] = until_s


@inlined
def _add_busy(busy_s, whole, start, end, slot_s):
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
def _play(spec_row, visit_row, rates, slot_s, servers, seen):
    spec, visit = spec_row[0], visit_row[0]
    arrived, waited_s, busy_s, waits = seen
    free, whole = np.zeros(servers), np.zeros(len(rates) + 1, np.int64)
    coming, serving = session_key(spec.root, 0), session_key(spec.root, 1)
    now, number = 0.0, 0
    left = -math.log(numbered(coming, number))
    for slot in range(len(rates)):
        slot_end, rate = (slot + 1) * slot_s, rates[slot]
        gap, inside, waited, came, at_once = 1.0 / rate if rate else math.inf, 0.0, 0.0, 0, 0
        while now + left * gap < slot_end:  # a unit exponential, passed at the rate of each slot
            now += left * gap
            start = max(now, free[0])
            end = start + seconds_of(spec, visit, numbered(serving, number)) * visit.factor
            _put(free, end)
            if end < slot_end:
                inside += end - start
            else:
                _add_busy(busy_s, whole, start, end, slot_s)
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
    _add_whole_slots(busy_s, whole, slot_s)


@inlined
def _add_whole_slots(busy_s, whole, slot_s):
    """Add the slots that servers were busy throughout, from their differences."""
    full = 0
    for slot in range(len(busy_s)):
        full += whole[slot]
        busy_s[slot] += full * slot_s
