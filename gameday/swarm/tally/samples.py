"""What a worker counted since it last said so: samples in one array, counted in batches.

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

    def __init__(
        self, *, stacks: int, steps: int, lead_in: int, slot_wall_s: float, t0: float
    ) -> None:
        self._pairs, self._steps = stacks * steps, steps
        self.span = self._pairs
        """What one outcome further adds to a code."""
        self._lead_in, self._slot_wall_s, self.t0 = lead_in, slot_wall_s, t0
        self.samples = bytearray()
        """PACKED: six numbers for every step that ended: its code, when it was due, sent and done on the
        engine's clock, bytes received, and when it would have been due at nominal responses, from
        the window's start. And six for every exchange of a step that has several: -1 - its number,
        due, sent, done, bytes, 0."""
        self.line_of = np.full(self._pairs, -1)
        """The number of the exchange of a step that has but one, by `code`; else -1."""
        self.worker = self.number = 0
        self._counts: dict[int, int] = defaultdict(int)
        self._bins: dict[int, int] = defaultdict(int)
        self._sessions: dict[tuple[int, int, int], int] = defaultdict(int)
        self._late = array("d")
        self._delay: dict[tuple[int, int], int] = defaultdict(int)
        self._faults: dict[tuple[int, int, str], int] = defaultdict(int)
        self.line_faults: dict[tuple[int, str], int] = defaultdict(int)
        self._redirects: dict[int, int] = defaultdict(int)
        self._orders: list[tuple[int, str, str]] = []
        self._gone: dict[tuple[int, str], float] = {}

    def code(self, stack: int, step: int) -> int:
        """Return the code of a step that was done; `span` further is each outcome after it."""
        return stack * self._steps + step

    @property
    def extra(self) -> int:
        """What is added to the code of a step that was tried again."""
        return self.span * len(OUTCOMES)

    def session(self, stack: int, what: int, slot: int) -> None:
        """Count a session that started or ended; `slot` counts from the grid's first."""
        self._sessions[stack, what, slot] += 1

    def not_reached(self, stack: int, step: int, why: int, slot: int) -> None:
        """Count a planned step that will never be sent, under STEPS[why]."""
        self._counts[self._place(slot, why, self.code(stack, step))] += 1

    def ended_late(self, stack: int, seconds: float) -> None:
        """Add a session's delay against its plan."""
        self._late.extend((stack, seconds))

    def fault(self, stack: int, step: int, why: str) -> None:
        """Count a reason why a step was not done."""
        self._faults[stack, step, why] += 1

    def line_fault(self, number: int, why: str) -> None:
        """Count a reason why an exchange failed, for Locust's own tables."""
        self.line_faults[number, why] += 1

    def redirect(self, step: int) -> None:
        """Count a redirect that was followed: one more request."""
        self._redirects[step] += 1

    def order(self, stack: int, key: str, what: str) -> None:
        """Note what became of an order: confirmed or unknown."""
        self._orders.append((stack, key, what))

    def sold_out(self, stack: int, product: str, at_s: float) -> None:
        """Note that a customer was told that a product is gone, s from the window's start."""
        self._gone[stack, product] = min(at_s, self._gone.get((stack, product), at_s))

    def _place(self, slot: Any, what: Any, pair: Any) -> Any:
        return (slot * len(STEPS) + what) * self._pairs + pair

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
        line = np.where(is_step, self.line_of[code % self._pairs], -1 - code)
        exchanges = np.stack([line, raw[1], raw[3], raw[4]], axis=1)
        return exchanges if (line >= 0).all() else np.asarray(exchanges[line >= 0])

    def _count_steps(self, code: Array, rows: Array) -> None:
        _, due, sent, done, _, nominal = rows
        pair, rest = code % self._pairs, code // self._pairs
        outcome, extra = rest % len(OUTCOMES), rest >= len(OUTCOMES)
        went_out, planned = self._slots(due - self.t0), self._slots(nominal)
        what = np.concatenate(
            [
                np.where(extra, _EXTRA, _SENT),
                np.full(len(code), _ACHIEVED),
                _OUTCOME[outcome],
            ]
        )
        slot = np.concatenate([np.where(extra, went_out, planned), went_out, went_out])
        self._add(self._counts, self._place(slot, what, np.tile(pair, 3)))
        times = np.stack([done - due, done - sent, np.maximum(sent - due, 0.0)])
        kind = np.arange(len(LATENCIES))[:, None]
        keys = ((went_out * len(LATENCIES) + kind) * BINS + bin_of(times)) * self._pairs + pair
        self._add(self._bins, keys.ravel())

    def _count_delays(self) -> None:
        stack, seconds = np.array(self._late).reshape(-1, 2).T
        del self._late[:]
        for one, bin_ in zip(stack.astype(int), bin_of(np.maximum(seconds, 0.0)), strict=True):
            self._delay[int(one), int(bin_)] += 1

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

    def take(self) -> dict[str, Any]:
        """Return all counts as lists of whole numbers, and begin anew. Call `count` before."""
        out = {
            "worker": self.worker,
            "number": self.number,
            "steps": self._table(self._counts, len(STEPS)),
            "latency": self._table(self._bins, BINS, len(LATENCIES)),
            "sessions": [[*key, n] for key, n in self._sessions.items()],
            "delay": [[*key, n] for key, n in self._delay.items()],
            "faults": [[*key, n] for key, n in self._faults.items()],
            "redirects": [[step, n] for step, n in self._redirects.items()],
            "orders": [list(order) for order in self._orders],
            "gone": [[*key, at_s] for key, at_s in self._gone.items()],
        }
        self.number += 1
        for book in (
            self._counts,
            self._bins,
            self._sessions,
            self._delay,
            self._faults,
            self._redirects,
        ):
            book.clear()
        self._orders.clear()
        self._gone.clear()
        return out

    def _table(self, book: dict[int, int], *sizes: int) -> list[list[int]]:
        """Return rows [stack, step, what, slot, n], or [stack, step, kind, slot, bin, n]."""
        keys = np.fromiter(book.keys(), np.int64, len(book))
        rest, pair = np.divmod(keys, self._pairs)
        digits = []
        for size in sizes:
            rest, digit = np.divmod(rest, size)
            digits.append(digit)
        columns = [digits[-1], rest, *digits[:-1]]
        counts = np.fromiter(book.values(), np.int64, len(book))
        table: list[list[int]] = np.stack(
            [pair // self._steps, pair % self._steps, *columns, counts], axis=1
        ).tolist()
        return table
