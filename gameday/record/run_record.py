"""RunRecord: what one run showed, the same whether simulated or swarmed. The narrow waist.

Books (DESIGN §7.6), balanced on every run:
  steps      planned = sent + after_failed + after_check + after_sold_out + after_abandoned
                       + after_waiting + delayed + held + lost                (by the slot they were planned in)
             achieved = done + failed + check_failed + sold_out + abandoned + waiting + unfinished
                                                              (by the slot they went out in)
             sum of achieved = sum of sent + sum of extra
  attempts   arrived = done + failed + shed + timed_out + cancelled + orphaned + in_flight
  sessions   started = finished + abandoned + failed + displaced + lost
             planned = started + held, and what we never came to
Held is what a guardrail kept from starting; waiting is told to come again: not released yet, or in line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gameday.vocabulary import Array, TimeGrid

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ATTEMPTS",
    "BINS",
    "ENDS",
    "FATES",
    "LATENCIES",
    "LOADS",
    "SESSIONS",
    "SESSION_ENDS",
    "STEPS",
    "Orders",
    "RunRecord",
    "bin_of",
    "blank_record",
    "known_sum",
    "one_bin",
    "percentile",
]

STEPS = (
    "planned",
    "sent",
    "after_failed",
    "after_check",
    "after_sold_out",
    "after_abandoned",
    "after_waiting",
    "delayed",
    "held",
    "lost",
    "extra",
    "achieved",
    "done",
    "failed",
    "check_failed",
    "sold_out",
    "abandoned",
    "waiting",
    "unfinished",
)
FATES = slice(STEPS.index("sent"), STEPS.index("extra"))
"""What becomes of a planned step."""
ENDS = slice(STEPS.index("done"), len(STEPS))
"""What becomes of a step that went out."""
SESSIONS = ("planned", "started", "finished", "abandoned", "failed", "displaced", "lost", "held")
SESSION_ENDS = slice(SESSIONS.index("finished"), SESSIONS.index("held"))
ATTEMPTS = (
    "arrived",
    "done",
    "failed",
    "shed",
    "timed_out",
    "cancelled",
    "orphaned",
    "in_flight",
)
LOADS = ("busy_s", "queue_s", "servers", "waited_s", "lookups", "hits", "repeats")
"""Server-seconds in use, waiting-seconds, and mean servers, per slot; and how long those had waited
who left the queue in it, which over a run is `queue_s` again (Little's law). What callers looked for in
the cache before the service, and found there. Attempts that asked for what had been asked before: retries and
second requests, of callers or of theirs above."""
LATENCIES = ("response", "service", "lateness")
"""Intended -> last byte; send -> last byte; intended -> send (DESIGN §7.5)."""

_ROUNDING = 1e-6
"""Share by which sums of seconds may differ."""
_FLOOR_S = 1e-4
_WIDTH = math.log(1.01)
BINS = 1400
"""Latency bins, each 1 % wide, from 0.1 ms to about 110 s (DESIGN §7.11)."""


def bin_of(seconds: Array | float) -> Array:
    """Return the latency bin of each duration; below 0.1 ms is the first, above 110 s the last."""
    place = np.log(np.maximum(seconds, _FLOOR_S) / _FLOOR_S) / _WIDTH
    return np.minimum(place.astype(int) if isinstance(place, np.ndarray) else int(place), BINS - 1)


def one_bin(seconds: float) -> int:
    """Return the latency bin of one duration as the engines of the model book it: by `math`."""
    return min(int(math.log(max(seconds, _FLOOR_S) / _FLOOR_S) / _WIDTH), BINS - 1)


def percentile(histogram: Array, level: float, most_s: float = math.inf) -> float:
    """Return the `level` quantile in seconds of counts over BINS (the last axis); NaN if empty.

    Within a bin by the share of its counts below, so that runs that differ by less than one do; never above
    `most_s`, the longest that can have been counted: a bin reaches up to 1 % beyond what is in it.
    """
    upto = np.cumsum(histogram, axis=-1)
    if upto[-1] <= 0:
        return float("nan")
    rank = level * upto[-1]
    place = min(int(np.searchsorted(upto, rank)), BINS - 1)
    count = float(histogram[place])
    share = (rank - (upto[place] - count)) / count if count else 0.5
    return min(most_s, float(_FLOOR_S * np.exp((place + min(max(share, 0.0), 1.0)) * _WIDTH)))


def known_sum(values: Array) -> Array:
    """Return sums over the last axis of what was observed; NaN where nothing was."""
    seen = ~np.isnan(values)
    return np.asarray(np.where(seen.any(axis=-1), np.nansum(values, axis=-1), np.nan))


@dataclass(frozen=True, slots=True)
class Orders:
    """Virtual orders by their idempotency key; -1 = not observed."""

    confirmed: int
    """Keys the customers saw accepted."""
    unknown: int
    """Keys sent whose reply never came."""
    in_shop: int
    """Keys in the shop's database after the drain."""
    confirmed_missing: int
    """Confirmed keys the shop does not have: must be 0."""
    never_sent: int
    """Keys in the shop that no customer sent: must be 0."""


@dataclass(frozen=True)
class RunRecord:
    """Counts and latencies per slot. Arrays are over the whole grid, lead-in first."""

    source: str
    """`swarm` or `simpy`."""
    grid: TimeGrid
    lead_in: int
    slot_wall_s: float
    stacks: tuple[str, ...]
    steps: tuple[str, ...]
    services: tuple[str, ...]
    step_counts: Array
    """Shape (stacks, steps, STEPS, slots), int64."""
    session_counts: Array
    """Shape (stacks, SESSIONS, slots), int64."""
    attempts: Array
    """Shape (stacks, services, ATTEMPTS, slots), float; NaN = not observed."""
    loads: Array
    """Shape (stacks, services, LOADS, slots), float; NaN = not observed."""
    latency: Array
    """Shape (stacks, steps, LATENCIES, slots, BINS), int32."""
    visits: Array
    """Seconds of a visit, queue to reply, (stacks, services, slots, BINS), float32."""
    session_delay: Array
    """Seconds by which sessions ended later than planned, (stacks, BINS), int64."""
    longest_s: Array
    """Longest response of each step, in seconds: its customers' patience. Shape (steps,)."""
    longest_visit_s: Array
    """Longest visit that anybody waits for, in seconds: the service's time-out; inf where it is not known of the
    target. Shape (services,)."""
    orders: Orders | None = None
    sold_out: dict[tuple[str, str], float] = field(default_factory=dict)
    """(Stack, product type) -> when a customer was first told that it is gone, wall s from the window's start."""
    notes: tuple[str, ...] = field(default=())
    redirects: dict[str, int] = field(default_factory=dict)
    """Step -> redirects followed in the whole run; each was one more request. Empty for a model's."""

    @property
    def judged(self) -> slice:
        """The slots of the window, after the lead-in."""
        return slice(self.lead_in, self.grid.slots)

    def step_total(self, step: str, what: str, stack: str | None = None) -> int:
        """Return a step's count over the window, one stack's or all of them."""
        mine = slice(None) if stack is None else [self.stacks.index(stack)]
        part = self.step_counts[mine, self.steps.index(step), STEPS.index(what)]
        return int(part[:, self.judged].sum())

    def longest_response_s(self, steps: Sequence[str]) -> float:
        """Return the seconds after which every customer of these steps has left."""
        return max(
            (float(self.longest_s[self.steps.index(step)]) for step in steps), default=math.inf
        )

    def with_time_outs(self, seconds: Sequence[float]) -> RunRecord:
        """Return the record of a target that is known to wait so long, service by service, and no longer."""
        return replace(self, longest_visit_s=np.array(seconds))

    def response(self, stack: str, step: str, slots: slice | None = None) -> Array:
        """Return the histogram of response times of a step over `slots` (default the window)."""
        rows = self.latency[self.stacks.index(stack), self.steps.index(step), 0]
        return np.asarray(rows[slots or self.judged].sum(axis=0))

    def utilisation(self, stack: str, service: str) -> Array:
        """Return busy share of the servers per slot, 0 to 1, shape (slots,); NaN = not observed.

        Servers that are taken away end what they have begun, and scrapes are not at the slot's very ends: more
        than all servers' time counts as all of it.
        """
        load = self.loads[self.stacks.index(stack), self.services.index(service)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.minimum(1.0, load[0] / (load[2] * self.slot_wall_s)))

    def little_residual(self) -> float:
        """Return how far queue counts and waits disagree, the worst service's share; NaN: not known."""
        counted, waited = (
            self.loads[:, :, LOADS.index("queue_s")],
            self.loads[:, :, LOADS.index("waited_s")],
        )
        counted, waited = known_sum(counted), known_sum(waited)
        known = ~np.isnan(waited)
        if not known.any():
            return float("nan")
        return float((np.abs(counted - waited)[known] / np.maximum(counted[known], 1.0)).max())

    def attempt_total(self, stack: str, service: str, what: str) -> float:
        """Return attempts at a service over the window; NaN if not observed."""
        row = self.attempts[self.stacks.index(stack), self.services.index(service)]
        return float(known_sum(row[ATTEMPTS.index(what), self.judged]))

    def imbalances(self) -> list[str]:
        """Return every book that does not balance, in words; empty when all do."""
        steps, sessions = self.step_counts.sum(axis=0), self.session_counts.sum(axis=(0, 2))
        planned = steps[:, 0] - steps[:, FATES].sum(axis=1)
        out = [
            f"steps: {self.steps[i]}: planned differs from its ends by {int(planned[i].sum())}"
            for i in np.flatnonzero(np.abs(planned).sum(axis=1))
        ]
        totals = steps.sum(axis=2)
        for name, row in zip(self.steps, totals, strict=True):
            out_, ended = row[STEPS.index("achieved")], row[ENDS].sum()
            came = row[STEPS.index("sent")] + row[STEPS.index("extra")]
            if out_ != ended or out_ != came:
                out.append(f"steps: {name}: went out {out_}, ended {ended}, sent and extra {came}")
        ended = sessions[SESSION_ENDS].sum()
        if sessions[1] != ended:
            out.append(f"sessions: started {sessions[1]}, ended {ended}")
        for s, stack in enumerate(self.stacks):
            for v, service in enumerate(self.services):
                row = known_sum(self.attempts[s, v])
                if not np.isnan(row).any() and row[0] != row[1:].sum():
                    out.append(f"attempts: {stack} {service}: {row[0]:g} in, {row[1:].sum():g} out")
        if self.little_residual() > _ROUNDING:
            out.append(
                f"Little's law: queue counts and waits differ by {self.little_residual():.1e}"
            )
        return out

    def table(self, replication: int = 0) -> pd.DataFrame:
        """Return the record as one long table, as `measured.parquet` holds it; zeros left out."""
        import pandas as pd  # a worker never asks for it

        frames = [pd.DataFrame(columns, copy=False) for columns in self._columns()]
        whole = pd.concat(frames, ignore_index=True)
        whole["replication"] = replication
        return whole

    def _columns(self) -> Iterator[dict[str, object]]:
        stacks, shift = np.array(self.stacks), self.lead_in
        axes = {
            "steps": (self.step_counts, self.steps, STEPS),
            "services": (self.attempts, self.services, ATTEMPTS),
            "loads": (self.loads, self.services, LOADS),
        }
        for table, (values, names, measures) in axes.items():
            at = np.nonzero(values)
            yield _rows(
                table,
                stacks[at[0]],
                np.array(names)[at[1]],
                np.array(measures)[at[2]],
                at[3] - shift,
                -1,
                values[at],
            )
        at = np.nonzero(self.session_counts)
        yield _rows(
            "sessions",
            stacks[at[0]],
            "",
            np.array(SESSIONS)[at[1]],
            at[2] - shift,
            -1,
            self.session_counts[at],
        )
        at = np.nonzero(self.latency)
        yield _rows(
            "latency",
            stacks[at[0]],
            np.array(self.steps)[at[1]],
            np.array(LATENCIES)[at[2]],
            at[3] - shift,
            at[4],
            self.latency[at],
        )
        at = np.nonzero(self.visits)
        yield _rows(
            "visits",
            stacks[at[0]],
            np.array(self.services)[at[1]],
            "visit",
            at[2] - shift,
            at[3],
            self.visits[at],
        )
        for (stack, product), at_s in self.sold_out.items():
            yield _rows("sold_out", np.array([stack]), product, "first", 0, -1, np.array([at_s]))
        at = np.nonzero(self.session_delay)
        yield _rows("sessions", stacks[at[0]], "", "delay", 0, at[1], self.session_delay[at])


def _rows(
    table: str,
    stack: Array,
    name: Array | str,
    measure: Array | str,
    slot: Array | int,
    bin_: Array | int,
    value: Array,
) -> dict[str, object]:
    return {
        "table": np.full(len(value), table),
        "stack": stack,
        "name": name,
        "measure": measure,
        "slot": slot,
        "bin": bin_,
        "value": value.astype(float),
    }


def blank_record(
    source: str,
    grid: TimeGrid,
    lead_in: int,
    slot_wall_s: float,
    names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    longest_s: Array | None = None,
    longest_visit_s: Array | None = None,
) -> RunRecord:
    """Return a record of zeros for (stacks, steps, services), its arrays ready to be counted in.

    `longest_s` and `longest_visit_s` are those of RunRecord; None: without end.
    """
    stacks, steps, services = names
    a, b, c, n = len(stacks), len(steps), len(services), grid.slots
    return RunRecord(
        source,
        grid,
        lead_in,
        slot_wall_s,
        stacks,
        steps,
        services,
        step_counts=np.zeros((a, b, len(STEPS), n), np.int64),
        session_counts=np.zeros((a, len(SESSIONS), n), np.int64),
        attempts=np.zeros((a, c, len(ATTEMPTS), n)),
        loads=np.zeros((a, c, len(LOADS), n)),
        latency=np.zeros((a, b, len(LATENCIES), n, BINS), np.int32),
        visits=np.zeros((a, c, n, BINS), np.float32),
        session_delay=np.zeros((a, BINS), np.int64),
        longest_s=np.full(b, np.inf) if longest_s is None else longest_s,
        longest_visit_s=np.full(c, np.inf) if longest_visit_s is None else longest_visit_s,
    )
