"""What a worker counted since its last report: samples in one array, counted in batches.

A step costs one `extend` while the clock runs; sorting, binning and adding up are numpy's, a few
times a second.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from struct import Struct
from typing import Any

import numpy as np

from gameday.record import BINS, LATENCIES, STEPS, bin_of
from gameday.swarm.tally.reports import TallyCounts
from gameday.vocabulary import Array

__all__ = [
    "ABANDONED",
    "CHECK_FAILED",
    "DONE",
    "FAILED",
    "NUMBER",
    "OUTCOMES",
    "PACKED",
    "SOLD_OUT",
    "UNREQUIRED",
    "WAITING",
    "Tally",
]

OUTCOMES = ("done", "failed", "check_failed", "sold_out", "abandoned", "waiting")
DONE, FAILED, CHECK_FAILED, SOLD_OUT, ABANDONED, WAITING = range(6)
NUMBER = {name: number for number, name in enumerate(OUTCOMES)}

UNREQUIRED = "not required: "
"""How the fault of an exchange begins that its step does not need."""

PACKED = Struct("6d").pack
"""Makes a sample's bytes: packing six numbers costs half of what putting them in an array does."""
_WIDTH = 6
"""Numbers of a sample: code, due, sent, done, bytes, nominal instant (see `Tally.samples`)."""
_MOST_DENSE = 1 << 18
_SENT, _EXTRA, _ACHIEVED = (STEPS.index(name) for name in ("sent", "extra", "achieved"))
_OUTCOME = np.array([STEPS.index(name) for name in OUTCOMES])


class Tally:
    """Counts and latencies since the last `take`."""

    worker = number = 0
    """Of this worker, and of its next report."""

    def __init__(
        self, *, stacks: int, steps: int, lead_in: int, slot_wall_s: float, t0: float
    ) -> None:
        self.span, self._steps = stacks * steps, steps
        """What one outcome further adds to a code: the number of (stack, step) pairs."""
        self._lead_in, self._slot_wall_s, self.t0 = lead_in, slot_wall_s, t0
        self.samples = bytearray()
        """PACKED: six numbers for every step that ended: its code, when it was due, sent and done on the
        engine's clock, bytes received, and when it would have been due at nominal responses, from
        the window's start. And six for every exchange of a step that has several: -1 - its number,
        due, sent, done, bytes, 0."""
        self.exchange_of = np.full(self.span, -1)
        """The number of the exchange of a step that has but one, by `code`; else -1."""
        self._counts = defaultdict[int, int](int)
        """Steps by slot, column and (stack, step) pair, as `_key` makes one number of them."""
        self._bins = defaultdict[int, int](int)
        """Latencies by slot, kind, bin and pair."""
        self._sessions = defaultdict[tuple[int, int, int], int](int)
        self._delays_s = array("d")
        self._delay = defaultdict[tuple[int, int], int](int)
        self._faults = defaultdict[tuple[int, int, str], int](int)
        self.exchange_faults = defaultdict[tuple[int, str], int](int)
        self._redirects = defaultdict[int, int](int)
        self._orders: list[tuple[int, str, str, str, float]] = []
        self._gone: dict[tuple[int, str], float] = {}

    def code(self, stack: int, step: int) -> int:
        """Return the code of a step that was done; `span` further is each outcome after it."""
        return stack * self._steps + step

    @property
    def extra(self) -> int:
        """What is added to the code of a step that was tried again."""
        return self.span * len(OUTCOMES)

    def session(self, stack: int, column: int, slot: int) -> None:
        """Count a session under SESSIONS[column]; `slot` counts from the grid's first."""
        self._sessions[stack, column, slot] += 1

    def not_reached(self, stack: int, step: int, why: int, slot: int) -> None:
        """Count a planned step that will never be sent, under STEPS[why]."""
        self._counts[self._key(slot, why, self.code(stack, step))] += 1

    def ended_late(self, stack: int, seconds: float) -> None:
        """Add a session's delay against its plan."""
        self._delays_s.extend((stack, seconds))

    def fault(self, stack: int, step: int, why: str) -> None:
        """Count a reason why a step was not done."""
        self._faults[stack, step, why] += 1

    def exchange_fault(self, number: int, why: str) -> None:
        """Count a reason why an exchange failed, for Locust's own tables."""
        self.exchange_faults[number, why] += 1

    def redirect(self, step: int) -> None:
        """Count a redirect that was followed: one more request."""
        self._redirects[step] += 1

    def order(
        self, stack: int, key: str, fate: str, *, number: str = "", at_s: float = 0.0
    ) -> None:
        """Note what became of an order: confirmed, by the shop's `number` where it tells one, or unknown.

        `at_s`: when, from the window's start.
        """
        self._orders.append((stack, key, fate, number, at_s))

    def sold_out(self, stack: int, product: str, at_s: float) -> None:
        """Note that a customer was told that a product is gone, s from the window's start."""
        self._gone[stack, product] = min(at_s, self._gone.get((stack, product), at_s))

    def _key(self, slot: Any, column: Any, pair: Any) -> Any:
        return (slot * len(STEPS) + column) * self.span + pair

    def count(self) -> Array:
        """Count what was sampled since the last call.

        Return the exchanges that ended, shape (n, 4): number, due, done, bytes.
        """
        raw = np.frombuffer(bytes(self.samples)).reshape(-1, _WIDTH).T.copy()
        self.samples.clear()
        code = raw[0].astype(np.int64)
        self._count_delays()
        is_step = code >= 0
        if is_step.all():
            self._count_steps(code, raw)
        else:
            self._count_steps(code[is_step], raw[:, is_step])
        line = np.where(is_step, self.exchange_of[code % self.span], -1 - code)
        exchanges = np.stack([line, raw[1], raw[3], raw[4]], axis=1)
        return exchanges if (line >= 0).all() else np.asarray(exchanges[line >= 0])

    def _count_steps(self, code: Array, rows: Array) -> None:
        """Add steps that ended: each under three columns, and with three latencies."""
        _, due, sent, done, _, nominal_s = rows
        pair, rest = code % self.span, code // self.span
        outcome, is_extra = rest % len(OUTCOMES), rest >= len(OUTCOMES)
        went_out, planned = self._slots(due - self.t0), self._slots(nominal_s)
        sent_as = np.where(is_extra, _EXTRA, _SENT)
        columns = np.concatenate([sent_as, np.full(len(code), _ACHIEVED), _OUTCOME[outcome]])
        slots = np.concatenate([np.where(is_extra, went_out, planned), went_out, went_out])
        self._add(self._counts, self._key(slots, columns, np.tile(pair, 3)))
        times = np.stack([done - due, done - sent, np.maximum(sent - due, 0.0)])
        self._add(self._bins, self._latency_keys(went_out, times, pair))

    def _latency_keys(self, slots: Array, times_s: Array, pair: Array) -> Array:
        """Return the cells that count latencies; `times_s` has the shape (LATENCIES, steps that ended)."""
        kind = np.arange(len(LATENCIES))[:, None]
        cells = (slots * len(LATENCIES) + kind) * BINS + bin_of(times_s)
        return np.asarray((cells * self.span + pair).ravel())

    def _count_delays(self) -> None:
        stacks, seconds = np.array(self._delays_s).reshape(-1, 2).T
        del self._delays_s[:]
        bins = bin_of(np.maximum(seconds, 0.0))
        for stack, bin_ in zip(stacks.astype(int), bins, strict=True):
            self._delay[int(stack), int(bin_)] += 1

    def _slots(self, at_s: Array) -> Array:
        """Return the grid's slots of instants counted from the window's start."""
        slots = np.floor(at_s / self._slot_wall_s).astype(np.int64) + self._lead_in
        return np.asarray(np.maximum(slots, 0))

    @staticmethod
    def _add(into: dict[int, int], keys: Array) -> None:
        if not len(keys):
            return
        least = int(keys.min())
        if int(keys.max()) - least < _MOST_DENSE:  # counting beats sorting
            dense = np.bincount(keys - least)
            found = np.flatnonzero(dense)
            counts, found = dense[found], found + least
        else:
            found, counts = np.unique(keys, return_counts=True)
        for key, n in zip(found.tolist(), counts.tolist(), strict=True):
            into[key] += n

    def take(self) -> TallyCounts:
        """Return all counts as lists of whole numbers, and begin anew. Call `count` before."""
        counts = TallyCounts(
            self.worker,
            self.number,
            steps=self._table(self._counts, len(STEPS)),
            latency=self._table(self._bins, BINS, len(LATENCIES)),
            sessions=[[*key, n] for key, n in self._sessions.items()],
            delay=[[*key, n] for key, n in self._delay.items()],
            faults=[[*key, n] for key, n in self._faults.items()],
            redirects=[[step, n] for step, n in self._redirects.items()],
            orders=[list(order) for order in self._orders],
            gone=[[*key, at_s] for key, at_s in self._gone.items()],
        )
        self.number += 1
        self._clear()
        return counts

    def _clear(self) -> None:
        for counts in (self._counts, self._bins, self._redirects):
            counts.clear()
        for counts_by_key in (self._sessions, self._delay, self._faults, self._gone):
            counts_by_key.clear()
        self._orders.clear()

    def _table(self, counts: dict[int, int], *sizes: int) -> list[list[int]]:
        """Return rows [stack, step, column, slot, n], or [stack, step, kind, slot, bin, n]."""
        keys = np.fromiter(counts.keys(), np.int64, len(counts))
        rest, pair = np.divmod(keys, self.span)
        digits, rest = _digits(rest, sizes)
        columns = [digits[-1], rest, *digits[:-1]]
        numbers = np.fromiter(counts.values(), np.int64, len(counts))
        table: list[list[int]] = np.stack(
            [pair // self._steps, pair % self._steps, *columns, numbers], axis=1
        ).tolist()
        return table


def _digits(numbers: Array, sizes: tuple[int, ...]) -> tuple[list[Array], Array]:
    """Return the digits of numbers of mixed radix, the last one first, and what remains of the numbers."""
    digits = []
    for size in sizes:
        numbers, digit = np.divmod(numbers, size)
        digits.append(digit)
    return digits, numbers
